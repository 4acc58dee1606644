"""Conversions that the adapters of PyTorch-based toolkits share."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from minprune._check import AnyArray, BoolArray, FloatArray


def tensor(array: AnyArray) -> Any:
    """A copy as a tensor of the same type."""
    return torch.from_numpy(np.array(array, order="C"))


def array(value: Any) -> Any:
    """A copy as an array of the same type."""
    return value.detach().cpu().numpy().copy()


def matrix(scores: AnyArray) -> Any:
    """Scores as the weight of a linear layer, one row if they have one axis."""
    if scores.ndim == 1:
        return scores.reshape(1, -1)
    return scores.reshape(len(scores), math.prod(scores.shape[1:]))


def linear(weight: FloatArray) -> Any:
    """A linear layer without bias that holds a copy of the weight."""
    out, into = weight.shape
    layer = torch.nn.Linear(into, out, bias=False, dtype=tensor(weight).dtype)
    with torch.no_grad():
        layer.weight.copy_(tensor(weight))
    return layer


def layer(weight: FloatArray) -> Any:
    """A linear or a convolution layer without bias that holds a copy of the weight."""
    if weight.ndim == 2:
        return linear(weight)
    out, into, *window = weight.shape
    made = torch.nn.Conv2d(into, out, window, bias=False)
    made.weight = torch.nn.Parameter(tensor(weight))
    return made


def forward(layer: Any, x: FloatArray) -> Any:
    """What the layer computes."""
    return array(layer(tensor(x)))


def backward(
    layer: Any, parameter: Any, x: FloatArray, dy: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The gradients at a parameter of the layer and at its input."""
    given = tensor(x).requires_grad_()
    layer(given).backward(tensor(dy))
    return array(parameter.grad), array(given.grad)


def restored(state: Any) -> Any:
    """A state dict that went through a file, read without running code from it."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def kept(mask: Any, shape: tuple[int, ...]) -> BoolArray:
    """A mask of zeros and ones as booleans, in the shape of the scores if it can be."""
    found: BoolArray = array(mask) != 0
    return found.reshape(shape) if found.size == math.prod(shape) else found
