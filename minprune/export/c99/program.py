"""A model made ready for C: encodings chosen, memory placed, answers emulated."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from minprune._check import AnyArray, FloatArray, IntArray, one_of
from minprune.export.c99.arena import Need, place
from minprune.export.c99.blocks import block_of, find
from minprune.export.c99.choose import (
    OBJECTIVES,
    Candidate,
    candidates,
    choose,
)
from minprune.export.c99.emulate import Ordered
from minprune.export.c99.encode import Encoding, Tables, Terms, in_codes
from minprune.export.c99.strip import Strip, strip
from minprune.files.stored import CODES
from minprune.nn.embedding import Embedding
from minprune.nn.network import Network
from minprune.nn.norm import LayerNorm
from minprune.quantize.arithmetic import AffineNumbers, Integer
from minprune.quantize.graph import Affine, Graph, Kept, Scan, Step, lower
from minprune.quantize.network import QuantizedNetwork

LIMIT = 2**16 - 1
"""Sizes are held in 16 bits on the device."""


@dataclass(frozen=True, slots=True)
class Layer:
    """An affine step, or one of the two inside a recurrent one, with its weights."""

    step: Affine
    places: int
    """Output positions, or steps of a signal: uses of each weight."""
    chosen: Candidate
    offered: tuple[Candidate, ...]
    tables: Tables
    kept: int
    """Weights that differ from zero."""
    strip: Strip | None
    """What a convolution reads. Inputs of a linear layer are read where they lie."""

    @property
    def terms(self) -> Terms:
        """Columns and weights of each row, in the order in which C multiplies them.

        Of floats, whose sums depend on it; weights in codes are not looked up.
        """
        encoding, (rows, columns) = find(self.chosen.encoding), self.step.matrix.shape
        if self.strip is None or encoding.offsets != "direct":
            return encoding.terms(self.tables, (rows, columns))
        terms = encoding.terms(self.tables, (rows, self.strip.size))
        return [(self.strip.columns(seen), weights) for seen, weights in terms]

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
    layers : dict of str to Layer
        What has encoded weights, by its name.
    offsets : dict of str to int
        Place in the arena of each value, of each patch of a convolution and of what a
        recurrent layer works on, in numbers, not bytes.
    codes : bool
        Whether all weights are held in codes of four bits.
    length : int
        Steps of the signal that the first recurrent layer reads; 0 without one.
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
        self.layers, self.codes = self._encoded(objective, codes=False), False
        if objective == "flash" and self._shares():
            coded = self._encoded(objective, codes=True)
            self.codes = _held(coded) < _held(self.layers)
            self.layers = coded if self.codes else self.layers
        scans = [step for step in self.graph.steps if isinstance(step, Scan)]
        self.length = scans[0].plane[2] if scans else 0
        self.offsets, size = place(self._needs())
        self.arena_bytes = size * self.itemsize
        if size > LIMIT:
            raise ValueError(
                f"export: the arena would hold {size} numbers; the generated C counts "
                f"in 16 bits, so {LIMIT} is the most"
            )

    @property
    def weight_bits(self) -> int:
        """Of each stored weight: 32, 8 or 4."""
        return 4 if self.codes else 8 * self.itemsize

    @property
    def table_bytes(self) -> int:
        """Bytes of all weight tables and biases; code and structures come on top."""
        total = 0
        for layer in self.layers.values():
            total += layer.tables.bytes + 4 * len(layer.step.bias)
            if self.quantized is not None:
                numbers = self.quantized.numbers[layer.step.y]
                if isinstance(numbers, AffineNumbers):
                    total += 5 * len(numbers.multiplier)
        for step in self.graph.steps:
            if isinstance(step, Kept):
                total += sum(4 * table.size for table in tables(step).values())
        return total

    def run(self, x: AnyArray, lengths: IntArray | None = None) -> AnyArray:
        """What ``predict`` in C answers: (N, inputs) to (N, outputs), bit for bit.

        With `lengths`, (N,), what ``predict_steps`` answers to signals that end there.
        """
        columns = np.ascontiguousarray(x.T)
        if self.quantized is not None:
            compute = Integer(self.quantized.levels, self.quantized.numbers)
            return self.graph.evaluate(columns, compute).T
        terms = {name: layer.terms for name, layer in self.layers.items()}
        return self.graph.evaluate(columns, Ordered(terms, lengths)).T

    def enter(self, x: AnyArray) -> AnyArray:
        """Raw samples, batch first, as ``predict`` takes them: (N, inputs)."""
        if self.quantized is not None:
            return self.quantized.quantize_input(x)
        return self.graph.enter(x).T

    def __call__(self, x: AnyArray, lengths: IntArray | None = None) -> FloatArray:
        """What ``predict_f32`` in C answers to raw samples, bit for bit."""
        if self.quantized is not None:
            return self.quantized(x)
        return self.run(self.enter(x), lengths)

    def _encoded(self, objective: str, codes: bool) -> dict[str, Layer]:
        """Every layer with its encoding chosen."""
        return {
            step.name: self._encode(step, places, objective, codes)
            for step, places in _affine(self.graph.steps)
        }

    def _shares(self) -> bool:
        """Whether the weights of each layer have so few values that codes can do."""
        return self.quantized is not None and all(
            _values(self._matrix(step)) <= CODES
            for step, _ in _affine(self.graph.steps)
        )

    def _matrix(self, step: Affine) -> AnyArray:
        """The weight that is encoded."""
        if self.quantized is None:
            return step.matrix
        numbers = self.quantized.numbers[step.y]
        if not isinstance(numbers, AffineNumbers):
            raise TypeError(f"export: {step.name} has no integer weights")
        return numbers.weight

    def _encode(self, step: Affine, places: int, objective: str, codes: bool) -> Layer:
        """A layer with its encoding chosen."""
        matrix = self._matrix(step)
        seen = None if _linear(step) else strip(step)
        kept = matrix != 0
        pruned = step.mask.reshape(matrix.shape)
        block = block_of(pruned, len(kept) // step.groups if step.groups > 1 else 0)
        values = _values(matrix) if codes else None
        offered = candidates(kept, self.itemsize, seen, block, values)
        chosen = choose(offered, objective)
        tables = _tables(find(chosen.encoding), matrix, seen)
        tables = in_codes(tables) if codes else tables
        held = int(kept.sum())
        return Layer(step, places, chosen, tuple(offered), tables, held, seen)

    def _needs(self) -> list[Need]:
        """Values between the steps, and the patches of convolutions."""
        last, needs = self.graph.last_uses(), []
        for index, step in enumerate(self.graph.steps):
            if step.y != self.graph.output:
                size = self.graph.sizes[step.y]
                needs.append(Need(f"v{step.y}", size, index, last.get(step.y, index)))
            if work := _work(step):
                needs.append(Need(f"work{step.y}", work, index, index))
        return needs

    def _refuse_large(self) -> None:
        """ValueError for what 16-bit counts cannot hold."""
        for step in self.graph.steps:
            sizes = [self.graph.sizes[v] for v in (*step.xs, step.y)]
            if isinstance(step, Affine):
                sizes.append(step.matrix.shape[1])
            sizes.append(_work(step))
            if max(sizes) > LIMIT:
                raise ValueError(
                    f"export: layer {step.name} handles {max(sizes)} numbers at once; "
                    f"the generated C counts in 16 bits, so {LIMIT} is the most"
                )
            if isinstance(step, Affine) and _work(step) > LIMIT // 2:
                raise ValueError(
                    f"export: layer {step.name} sees {_work(step)} numbers from "
                    f"{strip(step).lanes} positions; the generated C counts them in 15 "
                    f"bits, so {LIMIT // 2} is the most: give it groups"
                )


def _affine(steps: Sequence[Step]) -> Iterator[tuple[Affine, int]]:
    """Every product with weights, and how often each weight is used."""
    for step in steps:
        match step:
            case Affine():
                yield step, math.prod(step.out[1:])
            case Scan():
                yield step.inward, step.plane[2]
                yield step.around, step.plane[2]


def _values(matrix: AnyArray) -> int:
    """How many values there are, zero left out."""
    return len(np.unique(matrix[matrix != 0]))


def _held(layers: Mapping[str, Layer]) -> int:
    """Bytes of all tables."""
    return sum(layer.tables.bytes for layer in layers.values())


def _tables(encoding: Encoding, matrix: AnyArray, seen: Strip | None) -> Tables:
    """The tables of a layer, with the offsets that a convolution needs."""
    if seen is not None and encoding.offsets == "direct":
        return encoding.encode(seen.spread(matrix))
    tables = encoding.encode(np.ascontiguousarray(matrix))
    if seen is None:
        return tables
    offset = seen.offsets
    if encoding.offsets == "relative":
        offset = np.diff(offset, prepend=0)
    return replace(tables, offset=offset.astype(np.int16))


def _work(step: Step) -> int:
    """Numbers that a step needs room for while it runs."""
    match step:
        case Affine() if not _linear(step):
            return strip(step).size
        case Scan():
            gates, columns = step.inward.matrix.shape
            return states(step) + 2 * int(gates) + int(columns)
    return 0


def tables(step: Kept) -> dict[str, FloatArray]:
    """What a layer without encoded weights holds, in float32."""
    if not isinstance(step.layer, Embedding | LayerNorm):
        return {}
    held = {name: p.astype(np.float32) for name, p in step.layer.params.items()}
    if held:
        return held
    ones = np.ones(step.plane, np.float32)
    return {"weight": ones, "bias": 0 * ones}


def states(step: Scan) -> int:
    """Numbers that a recurrent layer remembers."""
    return step.out[0] * (2 if step.cell == "LSTM" else 1)


def _linear(step: Affine) -> bool:
    """Whether a step is one product with a vector that lies in memory as it is."""
    flat = step.plane[1:] == step.out[1:] == step.window.kernel == (1, 1)
    return flat and step.groups == 1
