"""A group's channels scored one at a time, from the weights of all its members."""

from fractions import Fraction

import numpy as np


def group_magnitude(members):
    """`members[m][c]` lists the weights of member m that go with channel c."""
    channels = range(len(members[0]))
    sums = [
        sum(Fraction(w) ** 2 for member in members for w in member[c]) for c in channels
    ]
    mean = sum(sums) / len(sums)
    return np.array([float(s / mean) for s in sums])
