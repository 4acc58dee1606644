"""C.2 for criteria that look at activations and feature maps."""

from typing import Any

import numpy as np

from minprune.conformance.definition.exact import (
    Exact,
    lowest_first,
    number,
    singular_values,
)
from minprune.conformance.definition.views import by_row, by_unit, length, over_places


def apoz(activation: Exact) -> Any:
    """The share of outputs that are not zero."""
    counts = [sum(a != 0 for a in outputs) for outputs in by_unit(activation)]
    return np.array([number(int(n)) for n in counts], object) / (
        activation.size // len(counts)
    )


def variance(activation: Exact) -> Any:
    """The mean squared distance from the mean."""
    outputs = by_unit(activation)
    return ((outputs - outputs.mean(axis=1)[:, None]) ** 2).mean(axis=1)


def entropy(activation: Exact) -> Any:
    """Of the histogram of the example means, in ten bins from the lowest to the top."""
    bins = 10
    out = []
    for means in over_places(activation).mean(axis=2).T:
        low, high = (
            means[i] for i in (lowest_first(means)[0], lowest_first(means)[-1])
        )
        step = (high - low) / bins
        where = [sum(not m - low < k * step for k in range(1, bins)) for m in means]
        shares = [number(where.count(b)) / len(where) for b in set(where)]
        out.append(-sum((p * p.log() for p in shares), number(0)))
    return np.array(out, object)


def rank(matrix: Exact) -> int:
    """Pivots of an elimination without divisions, so that zero is zero."""
    rows, pivots = [[n.value for n in row] for row in matrix], 0
    for column in range(matrix.shape[1]):
        below = [r for r in range(pivots, len(rows)) if rows[r][column]]
        if not below:
            continue
        rows[pivots], rows[below[0]] = rows[below[0]], rows[pivots]
        top = rows[pivots]
        for r in range(pivots + 1, len(rows)):
            factor = rows[r][column]
            rows[r] = [
                v * top[column] - u * factor for v, u in zip(rows[r], top, strict=True)
            ]
        pivots += 1
    return pivots


def hrank(activation: Exact) -> Any:
    """The mean rank of a unit's maps."""
    ranks = np.array([[rank(one) for one in maps] for maps in activation])
    return np.array([number(int(n)) for n in ranks.sum(axis=0)], object) / len(ranks)


def chip(activation: Exact) -> Any:
    """What the nuclear norm of all maps loses without those of a unit."""
    examples = over_places(activation)
    lost = [
        [
            sum(singular_values(maps), number(0))
            - sum(singular_values(np.delete(maps, unit, axis=0)), number(0))
            for unit in range(len(maps))
        ]
        for maps in examples
    ]
    return np.array(lost, object).mean(axis=0)


def linear_cka(block_input: Exact, block_output: Exact) -> Any:
    """One minus the cosine of the two matrices of inner products between examples."""
    kernels = []
    for side in (block_input, block_output):
        flat = by_row(side)
        centered = flat - flat.mean(axis=0)
        kernels.append((centered @ centered.T).ravel())
    k, m = kernels
    return 1 - (k * m).sum() / (length(k, 0) * length(m, 0))


def block_influence(block_input: Exact, block_output: Exact) -> Any:
    """One minus the mean cosine of the vectors of all examples and places."""
    inner = (block_input * block_output).sum(axis=1)
    return 1 - (inner / (length(block_input, 1) * length(block_output, 1))).mean()


def gate_products(activation: Exact, activation_grad: Exact) -> Any:
    """A da, as (examples, units, places)."""
    return over_places(activation * activation_grad)
