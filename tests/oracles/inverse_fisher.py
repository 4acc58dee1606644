"""OBS on the empirical Fisher, the matrix written out and the minimum searched."""

import numpy as np

from tests.oracles.quadratic import minimum


def matrix(grads, ridge):
    """``ridge I + mean g g'``, one outer product after another."""
    total = np.zeros((grads.shape[1], grads.shape[1]))
    for g in grads:
        total += np.outer(g, g)
    return ridge * np.eye(len(total)) + total / len(grads)


def woodfisher(weight, grad_by_example, block, ridge):
    w, grads = weight.ravel(), grad_by_example.reshape(len(grad_by_example), -1)
    out = np.empty(w.size)
    for begin in range(0, w.size, block):
        here = slice(begin, begin + block)
        f = matrix(grads[:, here], ridge)
        out[here] = [minimum(w[here], f, [q])[1] for q in range(len(f))]
    return out.reshape(weight.shape)


def mfac(weight, grad_by_example, ridge):
    return woodfisher(weight, grad_by_example, weight.size, ridge)


def obert(weight, grad_by_example, group, block, ridge):
    """Groups never straddle a block, and blocks end with their row."""
    rows = weight.reshape(len(weight), -1)
    grads = grad_by_example.reshape(len(grad_by_example), *rows.shape)
    out = np.empty((len(rows), -(-rows.shape[1] // group)))
    for i, row in enumerate(rows):
        for begin in range(0, row.size, block):
            w = row[begin : begin + block]
            f = matrix(grads[:, i, begin : begin + block], ridge)
            for first in range(0, w.size, group):
                gone = range(first, min(first + group, w.size))
                out[i, (begin + first) // group] = minimum(w, f, gone)[1]
    return out
