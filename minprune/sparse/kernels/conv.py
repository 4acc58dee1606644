"""Products of a sparse convolution over planes, samples last.

What they compute is defined in `loops`. Nothing is unfolded: `phases` turns a stored
weight into an offset on padded planes, and the strip kernel does the rest.
"""

import math
from typing import Any

import numpy as np

from minprune._check import FloatArray, batch_array
from minprune.nn.window import Pair, Window, planes
from minprune.sparse.kernels.layout import (
    flat,
    flat_values,
    lanes_for,
    run_gradient,
    run_product,
    zeros,
)
from minprune.sparse.kernels.phases import Layout
from minprune.sparse.kernels.strips import TILE, Frame, Rows
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
        weights = flat_values(values, dtype)
        start = zeros(self.pattern.shape[0], dtype, bias)
        y = batch_array((len(start), *layout.output, x.shape[-1]), dtype)
        for first in range(0, x.shape[-1], SLICE):
            part, out = (a[..., first : first + SLICE] for a in (seen, y))
            run = _tight if part.shape[-1] < TIGHT else _sliced
            run(layout, weights, start, part, out)
        return y if x.ndim == 4 else y[:, 0]

    def input_gradient(
        self, values: FloatArray, dy: FloatArray, x: FloatArray
    ) -> FloatArray:
        """See `Products.input_gradient`."""
        deltas = planes(dy)
        layout, dtype = self._layout(planes(x)), np.result_type(values, dy)
        weights = flat_values(values, dtype)
        dx = batch_array(planes(x).shape, dtype)
        for first in range(0, dy.shape[-1], SLICE):
            part, out = (a[..., first : first + SLICE] for a in (deltas, dx))
            _backward(layout, weights, part, out)
        return dx if x.ndim == 4 else dx[:, 0]

    def weight_gradient(self, x: FloatArray, dy: FloatArray) -> FloatArray:
        """See `Products.weight_gradient`."""
        seen, deltas = planes(x), planes(dy)
        layout, dtype = self._layout(seen), np.result_type(x, dy)
        g = np.zeros(self.pattern.values_shape, dtype)
        for first in range(0, x.shape[-1], SLICE):
            part, out = (a[..., first : first + SLICE] for a in (seen, deltas))
            _gradient(layout, part, out, g.reshape(-1))
        return g


def _spread(layout: Layout, x: FloatArray, lanes: int, dtype: Any) -> FloatArray:
    """The phases of the padded input, with room behind for a strip to reach into."""
    count = layout.window.stride[0] * layout.window.stride[1]
    shape = (count, layout.channels, *layout.phase, lanes)
    size = math.prod(shape)
    memory = batch_array((size + layout.phase[1] * lanes + TILE,), dtype)
    memory[...] = 0
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
    run_product(layout.rows, where, weights, start, memory, flat(written))
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
    run_product(layout.rows, where, weights, start, memory, flat(written))
    positions = written[:, : rows * width * lanes].reshape(-1, rows, width, lanes)
    y[...] = positions[:, :, :columns]


def _backward(
    layout: Layout, weights: FloatArray, dy: FloatArray, dx: FloatArray
) -> None:
    """The transposed product, from dy within its margins to the phases of dx."""
    lanes = lanes_for(dy.shape[-1])
    (height, width), (top, left) = layout.delta, layout.margin
    framed = batch_array((len(dy), height, width, lanes), dx.dtype)
    framed[...] = 0
    rows, columns = layout.output
    framed[:, top : top + rows, left : left + columns, : dy.shape[-1]] = dy
    # Row `first` of a phase, at its farthest tap: where the first segment begins.
    down = layout.first[0] + top - layout.farthest[0]
    across = layout.first[1] + left - layout.farthest[1]
    memory = flat(framed)[(down * width + across) * lanes :]
    inside = layout.inside
    whole = layout.window.stride == (1, 1) and dx.strides[2] == lanes * dx.itemsize
    shape = (layout.columns.outputs, *inside, lanes)
    written = batch_array(shape, dx.dtype) if not whole else dx
    length = inside[1] * lanes
    where = frame(layout.columns, inside[0], length, lanes, width * lanes)
    start = np.zeros(layout.columns.outputs, dx.dtype)
    run_product(layout.columns, where, weights, start, memory, flat(written))
    if not whole:
        phases = written.reshape(-1, layout.channels, *inside, lanes)
        layout.collect(phases, dx)


def _gradient(layout: Layout, x: FloatArray, dy: FloatArray, g: FloatArray) -> None:
    """The gradient at the stored weights, added to g."""
    (rows, columns), lanes = layout.output, lanes_for(x.shape[-1])
    memory = _spread(layout, x, lanes, g.dtype)
    near = batch_array((*dy.shape[:3], lanes), g.dtype)
    near[..., : dy.shape[-1]] = dy
    near[..., dy.shape[-1] :] = 0
    length, step = columns * lanes, layout.phase[1] * lanes
    where = frame(layout.rows, rows, length, lanes, step)
    run_gradient(layout.rows, where, memory, flat(near), g)


def frame(rows: Rows, segments: int, length: int, lanes: int, x_step: int) -> Frame:
    """Segments follow each other in an output row without a gap."""
    y_row = segments * length
    return Frame(
        rows.outputs, rows.panels, segments, length, lanes, x_step, length, y_row, 0
    )
