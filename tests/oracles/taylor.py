"""Taylor criteria from their definitions: gates, or really removing the weight."""

import numpy as np

from tests.oracles.network import slope


def taylor(loss, weight):
    """First-order change of the loss when one weight is removed, squared."""
    return slope(lambda gate: loss(gate * weight), np.ones(weight.shape)) ** 2


def taylor_by_batch(losses, weight):
    """The same for every batch's own loss, on average."""
    total = sum(taylor(loss, weight) for loss in losses)
    return total / len(losses)


def taylor_second_order(loss, weight):
    """The change of the loss when one weight is really removed, squared.

    The criterion is its expansion to second order, so they agree where the loss is
    quadratic in each weight.
    """
    score = np.empty(weight.shape)
    for index in np.ndindex(weight.shape):
        without = weight.copy()
        without[index] = 0
        score[index] = (loss(without) - loss(weight)) ** 2
    return score


def taylor_fisher(losses, weight):
    """A gate's mean slope, less half its mean squared slope, over the examples."""
    slopes = [
        slope(lambda gate, loss=loss: loss(gate * weight), np.ones(weight.shape))
        for loss in losses
    ]
    first, second = sum(slopes), sum(s**2 for s in slopes)
    return np.abs(first - second / 2) / len(losses)
