"""The clauses once more, written for reading and sharing no code with the engine.

A check compares a toolkit with these. They are slow on purpose: exact fractions, sorted
lists, loops.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import cos, pi, prod
from typing import Any

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


def keep_of_group(scores: FloatArray, keep: int, group: int, axis: int) -> BoolArray:
    """P.7: the `keep` highest of each group, of equal ones the higher index."""
    moved = np.moveaxis(np.asarray(scores), axis, -1)
    kept = np.zeros(moved.shape, np.bool_)
    for line in np.ndindex(moved.shape[:-1]):
        for start in range(0, moved.shape[-1], group):
            inside = moved[line][start : start + group]
            for index in lowest_first(inside)[group - keep :]:
                kept[(*line, start + index)] = True
    return np.moveaxis(kept, -1, axis)


def units(shape: Sequence[int], unit: str, block: Any = None) -> list[list[int]]:
    """P.2 and P.4: the flat indices of each unit of a weight, in the order of units."""
    rows, columns = shape[0], prod(shape[1:])
    flat = np.arange(rows * columns).reshape(rows, columns)
    if unit in ("row", "filter"):
        return [list(line) for line in flat]
    if unit == "channel":
        by_channel = flat.reshape(rows, shape[1], -1)
        return [list(by_channel[:, c].ravel()) for c in range(shape[1])]
    height, width = block
    return [
        list(flat[top : top + height, left : left + width].ravel())
        for top in range(0, rows, height)
        for left in range(0, columns, width)
    ]


def unit_mask(
    scores: FloatArray, unit: str, sparsity: float, block: Any = None
) -> BoolArray:
    """P.5 and P.6: units by the sum of their scores."""
    parts = units(scores.shape, unit, block)
    flat = np.asarray(scores, np.float64).ravel()
    sums = np.array([sum(float(flat[i]) for i in part) for part in parts])
    kept = cut(sums, removed(len(parts), sparsity))
    out = np.ones(scores.size, np.bool_)
    for part, stays in zip(parts, kept, strict=True):
        out[part] = stays
    return out.reshape(scores.shape)


def raw_density(method: str, shape: Sequence[int]) -> Fraction:
    """A.3: the number that a layer's density is in proportion to."""
    if method == "uniform":
        return Fraction(1)
    dims = list(shape[:2]) if method == "er" else list(shape)
    return Fraction(sum(dims), prod(dims))


def allocation(
    method: str, shapes: Mapping[str, Sequence[int]], sparsity: float
) -> dict[str, int]:
    """A.1 to A.3: weights to remove from each layer.

    >>> allocation("erk", {"a": (5, 1), "b": (5, 5)}, 0.5)
    {'a': 0, 'b': 15}
    """
    sizes = {name: prod(shape) for name, shape in shapes.items()}
    raw = {name: raw_density(method, shape) for name, shape in shapes.items()}
    asked = removed(sum(sizes.values()), sparsity)
    full: set[str] = set()
    while True:  # layers fill up one by one, until the factor c fills no more
        rest = {name: sizes[name] * raw[name] for name in sizes if name not in full}
        kept = sum(sizes.values()) - asked - sum(sizes[name] for name in full)
        c = Fraction(kept) / sum(rest.values()) if rest else Fraction(0)
        fills = {name for name in rest if c * raw[name] >= 1}
        if not fills:
            break
        full |= fills
    lost = {
        name: Fraction(0) if name in full else size * (1 - c * raw[name])
        for name, size in sizes.items()
    }
    counts = {name: int(number) for name, number in lost.items()}
    by_fraction = sorted(lost, key=lambda name: counts[name] - lost[name])
    for name in by_fraction[: asked - sum(counts.values())]:
        counts[name] += 1
    return counts


def shrink(
    weights: Sequence[FloatArray], gone: Sequence[Sequence[int]]
) -> list[FloatArray]:
    """R.1: rows of removed units, and the columns that read them, are left out."""
    out, before = [], list(range(weights[0].shape[1]))
    for weight, units_gone in zip(weights, [*gone, ()], strict=True):
        stays = [unit for unit in range(len(weight)) if unit not in units_gone]
        out.append(weight[np.ix_(stays, before)])
        before = stays
    return out


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


def schedule(
    curve: str,
    step: int,
    final: float,
    begin: int,
    end: int,
    frequency: int,
    initial: float,
) -> float:
    """S.1 to S.4."""
    if step < begin:
        return 0.0
    if step >= end:
        return final
    last = begin + (step - begin) // frequency * frequency
    t = (last - begin) / (end - begin)
    if curve == "linear":
        return initial + (final - initial) * t
    if curve == "cubic":
        return final + (initial - final) * (1 - t) ** 3
    if curve == "cosine":
        return initial + (final - initial) * (1 - cos(pi * t)) / 2
    ratio = (1 - final) / (1 - initial)
    return 1 - (1 - initial) * float(ratio**t)
