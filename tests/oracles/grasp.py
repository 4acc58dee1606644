"""Gradient preservation from its definition, exact where the loss is quadratic.

`energy` is half the squared length of the gradient as a function of the weights. For a
quadratic loss it is a quadratic too, and then the symmetric difference over any step
is its derivative without error.
"""

import numpy as np


def grasp_official(energy, weight):
    """Wang et al. 2020: how fast the energy falls as each gate starts to close."""
    score = np.empty(weight.shape)
    for index in np.ndindex(weight.shape):
        nudge = np.zeros(weight.shape, int)
        nudge[index] = 1
        open_wider, closing = weight * (1 + nudge), weight * (1 - nudge)
        score[index] = (energy(open_wider) - energy(closing)) / 2
    return score


def grasp_synflow(energy, weight):
    """The paper's score negated twice: by the other sign and the other direction."""
    paper = -grasp_official(energy, weight)
    return -paper


def grasp_magnitude(energy, weight):
    """Frankle et al. 2021: the size of it."""
    score = grasp_official(energy, weight)
    return np.maximum(score, -score)


def grasp_iterative(loss, weight):
    """De Jorge et al. 2021: the squared slope of the loss, here by difference."""
    score = np.empty(weight.shape)
    for index in np.ndindex(weight.shape):
        step = np.zeros(weight.shape, int)
        step[index] = 1
        score[index] = ((loss(weight + step) - loss(weight - step)) / 2) ** 2
    return score


def gradient_preservation(energy, weight):
    """One gate on all weights of the layer."""
    return np.float64((energy(2 * weight) - energy(0 * weight)) / 2)
