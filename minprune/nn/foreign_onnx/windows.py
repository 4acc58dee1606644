"""Windows over planes and signals: the geometry that ONNX gives, and the pools."""

import math
from collections.abc import Callable
from typing import Any

from minprune.files import LIMIT_BYTES
from minprune.nn.foreign_onnx.node import Operator
from minprune.nn.layer import Layer, Shape
from minprune.nn.pool import (
    AvgPool1d,
    AvgPool2d,
    GlobalAvgPool,
    Pooling,
)


def geometry(node: Operator, shape: Shape, kernel: list[int]) -> dict[str, Any]:
    """Kernel, stride, padding and dilation of a window over samples of `shape`."""
    axes = len(kernel)
    if len(shape) != axes + 1:
        raise node.refuse(f"has a window of {axes} axes for samples of shape {shape}")
    stride = [int(n) for n in node.attributes.get("strides", [1] * axes)]
    dilation = [int(n) for n in node.attributes.get("dilations", [1] * axes)]
    pads = [int(n) for n in node.attributes.get("pads", [0] * 2 * axes)]
    if not (len(stride) == len(dilation) == axes and len(pads) == 2 * axes):
        raise node.refuse(f"has strides, dilations or pads for other than {axes} axes")
    if min(kernel) < 1 or min(stride) < 1 or min(dilation) < 1 or min(pads) < 0:
        raise node.refuse("has a negative size in its window, or none at all")
    auto = node.attributes.get("auto_pad", "NOTSET")
    sides = [[pads[i], pads[i + axes]] for i in range(axes)]
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
        for i, (n, r, s) in enumerate(zip(shape[1:], reach, stride, strict=True)):
            total = max((math.ceil(n / s) - 1) * s + r - n, 0)
            less, more = total // 2, total - total // 2
            sides[i] = [less, more] if auto == "SAME_UPPER" else [more, less]
    elif auto == "VALID":
        sides = [[0, 0] for _ in sides]
    elif auto != "NOTSET":
        raise node.refuse(f"has auto_pad = {auto!r}")
    padded = (shape[0], *(n + sum(s) for n, s in zip(shape[1:], sides, strict=True)))
    if 4 * math.prod(padded) > LIMIT_BYTES:
        raise node.refuse(f"pads samples to {padded}")
    view = {"kernel_size": kernel, "stride": stride, "padding": sides}
    return view if max(dilation) == 1 else view | {"dilation": dilation}


def pool(one: type[Pooling], two: type[Pooling]) -> Callable[[Operator, Shape], Layer]:
    """The maker of a pool over one axis or two."""

    def make(node: Operator, shape: Shape) -> Layer:
        kernel = [int(n) for n in node.attributes.get("kernel_shape", [])]
        if len(kernel) not in (1, 2):
            raise node.refuse(f"has a window of {len(kernel)} axes; expected 1 or 2")
        view = geometry(node, shape, kernel)
        if "dilation" in view:
            raise node.refuse("has dilations, which pools here have not")
        if node.op == "AveragePool" and any(max(side) for side in view["padding"]):
            node.only("count_include_pad", 0, 1)
            if not node.attributes.get("count_include_pad"):
                raise node.refuse("leaves the border out of its mean; here it counts")
        if node.attributes.get("ceil_mode"):
            sizes = zip(shape[1:], kernel, view["stride"], view["padding"], strict=True)
            if any((n + sum(side) - k) % s for n, k, s, side in sizes):
                raise node.refuse(
                    "rounds the number of windows up, which is not done here"
                )
        return (one if len(kernel) == 1 else two)(**view)

    return make


def global_pool(node: Operator, shape: Shape) -> Layer:
    """The mean over all positions, of which one is left."""
    if len(shape) not in (2, 3):
        raise node.refuse(f"runs over samples of shape {shape}; expected (C, [H,] W)")
    return (AvgPool1d if len(shape) == 2 else AvgPool2d)(shape[1:])


def reduce_mean(node: Operator, shape: Shape) -> Layer:
    """A global pool, if it is over all axes but batch and channels."""
    axes = node.whole("axes", 1) or []
    if sorted(n % (len(shape) + 1) for n in axes) != list(range(2, len(shape) + 1)):
        raise node.refuse(
            f"is over axes {axes} of samples of shape {shape}; expected all but batch "
            f"and channels"
        )
    kept = node.attributes.get("keepdims", 1)
    return global_pool(node, shape) if kept else GlobalAvgPool()
