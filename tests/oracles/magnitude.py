"""Magnitude criteria in exact fractions and loops."""

import math
import statistics
from fractions import Fraction

import numpy as np


def _entries(weight):
    return [
        (index, Fraction(float(weight[index]))) for index in np.ndindex(weight.shape)
    ]


def _each(weight, value):
    out = np.empty(weight.shape)
    for index, w in _entries(weight):
        out[index] = value(index, w)
    return out


def magnitude(weight):
    return _each(weight, lambda _, w: max(w, -w))


def normalized_magnitude(weight):
    square = sum(w * w for _, w in _entries(weight))
    return _each(weight, lambda _, w: math.sqrt(w * w / square) if square else 0)


def deviation_magnitude(weight):
    deviation = statistics.pstdev(weight.ravel().tolist())
    return _each(weight, lambda _, w: abs(w) / deviation if deviation else 0)


def relative_importance(weight):
    """The shares of each entry among those with its output and with its input index."""
    entries = _entries(weight)

    def value(index, w):
        row = sum(abs(v) for at, v in entries if at[0] == index[0])
        column = sum(abs(v) for at, v in entries if at[1:] == index[1:])
        return abs(w) / row + abs(w) / column if w else 0

    return _each(weight, value)


def lamp(weight):
    """Remove the smallest, first of equals first; note its share of what was there."""
    standing = {index: w * w for index, w in _entries(weight)}
    score = np.empty(weight.shape)
    while standing:
        first = min(standing, key=standing.__getitem__)  # min keeps the first of equals
        total = sum(standing.values())
        share = standing.pop(first)
        score[first] = share / total if total else 0
    return score


def layer_magnitude(weight):
    return np.float64(statistics.fmean(abs(weight.ravel()).tolist()))
