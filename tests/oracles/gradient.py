"""Gradient criteria by the complex step, and training replayed in exact fractions."""

import math
from fractions import Fraction

import numpy as np

from tests.oracles.network import slope


def gradient_magnitude(loss, weight):
    """The size of the slope of the loss in each weight."""
    return np.abs(slope(loss, weight))


def movement(losses, weights):
    """How much the losses fell, to first order, as each weight grew a bit, in sum."""
    return -sum(map(_growth, losses, weights))


def _growth(loss, weight):
    """Slope of the loss as each weight grows by a share of itself."""
    return slope(lambda gate: loss(gate * weight), np.ones(weight.shape))


def karnin(gradient, start, rate, steps):
    """Karnin 1990 for one weight: walk down, add up slope times step, and extend.

    The loss gained on the way from `start` to the end, per distance, times the distance
    from zero to the end.
    """
    w, gained = Fraction(start), Fraction(0)
    for _ in range(steps):
        step = -rate * gradient(w)
        gained -= gradient(w) * step
        w += step
    return w, gained / (w - start) * w


def pruner_zero(losses, weight):
    """Squared weights by their place between the flattest and the steepest.

    The slopes are those of every example's own loss, taken together by their length.
    """
    slopes = [slope(loss, weight).ravel() for loss in losses]
    by_weight = zip(*slopes, strict=True)
    lengths = [math.sqrt(math.fsum(s * s for s in one)) for one in by_weight]
    low, high = min(lengths), max(lengths)
    place = [(g - low) / (high - low) if high > low else 0.0 for g in lengths]
    return weight**2 * np.reshape(place, weight.shape)
