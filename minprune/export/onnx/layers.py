"""Every layer of `nn` as ONNX operators in float32.

Samples come first in ONNX and last here, so weights keep their shape and features are
axis 1. Batch norm is left as it is: a run time folds it better than a file does.
Dropout does nothing in inference and is left out. Pruned weights are zeros, written
out: ONNX run times multiply with them, and hold them, like any other number.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from minprune._check import AnyArray
from minprune.export.onnx.builder import Builder
from minprune.export.onnx.recurrent import write_recurrent
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
from minprune.nn.chain import Concat, Residual, Sequential, SqueezeExcite
from minprune.nn.conv import Convolution
from minprune.nn.dropout import Dropout
from minprune.nn.embedding import Embedding
from minprune.nn.layer import Layer, Shape
from minprune.nn.linear import Linear
from minprune.nn.norm import BatchNorm, LayerNorm
from minprune.nn.pool import GlobalAvgPool, MaxPool, Pooling
from minprune.nn.recurrent import Recurrent
from minprune.nn.tree import join
from minprune.nn.window import Window

ENTRYWISE: dict[type[Layer], str] = {
    ReLU: "Relu",
    Sigmoid: "Sigmoid",
    Tanh: "Tanh",
    GELU: "Gelu",
}
"""Layers that an operator without attributes stands for."""


class Layers:
    """Writes a tree of layers into a `Builder`.

    Parameters
    ----------
    builder : Builder
    lengths : str
        The value that holds the lengths of sequences; empty if there is none.
    """

    def __init__(self, builder: Builder, lengths: str = "") -> None:
        self.builder, self.lengths = builder, lengths

    def visit(self, name: str, layer: Layer, x: str, shape: Shape) -> str:
        """Write what a layer does with value `x`; returns the value it gives.

        Raises
        ------
        ValueError
            For a layer that has no operator here, by its name and kind.
        """
        here, node = name or layer.kind, self.builder.node
        match layer:
            case Sequential():
                for key, child in layer.children.items():
                    x = self.visit(join(name, key), child, x, shape)
                    shape = child.output_shape(shape)
                return x
            case Residual():
                ways = self._branches(name, layer, x, shape)
                return node("Add", (*ways, x)[:2], here)
            case Concat():
                return node(
                    "Concat", self._branches(name, layer, x, shape), here, axis=1
                )
            case SqueezeExcite():
                (gate,) = self._branches(name, layer, x, shape)
                if places := len(shape) - 1:
                    along = (shape[0], *(1,) * places)
                    gate = self.builder.reshape(gate, along, f"{here}/along")
                return node("Mul", [x, gate], here)
            case Dropout():
                return x
            case Flatten():
                return x if len(shape) == 1 else node("Flatten", [x], here, axis=1)
            case Linear():
                weights = self._arrays(here, layer.to_dense().params)
                return node("Gemm", [x, *weights], here, transB=1)
            case Convolution():
                weights = self._arrays(here, layer.to_dense().params)
                view = geometry(layer.window, layer.axes)
                dilations = list(layer.window.dilation[-layer.axes :])
                view |= {"dilations": dilations, "group": layer.groups}
                return node("Conv", [x, *weights], here, **view)
            case BatchNorm():
                ones = np.ones(layer.num_features)
                affine = {"weight": ones, "bias": 0 * ones} | layer.params
                numbers = self._arrays(here, affine | layer.buffers)
                return node(
                    "BatchNormalization", [x, *numbers], here, epsilon=layer.eps
                )
            case LayerNorm():
                affine = {"weight": np.ones(layer.shape)} | layer.params
                numbers = self._arrays(here, affine)
                eps = layer.eps
                return node(
                    "LayerNormalization", [x, *numbers], here, axis=1, epsilon=eps
                )
            case ReLU6():
                ends = {"low": np.array(0.0), "high": np.array(6.0)}
                return node("Clip", [x, *self._arrays(here, ends)], here)
            case LeakyReLU():
                return node("LeakyRelu", [x], here, alpha=layer.negative_slope)
            case Softmax():
                return node("Softmax", [x], here, axis=1)
            case Pooling():
                view = geometry(layer.window, layer.axes)
                if isinstance(layer, MaxPool):
                    return node("MaxPool", [x], here, **view)
                return node("AveragePool", [x], here, count_include_pad=1, **view)
            case GlobalAvgPool():
                mean = node("GlobalAveragePool", [x], f"{here}/mean")
                return node("Flatten", [mean], here, axis=1)
            case Embedding():
                symbols = node("Cast", [x], f"{here}/symbols", to=INT64)
                table = self._arrays(here, layer.params)
                rows = node("Gather", [*table, symbols], f"{here}/rows", axis=0)
                return node("Transpose", [rows], here, perm=[0, 2, 1])
            case Recurrent():
                steps, lengths = shape[1], self.lengths
                return write_recurrent(self.builder, here, layer, x, steps, lengths)
        if op := ENTRYWISE.get(type(layer)):
            return node(op, [x], here)
        raise ValueError(
            f"export: layer {name or 'root'} is a {layer.kind}, which has no ONNX form "
            f"here; nothing was written"
        )

    def _branches(self, name: str, layer: Layer, x: str, shape: Shape) -> list[str]:
        """What every child gives for the same input."""
        return [
            self.visit(join(name, key), child, x, shape)
            for key, child in layer.children.items()
        ]

    def _arrays(self, name: str, arrays: Mapping[str, AnyArray]) -> list[str]:
        """Constants in float32, under their dotted names."""
        return [
            self.builder.constant(f"{name}.{key}", array.astype(np.float32))
            for key, array in arrays.items()
        ]


INT64 = 7
"""``TensorProto.INT64``."""


def geometry(window: Window, axes: int) -> dict[str, Any]:
    """Attributes of a convolution or a pool: kernel, steps, and borders by side."""
    borders = window.padding[-axes:]
    return {
        "kernel_shape": list(window.kernel[-axes:]),
        "strides": list(window.stride[-axes:]),
        "pads": [before for before, _ in borders] + [after for _, after in borders],
    }
