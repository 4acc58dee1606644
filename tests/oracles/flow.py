"""Flow criteria by walking every path from an input to an output, one after another."""

import itertools
import math
from fractions import Fraction

import numpy as np


def _through(weights, power):
    """For every weight the sum over its paths of the product of |w|^power on them."""
    widths = [weights[0].shape[1], *(len(w) for w in weights)]
    through = [np.zeros(w.shape) for w in weights]
    for path in itertools.product(*(range(width) for width in widths)):
        steps = list(itertools.pairwise(path))
        sizes = [
            abs(Fraction(float(w[after, before]))) ** power
            for w, (before, after) in zip(weights, steps, strict=True)
        ]
        worth = math.prod(sizes)
        for sums, (before, after) in zip(through, steps, strict=True):
            sums[after, before] += worth
    return through


def synflow(weights):
    return _through(weights, 1)


def synflow_l2(weights):
    return _through(weights, 2)
