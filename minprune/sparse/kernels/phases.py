"""Convolutions as offsets in memory.

A stored weight of the (out, K) view stands for a channel and a tap (kh, kw). On
padded planes a tap is a fixed distance in memory, so a stored weight is one
precomputed offset.

Strides above one would tear strips apart. So the padded planes are split into phases,
rows and columns that leave the same remainder: within a phase, every convolution has
stride one. A signal is a plane of one row; pointwise and depthwise are not special.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from minprune._check import FloatArray, IntArray
from minprune.nn.window import Pair, Window
from minprune.sparse.kernels.layout import make_rows, rows_bytes, transposed
from minprune.sparse.kernels.strips import Rows
from minprune.sparse.products import Pattern

Spans = tuple[slice, slice]


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

    @property
    def reach_back(self) -> int:
        """Place in dy with its margins that the first position looks at farthest."""
        down, across = (
            first + margin - farthest
            for first, margin, farthest in zip(
                self.first, self.margin, self.farthest, strict=True
            )
        )
        return down * self.delta[1] + across

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
        order, places = transposed(seen, where)
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

    def split(self, x: FloatArray, memory: FloatArray) -> None:
        """Write the phases of the plane itself, without padding, over zeros."""
        batch = x.shape[-1]
        for phase, own, theirs in self.phases(self.inside, self.first):
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
