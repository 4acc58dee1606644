"""Pooling: the largest, or the mean, of what a window sees."""

import math
from typing import Any, ClassVar

import numpy as np

from minprune._check import FloatArray
from minprune.nn.layer import EVAL, Layer, Mode, Shape, as_given, misfit, register
from minprune.nn.window import Padding, Size, plane_shape, planes, window


class Pooling(Layer):
    """What the pools share: a window over each channel by itself.

    Parameters
    ----------
    kernel_size, stride, padding
        As in PyTorch; `stride` left out is the kernel size, so that windows tile.
    """

    axes: ClassVar[int]

    def __init__(
        self, kernel_size: Size, stride: Size | None = None, padding: Padding = 0
    ) -> None:
        super().__init__()
        step = kernel_size if stride is None else stride
        self.window = window(self.kind, self.axes, kernel_size, step, padding)
        for side, reach in zip(self.window.padding, self.window.reach, strict=True):
            if max(side) >= max(reach, 1) and max(side) > 0:
                raise ValueError(
                    f"{self.kind}: padding {side} with a window of {reach} lets a "
                    f"window see padding alone; use a smaller padding"
                )

    def arguments(self) -> dict[str, Any]:
        """See `Layer.arguments`."""
        first, view = 2 - self.axes, self.window
        return {
            "kernel_size": list(view.kernel[first:]),
            "stride": list(view.stride[first:]),
            "padding": [list(side) for side in view.padding[first:]],
        }

    def output_shape(self, shape: Shape) -> Shape:
        """Channels stay; the plane shrinks to the number of window positions."""
        height, width = plane_shape(self.kind, shape, self.axes, None)
        out = self.window.output(self.kind, height, width)
        return (shape[0], *out[2 - self.axes :])

    def _positions(self, x: FloatArray) -> tuple[int, int]:
        """Rows and columns of the output; remembers the plane for the backward."""
        _, height, width, _ = planes(x).shape
        self._plane = (height, width)
        return self.window.output(self.kind, height, width)

    def _as_given(self, planar: FloatArray, given: FloatArray) -> FloatArray:
        """A plane back as a signal where a signal came in."""
        return as_given(planar if self.axes == 2 else planar[:, 0], given)


class MaxPool(Pooling):
    """The largest value under the window; the border never wins."""

    def forward(self, x: FloatArray, mode: Mode = EVAL) -> FloatArray:
        """The largest real part, tap by tap; a NaN beats everything."""
        rows, columns = self._positions(x)
        self._padded = self.window.pad(planes(x), -np.inf)
        (_, _, first), *others = self.window.taps(self._padded, 0, rows, columns)
        self._best = best = first.copy()
        for _, _, seen in others:
            if x.dtype.kind == "f":
                np.maximum(best, seen, out=best)
            else:
                better = (seen.real > best.real) | np.isnan(seen)
                np.copyto(best, seen, where=better)
        return self._as_given(best, x)

    def backward(self, dy: FloatArray) -> FloatArray:
        """The gradient goes to the first tap that has the largest value."""
        delta = planes(dy)
        d_padded = np.zeros(self._padded.shape, dy.dtype)
        rows, columns = delta.shape[1:3]
        waiting = np.ones(delta.shape, np.bool_)
        for (_, _, seen), (_, _, gathered) in zip(
            self.window.taps(self._padded, 0, rows, columns),
            self.window.taps(d_padded, 0, rows, columns),
            strict=True,
        ):
            won = (seen == self._best) & waiting
            gathered += delta * won
            waiting ^= won
        return self._as_given(self.window.crop(d_padded, *self._plane), dy)


class AvgPool(Pooling):
    """The mean over the whole window, zeros of the border included, as in PyTorch."""

    def forward(self, x: FloatArray, mode: Mode = EVAL) -> FloatArray:
        """Sum over the taps, divided by their number."""
        rows, columns = self._positions(x)
        padded = self.window.pad(planes(x))
        self._padded_shape = padded.shape
        total = np.zeros((len(padded), rows, columns, padded.shape[-1]), padded.dtype)
        for _, _, seen in self.window.taps(padded, 0, rows, columns):
            total += seen
        return self._as_given(total / math.prod(self.window.kernel), x)

    def backward(self, dy: FloatArray) -> FloatArray:
        """Every tap gets an equal share."""
        share = planes(dy) / math.prod(self.window.kernel)
        d_padded = np.zeros(self._padded_shape, share.dtype)
        rows, columns = share.shape[1:3]
        for _, _, seen in self.window.taps(d_padded, 0, rows, columns):
            seen += share
        return self._as_given(self.window.crop(d_padded, *self._plane), dy)


@register("MaxPool1d")
class MaxPool1d(MaxPool):
    """Largest value under a window over a signal (C, L, N)."""

    axes = 1


@register("MaxPool2d")
class MaxPool2d(MaxPool):
    """Largest value under a window over planes (C, H, W, N)."""

    axes = 2


@register("AvgPool1d")
class AvgPool1d(AvgPool):
    """Mean under a window over a signal (C, L, N)."""

    axes = 1


@register("AvgPool2d")
class AvgPool2d(AvgPool):
    """Mean under a window over planes (C, H, W, N)."""

    axes = 2


@register("GlobalAvgPool")
class GlobalAvgPool(Layer):
    """The mean of each channel over all its positions: (C, ..., N) -> (C, N)."""

    def output_shape(self, shape: Shape) -> Shape:
        """(C,)."""
        if len(shape) < 2:
            raise misfit("GlobalAvgPool", shape, "(C, L) or (C, H, W)")
        return shape[:1]

    def forward(self, x: FloatArray, mode: Mode = EVAL) -> FloatArray:
        """Mean over every axis but the first and the last."""
        self._shape = x.shape
        y: FloatArray = x.mean(axis=tuple(range(1, x.ndim - 1)))
        return y

    def backward(self, dy: FloatArray) -> FloatArray:
        """Every position gets an equal share."""
        channels, *spatial, batch = self._shape
        share = dy / math.prod(spatial)
        share = share.reshape(channels, *(1 for _ in spatial), batch)
        return as_given(np.broadcast_to(share, self._shape).copy(), dy)
