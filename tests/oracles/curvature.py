"""Curvature criteria by really taking the weight out of the quadratic."""

from fractions import Fraction

import numpy as np

from tests.oracles.quadratic import minimum


def obd(weight, hess_diag):
    """1/2 sum_j h_j (v_j - w_j)^2 with one weight at zero and the others in place."""
    out = np.empty(weight.shape)
    for gone in np.ndindex(weight.shape):
        rise = Fraction(0)
        for at in np.ndindex(weight.shape):
            w = Fraction(float(weight[at]))
            step = (0 if at == gone else w) - w
            rise += Fraction(float(hess_diag[at])) * step * step / 2
        out[gone] = rise
    return out


def hessian_trace(weight, hess_diag):
    """What each weight costs at the place of every other of its filter, on average."""
    out = np.empty(len(weight))
    for c, (w, h) in enumerate(zip(weight, hess_diag, strict=True)):
        filters = [[Fraction(float(v)) for v in array.ravel()] for array in (w, h)]
        costs = [v * v * k / 2 for v in filters[0] for k in filters[1]]
        out[c] = sum(costs, Fraction(0)) / max(w.size, 1)
    return out


def obs(weight, hessian):
    """The constrained minimum, one bordered system for every weight."""
    costs = [minimum(weight.ravel(), hessian, [q])[1] for q in range(weight.size)]
    return np.reshape(costs, weight.shape)


def layer_obs(weight, x):
    """Half the mean squared error of the best fit of the output on the other inputs."""
    out = np.empty(weight.shape)
    for i, row in enumerate(weight):
        y = x @ row
        for j in range(row.size):
            others = np.delete(x, j, axis=1)
            fit = np.linalg.lstsq(others, y, rcond=None)[0]
            out[i, j] = 0.5 * np.mean((y - others @ fit) ** 2)
    return out
