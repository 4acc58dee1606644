"""Importance as a sum over paths, each walked by itself."""

import itertools

import numpy as np


def nisp(weights, importance):
    """Score of the units that `weights[0]` reads; `importance` of the last outputs."""
    widths = [weights[0].shape[1], *(len(w) for w in weights)]
    out = np.zeros(widths[0])
    for path in itertools.product(*map(range, widths)):
        size = float(importance[path[-1]])
        for w, start, end in zip(weights, path[:-1], path[1:], strict=True):
            size *= np.abs(w[end, start]).sum()
        out[path[0]] += size
    return out
