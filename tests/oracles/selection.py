"""Selection by its definition: one weight at a time, in plain Python, no arrays.

A layer is a list of numbers; a mask is a list of booleans, True where kept.
"""

from decimal import ROUND_HALF_EVEN, Decimal


def removed(size, sparsity):
    """Clause M.1 in decimal arithmetic, for a sparsity written as a decimal string."""
    return int((Decimal(sparsity) * size).to_integral_value(ROUND_HALF_EVEN))


def select(layers, count, floors, gone=()):
    """Remove one weight after the other, the lowest first, the earlier among equals.

    `layers` is a list of lists of scores that compete with each other, `floors` the
    least number to keep in each, `gone` the set of (layer, index) already removed.
    """
    removed_at = set(gone)
    order = sorted(
        (score, layer, index)
        for layer, scores in enumerate(layers)
        for index, score in enumerate(scores)
    )
    left = [
        len(scores) - sum(at[0] == layer for at in removed_at)
        for layer, scores in enumerate(layers)
    ]
    for _, layer, index in order:
        if len(removed_at) == count:
            break
        if (layer, index) not in removed_at and left[layer] > floors[layer]:
            removed_at.add((layer, index))
            left[layer] -= 1
    return [
        [(layer, index) not in removed_at for index in range(len(scores))]
        for layer, scores in enumerate(layers)
    ]


def quantile(scores, level):
    """The value a share `level` of the way along the sorted scores, interpolated."""
    ranked = sorted(scores)
    at = level * (len(ranked) - 1)
    below = int(at)
    above = min(below + 1, len(ranked) - 1)
    return ranked[below] + (at - below) * (ranked[above] - ranked[below])
