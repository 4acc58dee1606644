"""Chapter C: what criteria and solvers say of given evidence, card by card.

Every card of the catalog is a check, but for those that draw lots. An answer may be off
by what computing its formula in float32 may lose; `definition.criteria` knows both.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from minprune._check import AnyArray, FloatArray
from minprune.conformance import cases, definition, strategies
from minprune.conformance.adapter import Toolkit
from minprune.conformance.registry import Case, check, expect, same_mask
from minprune.criteria import CATALOG, Card

Evidence = Mapping[str, FloatArray]


def _close(got: Any, want: AnyArray, off: float, what: str, **case: Any) -> None:
    """`got` is `want` up to rounding."""
    got = np.asarray(got, np.float64)
    expect(
        got.shape == want.shape,
        f"{what} of shape {got.shape} came back, expected {want.shape}",
    )
    wrong = ~(np.abs(got - want) <= off)
    if wrong.any():
        at = tuple(int(i) for i in np.argwhere(wrong)[0])
        expect(
            False,
            f"{what} at {at} is {got[at]:.9g}, by the formula it is {want[at]:.9g}, "
            f"of which float32 may lose {off:.2g}",
            **case,
        )


def _file_score(card: Card) -> None:
    """The check of a criterion."""

    def evidence(rng: np.random.Generator) -> Iterator[Case]:
        for sizes in cases.sizes_for(card)[:2]:
            yield {"given": cases.decided(rng, card, sizes)["evidence"]}

    def body(toolkit: Toolkit, given: Evidence) -> None:
        got = toolkit.score(card.name, {k: v.copy() for k, v in given.items()})
        try:
            want, off = definition.score(card.name, given)
        except definition.Undecided:  # a search may come upon such a case
            return
        _close(got, want, off, f"{card.name}: the score", **given)

    body.__name__ = f"score_{card.name}"
    body.__doc__ = f"The score of {card.name} is {card.formula}."
    maps = {"h": 3, "w": 2} if card.family == "feature_map" else {}
    check("C.2", evidence, lambda: strategies.evidence(card.needs, **maps))(body)


def _file_solver(card: Card) -> None:
    """The check of a solver."""

    def questions(rng: np.random.Generator) -> Iterator[Case]:
        for sizes in cases.sizes_for(card)[:2]:
            yield cases.decided(rng, card, sizes)

    def body(toolkit: Toolkit, evidence: Evidence, options: Mapping[str, Any]) -> None:
        mask, weight, off = definition.solve(card.name, evidence, options)
        given = {name: array.copy() for name, array in evidence.items()}
        kept, moved = toolkit.solve(card.name, given, dict(options))
        same_mask(kept, mask, card.name, **evidence, **options)
        what = f"{card.name}: the moved weight"
        _close(moved, weight, off, what, **evidence, **options)

    body.__name__ = f"solver_{card.name}"
    body.__doc__ = f"{card.name}: {card.formula}."
    check("C.2", questions)(body)


for _card in CATALOG.values():
    if _card.name in definition.FORMULAS:
        _file_score(_card)
    elif _card.name in definition.SOLVERS:
        _file_solver(_card)


def weights(rng: np.random.Generator) -> Iterator[Case]:
    """A weight."""
    yield {"given": cases.evidence(rng, ("weight",))}


@check("C.1", weights)
def evidence_is_left_alone(toolkit: Toolkit, given: Evidence) -> None:
    """Scoring changes nothing that was given."""
    used = {"weight": given["weight"].copy()}
    toolkit.score("magnitude", used)
    expect(
        bool((used["weight"] == given["weight"]).all()),
        "magnitude changed the weight in place",
    )
