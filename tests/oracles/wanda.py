"""Weights times inputs, one weight and one example at a time."""

import math

import numpy as np


def wanda(weight, x):
    """Root mean square of the term that the weight adds to its output."""
    out = np.empty(weight.shape)
    for i, j in np.ndindex(weight.shape):
        out[i, j] = math.sqrt(
            math.fsum((weight[i, j] * v) ** 2 for v in x[:, j]) / len(x)
        )
    return out


def ria(weight, x, power=0.5):
    out = np.zeros(weight.shape)
    for i, j in np.ndindex(weight.shape):
        row = math.fsum(abs(w) for w in weight[i])
        column = math.fsum(abs(w) for w in weight[:, j])
        if weight[i, j]:
            size = math.sqrt(math.fsum(v * v for v in x[:, j]) / len(x))
            share = abs(weight[i, j]) / row + abs(weight[i, j]) / column
            out[i, j] = share * size**power
    return out


def gblm(weight, x, grads, strength=100.0):
    """The typical size of the weight's term, and the length of its gradients."""
    out = wanda(weight, x)
    for at in np.ndindex(weight.shape):
        length = math.sqrt(math.fsum(g[at] * g[at] for g in grads))
        out[at] += strength * abs(weight[at]) * length
    return out
