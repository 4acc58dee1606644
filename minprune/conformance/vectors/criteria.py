"""Questions of chapter C: what criteria and solvers answer."""

from collections.abc import Iterator

import numpy as np

from minprune.conformance import cases, definition
from minprune.conformance.vectors._vector import Rng, Vector, upwards, vector
from minprune.criteria import CATALOG

RUNNING_BOUND = (
    "relative to the largest magnitude: four times the running error bound of the "
    "formula in float32 (Higham 2002, Sec. 3.3)"
)


def score(rng: Rng) -> Iterator[Vector]:
    """Every criterion that arrays alone can feed, on linear and grouped layers."""
    for card in CATALOG.values():
        if card.name in definition.FORMULAS:
            for sizes in cases.sizes_for(card):
                given = cases.decided(rng, card, sizes)
                found, off = definition.score(card.name, given["evidence"])
                tolerance = upwards(off / np.abs(found).max())
                asked = {"criterion": card.name, **given}
                yield vector("score", "C.2", asked, tolerance, RUNNING_BOUND) | {
                    "score": found
                }


def solve(rng: Rng) -> Iterator[Vector]:
    """Every solver."""
    for card in CATALOG.values():
        if card.name in definition.SOLVERS:
            for sizes in cases.sizes_for(card):
                given = cases.decided(rng, card, sizes)
                mask, weight, off = definition.solve(card.name, **given)
                tolerance = upwards(off / np.abs(weight).max())
                asked = {"criterion": card.name, **given}
                yield vector("solve", "C.2", asked, tolerance, RUNNING_BOUND) | {
                    "mask": mask,
                    "weight": weight,
                }
