"""Questions of chapter P: groups, squares, units."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from minprune.conformance import definition
from minprune.conformance.vectors._vector import Rng, Vector, numbers, vector

SQUARES = {
    "best_square": ("P.9 P.11", definition.best_square),
    "greedy_square": ("P.10 P.11", definition.greedy_square),
}


def keep_of_group(rng: Rng) -> Iterator[Vector]:
    """Keep of group along either axis, with and without ties and remainders."""
    for keep, group in ((2, 4), (1, 4), (3, 4), (1, 2), (4, 8)):
        for axis in (0, 1):
            for scores in (numbers(rng, 8, 16), rng.integers(2, size=(8, 16)) * 1.0):
                mask = definition.keep_of_group(scores, keep, group, axis)
                given = {"scores": scores, "keep": keep, "group": group, "axis": axis}
                given |= {"remainder": "error"}
                yield vector("keep_of_group", "P.7", given) | {"mask": mask}
    for remainder in ("keep", "short"):
        for keep, group in ((2, 4), (1, 4), (2, 3)):
            scores = numbers(rng, 5, 10 if group == 4 else 8)
            mask = definition.keep_of_group(scores, keep, group, 1, remainder)
            given = {"scores": scores, "keep": keep, "group": group, "axis": 1}
            given |= {"remainder": remainder}
            yield vector("keep_of_group", "P.7 P.8", given) | {"mask": mask}


def square(rng: Rng) -> Iterator[Vector]:
    """Patterns of two dimensions, some with ties and a border."""
    for rule, (clauses, choose) in SQUARES.items():
        for keep, group in ((2, 4), (1, 2), (1, 3), (3, 4)):
            for shape in ((2 * group, group), (group + 1, 2 * group + 1)):
                for ties in (False, True):
                    scores = numbers(rng, *shape)
                    if ties:
                        scores = rng.integers(3, size=shape) * 1.0
                    mask = definition.squares(choose, scores, keep, group)
                    given = {"rule": rule, "scores": scores, "keep": keep}
                    given |= {"group": group}
                    yield vector("square", clauses, given) | {"mask": mask}


def select_units(rng: Rng) -> Iterator[Vector]:
    """Units of every kind by every reduction, ragged and grouped ones included."""
    cases: list[Any] = [
        (shape, unit, None, 1)
        for shape in ((6, 8), (4, 3, 2, 2))
        for unit in ("weight", "row", "column", "channel", "kernel")
    ]
    cases += [(shape, "block", (2, 2), 1) for shape in ((6, 8), (5, 7), (4, 3, 2, 2))]
    cases += [(shape, "block", (2, 3), 1) for shape in ((6, 8), (5, 7))]
    cases += [((4, 2, 3, 1), "channel", None, 2), ((6, 1, 2, 2), "channel", None, 3)]
    for shape, unit, block, groups in cases:
        for reduction in ("sum", "mean", "max", "l2"):
            for sparsity in (0.25, 0.5):
                scores = np.abs(numbers(rng, *shape))
                mask = definition.unit_mask(
                    scores, unit, sparsity, block, reduction, groups
                )
                given = {"scores": scores, "unit": unit, "sparsity": sparsity}
                given |= {"block": list(block) if block else None}
                given |= {"reduction": reduction, "groups": groups}
                yield vector("select_units", "P.2 P.3 P.4 P.5 P.6", given) | {
                    "mask": mask
                }
