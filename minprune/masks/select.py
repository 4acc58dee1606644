"""Which weights stay: exact counts, ties by position, in linear time.

Scores go in as one array or as a dict of arrays, one per layer, and masks of the same
shapes come out, True where kept. Higher scores are kept. What a score stands for is the
caller's affair: a weight, or a unit of `minprune.masks.units`.

The contract is written out in ``docs/specification.md``, clauses M.1 to M.5.
"""

from collections.abc import Iterable, Mapping
from typing import overload

import numpy as np
from numpy.typing import NDArray

from minprune._check import BoolArray, FloatArray, positive_int
from minprune.masks import _request
from minprune.masks._request import ALONE, Masks, Scope, Scores
from minprune.masks.count import Share, removed, share


def lowest(scores: FloatArray, count: int) -> BoolArray:
    """Where the `count` lowest scores are; of equal ones the lower flat index is lower.

    Parameters
    ----------
    scores : ndarray of float
        Any shape; no NaN. Infinities rank as usual.
    count : int
        From 0 to ``scores.size``.

    Returns
    -------
    found : ndarray of bool, same shape as `scores`
        True at exactly `count` places.

    Raises
    ------
    ValueError
        If `count` is negative or larger than the array, or a score is NaN.

    Notes
    -----
    The same set as ``np.argsort(scores, axis=None, kind="stable")[:count]``, found in
    linear time: a partition gives the score at the cut, all below it are in, and of
    those equal to it the first ones in flat order fill the count.

    Examples
    --------
    >>> lowest(np.array([3.0, 1.0, 1.0, 1.0]), 2)
    array([False,  True,  True, False])
    """
    count = positive_int("lowest", "count", count, minimum=0)
    flat = np.asarray(scores).reshape(-1)
    if count > flat.size:
        raise ValueError(
            f"lowest: count is {count}; expected at most {flat.size}, "
            f"the number of scores"
        )
    if np.isnan(flat).any():
        at = int(np.argmax(np.isnan(flat)))
        raise ValueError(f"lowest: scores is NaN at flat index {at}; NaN has no rank")
    return _lowest([flat], count)[0].reshape(np.shape(scores))


def _lowest(
    rows: list[FloatArray], count: int, spared: list[NDArray[np.intp]] | None = None
) -> list[BoolArray]:
    """`lowest` of several rows, one behind the other, but never what is `spared`."""
    if count == 0:
        return [np.zeros(row.size, np.bool_) for row in rows]
    spared = spared or [np.empty(0, np.intp) for _ in rows]
    starts = np.cumsum([0, *(row.size for row in rows[:-1])])
    holes = [start + at for start, at in zip(starts, spared, strict=True)]
    pool = _without(np.concatenate(rows), np.concatenate(holes))
    pool.partition(count - 1)
    cut = pool[count - 1]
    below, equal = [row < cut for row in rows], [row == cut for row in rows]
    for found, ties, at in zip(below, equal, spared, strict=True):
        found[at] = ties[at] = False
    left = count - sum(int(np.count_nonzero(found)) for found in below)
    for found, ties in zip(below, equal, strict=True):
        taken = min(left, int(np.count_nonzero(ties)))
        end = _behind(ties, taken) if taken else 0
        found[:end] |= ties[:end]
        left -= taken
    return below


def _without(pool: FloatArray, holes: NDArray[np.intp]) -> FloatArray:
    """The pool, reordered, less the entries at `holes`: its end moves into them."""
    size = pool.size - holes.size
    stays = np.ones(holes.size, np.bool_)
    stays[holes[holes >= size] - size] = False
    pool[holes[holes < size]] = pool[size:][stays]
    return pool[:size]


def _behind(flags: BoolArray, nth: int) -> int:
    """The index behind the `nth` True flag, by halving: a linear cost in all."""
    low, high = 0, flags.size
    while high - low > 1:
        middle = (low + high) // 2
        here = int(np.count_nonzero(flags[low:middle]))
        if here >= nth:
            high = middle
        else:
            low, nth = middle, nth - here
    return high


