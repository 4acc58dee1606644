"""Evidence from its definition: any loss function of the weights, nudged or emptied."""

import numpy as np

from tests.oracles.network import slope


def hessian(function, at, step=1e-4):
    """Central differences of complex-step slopes: (n, n), entries in C order.

    The slopes are exact to rounding, so a step of 1e-4 leaves errors of about 1e-8.
    """
    columns = []
    for index in np.ndindex(at.shape):
        nudge = np.zeros(at.shape)
        nudge[index] = step
        apart = slope(function, at + nudge) - slope(function, at - nudge)
        columns.append(apart.ravel() / (2 * step))
    return np.array(columns)


def paths(sizes):
    """Sum over all paths through a chain of matrices of the product along the path."""
    total = np.ones(sizes[0].shape[1])
    for size in sizes:
        total = size @ total
    return total.sum()
