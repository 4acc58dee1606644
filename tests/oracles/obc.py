"""OBC by brute force: every candidate's exact minimum at every step."""

import numpy as np

from tests.oracles.quadratic import greedy, minimum


def obc(weight, hessian, count):
    """At every step try each weight of the layer; take the cheapest."""
    gone = [[] for _ in weight]
    cost = [0.0] * len(weight)
    for _ in range(count):
        tries = {
            (i, p): minimum(row, hessian, [*gone[i], p])[1] - cost[i]
            for i, row in enumerate(weight)
            for p in range(row.size)
            if p not in gone[i]
        }
        i, p = min(tries, key=tries.__getitem__)
        gone[i].append(p)
        cost[i] += tries[i, p]
    return _filled(weight, hessian, gone)


def obc_n_m(weight, hessian, keep, group):
    def allowed(gone, q):
        return sum(p // group == q // group for p in gone) < group - keep

    steps = weight.shape[1] // group * (group - keep)
    gone = [greedy(row, hessian, steps, allowed)[0] for row in weight]
    return _filled(weight, hessian, gone)


def _filled(weight, hessian, gone):
    mask = np.ones(weight.shape, bool)
    for keep, places in zip(mask, gone, strict=True):
        keep[places] = False
    moved = [minimum(w, hessian, g)[0] for w, g in zip(weight, gone, strict=True)]
    return mask, np.array(moved)
