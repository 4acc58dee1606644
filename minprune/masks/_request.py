"""Reading what a selection is asked for: scores, names, groups, floors, exclusions.

Everything a caller can get wrong about names and shapes is found here, once, and said
in the caller's name.
"""

import fnmatch
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np

from minprune._check import BoolArray, FloatArray, finite, one_of, positive_int

Scores = Mapping[str, FloatArray]
Masks = dict[str, BoolArray]
Scope = Literal["layer", "network"] | Mapping[str, Iterable[str]]

ALONE = "scores"
"""The name a single array goes by in messages."""

WHOLE = 2**53
"""Up to here float64 tells all whole numbers apart."""


def arrays(caller: str, scores: FloatArray | Scores) -> dict[str, FloatArray]:
    """The scores by name, as floats; an error unless they are finite real numbers."""
    named = scores if isinstance(scores, Mapping) else {ALONE: scores}
    if not named:
        raise ValueError(
            f"{caller}: there are no scores; expected an array, or a dict with at "
            f"least one layer"
        )
    read: dict[str, FloatArray] = {}
    for name, given in named.items():
        array = np.asarray(given)
        if array.dtype.kind not in "iuf":
            raise TypeError(
                f"{caller}: {name} has type {array.dtype}; expected real numbers, "
                f"since scores are ranked"
            )
        if array.dtype.kind == "f":
            finite(caller, **{name: array})
        elif ((array > WHOLE) | (array < -WHOLE)).any():
            raise ValueError(
                f"{caller}: {name} holds whole numbers beyond 2^53, which float64 "
                f"cannot tell apart; expected smaller ones, since scores are ranked"
            )
        read[name] = array if array.dtype.kind == "f" else array.astype(np.float64)
    return read


def of(caller: str, what: str, given: Any, name: str) -> Any:
    """What is given for one name: its entry in a dict, or the one value for all."""
    if isinstance(given, Mapping):
        return given[one_of(caller, f"{what} for", name, given)]
    return given


def previous(
    caller: str, scores: Scores, given: BoolArray | Mapping[str, BoolArray] | None
) -> Masks:
    """A mask for every layer: the given one, or all True."""
    known: dict[str, Any] = {}
    if given is not None:
        known |= given if isinstance(given, Mapping) else {ALONE: given}
    for name in known:
        one_of(caller, "layer", name, scores)
    masks = {}
    for name, array in scores.items():
        mask = np.asarray(known[name] if name in known else np.full(array.shape, True))
        if mask.dtype != np.bool_ or mask.shape != array.shape:
            raise ValueError(
                f"{caller}: the previous mask of {name!r} has type {mask.dtype} and "
                f"shape {mask.shape}; expected bool, True where kept, of shape "
                f"{array.shape}"
            )
        masks[name] = mask
    return masks


def groups(
    caller: str, scores: Scores, scope: Scope, exclude: Iterable[str]
) -> dict[str, list[str]]:
    """The layers that compete with each other, by label, without the excluded ones."""
    out = _excluded(caller, scores, exclude)
    left = [name for name in scores if name not in out]
    if not left:
        raise ValueError(
            f"{caller}: all of {', '.join(scores)} are excluded; nothing is left to "
            f"prune"
        )
    if isinstance(scope, str):
        one_of(caller, "scope", scope, ("layer", "network"))
        return {name: [name] for name in left} if scope == "layer" else {scope: left}
    found: dict[str, list[str]] = {}
    home: dict[str, str] = {}
    for label, names in scope.items():
        members = [one_of(caller, "layer", name, scores) for name in names]
        for name in members:
            if name in home:
                raise ValueError(
                    f"{caller}: layer {name!r} is in group {home[name]!r} and again in "
                    f"{label!r}; expected every layer in one group"
                )
            home[name] = label
        found[label] = [name for name in scores if name in members and name in left]
        if not found[label]:
            raise ValueError(f"{caller}: group {label!r} has nothing left to prune")
    for name in left:
        if name not in home:
            raise ValueError(
                f"{caller}: layer {name!r} is in no group; put it in one or exclude it"
            )
    return found


def floors(
    caller: str,
    scores: Scores,
    min_keep: int | Mapping[str, int] | None,
    default: int,
) -> dict[str, int]:
    """The least number of units that stay, for every layer."""
    if min_keep is None or isinstance(min_keep, Mapping):
        given = dict(min_keep or {})
        for name in given:
            one_of(caller, "layer", name, scores)
    else:
        given = dict.fromkeys(scores, min_keep)
    return {
        name: positive_int(caller, "min_keep", given.get(name, default), minimum=0)
        for name in scores
    }


def _excluded(caller: str, scores: Scores, exclude: Iterable[str]) -> set[str]:
    """The layers whose names are listed or match a pattern."""
    patterns = [exclude] if isinstance(exclude, str) else list(exclude)
    found: set[str] = set()
    for pattern in patterns:
        if not any(sign in pattern for sign in "*?["):
            one_of(caller, "layer", pattern, scores)
        found |= set(fnmatch.filter(scores, pattern))
    return found
