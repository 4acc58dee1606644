"""Ranks by exact elimination, nuclear norms by eigenvalues."""

from fractions import Fraction

import numpy as np


def rank(matrix):
    """Number of pivots of Gaussian elimination in exact fractions."""
    rows = [[Fraction(float(v)) for v in row] for row in matrix]
    pivots = 0
    for column in range(len(rows[0])):
        below = [r for r in range(pivots, len(rows)) if rows[r][column] != 0]
        if not below:
            continue
        rows[pivots], rows[below[0]] = rows[below[0]], rows[pivots]
        for r in range(pivots + 1, len(rows)):
            by = rows[r][column] / rows[pivots][column]
            rows[r] = [v - by * u for v, u in zip(rows[r], rows[pivots], strict=True)]
        pivots += 1
        if pivots == len(rows):
            break
    return pivots


def hrank(activation):
    examples, units = activation.shape[:2]
    ranks = [[rank(activation[n, c]) for c in range(units)] for n in range(examples)]
    return np.mean(ranks, axis=0)


def nuclear(matrix):
    """Trace of the square root of ``A A'``."""
    return np.sqrt(np.maximum(np.linalg.eigvalsh(matrix @ matrix.T), 0.0)).sum()


def chip(activation):
    """The channel's row is left out, not zeroed: the nuclear norm is the same."""
    flat = activation.reshape(*activation.shape[:2], -1)
    return np.array(
        [
            np.mean([nuclear(a) - nuclear(np.delete(a, c, axis=0)) for a in flat])
            for c in range(flat.shape[1])
        ]
    )
