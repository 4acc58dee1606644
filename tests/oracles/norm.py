"""Norms in exact fractions, one filter after another."""

import math
from fractions import Fraction

import numpy as np


def _filters(weight):
    return [[abs(Fraction(x)) for x in unit.ravel().tolist()] for unit in weight]


def _floats(values):
    return np.array([float(value) for value in values])


def l1_norm(weight):
    return _floats(sum(sizes) for sizes in _filters(weight))


def squared_norm(weight):
    return _floats(sum(x * x for x in sizes) for sizes in _filters(weight))


def l2_norm(weight):
    return _floats(math.hypot(*sizes) for sizes in _filters(weight))


def max_norm(weight):
    return _floats(sorted(sizes)[-1] for sizes in _filters(weight))


def mean_magnitude(weight):
    return _floats(sum(sizes) / len(sizes) for sizes in _filters(weight))


def channel_l1_norm(weight):
    channels = range(weight.shape[1])
    return l1_norm(np.stack([weight[:, c] for c in channels]))
