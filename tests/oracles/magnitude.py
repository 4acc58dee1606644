"""Magnitude criteria in exact fractions, and by the standard library's statistics."""

import statistics

import numpy as np

from tests.oracles.exact import each


def magnitude(weight):
    return each(weight, lambda _, w: max(w, -w))


def deviation_magnitude(weight):
    deviation = statistics.pstdev(weight.ravel().tolist())
    return each(weight, lambda _, w: abs(w) / deviation if deviation else 0)


def layer_magnitude(weight):
    return np.float64(statistics.fmean(abs(weight.ravel()).tolist()))
