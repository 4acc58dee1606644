"""Activation criteria by counting, in exact fractions and loops."""

import math
from collections import Counter
from fractions import Fraction

import numpy as np


def _outputs(activation, c):
    return [Fraction(float(a)) for a in activation[:, c].ravel()]


def _each_unit(activation, value):
    units = range(activation.shape[1])
    return np.array([float(value(_outputs(activation, c))) for c in units])


def _mean(values):
    return sum(values) / len(values)


def apoz(activation):
    """One minus the average percentage of zeros of Hu et al. 2016, Eq. 1."""
    return _each_unit(activation, lambda a: 1 - _mean([Fraction(v == 0) for v in a]))


def mean_activation(activation):
    return _each_unit(activation, _mean)


def activation_variance(activation):
    """Half the mean squared difference of all pairs: no mean is subtracted."""
    return _each_unit(
        activation, lambda a: _mean([(v - u) ** 2 for v in a for u in a]) / 2
    )


def activation_entropy(activation, bins):
    """Surprise of every example's bin, averaged."""
    out = np.empty(activation.shape[1])
    for c in range(len(out)):
        means = [_mean([Fraction(float(v)) for v in a[c].ravel()]) for a in activation]
        low, high = min(means), max(means)
        where = [
            min(math.floor(bins * (m - low) / (high - low)), bins - 1)
            if high > low
            else 0
            for m in means
        ]
        often = Counter(where)
        out[c] = sum(math.log(len(where) / often[b]) for b in where) / len(where)
    return out
