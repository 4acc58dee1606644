"""A model made ready for C: encodings chosen, memory placed, answers emulated."""

import math
from dataclasses import dataclass

import numpy as np

from minprune._check import AnyArray, FloatArray, one_of
from minprune.export.c99.arena import Need, place
from minprune.export.c99.choose import (
    LANES,
    OBJECTIVES,
    Candidate,
    candidates,
    choose,
)
from minprune.export.c99.emulate import Ordered
from minprune.export.c99.encode import ENCODINGS, Tables
from minprune.nn.network import Network
from minprune.quantize.arithmetic import AffineNumbers, Integer
from minprune.quantize.graph import Affine, Graph, lower
from minprune.quantize.network import QuantizedNetwork

LIMIT = 2**16 - 1
"""Sizes are held in 16 bits on the device."""


@dataclass(frozen=True, slots=True)
class Layer:
    """An affine step with its weights encoded."""

    step: Affine
    chosen: Candidate
    offered: tuple[Candidate, ...]
    tables: Tables
    kept: int
    """Weights that differ from zero."""

    @property
    def linear(self) -> bool:
        """Whether its inputs can be read where they lie, without a patch."""
        return _linear(self.step)

    @property
    def sparsity(self) -> float:
        """Share of the weights that are zero."""
        return 1 - self.kept / self.step.weight.size


class Program:
    """A network, or a quantized one, with every decision made.

    Attributes
    ----------
    dtype : str
        ``"float32"`` or ``"int8"``.
    layers : dict of int to Layer
        The affine steps, by the value they write.
    offsets : dict of str to int
        Place in the arena of each value and of each patch, in numbers, not bytes.
    arena_bytes : int
    """

    def __init__(
        self, model: Network | QuantizedNetwork, objective: str = "speed"
    ) -> None:
        one_of("export", "objective", objective, OBJECTIVES)
        self.quantized = model if isinstance(model, QuantizedNetwork) else None
        self.dtype = "float32" if self.quantized is None else "int8"
        self.itemsize = 4 if self.quantized is None else 1
        self.graph: Graph = (
            lower(model, "export") if isinstance(model, Network) else model.graph
        )
        self._refuse_large()
        self.layers = {
            step.y: self._encode(step, objective)
            for step in self.graph.steps
            if isinstance(step, Affine)
        }
        self.offsets, size = place(self._needs())
        self.arena_bytes = size * self.itemsize
        if size > LIMIT:
            raise ValueError(
                f"export: the arena would hold {size} numbers; the generated C counts "
                f"in 16 bits, so {LIMIT} is the most"
            )

    @property
    def table_bytes(self) -> int:
        """Bytes of all weight tables and biases; code and structures come on top."""
        total = 0
        for y, layer in self.layers.items():
            total += layer.tables.bytes + 4 * len(layer.step.bias)
            if self.quantized is not None:
                numbers = self.quantized.numbers[y]
                total += 5 * len(np.atleast_1d(numbers.multiplier))
        return total

    def run(self, x: AnyArray) -> AnyArray:
        """What ``predict`` in C answers: (N, inputs) to (N, outputs), bit for bit."""
        columns = np.ascontiguousarray(x.T)
        if self.quantized is not None:
            compute = Integer(self.quantized.levels, self.quantized.numbers)
            return self.graph.evaluate(columns, compute).T
        terms = {
            y: ENCODINGS[layer.chosen.encoding].terms(
                layer.tables, layer.step.matrix.shape
            )
            for y, layer in self.layers.items()
        }
        return self.graph.evaluate(columns, Ordered(terms)).T

    def enter(self, x: AnyArray) -> AnyArray:
        """Raw samples, batch first, as ``predict`` takes them: (N, inputs)."""
        if self.quantized is not None:
            return self.quantized.quantize_input(x)
        return self.graph.enter(x).T

    def __call__(self, x: AnyArray) -> FloatArray:
        """What ``predict_f32`` in C answers to raw samples, bit for bit."""
        if self.quantized is not None:
            return self.quantized(x)
        return self.run(self.enter(x))

    def _encode(self, step: Affine, objective: str) -> Layer:
        """A layer with its encoding chosen."""
        matrix: AnyArray = step.matrix
        if self.quantized is not None:
            numbers = self.quantized.numbers[step.y]
            if not isinstance(numbers, AffineNumbers):
                raise TypeError(f"export: {step.name} has no integer weights")
            matrix = numbers.weight
        positions = 0 if _linear(step) else math.prod(step.out[1:])
        kept = matrix != 0
        offered = candidates(kept, self.itemsize, positions)
        chosen = choose(offered, objective)
        tables = ENCODINGS[chosen.encoding].encode(np.ascontiguousarray(matrix))
        return Layer(step, chosen, tuple(offered), tables, int(kept.sum()))

    def _needs(self) -> list[Need]:
        """Values between the steps, and the patches of convolutions."""
        last, needs = self.graph.last_uses(), []
        for index, step in enumerate(self.graph.steps):
            if step.y != self.graph.output:
                size = self.graph.sizes[step.y]
                needs.append(Need(f"v{step.y}", size, index, last.get(step.y, index)))
            if step.y in self.layers and not self.layers[step.y].linear:
                patch = LANES * self.layers[step.y].step.matrix.shape[1]
                needs.append(Need(f"patch{step.y}", patch, index, index))
        return needs

    def _refuse_large(self) -> None:
        """ValueError for what 16-bit counts cannot hold."""
        for step in self.graph.steps:
            sizes = [self.graph.sizes[v] for v in (*step.xs, step.y)]
            if isinstance(step, Affine):
                lanes = 1 if _linear(step) else LANES
                sizes.append(lanes * step.matrix.shape[1])
            if max(sizes) > LIMIT:
                raise ValueError(
                    f"export: layer {step.name} handles {max(sizes)} numbers at once; "
                    f"the generated C counts in 16 bits, so {LIMIT} is the most"
                )


def _linear(step: Affine) -> bool:
    """Whether a step is one product with a vector that lies in memory as it is."""
    flat = step.plane[1:] == step.out[1:] == step.window.kernel == (1, 1)
    return flat and step.groups == 1
