"""Convolution by one matrix product over unfolded patches.

With samples last, the patches under one tap are a strided slice of the padded plane,
and the unfolded matrix (K, positions * N) multiplies a weight (out, K) into an output
that is already in place: nothing is transposed. K = in/groups * kh * kw.

The unfolded matrix is made for a few output rows at a time, in scratch memory that is
used again and again, and it is made anew, not kept, for the backward.
"""

import math
import threading
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

from minprune._check import FloatArray, positive_int
from minprune.nn.layer import (
    EVAL,
    Layer,
    Mode,
    Shape,
    as_given,
    parameter,
    register,
)
from minprune.nn.window import Padding, Size, Window, plane_shape, planes, window

SCRATCH = 4 * 2**20
"""Bytes of unfolded patches held at once (one row of output may need more): about what
stays in the caches."""


class _Scratch(threading.local):
    """Memory for patches, one piece a thread, used again: it is paged in once."""

    memory = np.empty(0, np.uint8)

    def array(self, shape: Shape, dtype: np.dtype[Any]) -> FloatArray:
        """Uninitialized, and valid until the next call."""
        size = math.prod(shape) * dtype.itemsize
        if size > self.memory.size:
            self.memory = np.empty(size, np.uint8)
        return self.memory[:size].view(dtype).reshape(shape)


_scratch = _Scratch()


