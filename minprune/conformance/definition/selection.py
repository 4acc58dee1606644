"""Chapter M: how many go, which, what a floor does, and what a threshold keeps."""

from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np

from minprune._check import BoolArray, FloatArray


def removed(size: int, sparsity: float) -> int:
    """M.1: the whole number nearest to sparsity * size, halves to even.

    >>> removed(100, 0.29), removed(10, 0.9), removed(5, 0.5), removed(7, 0.5)
    (29, 9, 2, 4)
    """
    return round(Fraction(str(sparsity)) * size)


def lowest_first(score: FloatArray) -> list[int]:
    """M.2 and M.3: flat indices, lowest score first, of equals the lower index."""
    values = [float(value) for value in np.asarray(score).ravel()]
    return sorted(range(len(values)), key=lambda i: (values[i], i))


def cut(score: FloatArray, count: int) -> BoolArray:
    """The mask without the `count` lowest."""
    kept = np.ones(score.size, np.bool_)
    kept[lowest_first(score)[:count]] = False
    return kept.reshape(score.shape)


def mask(
    scores: Mapping[str, FloatArray],
    sparsity: float,
    scope: str,
    min_keep: int | None = None,
) -> dict[str, BoolArray]:
    """M.1 to M.4 and M.6, for a first pruning."""
    if scope == "layer":
        return {
            name: cut(score, removed(score.size, sparsity))
            for name, score in scores.items()
        }
    floor = 1 if min_keep is None else min_keep
    order = sorted(
        (float(value), layer, index)
        for layer, score in enumerate(scores.values())
        for index, value in enumerate(np.asarray(score).ravel())
    )
    left = {layer: score.size for layer, score in enumerate(scores.values())}
    count = removed(sum(left.values()), sparsity)
    gone: set[tuple[int, int]] = set()
    for _, layer, index in order:
        if len(gone) < count and left[layer] > min(
            floor, list(scores.values())[layer].size
        ):
            gone.add((layer, index))
            left[layer] -= 1
    return {
        name: np.array(
            [(layer, index) not in gone for index in range(score.size)], np.bool_
        ).reshape(score.shape)
        for layer, (name, score) in enumerate(scores.items())
    }


def again(score: FloatArray, sparsity: float, previous: BoolArray) -> BoolArray:
    """M.5: what is gone is gone first, and counts."""
    flat, there = score.ravel(), previous.ravel()
    order = sorted(range(flat.size), key=lambda i: (there[i], float(flat[i]), i))
    kept = np.ones(flat.size, np.bool_)
    kept[order[: removed(flat.size, sparsity)]] = False
    return kept.reshape(score.shape)


def threshold(rule: str, score: FloatArray, value: float) -> BoolArray:
    """M.9: "at_least", "above" or "at_quantile"."""
    numbers = [Fraction(float(entry)) for entry in score.ravel()]
    cut = quantile(numbers, value) if rule == "at_quantile" else Fraction(value)
    stays = [n > cut if rule == "above" else n >= cut for n in numbers]
    return np.array(stays, np.bool_).reshape(score.shape)


def quantile(numbers: Sequence[Fraction], level: float) -> Fraction:
    """What lies a share `level` of the way along the sorted numbers, interpolated."""
    ranked, at = sorted(numbers), Fraction(str(level)) * (len(numbers) - 1)
    below = int(at)
    above = min(below + 1, len(ranked) - 1)
    return ranked[below] + (at - below) * (ranked[above] - ranked[below])
