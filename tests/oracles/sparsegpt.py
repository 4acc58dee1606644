"""SparseGPT with the inverse of what is left recomputed at every column."""

import numpy as np


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
