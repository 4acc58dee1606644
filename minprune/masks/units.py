"""What is removed as one: filters, channels, kernels, rows, columns, blocks, layers.

A `Units` object says which unit each weight belongs to. It gathers the scores of the
weights into one score per unit and spreads a mask over units back to the weights:

    units = blocks(weight.shape, (4, 1))
    mask = units.expand(select(units.mean(scores), sparsity=0.9))

A share counts units then, whatever their sizes.

Weights are ``(out, in)`` for a linear layer and ``(out, in/groups, ...)`` for a
convolution; both are a matrix of *rows*, one for each output, and K *columns*, one for
each weight that an output has: ``weight.reshape(out, -1)``. Blocks tile that matrix.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from minprune._check import AnyArray, BoolArray, FloatArray, IntArray, positive_int

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """A partition of the weights of a layer; made by the functions of this module.

    Attributes
    ----------
    of : ndarray of int
        For every weight, in the shape of the weights, the flat index of its unit.
    shape : tuple of int
        Shape in which the units are arranged, and their scores and masks come.
    """

    of: IntArray
    shape: Shape

    @property
    def sizes(self) -> IntArray:
        """Weights per unit."""
        counts = np.bincount(self.of.reshape(-1), minlength=math.prod(self.shape))
        return counts.reshape(self.shape)

    def sum(self, scores: FloatArray) -> FloatArray:
        """Score of each unit: the sum over its weights, added in flat order, float64.

        Parameters
        ----------
        scores : ndarray of float
            One score for each weight.

        Returns
        -------
        scores : ndarray of float64
            In the shape of the units; a unit without weights scores 0.
        """
        flat, count = self._scores(scores).reshape(-1), math.prod(self.shape)
        total = np.bincount(self.of.reshape(-1), flat, minlength=count)
        # Without any weight, bincount counts instead of summing, in integers.
        return total.astype(np.float64).reshape(self.shape)

    def mean(self, scores: FloatArray) -> FloatArray:
        """Score of each unit: the mean over its weights, whatever its size."""
        return self.sum(scores) / np.maximum(self.sizes, 1)

    def l2(self, scores: FloatArray) -> FloatArray:
        """Score of each unit: the root of the sum of squares over its weights."""
        return np.sqrt(self.sum(np.square(self._scores(scores))))

    def max(self, scores: FloatArray) -> FloatArray:
        """Score of each unit: the highest among its weights."""
        best = np.full(math.prod(self.shape), -np.inf)
        np.maximum.at(best, self.of.reshape(-1), self._scores(scores).reshape(-1))
        best = best.reshape(self.shape)
        best[self.sizes == 0] = 0.0
        return best

    def expand(self, mask: BoolArray) -> BoolArray:
        """The mask of the weights: each stays or goes with its unit.

        Parameters
        ----------
        mask : ndarray of bool
            In the shape of the units, True where kept.

        Returns
        -------
        mask : ndarray of bool
            In the shape of the weights.
        """
        mask = self._fitting("mask", mask, self.shape)
        if mask.dtype != np.bool_:
            raise TypeError(
                f"units: mask has type {mask.dtype}; expected bool, True where kept"
            )
        spread: BoolArray = mask.reshape(-1)[self.of]
        return spread

    def _scores(self, scores: FloatArray) -> FloatArray:
        return self._fitting("scores", scores, self.of.shape).astype(np.float64)

    def _fitting(self, name: str, array: AnyArray, shape: Shape) -> AnyArray:
        array = np.asarray(array)
        if array.shape != shape:
            raise ValueError(
                f"units: {name} has shape {array.shape}; expected {shape}, "
                f"the shape these units were made for"
            )
        return array


def weights(shape: Shape) -> Units:
    """Every weight by itself."""
    return _along("weights", shape, tuple(range(len(shape))), 0)


def rows(shape: Shape) -> Units:
    """Everything that computes one output: a row, a neuron, a filter.

    One unit for each index of the first axis. In a linear layer that is a neuron's
    row of incoming weights, in a convolution a filter, which makes an output channel.

    Parameters
    ----------
    shape : tuple of int
        Shape of the weights.

    Returns
    -------
    units : Units
        Arranged as ``(out,)``.

    Examples
    --------
    >>> rows((2, 3)).sum(np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))
    array([ 6., 15.])
    """
    return _along("rows", shape, (0,), 1)


neurons = filters = rows


def columns(shape: Shape) -> Units:
    """One column of the matrix of rows: the same weight of every output.

    In a linear layer that is everything that reads one input; in a convolution one
    place of the kernels in one input channel.

    Returns
    -------
    units : Units
        Arranged as ``(K,)``.

    Examples
    --------
    >>> columns((4, 3, 2, 2)).shape
    (12,)
    """
    found = _along("columns", shape, tuple(range(1, len(shape))), 2)
    return Units(found.of, (math.prod(found.shape),))


def channels(shape: Shape, groups: int = 1) -> Units:
    """Everything that reads one input channel (or one input of a linear layer).

    Parameters
    ----------
    shape : tuple of int
        Shape of the weights, ``(out, in/groups, ...)``.
    groups : int
        Groups of the convolution. Output channels are dealt to the groups in order,
        and each group reads input channels of its own.

    Returns
    -------
    units : Units
        Arranged as ``(in,)``.

    Raises
    ------
    ValueError
        If the groups do not divide the outputs.

    Examples
    --------
    In a depthwise convolution a channel is read by one filter.

    >>> channels((3, 1, 2, 2), groups=3).sum(np.ones((3, 1, 2, 2)))
    array([4., 4., 4.])
    """
    shape = _checked("channels", shape, 2)
    groups = positive_int("channels", "groups", groups)
    if shape[0] % groups:
        raise ValueError(
            f"channels: {groups} groups do not divide {shape[0]} outputs; "
            f"expected a divisor"
        )
    per_group = max(shape[0] // groups, 1)
    first = np.arange(shape[0]) // per_group * shape[1]
    label = first[:, None] + np.arange(shape[1])
    label = label.reshape(*label.shape, *(1 for _ in shape[2:]))
    return Units(np.broadcast_to(label, shape), (groups * shape[1],))


def kernels(shape: Shape) -> Units:
    """One kernel: what one output channel makes of one input channel.

    Returns
    -------
    units : Units
        Arranged as ``(out, in/groups)``.

    Examples
    --------
    >>> kernels((2, 3, 5, 5)).sizes
    array([[25, 25, 25],
           [25, 25, 25]])
    """
    return _along("kernels", shape, (0, 1), 2)


def layer(shape: Shape) -> Units:
    """All weights of the layer as one; scores and masks have no axes.

    Examples
    --------
    >>> float(layer((2, 2)).mean(np.array([[1.0, 2.0], [3.0, 4.0]])))
    2.5
    """
    return _along("layer", shape, (), 0)


def blocks(shape: Shape, block: tuple[int, int]) -> Units:
    """Rectangular blocks of the matrix of rows.

    Blocks begin at the first row and column; where the block does not divide the
    matrix, those at the lower and right border are smaller (ragged).

    Parameters
    ----------
    shape : tuple of int
        Shape of the weights; a convolution is seen as ``(out, K)``.
    block : (int, int)
        Rows and columns of a block, 1 or more.

    Returns
    -------
    units : Units
        Arranged as (block rows, block columns).

    Examples
    --------
    >>> blocks((3, 5), (2, 2)).sizes
    array([[4, 4, 2],
           [2, 2, 1]])
    """
    shape = _checked("blocks", shape, 2)
    if not isinstance(block, tuple | list) or len(block) != 2:
        raise TypeError(
            f"blocks: block is {block!r}; expected (rows, columns), such as (4, 1)"
        )
    high, wide = (positive_int("blocks", "block", side) for side in block)
    out, inside = shape[0], math.prod(shape[1:])
    across = -(-inside // wide)
    label = np.arange(out)[:, None] // high * across + np.arange(inside) // wide
    return Units(label.reshape(shape), (-(-out // high), across))


UNITS: dict[str, Callable[[Shape], Units]] = {
    "weight": weights,
    "row": rows,
    "neuron": neurons,
    "filter": filters,
    "column": columns,
    "channel": channels,
    "kernel": kernels,
    "layer": layer,
}
"""By granularity, for command lines and plans; blocks and groups need their size."""


def _along(caller: str, shape: Shape, axes: tuple[int, ...], least: int) -> Units:
    """One unit for every index of `axes`; the labels are repeated without a copy."""
    shape = _checked(caller, shape, least)
    arranged = tuple(shape[axis] for axis in axes)
    in_place = [n if axis in axes else 1 for axis, n in enumerate(shape)]
    label = np.arange(math.prod(arranged)).reshape(in_place)
    return Units(np.broadcast_to(label, shape), arranged)


def _checked(caller: str, shape: Shape, least: int) -> Shape:
    """The shape as a tuple with at least so many axes."""
    if len(shape) < least:
        raise ValueError(
            f"{caller}: weights have shape {tuple(shape)}; expected (out, in) or "
            f"(out, in/groups, ...)"
        )
    return tuple(shape)
