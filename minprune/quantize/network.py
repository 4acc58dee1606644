"""A network in 8-bit integers, with TensorFlow Lite's published semantics.

A value has 256 levels: real = scale * (level - zero), one scale and one zero point for
each value, so that real zero is a level. A weight has 255, symmetric around zero, one
scale for each output channel of a convolution and one for each linear layer; a pruned
weight is exactly zero. Sums are 32-bit integers that provably do not overflow.

References
----------
.. [1] "LiteRT 8-bit quantization specification".
   https://ai.google.dev/edge/litert/models/quantization_spec
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from minprune._check import AnyArray, FloatArray, IntArray
from minprune.nn.layer import Shape
from minprune.nn.network import BATCH, Network
from minprune.quantize import form
from minprune.quantize.arithmetic import (
    ADD_SHIFT,
    SUM_LIMIT,
    AddNumbers,
    AffineNumbers,
    Integer,
    Levels,
    levels_over,
    real,
)
from minprune.quantize.fixed import split
from minprune.quantize.graph import Add, Affine, Graph, Step, lower
from minprune.quantize.observe import Range, observer
from minprune.quantize.rebuild import rebuild
from minprune.quantize.shared import share

BIAS_LIMIT = 2.0**28
"""No bias is larger, in steps of its sum: where it would dwarf the weights, they get
the coarser scale. A row without weights then still has a scale."""


class QuantizedNetwork:
    """A network whose inference uses 8-bit values and 32-bit sums alone.

    Made by `quantize`; it takes raw samples and gives real logits like `Network`.

    Attributes
    ----------
    graph : Graph
        The steps, with batch norm folded and activations made bounds.
    levels : dict of int to Levels
        Scale and zero point of every value.
    numbers : dict of int to AffineNumbers or AddNumbers
        The integers of a step, by the value it writes.
    gain, shift : ndarray of float32, shape broadcastable to a sample
        Raw samples enter as the floor of ``raw * gain + shift``, within 0 and 255,
        minus 128.
    """

    def __init__(
        self,
        graph: Graph,
        levels: dict[int, Levels],
        numbers: dict[int, AffineNumbers | AddNumbers],
    ) -> None:
        self.graph, self.levels, self.numbers = graph, levels, numbers
        # In float32 throughout, so that a board without doubles gets the same bits.
        # Half a level up, so that cutting off the fraction rounds to the nearest.
        door, half_up = np.float32(levels[0].scale), np.float32(levels[0].zero + 128.5)
        with np.errstate(over="ignore"):
            self.gain: FloatArray = graph.scale / door
            self.shift: FloatArray = graph.offset / door + half_up
        if not (np.isfinite(self.gain).all() and np.isfinite(self.shift).all()):
            raise ValueError(
                f"QuantizedNetwork: the levels of samples are {door} apart, too close "
                f"for the scale of raw samples; give samples that differ more"
            )

    @property
    def input_shape(self) -> Shape:
        """Of one raw sample."""
        return self.graph.input_shape

    @property
    def output_shape(self) -> Shape:
        """(outputs,)."""
        return (self.graph.sizes[self.graph.output],)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the outputs; empty for regression."""
        return self.graph.classes

    def manifest(self) -> dict[str, Any]:
        """The steps as JSON values, without any array; see `minprune.quantize.form`."""
        return form.describe(self.graph, self.levels)

    def state(self) -> dict[str, AnyArray]:
        """Every array of integers under its dotted name, weights in stored form."""
        return form.state(self.graph, self.levels, self.numbers)

    @classmethod
    def from_state(
        cls, manifest: Mapping[str, Any], tensors: Mapping[str, AnyArray]
    ) -> "QuantizedNetwork":
        """The network that `manifest` and `state` describe; nothing in them is trusted.

        Raises
        ------
        ValueError
            If a step or an array is missing, left over or does not fit, or if a sum
            could overflow.
        """
        return cls(*rebuild(manifest, tensors))

    def quantize_input(self, x: AnyArray) -> IntArray:
        """Raw samples, batch first, as int8 of shape (N, size)."""
        self.graph.enter(x)  # refuses what does not fit
        raw = np.asarray(x).reshape(len(x), *self.graph.input_shape)
        levels = raw.astype(np.float32) * self.gain + self.shift
        inside = np.where(levels > 0, np.minimum(levels, np.float32(255)), 0)
        return (
            (inside.astype(np.int16) - 128)
            .astype(np.int8)
            .reshape(len(x), self.graph.sizes[0])
        )

    def run(self, x: IntArray) -> IntArray:
        """int8 samples (N, size) to int8 logits (N, outputs): integers throughout."""
        x = np.asarray(x)
        if x.dtype != np.int8 or x.ndim != 2 or x.shape[1] != self.graph.sizes[0]:
            raise ValueError(
                f"run: samples came as {x.dtype} of shape {x.shape}; expected int8 of "
                f"shape (N, {self.graph.sizes[0]}), as quantize_input gives them"
            )
        compute = Integer(self.levels, self.numbers)
        parts = [
            self.graph.evaluate(np.ascontiguousarray(x[at : at + BATCH].T), compute).T
            for at in range(0, max(len(x), 1), BATCH)
        ]
        return np.concatenate(parts)

    def __call__(self, x: AnyArray, lengths: IntArray | None = None) -> FloatArray:
        """Raw samples, batch first, to real logits (N, outputs) in float32.

        `lengths` of padded sequences are taken as `Network` takes them; no layer that
        looks at them has an integer form.
        """
        answer = self.levels[self.graph.output]
        y = self.run(self.quantize_input(x)).astype(np.float32) - answer.zero
        return y * np.float32(answer.scale)

    def predict(self, x: AnyArray, lengths: IntArray | None = None) -> IntArray:
        """The index of the largest output of each sample; the first of equal ones."""
        labels: IntArray = self.run(self.quantize_input(x)).argmax(axis=1)
        return labels


