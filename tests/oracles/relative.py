"""Shares of size in exact fractions and loops."""

import math

import numpy as np

from tests.oracles.exact import each, entries


def normalized_magnitude(weight):
    square = sum(w * w for _, w in entries(weight))
    return each(weight, lambda _, w: math.sqrt(w * w / square) if square else 0)


def relative_importance(weight):
    """The shares of each entry among those with its output and with its input index."""
    exact = entries(weight)

    def value(index, w):
        row = sum(abs(v) for at, v in exact if at[0] == index[0])
        column = sum(abs(v) for at, v in exact if at[1:] == index[1:])
        return abs(w) / row + abs(w) / column if w else 0

    return each(weight, value)


def lamp(weight):
    """Remove the smallest, first of equals first; note its share of what was there."""
    standing = {index: w * w for index, w in entries(weight)}
    score = np.empty(weight.shape)
    while standing:
        first = min(standing, key=standing.__getitem__)  # min keeps the first of equals
        total = sum(standing.values())
        share = standing.pop(first)
        score[first] = share / total if total else 0
    return score
