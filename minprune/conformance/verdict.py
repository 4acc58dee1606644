"""Difference of contract, or defect? A deviating toolkit is held to known contracts.

Every profile of `minprune.masks.PROFILES` is tried on a small set of questions. A
toolkit that answers them all as some profile does differs by contract; one that fits
none has a defect, or a contract not yet known.
"""

from collections.abc import Iterator

import numpy as np

from minprune._check import BoolArray, FloatArray
from minprune.conformance.adapter import Toolkit, Unsupported
from minprune.masks import PROFILES, NoAnswer

COUNTS = [
    (n, p / 100) for n in (5, 7, 10, 64, 100) for p in (5, 10, 29, 30, 50, 57, 70)
]
TIED = [(np.ones(8), 0.5), (np.array([3.0, 1, 1, 1, 2]), 0.4)]


def verdict(toolkit: Toolkit, clause: str) -> str:
    """A sentence for a finding of chapter M; nothing for other chapters."""
    if clause not in ("M.1", "M.2", "M.3", "M.8"):
        return ""
    counts = [name for name in PROFILES if _fits(toolkit, name, _counting())]
    ties = [name for name in PROFILES if _fits(toolkit, name, iter(TIED), True)]
    counted = (
        f"counts like {_names(counts)}" if counts else "counts like no known contract"
    )
    cut = (
        f"cuts ties like {_names(ties)}" if ties else "cuts ties like no known contract"
    )
    both = sorted(set(counts) & set(ties))
    end = (
        f"together: the contract of {_names(both)}" if both else "together: none known"
    )
    return f"\n  verdict: {counted}; {cut}; {end}"


def _counting() -> Iterator[tuple[FloatArray, float]]:
    """Different scores, sizes and sparsities where counting rules part."""
    return ((np.arange(n, dtype=float), sparsity) for n, sparsity in COUNTS)


def _fits(
    toolkit: Toolkit,
    name: str,
    questions: Iterator[tuple[FloatArray, float]],
    amounts_only: bool = False,
) -> bool:
    """Whether the toolkit answers every question as the profile does."""
    for scores, sparsity in questions:
        want, got = (
            _profile(name, scores, sparsity),
            _toolkit(toolkit, scores, sparsity),
        )
        if (want is None) != (got is None):
            return False
        if want is None or got is None:
            continue
        same = want.sum() == got.sum() if amounts_only else (want == got).all()
        if not same:
            return False
    return True


def _profile(name: str, scores: FloatArray, sparsity: float) -> BoolArray | None:
    """The profile's mask, or None where it has no answer."""
    try:
        return np.asarray(PROFILES[name].mask(scores, sparsity))
    except NoAnswer:
        return None


def _toolkit(toolkit: Toolkit, scores: FloatArray, sparsity: float) -> BoolArray | None:
    """The toolkit's mask, or None where it raises."""
    try:
        return np.asarray(toolkit.mask({"w": scores}, sparsity, "layer")["w"])
    except Unsupported:
        return None
    except Exception:  # an error of the toolkit is an answer too
        return None


def _names(names: list[str]) -> str:
    """At most four names."""
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return ", ".join(f"'{name}'" for name in names[:4]) + more
