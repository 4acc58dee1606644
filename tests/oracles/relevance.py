"""Relevance from its definition: a gate on a unit, and the slope of the loss in it.

`losses[n]` is the loss of example n as a function of its maps, (channels, places);
`maps[n]` are those maps.
"""

import numpy as np

from tests.oracles.network import slope


def skeletonization(losses, maps):
    """How fast the mean loss rises as the gate on a unit begins to close."""

    def mean_loss(gates):
        pairs = zip(losses, maps, strict=True)
        return sum(loss(gates[:, None] * a) for loss, a in pairs) / len(maps)

    return -slope(mean_loss, np.ones(len(maps[0])))