@overload
def select(
    scores: FloatArray,
    *,
    sparsity: Share | Mapping[str, Share] | None = ...,
    count: int | Mapping[str, int] | None = ...,
    scope: Scope = ...,
    min_keep: int | Mapping[str, int] | None = ...,
    previous: BoolArray | None = ...,
    exclude: Iterable[str] = ...,
) -> BoolArray: ...
@overload
def select(
    scores: Scores,
    *,
    sparsity: Share | Mapping[str, Share] | None = ...,
    count: int | Mapping[str, int] | None = ...,
    scope: Scope = ...,
    min_keep: int | Mapping[str, int] | None = ...,
    previous: Mapping[str, BoolArray] | None = ...,
    exclude: Iterable[str] = ...,
) -> Masks: ...
def select(
    scores: FloatArray | Scores,
    *,
    sparsity: Share | Mapping[str, Share] | None = None,
    count: int | Mapping[str, int] | None = None,
    scope: Scope = "layer",
    min_keep: int | Mapping[str, int] | None = None,
    previous: BoolArray | Mapping[str, BoolArray] | None = None,
    exclude: Iterable[str] = (),
) -> BoolArray | Masks:
    """Masks that remove the lowest scores, exactly as many as asked for.

    Parameters
    ----------
    scores : ndarray of float, or dict of name to ndarray
        Scores of one layer, or of several by name; higher is kept. Real and finite.
    sparsity : share, or dict of name to share
        Share to remove, of the original size (M.1). With scope "layer" a dict gives
        each layer its own, with groups each group.
    count : int, or dict of name to int
        The number to remove instead of a share, what is already gone included; the
        result of an allocation fits here. Give either `sparsity` or `count`.
    scope : {"layer", "network"} or dict of group name to layer names
        Whose scores compete: those of one layer, of all layers, or of the layers of
        each group. Layers are ranked one behind the other in the order of the dict.
    min_keep : int or dict of layer name to int, optional
        Units that stay in every layer at least (M.4). By default 1 where layers
        compete and 0 with scope "layer". A floor that bites moves removals to the
        other layers of the scope.
    previous : mask or dict of masks, optional
        What is still there. What is gone stays gone and counts as removed (M.5). A
        layer without a previous mask is whole.
    exclude : iterable of str
        Names, or patterns such as ``"*.bias"``, of layers that are left as they are
        and not counted.

    Returns
    -------
    masks : ndarray of bool, or dict of name to ndarray of bool
        True where kept, in the shapes of `scores`.

    Raises
    ------
    ValueError
        If a score is not finite, a name or shape does not fit, there is nothing to
        select from, or the request cannot be met; the message then names the nearest
        request that can.

    See Also
    --------
    at_least, above : Cut at a given score instead of a given count.
    minprune.masks.allocate : Counts per layer.

    Notes
    -----
    *Floors.* Ascending removal that skips a layer once it is down to its floor never
    reaches the `min_keep` highest scores of a layer, and takes everything else in
    order. So these are set aside, and the rest is one selection.

    Cost: linear, one partition of all scores; floors above one add a partition of each
    layer.

    Examples
    --------
    Half of the six weights go, wherever they are; with scope "layer" each layer would
    lose its share.

    >>> scores = {"w1": np.array([0.1, 0.2, 0.3, 0.9]), "w2": np.array([5.0, 7.0])}
    >>> select(scores, sparsity=0.5, scope="network")
    {'w1': array([False, False, False,  True]), 'w2': array([ True,  True])}
    >>> select(scores, sparsity=0.5)
    {'w1': array([False, False,  True,  True]), 'w2': array([False,  True])}
    """
    if (sparsity is None) == (count is None):
        raise ValueError(
            "select: expected either sparsity or count, and not both; for example "
            "sparsity=0.9"
        )
    arrays = _request.arrays("select", scores)
    there = _request.previous("select", arrays, previous)
    groups = _request.groups("select", arrays, scope, exclude)
    floors = _request.floors("select", arrays, min_keep, 0 if scope == "layer" else 1)
    competing = {name for names in groups.values() for name in names}
    masks = {n: m if n in competing else m.copy() for n, m in there.items()}
    for label, names in groups.items():
        size = sum(arrays[name].size for name in names)
        if count is None:
            given: Share = _request.of("select", "sparsity", sparsity, label)
            asked = removed(size, share("select", given))
        else:
            number = _request.of("select", "count", count, label)
            asked = positive_int("select", "count", number, minimum=0)
        members = {name: arrays[name] for name in names}
        masks |= _cut(label, members, there, floors, asked)
    return masks if isinstance(scores, Mapping) else masks[ALONE]


def _cut(
    label: str, arrays: Scores, there: Masks, floors: dict[str, int], asked: int
) -> Masks:
    """Remove the `asked` lowest of some layers, those already gone first."""
    live = {name: _live(there[name].reshape(-1)) for name in arrays}
    rows = {name: array.reshape(-1)[live[name]] for name, array in arrays.items()}
    # What is gone cannot come back to fill a floor, so a floor asks for no more than
    # what is there.
    floor = {name: min(floors[name], row.size) for name, row in rows.items()}
    size = sum(array.size for array in arrays.values())
    gone = size - sum(row.size for row in rows.values())
    _feasible(label, asked, size, gone, sum(floor.values()))
    spared = [_highest(row, floor[name]) for name, row in rows.items()]
    gone_now = _lowest(list(rows.values()), asked - gone, spared)
    kept = {name: there[name].copy() for name in arrays}
    for name, found in zip(arrays, gone_now, strict=True):
        kept[name].reshape(-1)[live[name]] = ~found
    return kept


def _live(mask: BoolArray) -> slice | NDArray[np.intp]:
    """What picks the True entries of a flat mask, three times as fast as it would."""
    return slice(None) if mask.all() else np.flatnonzero(mask)


def _highest(scores: FloatArray, count: int) -> NDArray[np.intp]:
    """Where the `count` highest are; of equal ones the higher index is higher."""
    if count == 1:  # the usual floor, and five times as fast
        return np.array([scores.size - 1 - int(np.argmax(scores[::-1]))])
    if count == 0:
        return np.empty(0, np.intp)
    return np.flatnonzero(~lowest(scores, scores.size - count))


def _feasible(label: str, asked: int, size: int, gone: int, held: int) -> None:
    """Refuse a count that cannot be met, with the nearest one that can."""
    if gone <= asked <= size - held:
        return
    if asked < gone:
        nearest, why = gone, f"{gone} are already gone and stay gone"
    elif held:
        nearest, why = size - held, f"min_keep holds {held}"
    else:
        nearest, why = size, f"there are only {size}"
    sparsity = f" (sparsity {nearest / size:.6g})" if size else ""
    raise ValueError(
        f"select: asked to remove {asked} of {size} in {label!r}, but {why}; "
        f"the nearest that can be met is {nearest}{sparsity}"
    )
