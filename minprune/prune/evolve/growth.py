"""The largest gradients among weights that are not stored, never held all at once.

The gradient of weight (o, k) is the product of row o of the gradient at the output and
row k of the input (of the unfolded patches, for a convolution). It is made for a block
of rows at a time; of each block only candidates for the largest are kept.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from minprune._check import AnyArray, FloatArray, IntArray
from minprune.masks import lowest
from minprune.nn.conv import Convolution, unfold
from minprune.nn.window import planes
from minprune.sparse.base import SparseLayer

BLOCK = 2**18
"""Gradients held at once."""


class Batch(NamedTuple):
    """What a layer saw of one batch, and how much it counts."""

    weight: float
    x: FloatArray
    dy: FloatArray


class Grown(NamedTuple):
    """Positions with the largest gradients, and the mean size of the stored ones."""

    positions: IntArray
    stored_mean: float


def last_batch(layer: SparseLayer, weight: float = 1.0) -> Batch:
    """What the layer saw last; its arrays are not copied."""
    return Batch(weight, layer._x, layer._dy)


def largest(
    layer: SparseLayer, batches: Sequence[Batch], taken: IntArray, count: int
) -> Grown:
    """The `count` positions outside `taken` where the gradient is largest.

    Parameters
    ----------
    batches : sequence of Batch
        The gradient is the weighted sum over them.
    taken : ndarray of int
        Positions that do not compete, ascending.
    count : int
        At most as many as there are positions outside `taken`.

    Notes
    -----
    Of equal sizes the lower position is taken. Memory: `BLOCK` gradients and `count`
    candidates.
    """
    columns = int(np.prod(layer.logical_shape[1:]))
    best: AnyArray = np.empty(0, layer.params["weight"].dtype)
    where, total = np.empty(0, np.int64), 0.0
    for first, gradient in blocks(layer, batches):
        size = np.abs(gradient, out=gradient).reshape(-1)
        start, stop = first * columns, first * columns + size.size
        inside = taken[np.searchsorted(taken, start) : np.searchsorted(taken, stop)]
        total += float(size[inside - start].sum(dtype=np.float64))
        size[inside - start] = -1  # below every size
        # Only what beats the last candidate can enter: of equal ones the earlier stays.
        full = count and len(best) == count
        at = np.flatnonzero(size > (best.min() if full else -1))
        best = np.concatenate((best, size[at]))
        where = np.concatenate((where, at + start))
        if len(best) > count:
            chosen = lowest(-best, count)
            best, where = best[chosen], where[chosen]
    return Grown(where, total / max(len(taken), 1))


def blocks(
    layer: SparseLayer, batches: Sequence[Batch]
) -> Iterator[tuple[int, FloatArray]]:
    """(first row, gradient of a block of rows), the weighted sum over the batches."""
    rows, columns = layer.logical_shape[0], int(np.prod(layer.logical_shape[1:]))
    step = max(1, BLOCK // max(1, columns))
    for first in range(0, rows, step):
        last = min(first + step, rows)
        total = _part(layer, batches[0], first, last)
        for batch in batches[1:]:
            total += _part(layer, batch, first, last)
        yield first, total


def _part(layer: SparseLayer, batch: Batch, first: int, last: int) -> FloatArray:
    """What one batch adds to the gradient of some rows."""
    if isinstance(layer, Convolution):
        part = _convolution(layer, batch, first, last)
    else:
        part = batch.dy[first:last] @ batch.x.T
    part *= batch.weight
    return part


def _convolution(layer: Convolution, batch: Batch, first: int, last: int) -> FloatArray:
    """Gradient of some rows of a convolution, in the (out, K) view."""
    padded, view = layer.window.pad(planes(batch.x)), layer.window
    dy, groups = planes(batch.dy), layer.groups
    out, height, width, samples = dy.shape
    k, per_group = padded.shape[0] // groups * math.prod(view.kernel), out // groups
    gradient = np.zeros((last - first, k), dy.dtype)
    for row in range(height):
        patches = unfold(padded, view, groups, row, 1, width)
        for group in range(first // per_group, (last - 1) // per_group + 1):
            low, high = (
                max(first, group * per_group),
                min(last, (group + 1) * per_group),
            )
            delta = dy[low:high, row].reshape(high - low, width * samples)
            gradient[low - first : high - first] += delta @ patches[group].T
    return gradient