def unfold(
    padded: FloatArray, view: Window, groups: int, row: int, rows: int, columns: int
) -> FloatArray:
    """Patches of some output rows: (groups, K, rows * columns * N), in `_scratch`."""
    seen = view.patches(padded, row, rows, columns)
    patches = _scratch.array(seen.shape, padded.dtype)
    np.copyto(patches, seen)
    channels, kh, kw, *positions = seen.shape
    return patches.reshape(groups, channels // groups * kh * kw, math.prod(positions))


def fold(
    patches: FloatArray, into: FloatArray, view: Window, row: int, shape: Shape
) -> None:
    """Add patches back where they were taken from: the transpose of `unfold`."""
    rows, columns, batch = shape
    kh, kw = view.kernel
    patches = patches.reshape(into.shape[0], kh, kw, rows, columns, batch)
    for i, j, seen in view.taps(into, row, rows, columns):
        seen += patches[:, i, j]


class Convolution(Layer):
    """What Conv1d and Conv2d share; a signal is a plane of one row."""

    axes: ClassVar[int]
    prunable = ("weight",)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Padding = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        kind = self.kind
        self.in_channels = positive_int(kind, "in_channels", in_channels)
        self.out_channels = positive_int(kind, "out_channels", out_channels)
        self.groups = positive_int(kind, "groups", groups)
        if in_channels % groups or out_channels % groups:
            raise ValueError(
                f"{kind}: groups is {groups}; it must divide in_channels "
                f"{in_channels} and out_channels {out_channels}"
            )
        self.window = window(kind, self.axes, kernel_size, stride, padding, dilation)
        kernel = self.window.kernel[2 - self.axes :]
        shape = (out_channels, in_channels // groups, *kernel)
        self.params["weight"] = self.new_weight(shape)
        if bias:
            self.params["bias"] = parameter(kind, (out_channels,))

    def arguments(self) -> dict[str, Any]:
        """See `Layer.arguments`."""
        first, view = 2 - self.axes, self.window
        return {
            "in_channels": self.in_channels,
            "out_channels": self.out_channels,
            "kernel_size": list(view.kernel[first:]),
            "stride": list(view.stride[first:]),
            "padding": [list(side) for side in view.padding[first:]],
            "dilation": list(view.dilation[first:]),
            "groups": self.groups,
            "bias": "bias" in self.params,
        }

    def reset(self, rng: np.random.Generator) -> None:
        """Uniform within one over the root of the fan-in, weight and bias."""
        bound = 1 / np.sqrt(self.params["weight"][0].size)
        for param in self.params.values():
            param[...] = rng.uniform(-bound, bound, param.shape)
        self.apply_masks()

    def output_shape(self, shape: Shape) -> Shape:
        """(out, L') or (out, H', W')."""
        height, width = plane_shape(self.kind, shape, self.axes, self.in_channels)
        out = self.window.output(self.kind, height, width)
        return (self.out_channels, *out[2 - self.axes :])

    def uses(self, shape: Shape) -> int:
        """One use of each weight at every output position."""
        return int(np.prod(self.output_shape(shape)[1:]))

    def _matrix(self) -> FloatArray:
        """The weight as (groups, out / groups, K)."""
        groups = self.groups
        return self.params["weight"].reshape(groups, self.out_channels // groups, -1)

    def _blocks(
        self, padded: FloatArray, rows: int, columns: int, itemsize: int
    ) -> Iterator[tuple[int, int, FloatArray]]:
        """(first output row, number of rows, their patches), a few rows at a time.

        Patches of a pointwise window are the plane itself, the others fit the scratch
        memory.
        """
        view, groups, line = self.window, self.groups, columns * padded.shape[3]
        k = self.in_channels // groups * math.prod(view.kernel)
        if view.pointwise:
            yield 0, rows, padded.reshape(groups, k, rows * line)
            return
        step = max(1, SCRATCH // max(1, groups * k * line * itemsize))
        for row in range(0, rows, step):
            count = min(step, rows - row)
            yield row, count, unfold(padded, view, groups, row, count, columns)

    def columns(self, x: FloatArray) -> FloatArray:
        """What each weight is multiplied with: patches (groups, K, positions, N)."""
        padded = self.window.pad(planes(x))
        rows, columns = self.window.output(self.kind, *planes(x).shape[1:3])
        patches = unfold(padded, self.window, self.groups, 0, rows, columns)
        return patches.reshape(*patches.shape[:2], rows * columns, x.shape[-1]).copy()

    def forward(self, x: FloatArray, mode: Mode = EVAL) -> FloatArray:
        """(in, [H,] W, N) -> (out, [H',] W', N)."""
        plane = planes(x)
        _, height, width, batch = plane.shape
        rows, columns = self.window.output(self.kind, height, width)
        padded = self._padded = self.window.pad(plane)
        self._plane = height, width
        weight, bias = self._matrix(), self.params.get("bias")
        groups, out, _ = weight.shape
        kind, line = np.result_type(weight, padded), columns * batch
        y = np.empty((groups, out, rows * line), kind)
        for row, count, patches in self._blocks(padded, rows, columns, kind.itemsize):
            here = y[:, :, row * line : (row + count) * line]
            np.matmul(weight, patches, out=here)
            if bias is not None:
                here += bias.reshape(groups, out, 1)
        spatial = (rows, columns)[2 - self.axes :]
        return as_given(y.reshape(groups * out, *spatial, batch), x)

    def backward(self, dy: FloatArray) -> FloatArray:
        """(out, [H',] W', N) -> (in, [H,] W, N)."""
        d_padded = np.zeros_like(
            self._padded, np.result_type(dy, self.params["weight"])
        )
        self._carry_back(dy, d_padded)
        dx = self.window.crop(d_padded, *self._plane)
        return as_given(dx if self.axes == 2 else dx[:, 0], dy)

    def learn(self, dy: FloatArray) -> None:
        """See `Layer.learn`."""
        self._carry_back(dy, None)

    def _carry_back(self, dy: FloatArray, d_padded: FloatArray | None) -> None:
        """Gradients of the parameters and, added up in `d_padded`, of the input."""
        padded, view, weight = self._padded, self.window, self._matrix()
        _, rows, columns, batch = planes(dy).shape
        groups, out, _ = weight.shape
        kind, line = np.result_type(weight, padded, dy), columns * batch
        delta = dy.reshape(groups, out, rows * line)
        grad = np.zeros(weight.shape, kind)
        for row, count, patches in self._blocks(padded, rows, columns, kind.itemsize):
            here = delta[:, :, row * line : (row + count) * line]
            grad += here @ patches.transpose(0, 2, 1)
            if d_padded is not None:
                # What unfolded patches held is used up; their gradient takes its place.
                scratch = patches.dtype == kind and not view.pointwise
                reuse = patches if scratch else None
                back = np.matmul(weight.transpose(0, 2, 1), here, out=reuse)
                fold(back, d_padded, view, row, (count, columns, batch))
        self.grads["weight"] = grad.reshape(self.params["weight"].shape)
        if "bias" in self.params:
            self.grads["bias"] = delta.sum(axis=2).reshape(-1)


@register("Conv1d")
class Conv1d(Convolution):
    r"""Convolution of signals (in, L, N) with a weight (out, in/groups, k).

    Parameters
    ----------
    in_channels, out_channels : int
        Channels of the input and of the output.
    kernel_size, stride, padding, dilation, groups, bias
        As in PyTorch; `padding` may be a number, ``"same"`` (stride 1), or
        ``[(before, after)]``.

    See Also
    --------
    Conv2d : The same over planes; this layer is a plane of one row.
    """

    axes = 1


@register("Conv2d")
class Conv2d(Convolution):
    r"""Convolution of planes (in, H, W, N) with a weight (out, in/groups, kh, kw).

    Parameters
    ----------
    in_channels, out_channels : int
        Channels of the input and of the output.
    kernel_size, stride, padding, dilation, groups, bias
        As in PyTorch; `padding` may be a number, one for each axis, ``"same"`` (stride
        1), or ``[(top, bottom), (left, right)]``.

    Notes
    -----
    With the padded input :math:`\bar x` and stride s, dilation d,

    .. math::

        y_{o,p,q} = b_o + \sum_{c,i,j} W_{o,c,i,j}\, \bar x_{c,\, ps+id,\, qs+jd},

    a correlation, as everywhere in the field. Unfolded, it is ``Y = W P`` with one
    column of P for each position and sample; so ``dW = dY P'`` and ``dP = W' dY``,
    folded back onto the plane. `groups` splits channels into parts that do not see each
    other; ``groups = in_channels`` is the depthwise convolution.

    Examples
    --------
    >>> layer = Conv2d(1, 1, 2)
    >>> layer.params["weight"][:] = 1.0
    >>> layer.forward(np.arange(9.0).reshape(1, 3, 3, 1))[0, :, :, 0]
    array([[ 8., 12.],
           [20., 24.]])
    """

    axes = 2
