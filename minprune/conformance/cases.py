"""Drawn inputs that the seeded checks and the search have in common."""

from typing import Any

import numpy as np

from minprune._check import FloatArray

Rng = np.random.Generator


def evidence(rng: Rng, shape: tuple[int, int]) -> dict[str, FloatArray]:
    """Evidence of one layer, by name."""
    return {
        "weight": rng.normal(size=shape),
        "grad": rng.normal(size=shape),
        "hess_diag": rng.random(shape) + 0.1,
        "fisher_diag": rng.random(shape) + 0.1,
        "input_norm": rng.random(shape[1]) + 0.1,
    }


def layer(
    rng: Rng, shape: tuple[int, int], batch: int, density: float
) -> dict[str, Any]:
    """A weight, its mask, inputs and a gradient at the outputs, in float32."""
    return {
        "weight": rng.normal(size=shape).astype(np.float32),
        "mask": rng.random(shape) < density,
        "x": rng.normal(size=(batch, shape[1])).astype(np.float32),
        "dy": rng.normal(size=(batch, shape[0])).astype(np.float32),
    }
