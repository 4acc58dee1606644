"""Solvers by trying: bordered systems, and every set of the asked size."""

from itertools import combinations

import numpy as np

from tests.oracles.quadratic import greedy, minimum


def refit(weight, x, mask):
    """Least squares of the old output on the inputs that are left, row by row."""
    moved = np.zeros(weight.shape)
    for row, keep, new in zip(weight, mask, moved, strict=True):
        new[keep] = np.linalg.lstsq(x[:, keep], x @ row, rcond=None)[0]
    return moved


def obs_update(weight, hessian, count):
    gone, _ = greedy(weight.ravel(), hessian, count)
    mask = np.ones(weight.size, bool)
    mask[gone] = False
    return mask.reshape(weight.shape), minimum(weight.ravel(), hessian, gone)[0]


def joint(weight, hessian, gone):
    """Half the quadratic of all removed weights together, the others in place."""
    step = np.zeros(weight.size)
    step[list(gone)] = weight.ravel()[list(gone)]
    return 0.5 * step @ hessian @ step


def cbs(weight, hessian, count):
    """The set of lowest joint cost among all of its size."""
    sets = combinations(range(weight.size), count)
    return min(sets, key=lambda gone: joint(weight, hessian, gone))
