"""Layer criteria: residual networks with a block left out, features by features."""

import math

import numpy as np


def respond(blocks, x, skipped=None):
    """A residual network ``x + tanh(W x)``, block after block."""
    for b, w in enumerate(blocks):
        if b != skipped:
            x = x + np.tanh(x @ w.T)
    return x


def block_ablation(blocks, x, target):
    """Rise of the mean squared error when each block is left out in turn."""
    error = lambda y: np.mean((y - target) ** 2)
    whole = error(respond(blocks, x))
    return [error(respond(blocks, x, b)) - whole for b in range(len(blocks))]


def layer_scale(bn_scale):
    return math.fsum(abs(float(g)) for g in bn_scale) / len(bn_scale)


def linear_cka(x, y):
    """The feature form of Kornblith et al. 2019, covariance by covariance."""
    x, y = x.reshape(len(x), -1), y.reshape(len(y), -1)

    def squared(u, v):
        total = 0.0
        for a in u.T:
            for b in v.T:
                total += np.cov(a, b)[0, 1] ** 2
        return total

    return 1 - squared(x, y) / math.sqrt(squared(x, x) * squared(y, y))


def block_influence(x, y):
    """One minus the mean cosine, from the three sides of every triangle."""
    out = []
    for a, b in zip(x, y, strict=True):
        a, b = a.reshape(len(a), -1), b.reshape(len(b), -1)
        for u, v in zip(a.T, b.T, strict=True):
            p, q, far = math.hypot(*u), math.hypot(*v), math.dist(u, v)
            out.append((p * p + q * q - far * far) / (2 * p * q))
    return 1 - math.fsum(out) / len(out)
