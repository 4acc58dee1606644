"""Taylor criteria from their definition: the slope of the loss as weights fade out."""

import numpy as np

from tests.oracles.network import slope


def taylor(loss, weight):
    """First-order change of the loss when one weight is removed, squared."""
    return slope(lambda gate: loss(gate * weight), np.ones(weight.shape)) ** 2
