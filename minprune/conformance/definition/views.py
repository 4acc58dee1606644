"""Views of a weight and of activations that formulas share."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minprune._check import AnyArray
from minprune.conformance.definition.exact import Exact, ratio


def by_row(weight: AnyArray) -> Any:
    """One row for each output."""
    return weight.reshape(len(weight), -1)


def by_unit(activation: Exact) -> Any:
    """One row for each unit: its outputs over examples and places."""
    return by_row(np.moveaxis(activation, 1, 0))


def over_places(activation: Exact) -> Any:
    """(examples, units, places)."""
    return activation.reshape(*activation.shape[:2], -1)


def each_group(weight: Exact, inputs: Exact, axes: int) -> Iterator[Any]:
    """Outputs of a group, their rows, and what is known of the inputs they read."""
    rows = by_row(weight)
    parts = inputs if inputs.ndim > axes else inputs[None]
    size = len(rows) // len(parts)
    for g, one in enumerate(parts):
        here = slice(g * size, (g + 1) * size)
        yield here, rows[here], one


def grouped(score: Callable[..., Any], axes: int) -> Callable[..., Any]:
    """The score of a layer from that of the rows of each group."""

    def whole(weight: Exact, inputs: Exact) -> Exact:
        parts = [score(rows, one) for _, rows, one in each_group(weight, inputs, axes)]
        joined = np.concatenate(parts)
        return joined.reshape(weight.shape) if joined.ndim > 1 else joined

    return whole


def length(vectors: Exact, axis: int) -> Any:
    """Euclidean length along an axis."""
    return np.sqrt((vectors**2).sum(axis=axis))


def normalized(score: Exact) -> Any:
    """Over its Euclidean length."""
    return ratio(score, length(score, 0))
