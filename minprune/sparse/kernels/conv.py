"""Products of a sparse convolution over planes, samples last.

What they compute is defined in `loops`. Nothing is unfolded: `phases` turns a stored
weight into an offset on padded planes, and the strip kernel does the rest.
"""

import math
from typing import Any

import numpy as np

from minprune._check import FloatArray, batch_array
from minprune.nn.window import Pair, Window, planes
from minprune.sparse.kernels.gradients import Backward, backward, gradient
from minprune.sparse.kernels.layout import (
    flat,
    flat_values,
    in_order,
    lanes_for,
    run_rows,
    zeros,
)
from minprune.sparse.kernels.phases import Layout
from minprune.sparse.kernels.strips import TILE, Frame, Product, Rows, product
from minprune.sparse.products import Pattern

SLICE = 32
"""Samples convolved at a time: neighbors of a position share cache lines the more, the
fewer samples lie between them."""

SIZES = 8
"""Layouts kept, one for each size of plane; signals may come in any length."""

TIGHT = 8
"""Below so many samples planes are packed without padding lanes, and a strip runs along
positions, over the border between rows and all; what falls on it is thrown away."""


class ConvolutionProducts:
    """The three products by strips of positions and samples; see `Products`."""

    def __init__(
        self, pattern: Pattern, window: Window, groups: int, channels: int
    ) -> None:
        self.pattern, self.window = pattern, window
        self.groups, self.channels = groups, channels
        self._layouts: dict[Pair, Layout] = {}

    @property
    def nbytes(self) -> int:
        """Bytes of the layouts built so far."""
        return sum(layout.nbytes for layout in self._layouts.values())

    def _layout(self, x: FloatArray) -> Layout:
        """The layout for planes of this size, built once."""
        size = (x.shape[1], x.shape[2])
        if size not in self._layouts:
            if len(self._layouts) == SIZES:
                self._layouts.clear()
            self._layouts[size] = Layout(
                self.pattern, self.window, self.groups, self.channels, size
            )
        return self._layouts[size]

    def forward(
        self, values: FloatArray, bias: FloatArray | None, x: FloatArray
    ) -> FloatArray:
        """See `Products.forward`."""
        seen = planes(x)
        layout, dtype = self._layout(seen), np.result_type(values, x)
        weights = in_order(layout.rows, flat_values(values, dtype))
        start = zeros(self.pattern.shape[0], dtype, bias)
        y = batch_array((len(start), *layout.output, x.shape[-1]), dtype)
        for first in range(0, x.shape[-1], SLICE):
            part, out = (a[..., first : first + SLICE] for a in (seen, y))
            run = _tight if part.shape[-1] < TIGHT else _sliced
            run(layout, weights, start, part, out)
        return y if x.ndim == 4 else y[:, 0]

    def backward(
        self, values: FloatArray, x: FloatArray, dy: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """See `Products.backward`."""
        dtype = np.result_type(values, x, dy)
        dx, g = batch_array(planes(x).shape, dtype), np.zeros(values.shape, dtype)
        self._learn(flat_values(values, dtype), x, dy, g.reshape(-1), dx)
        return (dx if x.ndim == 4 else dx[:, 0]), g

    def weight_gradient(self, x: FloatArray, dy: FloatArray) -> FloatArray:
        """See `Products.weight_gradient`."""
        g = np.zeros(self.pattern.values_shape, np.result_type(x, dy))
        self._learn(g.reshape(-1), x, dy, g.reshape(-1))
        return g

    def _learn(
        self,
        values: FloatArray,
        x: FloatArray,
        dy: FloatArray,
        g: FloatArray,
        dx: FloatArray | None = None,
    ) -> None:
        """Add to g and, if it is wanted, write dx; a slice of samples at a time."""
        seen, deltas = planes(x), planes(dy)
        layout = self._layout(seen)
        for first in range(0, x.shape[-1], SLICE):
            span = (..., slice(first, first + SLICE))
            out = None if dx is None else dx[span]
            _learn_slice(layout, values, seen[span], deltas[span], g, out)


def _spread(layout: Layout, x: FloatArray, lanes: int, dtype: Any) -> FloatArray:
    """The phases of the padded input, with room behind for a strip to reach into."""
    count = layout.window.stride[0] * layout.window.stride[1]
    shape = (count, layout.channels, *layout.phase, lanes)
    size = math.prod(shape)
    memory = _zeros((size + layout.phase[1] * lanes + TILE,), dtype)
    layout.spread(x, memory[:size].reshape(shape))
    return memory


def _sliced(
    layout: Layout,
    weights: FloatArray,
    start: FloatArray,
    x: FloatArray,
    y: FloatArray,
) -> None:
    """Segments are output rows; every position has its samples and their padding."""
    (rows, columns), lanes = layout.output, lanes_for(x.shape[-1])
    memory = _spread(layout, x, lanes, y.dtype)
    whole = y.strides[2] == lanes * y.itemsize
    written = y if whole else batch_array(y.shape, y.dtype)
    length, step = columns * lanes, layout.phase[1] * lanes
    where = frame(layout.rows, rows, length, lanes, step)
    _multiply(layout, where, weights, start, memory, written)
    if not whole:
        y[...] = written


def _tight(
    layout: Layout,
    weights: FloatArray,
    start: FloatArray,
    x: FloatArray,
    y: FloatArray,
) -> None:
    """One segment from the first position to the last, borders included."""
    (rows, columns), lanes = layout.output, x.shape[-1]
    width = layout.phase[1]
    memory = _spread(layout, x, lanes, y.dtype)
    length = lanes_for(rows * width * lanes)
    written = batch_array((len(start), length), y.dtype)
    where = frame(layout.rows, 1, length, lanes, 0)
    _multiply(layout, where, weights, start, memory, written)
    positions = written[:, : rows * width * lanes].reshape(-1, rows, width, lanes)
    y[...] = positions[:, :, :columns]


def _multiply(
    layout: Layout,
    where: Frame,
    weights: FloatArray,
    start: FloatArray,
    memory: FloatArray,
    y: FloatArray,
) -> None:
    """The forward product, in the positions of a frame."""
    operands = Product(0, 0, 0, 0, 0, 0, where, 0, layout.rows.outputs)
    run_rows(product, operands, layout.rows, weights, memory, flat(y), start)


def _learn_slice(
    layout: Layout,
    values: FloatArray,
    x: FloatArray,
    dy: FloatArray,
    g: FloatArray,
    dx: FloatArray | None,
) -> None:
    """The transposed product, from dy within its margins to the phases of x and dx."""
    lanes, dtype = lanes_for(dy.shape[-1]), g.dtype
    (height, width), inside = layout.delta, layout.inside
    framed = _zeros((len(dy), height, width, lanes), dtype)
    top, left = layout.margin
    rows, columns = layout.output
    framed[:, top : top + rows, left : left + columns, : dy.shape[-1]] = dy
    shape = (layout.columns.outputs, *inside, lanes)
    given, made = x, dx
    if not _in_place(layout, x, dtype):
        given = _zeros(shape, dtype)
        layout.split(x, given.reshape(-1, layout.channels, *inside, lanes))
    if dx is not None and not _in_place(layout, dx, dtype):
        made = batch_array(shape, dtype)
    length, near = inside[1] * lanes, layout.reach_back * lanes
    where = frame(layout.columns, inside[0], length, lanes, width * lanes)
    places = (0, near, 0, 0, 0, 0, 0, length, where.y_row)
    run_rows(
        gradient if made is None else backward,
        Backward(*places, where, 0, layout.columns.outputs),
        layout.columns,
        values,
        flat(given),
        flat(given if made is None else made),
        gradients=g,
        deltas=flat(framed),
    )
    if dx is not None and made is not None and made is not dx:
        layout.collect(made.reshape(-1, layout.channels, *inside, lanes), dx)


def _in_place(layout: Layout, x: FloatArray, dtype: Any) -> bool:
    """Whether a plane is its own and only phase, in memory as a strip needs it."""
    lanes = lanes_for(x.shape[-1])
    packed = x.strides[2] == lanes * x.itemsize and x.strides[3] == x.itemsize
    packed = packed and x.strides[1] == x.shape[2] * x.strides[2]
    packed = packed and x.strides[0] == x.shape[1] * x.strides[1]
    whole = lanes == x.shape[-1] and layout.window.stride == (1, 1)
    return bool(whole and packed and x.dtype == dtype and x.flags.carray)


def _zeros(shape: tuple[int, ...], dtype: Any) -> FloatArray:
    """Zeros in batch memory."""
    memory = batch_array(shape, dtype)
    memory[...] = 0
    return memory


def frame(rows: Rows, segments: int, length: int, lanes: int, x_step: int) -> Frame:
    """Segments follow each other in an output row without a gap."""
    y_row = segments * length
    return Frame(
        rows.outputs, rows.panels, segments, length, lanes, x_step, length, y_row, 0
    )
