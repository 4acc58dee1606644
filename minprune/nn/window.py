"""Sliding windows over padded planes: what convolution and pooling share.

A plane is (C, H, W, N). An output position (oh, ow) looks, through tap (kh, kw), at row
``oh * stride + kh * dilation`` and the like column of the padded plane, so all
positions of one tap are one strided slice: no index array is ever made.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
from numpy.lib.stride_tricks import as_strided

from minprune._check import AnyArray, FloatArray, positive_int
from minprune.nn.layer import Shape, misfit

Pair = tuple[int, int]
Size = int | tuple[int, ...] | list[int]
Padding = Size | Literal["same"] | list[list[int]] | tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """Geometry of a two-dimensional window: (rows, columns) throughout."""

    kernel: Pair
    stride: Pair
    padding: tuple[Pair, Pair]
    """((top, bottom), (left, right))."""
    dilation: Pair

    @property
    def reach(self) -> Pair:
        """Rows and columns that a window spans, gaps included."""
        (kh, kw), (dh, dw) = self.kernel, self.dilation
        return (kh - 1) * dh + 1, (kw - 1) * dw + 1

    def output(self, kind: str, height: int, width: int) -> Pair:
        """Number of window positions over a plane of this size."""
        sizes = []
        for extent, pad, reach, stride in zip(
            (height, width), self.padding, self.reach, self.stride, strict=True
        ):
            room = extent + sum(pad) - reach
            if room < 0:
                raise ValueError(
                    f"{kind} was given planes of {height} x {width}; expected planes "
                    f"that, padded by {self.padding}, hold a window of {self.reach}"
                )
            sizes.append(room // stride + 1)
        return sizes[0], sizes[1]

    def pad(self, x: FloatArray, value: float = 0.0) -> FloatArray:
        """(C, H, W, N) with its border; `x` itself when there is none."""
        (top, bottom), (left, right) = self.padding
        if not (top or bottom or left or right):
            return x
        channels, height, width, batch = x.shape
        shape = (channels, height + top + bottom, width + left + right, batch)
        padded = np.full(shape, value, x.dtype)
        padded[:, top : top + height, left : left + width] = x
        return padded

    def crop(self, padded: AnyArray, height: int, width: int) -> AnyArray:
        """The plane inside its border, as a view."""
        (top, _), (left, _) = self.padding
        return padded[:, top : top + height, left : left + width]

    @property
    def pointwise(self) -> bool:
        """Whether every position sees itself alone: its patches are the plane."""
        (kh, kw), (sh, sw), around = self.kernel, self.stride, self.padding
        return kh == kw == sh == sw == 1 and around == ((0, 0), (0, 0))

    def patches(
        self, padded: AnyArray, first_row: int, rows: int, columns: int
    ) -> AnyArray:
        """What every tap sees, (C, kh, kw, rows, columns, N): a view, no copy.

        For `rows` output rows from `first_row` on; entries under several windows appear
        several times.
        """
        (sh, sw), (dh, dw) = self.stride, self.dilation
        channels, height, width, batch = padded.shape
        last = (first_row + rows - 1) * sh, (columns - 1) * sw
        if last[0] + self.reach[0] > height or last[1] + self.reach[1] > width:
            raise IndexError(
                f"patches of {rows} rows from {first_row} on and {columns} columns "
                f"reach beyond a plane of {(height, width)}"
            )
        c, h, w, n = padded.strides
        return as_strided(
            padded[:, first_row * sh :],
            (channels, *self.kernel, rows, columns, batch),
            (c, dh * h, dw * w, sh * h, sw * w, n),
        )

    def taps(
        self, padded: AnyArray, first_row: int, rows: int, columns: int
    ) -> Iterator[tuple[int, int, AnyArray]]:
        """(kh, kw, view of what this tap sees), for a range of output rows."""
        seen = self.patches(padded, first_row, rows, columns)
        for i, j in np.ndindex(*self.kernel):
            yield i, j, seen[:, i, j]


def pair(kind: str, name: str, value: Size, axes: int, minimum: int = 1) -> Pair:
    """(rows, columns) from a number, or from one number for each of `axes` axes."""
    values = list(value) if isinstance(value, list | tuple) else [value] * axes
    if len(values) != axes:
        raise ValueError(
            f"{kind}: {name} is {value!r}; expected a number or {axes} of them"
        )
    whole = [positive_int(kind, name, v, minimum) for v in values]
    return (whole[0], whole[1]) if axes == 2 else ((1 if minimum else 0), whole[0])


def window(
    kind: str,
    axes: int,
    kernel_size: Size,
    stride: Size,
    padding: Padding,
    dilation: Size = 1,
) -> Window:
    """The geometry from PyTorch's arguments; one axis becomes one row of a plane.

    ``"same"`` pads so that the output has the size of the input (stride 1 only, as in
    PyTorch); an odd total puts the extra zero after the end. A padding may also be
    given as ``(before, after)`` for each axis.
    """
    kernel = pair(kind, "kernel_size", kernel_size, axes)
    strides = pair(kind, "stride", stride, axes)
    spread = pair(kind, "dilation", dilation, axes)
    if isinstance(padding, str):
        if padding != "same" or strides != (1, 1):
            raise ValueError(
                f"{kind}: padding is {padding!r} with stride {stride!r}; expected "
                f"numbers, or 'same' with stride 1"
            )
        totals = [(k - 1) * d for k, d in zip(kernel, spread, strict=True)]
        (above, across) = totals
        around = (
            (above // 2, above - above // 2),
            (across // 2, across - across // 2),
        )
    elif isinstance(padding, list | tuple) and any(
        isinstance(p, list | tuple) for p in padding
    ):
        sides = [pair(kind, "padding", cast(Size, p), 2, 0) for p in padding]
        if len(sides) != axes:
            raise ValueError(
                f"{kind}: padding is {padding!r}; expected (before, after) for each of "
                f"{axes} axes"
            )
        around = ((0, 0), sides[0]) if axes == 1 else (sides[0], sides[1])
    else:
        rows, columns = pair(kind, "padding", cast(Size, padding), axes, 0)
        around = ((rows, rows), (columns, columns))
    return Window(kernel, strides, around, spread)


def planes(x: AnyArray) -> AnyArray:
    """A (C, L, N) signal as (C, 1, L, N) planes; planes as they are."""
    return x[:, None] if x.ndim == 3 else x


def plane_shape(kind: str, shape: Shape, axes: int, channels: int | None) -> Pair:
    """(H, W) of a sample shape that must have `axes` axes behind its channels."""
    named = "C" if channels is None else str(channels)
    letters = "(C, L)" if axes == 1 else "(C, H, W)"
    if len(shape) != axes + 1 or channels not in (None, shape[0]):
        raise misfit(kind, shape, letters.replace("C", named))
    return (1, shape[1]) if axes == 1 else (shape[1], shape[2])
