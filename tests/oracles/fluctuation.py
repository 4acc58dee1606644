"""What replacing an input by its mean does to a layer's output, tried out."""

import numpy as np


def flap(weight, x):
    """Mean squared change of the outputs of ``y = x W'`` with one input at its mean."""
    y, out = x @ weight.T, np.empty(x.shape[1])
    for j in range(x.shape[1]):
        still = x.copy()
        still[:, j] = x[:, j].mean()
        out[j] = np.mean(((still @ weight.T - y) ** 2).sum(axis=1))
    return out
