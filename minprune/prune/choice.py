"""Selection as procedures need it: with an allocation, and on the way to more."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from minprune._check import BoolArray, FloatArray
from minprune.masks import select
from minprune.masks._request import Scope
from minprune.masks.allocate import ALLOCATIONS
from minprune.masks.count import removed

Masks = dict[str, BoolArray]


def choose(
    scores: Mapping[str, FloatArray],
    sparsity: Any,
    scope: Scope,
    previous: Masks,
    *,
    min_keep: int | Mapping[str, int] | None = None,
    exclude: Iterable[str] = (),
    allocation: str | None = None,
    rising: bool = False,
) -> Masks:
    """`masks.select` by an allocation, and with no less gone than is gone already."""
    how: dict[str, Any] = {
        "min_keep": min_keep,
        "exclude": exclude,
        "previous": previous,
    }
    if allocation is None and not rising:
        return select(scores, sparsity=sparsity, scope=scope, **how)
    competing = [name for name in scores if name not in set(exclude)]
    if allocation is not None:
        shapes = {name: scores[name].shape for name in competing}
        count = ALLOCATIONS[allocation](shapes, sparsity)
        scope, groups = "layer", {name: [name] for name in competing}
    else:
        groups = _groups_of(scope, competing)
        count = {
            label: removed(sum(scores[name].size for name in names), sparsity)
            for label, names in groups.items()
        }
    if rising:
        for label, names in groups.items():
            gone = sum(int(np.count_nonzero(~previous[name])) for name in names)
            count[label] = max(count[label], gone)
    return select(scores, count=count, scope=scope, **how)


def _groups_of(scope: Scope, competing: list[str]) -> dict[str, list[str]]:
    """The weights that compete with each other, by label."""
    if scope == "layer":
        return {name: [name] for name in competing}
    if isinstance(scope, str):
        return {scope: competing}
    return {k: [n for n in names if n in competing] for k, names in scope.items()}
