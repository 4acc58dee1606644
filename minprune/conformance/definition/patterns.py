"""Chapter P: groups, squares, and what is removed as one."""

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import product
from math import prod
from typing import Any

import numpy as np

from minprune._check import BoolArray, FloatArray
from minprune.conformance.definition.selection import lowest_first, removed


def keep_of_group(
    scores: FloatArray, keep: int, group: int, axis: int, remainder: str = "error"
) -> BoolArray:
    """P.7 and P.8: the `keep` highest of each group, of equal ones the higher index."""
    moved = np.moveaxis(np.asarray(scores), axis, -1)
    kept = np.zeros(moved.shape, np.bool_)
    for line in np.ndindex(moved.shape[:-1]):
        for start in range(0, moved.shape[-1], group):
            inside = moved[line][start : start + group]
            goes = max(len(inside) - keep, 0)
            if len(inside) < group and remainder == "keep":
                goes = 0
            for index in lowest_first(inside)[goes:]:
                kept[(*line, start + index)] = True
    return np.moveaxis(kept, -1, axis)


def squares(
    choose: Callable[[FloatArray, int], BoolArray],
    scores: FloatArray,
    keep: int,
    group: int,
) -> BoolArray:
    """P.11: every full square by itself; what no square covers is kept."""
    kept = np.ones(scores.shape, np.bool_)
    for top in range(0, scores.shape[0] - group + 1, group):
        for left in range(0, scores.shape[1] - group + 1, group):
            at = np.s_[top : top + group, left : left + group]
            kept[at] = choose(scores[at], keep)
    return kept


def best_square(scores: FloatArray, keep: int) -> BoolArray:
    """P.9: of all masks in ascending order the first with the highest kept sum."""
    best, highest = np.zeros(scores.shape, np.bool_), None
    for mask in square_masks(keep, len(scores)):
        total = sum((Fraction(s) for s in scores[mask].tolist()), Fraction(0))
        if highest is None or total > highest:
            best, highest = mask, total
    return best


def square_masks(keep: int, group: int) -> Iterator[BoolArray]:
    """Masks that keep `keep` in each row and column, in ascending order."""
    lines = [line for line in product((False, True), repeat=group) if sum(line) == keep]
    for rows in product(lines, repeat=group):
        mask = np.array(rows, np.bool_).reshape(group, group)
        if (mask.sum(axis=0) == keep).all():
            yield mask


def greedy_square(scores: FloatArray, keep: int) -> BoolArray:
    """P.10: from the highest score down, where row and column have room."""
    mask = np.zeros(scores.shape, np.bool_)
    for index in reversed(lowest_first(scores)):
        row, column = divmod(index, len(scores))
        if mask[row].sum() < keep and mask[:, column].sum() < keep:
            mask[row, column] = True
    return mask


def units(
    shape: Sequence[int], unit: str, block: Any = None, groups: int = 1
) -> list[list[int]]:
    """P.2 to P.4: the flat indices of each unit of a weight, in the order of units."""
    rows, columns = shape[0], prod(shape[1:])
    flat = np.arange(rows * columns).reshape(rows, columns)
    if unit == "weight":
        return [[int(i)] for i in flat.ravel()]
    if unit in ("row", "neuron", "filter"):
        return [list(line) for line in flat]
    if unit == "column":
        return [list(line) for line in flat.T]
    if unit == "layer":
        return [list(flat.ravel())]
    if unit == "kernel":
        return [list(line) for line in flat.reshape(rows * shape[1], -1)]
    if unit == "channel":
        by_channel = flat.reshape(rows, shape[1], -1)
        size = rows // groups
        return [
            list(by_channel[g * size : (g + 1) * size, c].ravel())
            for g in range(groups)
            for c in range(shape[1])
        ]
    height, width = block
    return [
        list(flat[top : top + height, left : left + width].ravel())
        for top in range(0, rows, height)
        for left in range(0, columns, width)
    ]


def unit_mask(
    scores: FloatArray,
    unit: str,
    sparsity: float,
    block: Any = None,
    reduction: str = "sum",
    groups: int = 1,
) -> BoolArray:
    """P.5 and P.6: units by what their scores come to."""
    parts = units(scores.shape, unit, block, groups)
    numbers = [Fraction(float(score)) for score in scores.ravel()]
    worth = [unit_score(reduction, [numbers[i] for i in part]) for part in parts]
    order = sorted(range(len(parts)), key=lambda i: (worth[i], i))
    out = np.ones(scores.size, np.bool_)
    for unit_gone in order[: removed(len(parts), sparsity)]:
        out[parts[unit_gone]] = False
    return out.reshape(scores.shape)


def unit_score(reduction: str, scores: Sequence[Fraction]) -> Fraction:
    """P.5, exactly; for "l2" its square, which ranks alike."""
    if reduction == "max":
        return max(scores)
    if reduction == "l2":
        return sum((score * score for score in scores), Fraction(0))
    total = sum(scores, Fraction(0))
    return total / len(scores) if reduction == "mean" else total
