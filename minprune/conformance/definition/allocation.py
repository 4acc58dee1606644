"""Chapter A: how many weights each layer loses."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from math import prod

from minprune._check import FloatArray
from minprune.conformance.definition.selection import mask, removed

Shapes = Mapping[str, Sequence[int]]
Counts = dict[str, int]


def raw_density(method: str, shape: Sequence[int]) -> Fraction:
    """A.3: the number that a layer's density is in proportion to."""
    if method == "uniform":
        return Fraction(1)
    dims = list(shape[:2]) if method == "er" else list(shape)
    return Fraction(sum(dims), prod(dims))


def allocation(method: str, shapes: Shapes, sparsity: float) -> Counts:
    """A.1 to A.3: weights to remove from each layer.

    >>> allocation("erk", {"a": (5, 1), "b": (5, 5)}, 0.5)
    {'a': 0, 'b': 15}
    """
    return in_proportion(
        shapes, {n: raw_density(method, s) for n, s in shapes.items()}, sparsity
    )


def in_proportion(
    shapes: Shapes, raw: Mapping[str, Fraction], sparsity: float
) -> Counts:
    """A.3: densities are min(1, c p), with the one c that makes the total right."""
    sizes = {name: prod(shape) for name, shape in shapes.items()}
    keeps = sum(sizes.values()) - removed(sum(sizes.values()), sparsity)
    ideal = filled({n: sizes[n] * raw[n] for n in sizes}, sizes, keeps)
    return complement(sizes, rounded(ideal))


def filled(
    parts: Mapping[str, Fraction], limits: Mapping[str, int], total: int
) -> dict[str, Fraction]:
    """Numbers in proportion to `parts`, none above its limit, that add up."""
    full: set[str] = set()
    while True:  # limits are reached one by one, until the factor reaches no more
        rest = sum((parts[n] for n in parts if n not in full), Fraction(0))
        left = Fraction(total - sum(limits[n] for n in full))
        c = left / rest if rest else Fraction(0)
        over = {n for n in parts if n not in full and c * parts[n] >= limits[n]}
        if not over:
            return {
                n: Fraction(limits[n]) if n in full else c * parts[n] for n in parts
            }
        full |= over


def rounded(ideal: Mapping[str, Fraction]) -> Counts:
    """A.2: down, and what is lacking to the largest fractional parts."""
    counts = {name: int(number) for name, number in ideal.items()}
    lack = int(sum(ideal.values(), Fraction(0))) - sum(counts.values())
    for name in sorted(ideal, key=lambda name: counts[name] - ideal[name])[:lack]:
        counts[name] += 1
    return counts


def complement(sizes: Mapping[str, int], kept: Counts) -> Counts:
    """What goes, from what stays."""
    return {name: size - kept[name] for name, size in sizes.items()}


def uniform_plus(shapes: Shapes, sparsity: float) -> Counts:
    """A.4: a first convolution loses nothing, the last layer four fifths at most."""
    sizes = {name: prod(shape) for name, shape in shapes.items()}
    limits = dict(sizes)
    first, *_, last = shapes
    limits[last] = 4 * sizes[last] // 5
    if len(shapes[first]) > 2:
        limits[first] = 0
    parts = {name: Fraction(size) for name, size in sizes.items()}
    return rounded(filled(parts, limits, removed(sum(sizes.values()), sparsity)))


def by_network(
    scores: Mapping[str, FloatArray], sparsity: float, min_keep: int
) -> Counts:
    """A.5: what a selection over all layers takes from each."""
    masks = mask(scores, sparsity, "network", min_keep)
    return {name: int((~kept).sum()) for name, kept in masks.items()}


def owl(
    scores: Mapping[str, FloatArray], sparsity: float, outlier: float, spread: float
) -> Counts:
    """A.6: layers with more scores above `outlier` times their mean keep more."""
    sizes = {name: score.size for name, score in scores.items()}
    keeps = sum(sizes.values()) - removed(sum(sizes.values()), sparsity)
    share = {}
    for name, score in scores.items():
        numbers = [Fraction(float(entry)) for entry in score.ravel()]
        bar = Fraction(str(outlier)) * sum(numbers, Fraction(0)) / len(numbers)
        share[name] = Fraction(sum(entry > bar for entry in numbers), len(numbers))
    low, high = min(share.values()), max(share.values())
    width = 2 * Fraction(str(spread)) / (high - low) if high > low else Fraction(0)
    above = {name: width * (d - low) for name, d in share.items()}

    def kept(c: Fraction) -> dict[str, Fraction]:
        clipped = {
            n: max(min(a + c, Fraction(1)), Fraction(0)) for n, a in above.items()
        }
        return {name: sizes[name] * clipped[name] for name in sizes}

    bends = sorted({end - a for a in above.values() for end in (0, 1)})
    for one, other in pairwise(bends):
        least, most = (sum(kept(c).values(), Fraction(0)) for c in (one, other))
        if least <= keeps <= most and most > least:
            c = one + (other - one) * (keeps - least) / (most - least)
            return complement(sizes, rounded(kept(c)))
    raise ValueError(f"owl: {keeps} of {sizes} cannot be kept")


def by_cost(
    scores: Mapping[str, FloatArray],
    costs: Mapping[str, int],
    budget: int,
    min_keep: int,
) -> Counts:
    """A.7: the lowest score per cost goes until the rest is within the budget."""
    order = sorted(
        (Fraction(float(score)) / costs[name], layer, index, name)
        for layer, (name, array) in enumerate(scores.items())
        for index, score in enumerate(array.ravel())
    )
    left = {name: array.size for name, array in scores.items()}
    for _, _, _, name in order:
        if sum(costs[n] * size for n, size in left.items()) <= budget:
            break
        if left[name] > min(min_keep, scores[name].size):
            left[name] -= 1
    return {name: array.size - left[name] for name, array in scores.items()}


def allocation_is_in_proportion(
    method: str, shapes: Mapping[str, Sequence[int]], counts: Mapping[str, int]
) -> str:
    """A.3 up to the rounding of A.2: what contradicts it, or an empty string.

    Layers that are not full must share one factor c; each layer's count, moved by one
    weight either way, brackets it.
    """
    low, high = Fraction(0), None
    for name, shape in shapes.items():
        size, raw = prod(shape), raw_density(method, shape)
        kept = size - counts[name]
        least, most = Fraction(kept - 1, size) / raw, Fraction(kept + 1, size) / raw
        low = max(low, least)
        if kept < size:
            high = most if high is None else min(high, most)
    if high is not None and low > high:
        return (
            f"no factor c explains the densities: some layer asks for c >= "
            f"{float(low):.6g}, another for c <= {float(high):.6g}"
        )
    return ""
