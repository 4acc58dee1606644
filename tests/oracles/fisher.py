"""Fisher criteria: slopes by the complex step, the weight really taken out."""

import numpy as np

from tests.oracles.curvature import obd
from tests.oracles.network import slope


def fisher(weight, fisher_diag):
    return obd(weight, fisher_diag)


def empirical_fisher(losses, weight):
    """The mean over examples of squared slopes, each by the complex step."""
    squares = [slope(loss, weight) ** 2 for loss in losses]
    return obd(weight, np.mean(squares, axis=0))


def fisher_feature_map(losses, units):
    """`losses[n](gate)` is example n's loss with the feature maps times the gates."""
    return np.mean([slope(loss, np.ones(units)) ** 2 for loss in losses], axis=0) / 2
