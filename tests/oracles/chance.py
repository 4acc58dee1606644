"""What a fair lot is: one draw a place, in order, from the same generator."""

import numpy as np


def random(weight, rng):
    lots = [rng.random() for _ in range(weight.size)]
    return np.array(lots).reshape(weight.shape)


def random_filter(weight, rng):
    return np.array([rng.random() for _ in weight])
