"""Shares in which a share of nothing is nothing, and spreads of what does not vary."""

from typing import Any

import numpy as np

from minprune._check import FloatArray


def ratio(value: FloatArray, unit: Any) -> FloatArray:
    """``value / unit``, and zero where the unit is zero."""
    unit = np.broadcast_to(np.asarray(unit, np.float64), value.shape)
    share: FloatArray = np.zeros_like(value)
    np.divide(value, unit, out=share, where=unit != 0)
    return share


def share_of_outliving(value: FloatArray) -> FloatArray:
    """Each entry over the sum of itself and all that come after it in ascending order.

    Of equal entries the one with the lower flat index comes first. The sums run from
    the largest entry down: "total minus what came before" loses the tail to rounding.
    """
    flat = value.ravel()
    order = np.argsort(flat, kind="stable")
    outliving = np.cumsum(flat[order][::-1])[::-1]
    share = np.empty_like(flat)
    share[order] = ratio(flat[order], outliving)
    return share.reshape(value.shape)


def centered(value: FloatArray, axis: int | None = None) -> FloatArray:
    """Differences from the mean, exactly zero where all values are equal.

    The mean of equal numbers may miss them by a rounding, and a deviation made of
    roundings is no deviation; so the mean is taken of differences from the first value.
    """
    if value.size == 0:
        return value.copy()
    first = value.flat[0] if axis is None else np.take(value, [0], axis)
    off: FloatArray = value - first
    away: FloatArray = off - off.mean(axis=axis, keepdims=True)
    return away


def deviation(value: FloatArray) -> float:
    """Standard deviation of a population, exactly zero where all values are equal."""
    return float(np.sqrt(np.mean(centered(value) ** 2))) if value.size else 0.0
