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

SAMPLE, SPARE = 16, 1.5
"""Every so manieth gradient of the first block tells about which size the largest pass;
the guess leaves so many times the candidates that are needed."""


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
    Of equal sizes the lower position is taken. Candidates are what passes a size that
    is guessed from the first block; if too few do, all are looked at again. Memory:
    `BLOCK` gradients and their candidates.
    """
    found = _scan(layer, batches, taken, count, guess=True)
    if len(found.positions) < count:
        found = _scan(layer, batches, taken, count, guess=False)
    return found


def _scan(
    layer: SparseLayer,
    batches: Sequence[Batch],
    taken: IntArray,
    count: int,
    guess: bool,
) -> Grown:
    """`largest`, looking only above a guess: too few are found if that was too high."""
    columns = int(np.prod(layer.logical_shape[1:]))
    free = layer.logical_shape[0] * columns - len(taken)
    best: AnyArray = np.empty(0, layer.params["weight"].dtype)
    where: IntArray = np.empty(0, np.int64)
    total, floor = 0.0, -1.0
    for first, gradient in blocks(layer, batches):
        size = np.abs(gradient, out=gradient).reshape(-1)
        start, stop = first * columns, first * columns + size.size
        inside = taken[np.searchsorted(taken, start) : np.searchsorted(taken, stop)]
        inside = inside - start
        total += float(size[inside].sum(dtype=np.float64))
        if not count:
            continue
        size[inside] = -1  # below every size
        if guess and first == 0:
            floor = _reached_by(size[::SAMPLE], SPARE * count / free)
        at = np.flatnonzero(size > floor)
        best = np.concatenate((best, size[at]))
        where = np.concatenate((where, at + start))
        if len(best) > SPARE * count:
            best, where = _first(best, where, count)
            # Only what beats the last candidate can enter: of equal ones the earlier
            # stays.
            floor = best.min()
    best, where = _first(best, where, count)
    return Grown(where, total / max(len(taken), 1))


def _reached_by(size: FloatArray, share: float) -> float:
    """A size that about this share of the sizes passes."""
    rank = int(share * len(size))
    if rank >= len(size):
        return -1.0
    return float(np.partition(size, len(size) - 1 - rank)[len(size) - 1 - rank])


def _first(
    best: FloatArray, where: IntArray, count: int
) -> tuple[FloatArray, IntArray]:
    """The `count` largest candidates, or all if there are no more."""
    if len(best) <= count:
        return best, where
    chosen = lowest(-best, count)
    return best[chosen], where[chosen]


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
