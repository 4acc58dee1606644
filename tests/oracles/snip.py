"""Connection sensitivities from their definition: gates, and no gradient."""

import numpy as np

from tests.oracles.network import slope


def snip(loss, weight):
    """Lee et al. 2019: the size of the slope of the loss in each gate, at gate one."""
    return np.abs(slope(lambda gate: loss(gate * weight), np.ones(weight.shape)))


def snip_momentum(losses, weights, decay):
    """The same at every step, each step's share of the sum fading by `decay` a step."""
    steps = len(weights)
    faded = [
        decay ** (steps - 1 - t) * snip(losses[t], weights[t]) for t in range(steps)
    ]
    return np.sum(faded, axis=0)


def iterative_snip(loss, weight, mask):
    """The same for the network that is left."""
    return snip(loss, np.where(mask, weight, 0.0))


def force(loss, weight, mask):
    """The slope of the pruned network's loss as each weight grows by a share of itself.

    A kept weight grows from where it is, a removed one from zero.
    """
    left = np.where(mask, weight, 0.0)
    return np.abs(slope(lambda t: loss(left + t * weight), np.zeros(weight.shape)))


def prospr(train, loss, weight):
    """The size of the slope of the loss after training in the gates before it."""
    return np.abs(slope(lambda gate: loss(train(gate * weight)), np.ones(weight.shape)))
