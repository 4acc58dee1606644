"""Questions of chapters A and S: how much, where and when."""

from collections.abc import Iterator
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np

from minprune._check import FloatArray
from minprune.conformance import definition
from minprune.conformance.vectors._vector import Rng, Vector, numbers, vector

FEW_ROUNDINGS = (1e-12, "per unit of sparsity: a few roundings of float64 arithmetic")
LENET = [(300, 784), (100, 300), (10, 100)]
CONV = [(8, 3, 3, 3), (16, 8, 3, 3), (10, 64)]
EQUAL = [(5, 1), (1, 5), (2, 5), (3, 3)]
"""Layers that tie when their ideal numbers are rounded."""


def schedule(rng: Rng) -> Iterator[Vector]:
    """Every step of frames that the frequency divides and does not divide."""
    for curve in ("linear", "cubic", "cosine", "exponential", "constant"):
        for begin, end, frequency in ((0, 10, 1), (5, 25, 5), (3, 20, 4), (4, 4, 1)):
            for initial in (0.9,) if curve == "constant" else (0.0, 0.25):
                frame: dict[str, Any] = {"final": 0.9, "begin": begin, "end": end}
                frame |= {"frequency": frequency, "initial": initial}
                steps = range(end + 3)
                values = [definition.schedule(curve, s, **frame) for s in steps]
                given = {"curve": curve, "steps": len(steps), **frame}
                yield vector("schedule", "S.1 S.2 S.3 S.4", given, *FEW_ROUNDINGS) | {
                    "sparsities": [round(value, 13) for value in values]
                }


def ladder(rng: Rng) -> Iterator[Vector]:
    """A share of what is left in every round."""
    for rate in (0.2, 0.5, 0.29):
        for begin, frequency, rounds in ((0, 1, 5), (3, 4, 3), (2, 1, 0)):
            frame: dict[str, Any] = {"rounds": rounds, "begin": begin}
            frame |= {"frequency": frequency}
            steps = range(begin + rounds * frequency + 3)
            values = [definition.geometric(rate, step, **frame) for step in steps]
            given = {"rate": rate, "steps": len(steps), **frame}
            yield vector("ladder", "S.5", given, *FEW_ROUNDINGS) | {
                "sparsities": [round(value, 13) for value in values]
            }


def adaptive(rng: Rng) -> Iterator[Vector]:
    """Looks at gradients and validation scores that call for every move."""
    for calm, rough, tolerance in ((0.125, 0.5, 0.25), (0.0, 0.0, 0.0)):
        for _ in range(4):
            norms, scores = rng.integers(6, 12, 12) / 8.0, rng.integers(4, 8, 12) / 8.0
            looks = list(zip(norms.tolist(), scores.tolist(), strict=True))
            found = definition.moves(looks, calm, rough, tolerance)
            given = {"norms": norms, "scores": scores, "calm": calm, "rough": rough}
            given |= {"tolerance": tolerance}
            yield vector("adaptive", "S.6", given) | {"moves": found}


def allocate(rng: Rng) -> Iterator[Vector]:
    """By shapes: LeNet-300-100, a convolution network, layers that tie."""
    for shapes in (LENET, CONV, EQUAL):
        named = {str(i): shape for i, shape in enumerate(shapes)}
        for method in ("uniform", "er", "erk"):
            for sparsity in (0.5, 0.8, 0.95):
                counts = definition.allocation(method, named, sparsity)
                yield _allocated("A.1 A.2 A.3", method, shapes, sparsity, counts)
        for sparsity in (0.25, 0.5):
            counts = definition.uniform_plus(named, sparsity)
            yield _allocated("A.1 A.2 A.4", "uniform_plus", shapes, sparsity, counts)


def _allocated(
    clauses: str, method: str, shapes: Any, sparsity: float, counts: dict[str, int]
) -> Vector:
    given = {"method": method, "shapes": shapes, "sparsity": sparsity}
    total = definition.removed(sum(map(prod, shapes)), sparsity)
    found = {"counts": list(counts.values()), "total": total}
    return vector("allocate", clauses, given) | found


def allocate_by_sensitivity(rng: Rng) -> Iterator[Vector]:
    """Densities in proportion to given numbers."""
    for shapes in (LENET, CONV, EQUAL):
        named = {str(i): shape for i, shape in enumerate(shapes)}
        for sparsity in (0.3, 0.8):
            sensitivity = [0.5, 2.0, 8.0, 1.25][: len(shapes)]
            raw = {str(i): Fraction(str(s)) for i, s in enumerate(sensitivity)}
            counts = definition.in_proportion(named, raw, sparsity)
            given = {"shapes": shapes, "sensitivity": sensitivity, "sparsity": sparsity}
            found = {"counts": list(counts.values())}
            yield vector("allocate_by_sensitivity", "A.1 A.2 A.3", given) | found


def allocate_by_scores(rng: Rng) -> Iterator[Vector]:
    """What rankings over all layers take, plain, by LAMP and by outliers."""
    for sparsity in (0.25, 0.5, 0.8):
        scores = [np.abs(numbers(rng, size)) for size in (10, 24, 40)]
        for layer in scores:
            layer[: len(layer) // 8] *= 32  # outliers
        named = {str(i): score for i, score in enumerate(scores)}
        shares = {n: _lamp(score) for n, score in named.items()}
        found = {
            "network": ("A.5", definition.by_network(named, sparsity, 1)),
            "lamp": ("A.5", definition.by_network(shares, sparsity, 1)),
            "owl": ("A.6", definition.owl(named, sparsity, 5.0, 0.08)),
        }
        for method, (clause, counts) in found.items():
            given = {"method": method, "scores": scores, "sparsity": sparsity}
            given |= {"min_keep": 1, "outlier": 5.0, "spread": 0.08}
            yield vector("allocate_by_scores", f"A.1 A.2 {clause}", given) | {
                "counts": list(counts.values())
            }


def _lamp(weight: FloatArray) -> FloatArray:
    """The LAMP scores of a layer."""
    return definition.score("lamp", {"weight": weight})[0]


def allocate_by_cost(rng: Rng) -> Iterator[Vector]:
    """Budgets, with floors."""
    for budget in (0, 60, 250, 10_000):
        for floor in (0, 1) if budget else (0,):
            scores = [np.abs(numbers(rng, size)) for size in (6, 12, 9)]
            costs = [25, 4, 1]
            named = {str(i): score for i, score in enumerate(scores)}
            priced = {str(i): cost for i, cost in enumerate(costs)}
            counts = definition.by_cost(named, priced, budget, floor)
            given = {"scores": scores, "costs": costs, "budget": budget}
            given |= {"min_keep": floor}
            yield vector("allocate_by_cost", "A.7 M.2 M.4", given) | {
                "counts": list(counts.values())
            }
