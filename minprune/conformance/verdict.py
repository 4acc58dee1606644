"""Difference of contract, or defect? A deviating toolkit is held to known contracts.

A small set of questions is put to the toolkit once, and to every profile of
`minprune.masks.PROFILES`. A toolkit that answers them all as some profile does differs
by contract; one that fits none has a defect, or a contract not yet known.
"""

from collections.abc import Callable
from functools import cache

import numpy as np

from minprune._check import BoolArray, FloatArray
from minprune.conformance.adapter import Toolkit
from minprune.conformance.registry import Broken
from minprune.masks import PROFILES, NoAnswer

Question = tuple[FloatArray, float]
Answers = list[BoolArray | None]
COUNTS: list[Question] = [
    (np.arange(n, dtype=float), p / 100)
    for n in (5, 7, 10, 64, 100)
    for p in (5, 10, 29, 30, 50, 57, 70)
]
"""Different scores, at sizes and sparsities where counting rules part."""

TIED: list[Question] = [(np.ones(8), 0.5), (np.array([3.0, 1, 1, 1, 2]), 0.4)]


def verdict(toolkit: Toolkit, clause: str) -> str:
    """A sentence for a finding of chapter M; nothing for other chapters."""
    if clause not in ("M.1", "M.2", "M.3", "M.8"):
        return ""
    try:
        counting, splitting = _answers(toolkit, COUNTS), _answers(toolkit, TIED)
    except Broken:
        return ""
    counts = [n for n in PROFILES if _same(counting, _profile(n)[0])]
    ties = [n for n in PROFILES if _same_amounts(splitting, _profile(n)[1])]
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


def _answers(toolkit: Toolkit, questions: list[Question]) -> Answers:
    """The toolkit's masks, None where it raises: a refusal is an answer too."""

    def mask(scores: FloatArray, sparsity: float) -> BoolArray:
        got = toolkit.mask({"w": scores.copy()}, sparsity, "layer")["w"]
        return np.asarray(got)

    return _put(questions, mask, Exception)


@cache
def _profile(name: str) -> tuple[Answers, Answers]:
    """A profile's answers to both sets of questions."""
    mask = PROFILES[name].mask
    return _put(COUNTS, mask, NoAnswer), _put(TIED, mask, NoAnswer)


def _put(
    questions: list[Question],
    mask: Callable[[FloatArray, float], BoolArray],
    refusal: type[Exception],
) -> Answers:
    """Every question answered; None for a refusal."""
    found: Answers = []
    for scores, sparsity in questions:
        try:
            found.append(mask(scores, sparsity))
        except Broken:
            raise
        except refusal:
            found.append(None)
    return found


def _same(got: Answers, want: Answers) -> bool:
    """Whether all masks are equal."""
    return all(
        (g is None and w is None)
        or (g is not None and w is not None and np.array_equal(g, w))
        for g, w in zip(got, want, strict=True)
    )


def _same_amounts(got: Answers, want: Answers) -> bool:
    """Whether all masks keep equally many."""
    return [None if g is None else g.sum() for g in got] == [
        None if w is None else w.sum() for w in want
    ]


def _names(names: list[str]) -> str:
    """At most four names."""
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return ", ".join(f"'{name}'" for name in names[:4]) + more
