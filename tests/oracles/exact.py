"""Arrays as exact fractions, one entry after another."""

from fractions import Fraction

import numpy as np


def entries(weight):
    """Indices and values, in order, the values exact."""
    return [
        (index, Fraction(float(weight[index]))) for index in np.ndindex(weight.shape)
    ]


def each(weight, value):
    """An array like `weight` with `value(index, exact entry)` at each index."""
    out = np.empty(weight.shape)
    for index, w in entries(weight):
        out[index] = value(index, w)
    return out
