"""Layer solvers by brute force: every candidate's exact minimum at every step."""

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


def sparsegpt(weight, hessian, count, block):
    """One column after another, the inverse of what is left recomputed at each."""
    size, done = weight.size, 0
    parts = []
    for begin in range(0, weight.shape[1], block):
        end = min(begin + block, weight.shape[1])
        before, done = done, done + len(weight) * (end - begin)
        parts.append(count * done // size - count * before // size)

    def choose(score, b):
        lowest = sorted(range(score.size), key=lambda k: (score.flat[k], k))[: parts[b]]
        stays = np.ones(score.size, bool)
        stays[lowest] = False
        return stays.reshape(score.shape)

    return _pass(weight, hessian, block, choose)


def sparsegpt_n_m(weight, hessian, keep, group):
    def choose(score, _):
        rank = [sorted(range(group), key=lambda k: (row[k], k)) for row in score]
        return np.array(
            [[k not in r[: group - keep] for k in range(group)] for r in rank]
        )

    return _pass(weight, hessian, group, choose)


def _pass(weight, hessian, block, choose):
    w = weight.copy()
    mask = np.ones(w.shape, bool)
    inverses = [np.linalg.inv(hessian[j:, j:]) for j in range(len(hessian))]
    for b, begin in enumerate(range(0, w.shape[1], block)):
        here = range(begin, min(begin + block, w.shape[1]))
        # The cost that counts is that in the quadratic of the columns from j on.
        score = np.stack([w[:, j] ** 2 / inverses[j][0, 0] for j in here], axis=1)
        mask[:, here.start : here.stop] = choose(score, b)
        for j in here:
            for i in np.flatnonzero(~mask[:, j]):
                w[i, j:] -= w[i, j] / inverses[j][0, 0] * inverses[j][0]
    w[~mask] = 0.0
    return mask, w
