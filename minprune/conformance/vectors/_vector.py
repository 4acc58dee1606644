"""What every vector has, and the numbers that vectors are made of."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from minprune._check import FloatArray

Rng = np.random.Generator
Vector = dict[str, Any]


def numbers(rng: Rng, *shape: int) -> FloatArray:
    """Multiples of 2^-16 from -8 to 8: float32 holds them."""
    return rng.integers(-(2**19), 2**19, shape) / 2.0**16


def sixteenths(rng: Rng, *shape: int) -> FloatArray:
    """Multiples of 1/16 from -4 to 4: float32 holds sums of thousands of products."""
    return rng.integers(-64, 65, shape) / 16.0


def vector(
    kind: str,
    clauses: str,
    given: Mapping[str, Any],
    tolerance: float = 0.0,
    because: str = "exact: a mask or a count has no rounding",
) -> Vector:
    """The fields that every vector has."""
    return {
        "id": -1,
        "kind": kind,
        "clauses": clauses.split(),
        "tolerance": tolerance,
        "tolerance_because": because,
        "given": dict(given),
    }


def upwards(number: float) -> float:
    """Two significant digits, never less than the number."""
    return float(f"{number * 1.05:.1e}") if number else 0.0
