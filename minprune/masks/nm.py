"""Patterns that fix how many weights stay in every small group.

``keep`` of every ``group`` weights that follow each other stay. The two numbers are
always given by name, because "2:4" counts the kept ones for some and the zeros for
others.
"""

import math
from functools import cache
from itertools import combinations

import numpy as np

from minprune._check import BoolArray, FloatArray, dimensions, one_of, positive_int
from minprune.masks import _request

_LARGEST = 5
"""Largest group of the exhaustive search: 5 x 5 has 2040 patterns, 6 x 6 has 297200."""


def keep_of_group(
    scores: FloatArray,
    *,
    keep: int,
    group: int,
    axis: int = -1,
    remainder: str = "error",
) -> BoolArray:
    """Keep the `keep` highest scores of every `group` along one axis.

    Parameters
    ----------
    scores : ndarray of float
        Higher is kept. Real and finite. For a convolution ``axis=1`` groups input
        channels; ``scores.reshape(out, -1)`` with ``axis=-1`` groups the columns as the
        sparse kernels see them.
    keep, group : int
        How many stay of how many, ``0 <= keep <= group``.
    axis : int
        Axis along which groups follow each other, from index 0 on.
    remainder : {"error", "keep", "short"}
        What becomes of a last group that is not full: refuse it, keep it whole, or
        treat it as a group whose missing scores are the lowest, so that the `keep`
        highest of it stay.

    Returns
    -------
    mask : ndarray of bool, same shape as `scores`
        True where kept.

    Raises
    ------
    ValueError
        If a score is not finite, `keep` exceeds `group`, or groups do not divide the
        axis and `remainder` is "error".

    Notes
    -----
    Of equal scores in a group the lower index goes first (M.2).

    Examples
    --------
    >>> keep_of_group(np.array([1.0, 4.0, 3.0, 2.0]), keep=2, group=4)
    array([False,  True,  True, False])
    """
    array = _read(
        "keep_of_group", scores, keep, group, remainder, ("error", "keep", "short")
    )
    if not -array.ndim <= axis < array.ndim:
        raise ValueError(
            f"keep_of_group: axis is {axis}, but scores has shape {array.shape}; "
            f"expected an axis of it"
        )
    last = np.moveaxis(array, axis, -1)
    size = last.shape[-1]
    short = _short("keep_of_group", size, group, remainder, f"axis {axis}")
    padding = [(0, 0)] * (last.ndim - 1) + [(0, -size % group)]
    grouped = np.pad(last, padding, constant_values=-np.inf)
    grouped = grouped.reshape(*last.shape[:-1], -(-size // group), group)
    mask = np.ones(grouped.shape, np.bool_)
    goes = np.argsort(grouped, axis=-1, kind="stable")[..., : group - keep]
    np.put_along_axis(mask, goes, False, axis=-1)
    mask = mask.reshape(*last.shape[:-1], size + -size % group)[..., :size]
    if remainder == "keep" and short:
        mask[..., size - short :] = True
    return np.ascontiguousarray(np.moveaxis(mask, -1, axis))


def best_square(
    scores: FloatArray, *, keep: int, group: int, remainder: str = "error"
) -> BoolArray:
    """Keep exactly `keep` per row and column of every square, the best way there is.

    A matrix and its transpose then follow the same pattern, so that the backward pass
    of a layer can use it as well.

    Parameters
    ----------
    scores : ndarray of float, shape (rows, columns)
        Higher is kept. Real and finite.
    keep, group : int
        How many stay in every row and column of a square of side `group`, which is at
        most 5: the search is exhaustive.
    remainder : {"error", "keep"}
        What becomes of squares that are not full: refuse them, or keep them whole.

    Returns
    -------
    mask : ndarray of bool, same shape as `scores`
        The pattern with the highest sum of kept scores in every square. Of equally good
        ones, the one that removes the earlier weights.

    See Also
    --------
    greedy_square : Takes the highest scores first; fast, and not always as good.

    Notes
    -----
    For `keep` 2 and `group` 4 there are 90 patterns; all are tried. Scores are summed
    in flat order in float64, and sums that come out equal count as equal. Masks that a
    matrix shares with its transpose are studied in [1]_; the search itself is known as
    "2d_best" in NVIDIA's apex.

    References
    ----------
    .. [1] I. Hubara, B. Chmiel, M. Island, R. Banner, J. Naor and D. Soudry,
       "Accelerated sparse neural training: a provable and efficient method to find N:M
       transposable masks", NeurIPS 2021. arXiv:2102.08124

    Examples
    --------
    >>> scores = np.array([[9.0, 8.0], [8.0, 1.0]])
    >>> best_square(scores, keep=1, group=2)
    array([[False,  True],
           [ True, False]])
    """
    squares = _squares("best_square", scores, keep, group, remainder)
    if group > _LARGEST:
        raise ValueError(
            f"best_square: group is {group}; the exhaustive search is for groups of up "
            f"to {_LARGEST}; use greedy_square"
        )
    patterns = _patterns(keep, group)
    chosen = np.empty(squares.shape, np.bool_)
    for line, out in zip(squares, chosen, strict=True):
        total = np.zeros((len(line), len(patterns)))
        flat = line.reshape(len(line), group * group)
        for score, stays in zip(flat.T, patterns.T, strict=True):
            total += score[:, None] * stays
        out[...] = patterns[total.argmax(axis=1)].reshape(line.shape)
    return _unsquare(chosen, np.asarray(scores).shape, group)


def greedy_square(
    scores: FloatArray, *, keep: int, group: int, remainder: str = "error"
) -> BoolArray:
    """Keep at most `keep` per row and per column of every square, highest scores first.

    Parameters are those of `best_square`, without a limit on `group`.

    Returns
    -------
    mask : ndarray of bool, same shape as `scores`
        Every row and column of a square keeps `keep` or, where the rows and columns
        that are left do not meet, fewer.

    Notes
    -----
    Weights are visited from the highest score to the lowest, of equal ones the higher
    flat index first, and kept while both their row and their column have room.

    Examples
    --------
    >>> greedy_square(np.array([[9.0, 8.0], [8.0, 1.0]]), keep=1, group=2)
    array([[ True, False],
           [False,  True]])
    """
    squares = _squares("greedy_square", scores, keep, group, remainder)
    flat = squares.reshape(-1, group * group)
    every = np.arange(len(flat))
    rows, columns = (np.zeros((len(flat), group), np.int64) for _ in range(2))
    mask = np.zeros(flat.shape, np.bool_)
    for at in np.argsort(flat, axis=1, kind="stable").T[::-1]:
        row, column = np.divmod(at, group)
        room = (rows[every, row] < keep) & (columns[every, column] < keep)
        mask[every, at] = room
        rows[every, row] += room
        columns[every, column] += room
    return _unsquare(mask.reshape(squares.shape), np.asarray(scores).shape, group)


def _read(
    caller: str,
    scores: FloatArray,
    keep: int,
    group: int,
    remainder: str,
    policies: tuple[str, ...],
) -> FloatArray:
    """The scores, once the arguments have been checked."""
    group = positive_int(caller, "group", group)
    if positive_int(caller, "keep", keep, minimum=0) > group:
        raise ValueError(
            f"{caller}: keep is {keep} of a group of {group}; expected at most {group}"
        )
    one_of(caller, "remainder policy", remainder, policies)
    return _request.arrays(caller, scores)[_request.ALONE]


def _short(caller: str, size: int, group: int, remainder: str, what: str) -> int:
    """How many are left over behind the full groups; an error where none may be."""
    short = size % group
    if short and remainder == "error":
        raise ValueError(
            f"{caller}: {what} has {size} scores, which groups of {group} do not "
            f"divide: the group at index {size - short} has only {short}; choose a "
            f"remainder policy or another group"
        )
    return short


def _squares(
    caller: str, scores: FloatArray, keep: int, group: int, remainder: str
) -> FloatArray:
    """The full squares, shape (down, across, group, group)."""
    array = _read(caller, scores, keep, group, remainder, ("error", "keep"))
    dimensions(caller, 2, scores=array)
    for axis, size in enumerate(array.shape):
        _short(caller, size, group, remainder, f"axis {axis}")
    down, across = (size // group for size in array.shape)
    full = array[: down * group, : across * group]
    return full.reshape(down, group, across, group).swapaxes(1, 2)


def _unsquare(squares: BoolArray, shape: tuple[int, ...], group: int) -> BoolArray:
    """Put the squares back in place; what no full square covers is kept."""
    down, across = squares.shape[:2]
    mask = np.ones(shape, np.bool_)
    full = squares.swapaxes(1, 2).reshape(down * group, across * group)
    mask[: down * group, : across * group] = full
    return mask


@cache
def _patterns(keep: int, group: int) -> BoolArray:
    """Every square with `keep` True in each row and column, flat, in ascending order.

    False sorts before True, so a pattern that removes earlier weights comes earlier.
    """
    lines = np.zeros((math.comb(group, keep), group), np.bool_)
    for line, at in zip(lines, combinations(range(group), keep), strict=True):
        line[list(at)] = True
    found = np.zeros((1, 0, group), np.bool_)
    for row in range(group):
        above = np.repeat(found, len(lines), axis=0)
        below = np.tile(lines, (len(found), 1))[:, None]
        found = np.concatenate([above, below], axis=1)
        kept, rows_left = found.sum(axis=1), group - row - 1
        found = found[((kept <= keep) & (kept + rows_left >= keep)).all(axis=1)]
    flat = found.reshape(len(found), -1)
    flat = flat[np.lexsort(flat.T[::-1])]
    flat.flags.writeable = False
    return flat
