"""Batch-norm criteria from their definition: a gate behind the batch norm.

`loss` is a function of the maps behind the batch norm, (channels, places); `normed` are
the maps before the scale and the shift.
"""

import math

import numpy as np

from tests.oracles.network import slope


def bn_scale_magnitude(normed, scale, shift):
    """The deviation of what the batch norm sends on, its input having deviation one."""
    sent = scale[:, None] * normed + shift[:, None]
    return np.array([math.sqrt(np.mean((row - row.mean()) ** 2)) for row in sent])


def taylor_bn(loss, normed, scale, shift):
    """The squared slope of the loss in a gate on scale and shift."""
    sent = scale[:, None] * normed + shift[:, None]
    return slope(lambda gate: loss(gate[:, None] * sent), np.ones(len(scale))) ** 2


def taylor_bn_executed(loss, normed, scale, shift):
    """The same with the shift behind the gate."""
    scaled = scale[:, None] * normed
    return (
        slope(
            lambda gate: loss(gate[:, None] * scaled + shift[:, None]),
            np.ones(len(scale)),
        )
        ** 2
    )


def gate_decorator(losses, normed, scale, shift):
    """You et al. 2019: the gate takes the scale's place, the shift is divided by it."""
    before = normed + (shift / scale)[:, None]
    total = np.zeros(len(scale))
    for loss in losses:
        total += np.abs(
            scale * slope(lambda phi, loss=loss: loss(phi[:, None] * before), scale)
        )
    return total
