"""Data-free merging in exact fractions, every pair of neurons by itself."""

from fractions import Fraction

import numpy as np


def _exact(array):
    return [[Fraction(float(v)) for v in row] for row in array]


def _cost(w, a, i, j):
    """Srinivas and Babu 2015: the mean squared reading weight times the gap."""
    read = sum(row[j] ** 2 for row in a) / len(a)
    return read * sum((v - u) ** 2 for v, u in zip(w[i], w[j], strict=True))


def data_free_saliency(weight, next_weight):
    w, a = _exact(weight), _exact(next_weight)
    neurons = range(len(w))
    lowest = [min(_cost(w, a, i, j) for i in neurons if i != j) for j in neurons]
    return np.array([float(v) for v in lowest])


def merge_neurons(weight, next_weight, count):
    w, a = _exact(weight), _exact(next_weight)
    left = list(range(len(w)))
    for _ in range(count):
        pairs = [(_cost(w, a, i, j), j, i) for j in left for i in left if i != j]
        _, gone, twin = min(pairs)
        for row in a:
            row[twin], row[gone] = row[twin] + row[gone], Fraction(0)
        left.remove(gone)
    mask = np.isin(np.arange(len(w)), left)
    return mask, np.array([[float(v) for v in row] for row in a])