def quantize(
    net: Network,
    samples: AnyArray,
    *,
    observe: str = "min_max",
    linear_by_row: bool = False,
    bits: int = 8,
) -> QuantizedNetwork:
    """The network in 8-bit integers.

    Parameters
    ----------
    net : Network
        Trained and, if at all, pruned: the zeros stay zero.
    samples : array_like, shape (N, *input_shape)
        Raw samples such as the network will see; a few hundred. They set the ranges.
    observe : str
        ``"min_max"``, ``"percentile"`` or ``"mean_squared"``; see `observe`.
    linear_by_row : bool
        Give each output of a linear layer a scale of its own, as convolutions always
        have. Five bytes more an output on a device.
    bits : {4, 8}
        With 4, the weights of a layer share sixteen of the 255 levels, those of each
        row with `linear_by_row`; see `share`. A file then holds four bits a weight.

    Returns
    -------
    small : QuantizedNetwork

    Raises
    ------
    ValueError
        If a layer has no integer form (its name and kind), if there are no samples, or
        if a sum could overflow.

    Notes
    -----
    A weight is ``round(w / s)`` with ``s = max |w| / 127``, a bias
    ``round(b / (s_x s))`` for inputs of scale ``s_x``; a sum is rescaled by
    ``s_x s / s_y``. With the zero point z of the input, ``sum w (x - z)`` is
    ``sum w x`` minus ``z sum w``, which joins the bias. Before a sum is accepted,
    ``|bias| + 128 sum |w|`` is checked to stay below 2^31: no sample can overflow it.

    Values that only pass through a pool, a bound or a concatenation share their levels
    with what goes in, as the specification requires.

    Examples
    --------
    >>> from minprune.nn import Linear, Network, Sequential
    >>> net = Network(Sequential(Linear(2, 1)), (2,))
    >>> net.parameters()["0.weight"][:] = [[1.0, 0.5]]
    >>> small = quantize(net, np.array([[0.0, 0.0], [1.0, 1.0]]))
    >>> small.numbers[1].weight, small(np.array([[1.0, 1.0]]))
    (array([[127,  64]], dtype=int8), array([[1.5]], dtype=float32))
    """
    see = observer("quantize", observe)
    if bits not in (4, 8):
        raise ValueError(f"quantize: bits is {bits!r}; expected 4 or 8")
    graph = lower(net, "quantize", integer=True)
    columns = graph.enter(samples)
    if not columns.shape[1]:
        raise ValueError("quantize: there are no samples; ranges need at least one")
    ranges: dict[int, Range] = {}
    graph.evaluate(
        columns, real, lambda value, array: ranges.update({value: see(array)})
    )
    levels = {
        value: levels_over(*found) for value, found in _shared(graph, ranges).items()
    }
    numbers: dict[int, AffineNumbers | AddNumbers] = {}
    for step in graph.steps:
        if isinstance(step, Affine):
            by_row = linear_by_row or "Linear" not in step.kind
            books = {8: 0, 4: step.out[0] if linear_by_row else 1}[bits]
            numbers[step.y] = _affine_numbers(step, levels, by_row, books)
        elif isinstance(step, Add):
            numbers[step.y] = _add_numbers(step, levels)
    return QuantizedNetwork(graph, levels, numbers)


