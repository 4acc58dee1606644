"""Allocations as their authors describe them, step by step, in floats or fractions."""

from fractions import Fraction
from math import prod


def erk(shapes, density, *, kernels=True):
    """Kept weights per layer, not rounded: the loop of RigL's authors.

    While the layer with the largest raw density would pass 1, it is made dense and the
    scale is found again for the others.
    """
    sizes = {name: prod(shape) for name, shape in shapes.items()}
    raw = {
        name: Fraction(sum(shape), prod(shape))
        if kernels
        else Fraction(sum(shape[:2]), prod(shape[:2]))
        for name, shape in shapes.items()
    }
    dense = set()
    while True:
        wanted = density * sum(sizes.values()) - sum(sizes[name] for name in dense)
        free = [name for name in shapes if name not in dense]
        if not free:
            break
        scale = wanted / sum(raw[name] * sizes[name] for name in free)
        worst = max(free, key=lambda name: raw[name])
        if scale * raw[worst] <= 1:
            break
        dense.add(worst)
    return {
        name: sizes[name] if name in dense else scale * raw[name] * sizes[name]
        for name in shapes
    }


def uniform_plus(sizes, total, first_is_conv):
    """Removed weights per layer, not rounded; the last loses at most four fifths."""
    free = sizes[1:] if first_is_conv else sizes
    share = Fraction(total, sum(free))
    removed = [share * size for size in free]
    most = int(Fraction(4, 5) * sizes[-1])
    if removed[-1] > most:
        share = Fraction(total - most, sum(free[:-1]))
        removed = [share * size for size in free[:-1]] + [most]
    return ([0] if first_is_conv else []) + removed


def owl(outlying, density, spread):
    """Densities by the formula of the paper, for layers of one size."""
    low, high = min(outlying), max(outlying)
    raw = [2 * spread * (d - low) / (high - low) for d in outlying]
    return [r - sum(raw) / len(raw) + density for r in raw]


def by_cost(scores, costs, budget):
    """Remove the lowest score per cost, the earlier of equals, until the rest fits."""
    order = sorted(
        (Fraction(score) / costs[layer], layer, index)
        for layer, part in enumerate(scores)
        for index, score in enumerate(part)
    )
    cost = sum(costs[layer] for _, layer, _ in order)
    counts = [0] * len(scores)
    for _, layer, _ in order:
        if cost <= budget:
            break
        cost -= costs[layer]
        counts[layer] += 1
    return counts
