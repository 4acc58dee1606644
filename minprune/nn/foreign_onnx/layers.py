"""One ONNX operator as one layer; what has none is refused by its name.

An operator that changes nothing here, such as Dropout in inference, gives no layer.
"""

import math
from collections.abc import Callable

import numpy as np

from minprune._check import AnyArray
from minprune.nn.activation import (
    GELU,
    Flatten,
    LeakyReLU,
    ReLU,
    ReLU6,
    Sigmoid,
    Softmax,
    Tanh,
)
from minprune.nn.foreign_onnx.affine import conv, gemm, linear
from minprune.nn.foreign_onnx.node import Operator
from minprune.nn.foreign_onnx.windows import global_pool, pool, reduce_mean
from minprune.nn.layer import Layer, Shape
from minprune.nn.norm import BatchNorm, LayerNorm
from minprune.nn.pool import AvgPool1d, AvgPool2d, MaxPool1d, MaxPool2d


def layer_of(node: Operator, shape: Shape) -> Layer | None:
    """The layer that does what a node of one input does to samples of `shape`.

    Returns
    -------
    layer : Layer or None
        None where nothing changes.

    Raises
    ------
    ValueError
        If there is no such layer, by the node's name and operator.
    """
    if make := LAYERS.get(node.op):
        return make(node, shape)
    raise node.refuse(
        f"has no layer here; known: {', '.join(sorted([*LAYERS, *JOINS]))}"
    )


JOINS = ("Add", "Concat", "Mul")
"""Operators that bring branches together, once no input is constant."""


def batch_norm(node: Operator, shape: Shape) -> Layer:
    """Running statistics, scale and shift."""
    node.only("training_mode", 0)
    scale, shift, mean, variance = (node.weight(i, 1) for i in range(1, 5))
    layer = BatchNorm(len(scale), eps=float(node.attributes.get("epsilon", 1e-5)))
    for name, array in (("weight", scale), ("bias", shift)):
        layer.params[name][...] = _equal(node, array, scale)
    for name, array in (("running_mean", mean), ("running_var", variance)):
        layer.buffers[name][...] = _equal(node, array, scale)
    return layer


def layer_norm(node: Operator, shape: Shape) -> Layer:
    """Over all axes of a sample."""
    axis = int(node.attributes.get("axis", -1))
    if axis % (len(shape) + 1) != 1:
        raise node.refuse(f"begins at axis {axis}; expected 1, so all of a sample")
    layer = LayerNorm(shape, eps=float(node.attributes.get("epsilon", 1e-5)))
    for position, name in ((1, "weight"), (2, "bias")):
        if position in node.constants:
            array = node.weight(position, len(shape))
            layer.params[name][...] = _equal(node, array, layer.params[name])
    return layer


def clip(node: Operator, shape: Shape) -> Layer:
    """ReLU or ReLU6, by its bounds."""
    ends = []
    for position, key, default in ((1, "min", -math.inf), (2, "max", math.inf)):
        array = node.constants.get(position)
        given = node.attributes.get(key, default) if array is None else array.item()
        ends.append(math.inf if given >= np.finfo(np.float32).max else float(given))
    if ends == [0.0, math.inf]:
        return ReLU()
    if ends == [0.0, 6.0]:
        return ReLU6()
    raise node.refuse(f"cuts at {ends[0]} and {ends[1]}; expected 0, and 6 or nothing")


def softmax(node: Operator, shape: Shape) -> Layer:
    """Along the channels."""
    axis = int(node.attributes.get("axis", -1))
    if axis % (len(shape) + 1) != 1:
        raise node.refuse(f"is along axis {axis}; expected 1, the channels")
    return Softmax()


def gelu(node: Operator, shape: Shape) -> Layer:
    """The exact form."""
    node.only("approximate", "none")
    return GELU()


def leaky(node: Operator, shape: Shape) -> Layer:
    """With its slope."""
    return LeakyReLU(float(node.attributes.get("alpha", 0.01)))


def dropout(node: Operator, shape: Shape) -> None:
    """Nothing, in inference."""
    if 2 in node.constants and node.constants[2].any():
        raise node.refuse("is in training mode; export it for inference")


def reshape(node: Operator, shape: Shape) -> Layer | None:
    """Flattening, or nothing."""
    target = target_shape(node, shape)
    if target == shape:
        return None
    if target == (math.prod(shape),):
        return Flatten()
    raise node.refuse(
        f"turns samples of shape {shape} into {target}; expected all in one row"
    )


def target_shape(node: Operator, shape: Shape) -> Shape:
    """The sample shape that a node asks for which only changes axes."""
    axes = node.whole("axes", 1)
    match node.op:
        case "Unsqueeze":
            rank = len(shape) + 1 + len(axes or [])
            added = {n % rank for n in axes or []}
            rest = iter((0, *shape))
            sizes = [1 if i in added else next(rest, 1) for i in range(rank)]
        case "Squeeze":
            ones = [i for i, n in enumerate(shape, 1) if n == 1]
            gone = {n % (len(shape) + 1) for n in (ones if axes is None else axes)}
            sizes = [n for i, n in enumerate((0, *shape)) if i not in gone]
        case "Flatten":
            axis = int(node.attributes.get("axis", 1))
            if axis != 1 and axis + len(shape) + 1 != 1:
                raise node.refuse(
                    f"begins at axis {axis}; expected 1, behind the batch"
                )
            sizes = [0, math.prod(shape)]
        case _:
            sizes = node.whole("shape", 1) or []
    if not sizes:
        raise node.refuse("has no constant shape; export it with constants folded")
    if node.attributes.get("allowzero") and 0 in sizes:
        raise node.refuse("asks for an empty array")
    copied = [
        shape[i - 1] if n == 0 and 0 < i <= len(shape) else n
        for i, n in enumerate(sizes)
    ][1:]
    size, known = math.prod(shape), math.prod(n for n in copied if n != -1)
    if copied.count(-1) > 1 or min([1, *copied]) < -1 or known < 1 or size % known:
        raise node.refuse(
            f"asks for {sizes}; samples of shape {shape} cannot fill that"
        )
    target = tuple(size // known if n == -1 else n for n in copied)
    if math.prod(target) != size:
        raise node.refuse(f"asks for {sizes}, which mixes samples of shape {shape}")
    return target


def _equal(node: Operator, array: AnyArray, like: AnyArray) -> AnyArray:
    """The array, if it has that shape."""
    if array.shape != like.shape:
        raise node.refuse(f"has constants of shapes {array.shape} and {like.shape}")
    return array


LAYERS: dict[str, Callable[[Operator, Shape], Layer | None]] = {
    "AveragePool": pool(AvgPool1d, AvgPool2d),
    "BatchNormalization": batch_norm,
    "Clip": clip,
    "Conv": conv,
    "Dropout": dropout,
    "Flatten": reshape,
    "Gelu": gelu,
    "Gemm": gemm,
    "GlobalAveragePool": global_pool,
    "Identity": lambda node, shape: None,
    "LayerNormalization": layer_norm,
    "LeakyRelu": leaky,
    "MatMul": lambda node, shape: linear(node, node.weight(1, 2).T, shape),
    "MaxPool": pool(MaxPool1d, MaxPool2d),
    "ReduceMean": reduce_mean,
    "Relu": lambda node, shape: ReLU(),
    "Reshape": reshape,
    "Sigmoid": lambda node, shape: Sigmoid(),
    "Softmax": softmax,
    "Squeeze": reshape,
    "Tanh": lambda node, shape: Tanh(),
    "Unsqueeze": reshape,
}
"""The maker of each operator's layer."""
