"""Operators with a weight: products with a matrix, and convolutions."""

import numpy as np

from minprune._check import AnyArray, finite
from minprune.nn.conv import Conv1d, Conv2d
from minprune.nn.foreign_onnx.node import Operator
from minprune.nn.foreign_onnx.windows import geometry
from minprune.nn.layer import Layer, Shape
from minprune.nn.linear import Linear


def gemm(node: Operator, shape: Shape) -> Layer:
    """``alpha A B' + beta C``, with the samples in A."""
    node.only("transA", 0)
    weight = node.weight(1, 2) * np.float32(node.attributes.get("alpha", 1.0))
    layer = linear(node, weight if node.attributes.get("transB") else weight.T, shape)
    if 2 in node.constants:
        beta = np.float32(node.attributes.get("beta", 1.0))
        with_bias(node, layer, node.constants[2] * beta)
    return layer


def linear(node: Operator, weight: AnyArray, shape: Shape) -> Linear:
    """A linear layer of this weight, (out, in), without bias."""
    if shape != weight.shape[1:]:
        raise node.refuse(
            f"has a weight for {weight.shape[1]} features, but samples of shape "
            f"{shape} reach it"
        )
    layer = Linear(weight.shape[1], weight.shape[0], bias=False)
    layer.params["weight"][...] = weight
    return layer


def with_bias(node: Operator, layer: Linear | Conv1d | Conv2d, bias: AnyArray) -> None:
    """Give a layer the bias it was built without."""
    outputs, axes = len(layer.params["weight"]), layer.params["weight"].ndim - 1
    wanted = (1, outputs, *(1,) * (axes - 1))
    try:
        spread = np.broadcast_to(bias, np.broadcast_shapes(bias.shape, wanted))
        if spread.shape != wanted:
            raise ValueError
    except ValueError:
        raise node.refuse(
            f"adds a constant of shape {bias.shape} to {outputs} features or channels; "
            f"expected one number for each"
        ) from None
    finite(f"node {node.name!r}", bias=spread)
    layer.params["bias"] = spread.reshape(outputs).astype(np.float32)


def conv(node: Operator, shape: Shape) -> Layer:
    """A convolution over one or two axes."""
    if (axes := len(shape) - 1) not in (1, 2):
        raise node.refuse(f"runs over samples of shape {shape}; expected (C, [H,] W)")
    weight = node.weight(1, axes + 2)
    kernel, groups = list(weight.shape[2:]), int(node.attributes.get("group", 1))
    node.only("kernel_shape", kernel)
    layer = (Conv1d if axes == 1 else Conv2d)(
        weight.shape[1] * groups,
        weight.shape[0],
        groups=groups,
        bias=False,
        **geometry(node, shape, kernel),
    )
    layer.params["weight"][...] = weight
    if 2 in node.constants:
        with_bias(node, layer, node.weight(2, 1).reshape(-1, *(1,) * axes))
    return layer
