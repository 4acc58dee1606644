"""Products of a sparse convolution over planes, samples last.

A stored weight of the (out, K) view stands for a channel and a tap (kh, kw). The loops
that define the three products stand first. The fast ones need no unfolding: on padded
planes a tap is a fixed distance in memory, so a stored weight is one precomputed offset
and the strip kernel does the rest.

Strides above one would tear strips apart. So the padded planes are split into phases,
rows and columns that leave the same remainder: within a phase, every convolution has
stride one. A signal is a plane of one row; pointwise and depthwise are not special.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from minprune._check import FloatArray, IntArray, batch_array
from minprune.nn.window import Pair, Window, planes
from minprune.sparse.kernels._jit import kernel
from minprune.sparse.kernels.layout import (
    flat,
    flat_values,
    lanes_for,
    make_rows,
    rows_bytes,
    run_gradient,
    run_product,
    transposed,
    zeros,
)
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


Spans = tuple[slice, slice]


@kernel
def forward(
    indptr: IntArray,
    indices: IntArray,
    values: FloatArray,
    geometry: tuple[int, ...],
    x: FloatArray,
    y: FloatArray,
) -> None:
    """y[o, p, q] = sum_k values[k] * x[c, p sh + i dh - top, q sw + j dw - left].

    Weight k of row o stands for the channel c and the tap (i, j); x is zero outside.
    """
    kh, kw, sh, sw, dh, dw, top, left, group_out, group_in = geometry
    for o in range(y.shape[0]):
        y[o] = 0.0
        for k in range(indptr[o], indptr[o + 1]):
            c, tap = divmod(indices[k], kh * kw)
            c += o // group_out * group_in
            i, j = divmod(tap, kw)
            for p in range(y.shape[1]):
                for q in range(y.shape[2]):
                    h, w = p * sh + i * dh - top, q * sw + j * dw - left
                    if 0 <= h < x.shape[1] and 0 <= w < x.shape[2]:
                        for n in range(y.shape[3]):
                            y[o, p, q, n] += values[k] * x[c, h, w, n]


@kernel
def input_gradient(
    indptr: IntArray,
    indices: IntArray,
    values: FloatArray,
    geometry: tuple[int, ...],
    dy: FloatArray,
    dx: FloatArray,
) -> None:
    """Hand dy[o, p, q] back to every input it was made from, times its weight."""
    kh, kw, sh, sw, dh, dw, top, left, group_out, group_in = geometry
    dx[:] = 0.0
    for o in range(dy.shape[0]):
        for k in range(indptr[o], indptr[o + 1]):
            c, tap = divmod(indices[k], kh * kw)
            c += o // group_out * group_in
            i, j = divmod(tap, kw)
            for p in range(dy.shape[1]):
                for q in range(dy.shape[2]):
                    h, w = p * sh + i * dh - top, q * sw + j * dw - left
                    if 0 <= h < dx.shape[1] and 0 <= w < dx.shape[2]:
                        for n in range(dy.shape[3]):
                            dx[c, h, w, n] += values[k] * dy[o, p, q, n]


@kernel
def weight_gradient(
    indptr: IntArray,
    indices: IntArray,
    geometry: tuple[int, ...],
    x: FloatArray,
    dy: FloatArray,
    g: FloatArray,
) -> None:
    """g[k] = sum over positions and samples of dy times the input that weight k saw."""
    kh, kw, sh, sw, dh, dw, top, left, group_out, group_in = geometry
    for o in range(dy.shape[0]):
        for k in range(indptr[o], indptr[o + 1]):
            g[k] = 0.0
            c, tap = divmod(indices[k], kh * kw)
            c += o // group_out * group_in
            i, j = divmod(tap, kw)
            for p in range(dy.shape[1]):
                for q in range(dy.shape[2]):
                    h, w = p * sh + i * dh - top, q * sw + j * dw - left
                    if 0 <= h < x.shape[1] and 0 <= w < x.shape[2]:
                        for n in range(dy.shape[3]):
                            g[k] += x[c, h, w, n] * dy[o, p, q, n]


def geometry(window: Window, shape: Pair, groups: int) -> tuple[int, ...]:
    """What the loops above need to know, for a weight of shape (out, K)."""
    taps = window.kernel[0] * window.kernel[1]
    corner = window.padding[0][0], window.padding[1][0]
    return (
        *window.kernel,
        *window.stride,
        *window.dilation,
        *corner,
        shape[0] // groups,
        shape[1] // taps,
    )


@dataclass(frozen=True)
class Layout:
    """A pattern and a window over planes of one size, as offsets.

    Attributes
    ----------
    pattern : CSR or BSR
    window : Window
    groups, channels : int
    size : tuple of int
        Rows and columns of the input plane.
    """

    pattern: Pattern
    window: Window
    groups: int
    channels: int
    size: Pair

    @cached_property
    def output(self) -> Pair:
        """Rows and columns of the output plane."""
        return self.window.output("sparse convolution", *self.size)

    @cached_property
    def phase(self) -> Pair:
        """Rows and columns of one phase of the padded plane, where windows reach."""
        rows, columns = self.output
        return rows + self.farthest[0], columns + self.farthest[1]

    @cached_property
    def farthest(self) -> Pair:
        """How far the last tap lies from the first, within a phase."""
        reach, stride = self.window.reach, self.window.stride
        return (reach[0] - 1) // stride[0], (reach[1] - 1) // stride[1]

    def _taps(self) -> tuple[IntArray, IntArray, IntArray, IntArray, IntArray]:
        """Row, phase and channel of each stored weight, and its tap in the phase."""
        row, column, _ = self.pattern.entries()
        (kh, kw), window = self.window.kernel, self.window
        group = row // (self.pattern.shape[0] // self.groups)
        channel = column // (kh * kw) + group * (self.channels // self.groups)
        i = column // kw % kh * window.dilation[0]
        j = column % kw * window.dilation[1]
        (sh, sw) = window.stride
        return row, i % sh * sw + j % sw, channel, i // sh, j // sw

    @cached_property
    def rows(self) -> Rows:
        """The forward product: offsets on the phases of the padded input."""
        _, phase, channel, down, across = self._taps()
        (height, width), (row, column, where) = self.phase, self.pattern.entries()
        offset = ((phase * self.channels + channel) * height + down) * width + across
        return make_rows(*self.pattern.shape, row, column, offset, where)

    # The transposed product gives the phases of the input's gradient, from `first` on:
    # the rows and columns that are padding before the plane are never made.

    @cached_property
    def first(self) -> Pair:
        """The first row and column of a phase that the plane reaches into."""
        (top, _), (left, _) = self.window.padding
        return top // self.window.stride[0], left // self.window.stride[1]

    @cached_property
    def inside(self) -> Pair:
        """Rows and columns of a phase that the plane reaches into."""
        sizes = [
            -(-(padding[0] + size) // stride) - first
            for padding, size, stride, first in zip(
                self.window.padding,
                self.size,
                self.window.stride,
                self.first,
                strict=True,
            )
        ]
        return sizes[0], sizes[1]

    @cached_property
    def margin(self) -> Pair:
        """Zeros before the first row and column of dy, where taps reach back to."""
        (down, across), (top, left) = self.farthest, self.first
        return max(0, down - top), max(0, across - left)

    @cached_property
    def delta(self) -> Pair:
        """Rows and columns of dy with its margins."""
        sizes = [
            margin + max(out, first + inside)
            for margin, out, first, inside in zip(
                self.margin, self.output, self.first, self.inside, strict=True
            )
        ]
        return sizes[0], sizes[1]

    @cached_property
    def columns(self) -> Rows:
        """The transposed product: a row for each phase of each input channel."""
        row, phase, channel, down, across = self._taps()
        _, column, where = self.pattern.entries()
        taps = self.window.kernel[0] * self.window.kernel[1]
        seen = phase * self.channels + channel
        source = row * taps + column % taps
        order, places = transposed(seen, source, where)
        height, width = self.delta
        back = (row * height + self.farthest[0] - down) * width
        offset = back + self.farthest[1] - across
        count = self.window.stride[0] * self.window.stride[1] * self.channels
        sources = self.pattern.shape[0] * taps
        return make_rows(
            count, sources, seen[order], source[order], offset[order], places
        )

    @property
    def nbytes(self) -> int:
        """Bytes of the layouts built so far."""
        built = [vars(self).get("rows"), vars(self).get("columns")]
        return rows_bytes(*built)

    def spread(self, x: FloatArray, memory: FloatArray) -> None:
        """Write the padded input, split into phases, over zeros.

        `memory` is (phases, channels, rows, columns, lanes).
        """
        batch = x.shape[-1]
        for phase, own, theirs in self.phases(self.phase, (0, 0)):
            memory[(phase, slice(None), *own, slice(batch))] = x[:, *theirs]

    def collect(self, memory: FloatArray, dx: FloatArray) -> None:
        """Put the phases of the gradient together again."""
        batch = dx.shape[-1]
        for phase, own, theirs in self.phases(self.inside, self.first):
            dx[:, *theirs] = memory[(phase, slice(None), *own, slice(batch))]

    def phases(self, extent: Pair, first: Pair) -> Iterator[tuple[int, Spans, Spans]]:
        """For every phase: its number, its rows and columns, and those of the plane."""
        (sh, sw) = self.window.stride
        for a in range(sh):
            for b in range(sw):
                down = self._along(0, a, extent[0], first[0])
                across = self._along(1, b, extent[1], first[1])
                yield a * sw + b, (down[0], across[0]), (down[1], across[1])

    def _along(self, axis: int, phase: int, extent: int, first: int) -> Spans:
        """Where a phase, from `first` on, meets the plane: its rows, the plane's."""
        stride, before = self.window.stride[axis], self.window.padding[axis][0]
        start = (phase - before) % stride
        at = (start + before) // stride - first
        count = max(0, min(-(-(self.size[axis] - start) // stride), extent - at))
        return slice(at, at + count), slice(start, start + count * stride, stride)


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