def _shared(graph: Graph, ranges: dict[int, Range]) -> dict[int, Range]:
    """The ranges, joined where a step cannot change the levels."""
    group = {value: value for value in ranges}
    for step in graph.steps:
        if not isinstance(step, Affine | Add):
            joined = {group[value] for value in (*step.xs, step.y)}
            group = {v: min(joined) if g in joined else g for v, g in group.items()}
    members: dict[int, list[int]] = {}
    for value, leader in group.items():
        members.setdefault(leader, []).append(value)
    return {
        value: (
            min(ranges[member][0] for member in members[leader]),
            max(ranges[member][1] for member in members[leader]),
        )
        for value, leader in group.items()
    }


def _affine_numbers(
    step: Affine, levels: dict[int, Levels], by_row: bool, books: int
) -> AffineNumbers:
    """Weights, biases and factors of an affine step; ValueError if it may overflow.

    With `books`, weights are held by so many codebooks: one, or one a row.
    """
    source, target = levels[step.xs[0]], levels[step.y]
    matrix = step.matrix.astype(float)
    bias = np.abs(step.bias) / (source.scale * BIAS_LIMIT)
    scales = np.maximum(np.abs(matrix).max(axis=1, initial=0) / 127, bias)
    if not by_row:
        scales = scales.max(keepdims=True)
    scales = scales.astype(np.float32).astype(float)
    scales[scales == 0] = 1.0
    weight = np.clip(np.rint(matrix / scales[:, None]), -127, 127).astype(np.int64)
    if books:
        weight = share(weight, step.mask.reshape(weight.shape), books)
    real_bias = np.rint(step.bias / (source.scale * scales)).astype(np.int64)
    folded = real_bias - source.zero * weight.sum(axis=1)
    factors = [split(source.scale * scale / target.scale) for scale in scales]
    multiplier, exponent = np.array(factors, np.int64).reshape(-1, 2).T
    numbers = AffineNumbers(weight, folded, multiplier, exponent)
    if (over := numbers.overflowing()).size:
        row = int(over[0])
        places = max(int(exponent[row % len(exponent)]), 0)
        raise ValueError(
            f"quantize: layer {step.name}: the sum of output {row} may reach "
            f"{numbers.largest_sums()[row]}, raised by {places} bits; a 32-bit integer "
            f"needs less than {SUM_LIMIT}, so give it fewer inputs or a wider range of "
            f"outputs"
        )
    return AffineNumbers(
        weight.astype(np.int8),
        folded.astype(np.int32),
        multiplier.astype(np.int32),
        exponent.astype(np.int32),
    )


def _add_numbers(step: Step, levels: dict[int, Levels]) -> AddNumbers:
    """Factors of a sum: both sides to twice the coarser scale, then to the result's."""
    left, right = (levels[x].scale for x in step.xs)
    twice = 2 * max(left, right)
    out = twice / (2**ADD_SHIFT * levels[step.y].scale)
    (m1, e1), (m2, e2), (m3, e3) = split(left / twice), split(right / twice), split(out)
    if e3 > 2:  # both sides together stay below 2**29
        raise ValueError(
            f"quantize: layer {step.name}: both sides cancel to less than a millionth; "
            f"a 32-bit sum cannot hold that, so give samples on which they do not"
        )
    return AddNumbers((m1, m2, m3), (e1, e2, e3))
