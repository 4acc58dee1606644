"""The constrained minimum of a quadratic, as one bordered linear system."""

import numpy as np


def minimum(w, hessian, gone):
    """The `v` nearest to `w` under ``1/2 (v-w)'H(v-w)`` with ``v[gone] = 0``; its cost.

    Stationarity and constraints are written out together, multipliers and all:
    ``[H C'; C 0] [v; m] = [H w; 0]``.
    """
    n, gone = len(w), list(gone)
    border = np.zeros((len(gone), n))
    border[np.arange(len(gone)), gone] = 1.0
    system = np.block([[hessian, border.T], [border, np.zeros((len(gone), len(gone)))]])
    v = np.linalg.solve(system, np.concatenate([hessian @ w, np.zeros(len(gone))]))[:n]
    return v, 0.5 * (v - w) @ hessian @ (v - w)


def greedy(w, hessian, steps, allowed=lambda gone, q: True):
    """Remove, again and again, what leaves the lowest minimum; order and costs."""
    gone, costs = [], [0.0]
    for _ in range(steps):
        left = [q for q in range(len(w)) if q not in gone and allowed(gone, q)]
        cost = {q: minimum(w, hessian, [*gone, q])[1] for q in left}
        best = min(left, key=cost.__getitem__)
        gone.append(best)
        costs.append(cost[best])
    return gone, np.diff(costs)
