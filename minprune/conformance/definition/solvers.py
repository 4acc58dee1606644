"""C.2: every solver of the catalog once more, by trying out and by elimination.

A solver takes the evidence that its card names and its options, and returns a mask
(True where kept) and the moved weight.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minprune._check import BoolArray
from minprune.conformance.definition.exact import (
    Exact,
    Number,
    damped,
    inverse,
    lowest_first,
    number,
)
from minprune.conformance.definition.scores import reading
from minprune.conformance.definition.views import by_row, each_group

Solved = tuple[BoolArray, Exact]


def zeros(shape: tuple[int, ...]) -> Exact:
    """An array of the number zero."""
    return np.full(shape, number(0), object)


def minimum(w: Exact, hessian: Exact, kept: BoolArray) -> Exact:
    """The v nearest to w under ``(v - w)' H (v - w)`` that is zero where not kept."""
    v = zeros(w.shape)
    if kept.any():
        inside = inverse(hessian[np.ix_(kept, kept)])
        v[kept] = inside @ (hessian @ w)[kept]
    return v


def best(costs: dict[Any, Number]) -> Any:
    """The key of the lowest cost, of equal ones the first."""
    return min(costs, key=lambda key: costs[key])


def elimination(w: Exact, hessian: Exact, steps: int, room: Any) -> Iterator[Any]:
    """Greedy removals of a row: what each costs, and where it was.

    ``room(kept, p)`` says whether weight p may go.
    """
    kept = np.ones(w.size, bool)
    for _ in range(steps):
        v, places = minimum(w, hessian, kept), np.flatnonzero(kept)
        spread = np.diag(inverse(hessian[np.ix_(kept, kept)]))
        costs = {
            int(p): v[p] * v[p] / (2 * s)
            for p, s in zip(places, spread, strict=True)
            if room(kept, p)
        }
        p = best(costs)
        kept[p] = False
        yield costs[p], p


def refit(weight: Exact, gram: Exact, *, mask: BoolArray, damping: float) -> Solved:
    """The minimum in every row."""
    moved, kept = by_row(weight).copy(), by_row(mask)
    for here, _, one in each_group(weight, gram, 2):
        hessian = damped(one, damping)
        for row, keep in zip(moved[here], kept[here], strict=True):
            row[:] = minimum(row, hessian, keep)
    return mask, moved.reshape(weight.shape)


def obs_update(weight: Exact, hessian: Exact, *, count: int, damping: float) -> Solved:
    """The cheapest weight of all goes, again and again."""
    w, lifted = weight.ravel(), damped(hessian, damping)
    kept = np.ones(w.size, bool)
    for _, p in elimination(w, lifted, count, lambda kept, p: True):
        kept[p] = False
    shape = weight.shape
    return kept.reshape(shape), minimum(w, lifted, kept).reshape(shape)


def cbs(weight: Exact, hessian: Exact, *, count: int, damping: float) -> Solved:
    """From the lowest own costs, the swap that lowers the joint cost most; repeat."""
    w, lifted = weight.ravel(), damped(hessian, damping)
    pair = w[:, None] * lifted * w

    def joint(gone: set[int]) -> Any:
        at = sorted(gone)
        return pair[np.ix_(at, at)].sum() / 2

    gone = set(lowest_first(np.diag(pair))[:count])
    while True:
        swaps = {
            (i, j): joint(gone - {i} | {j})
            for i in sorted(gone)
            for j in range(w.size)
            if j not in gone
        }
        i, j = best(swaps)
        if not swaps[i, j] < joint(gone):
            break
        gone = gone - {i} | {j}
    kept = ~np.isin(np.arange(w.size), sorted(gone))
    shape = weight.shape
    return kept.reshape(shape), minimum(w, lifted, kept).reshape(shape)


def obc(weight: Exact, gram: Exact, *, count: int, damping: float) -> Solved:
    """Rows by themselves; the cheapest next removal of any row is taken."""
    kept = np.ones(by_row(weight).shape, bool)
    traces: list[list[Any]] = []
    for _, rows, one in each_group(weight, gram, 2):
        hessian = damped(one, damping)
        for row in rows:
            steps = min(count, row.size)
            traces.append(list(elimination(row, hessian, steps, lambda kept, p: True)))
    taken = [0] * len(traces)
    for _ in range(count):
        ahead = enumerate(zip(traces, taken, strict=True))
        row = best({r: trace[n][0] for r, (trace, n) in ahead if n < len(trace)})
        kept[row, traces[row][taken[row]][1]] = False
        taken[row] += 1
    return refit(weight, gram, mask=kept.reshape(weight.shape), damping=damping)


def stretches(weight: Exact, group: int) -> Any:
    """For each place of a row the number of its group of neighboring channels."""
    channels, window = weight.shape[1], by_row(weight).shape[1] // weight.shape[1]
    place = np.arange(channels * window)
    return place // window // group * window + place % window


def obc_n_m(
    weight: Exact, gram: Exact, *, keep: int, group: int, damping: float
) -> Solved:
    """As `obc` in each row, at most group - keep removals a group."""
    of = stretches(weight, group)
    kept = np.ones(by_row(weight).shape, bool)

    def room(still: BoolArray, p: int) -> bool:
        return int(still[of == of[p]].sum()) > keep

    for here, rows, one in each_group(weight, gram, 2):
        hessian = damped(one, damping)
        steps = rows.shape[1] // group * (group - keep)
        for row, stays in zip(rows, kept[here], strict=True):
            for _, p in elimination(row, hessian, steps, room):
                stays[p] = False
    return refit(weight, gram, mask=kept.reshape(weight.shape), damping=damping)


def sweep(
    rows: Exact,
    hessian: Exact,
    width: int,
    choose: Callable[[Exact], BoolArray],
) -> tuple[BoolArray, Exact]:
    """One pass over the columns; what goes is made up for on its right."""
    w, kept = rows.copy(), np.ones(rows.shape, bool)
    later = [inverse(hessian[j:, j:]) for j in range(len(hessian))]
    for begin in range(0, w.shape[1], width):
        here = range(begin, min(begin + width, w.shape[1]))
        scores = [w[:, j] ** 2 / later[j][0, 0] for j in here]
        kept[:, here.start : here.stop] = choose(np.array(scores, object).T)
        for j in here:
            for i in np.flatnonzero(~kept[:, j]):
                w[i, j:] = w[i, j:] - later[j][0] * (w[i, j] / later[j][0, 0])
    w[~kept] = number(0)
    return kept, w


def sparsegpt(
    weight: Exact, gram: Exact, *, count: int, block: int, damping: float
) -> Solved:
    """Of the first c of all C weights, in blocks of columns, ``count c // C`` go."""
    rows = by_row(weight)
    moved, kept, done = rows.copy(), np.ones(rows.shape, bool), 0

    def choose(score: Exact) -> BoolArray:
        nonlocal done
        before, done = done, done + score.size
        part = count * done // rows.size - count * before // rows.size
        stays = np.ones(score.size, bool)
        stays[lowest_first(score.ravel())[:part]] = False
        return stays.reshape(score.shape)

    for here, some, one in each_group(weight, gram, 2):
        kept[here], moved[here] = sweep(some, damped(one, damping), block, choose)
    return kept.reshape(weight.shape), moved.reshape(weight.shape)


def sparsegpt_n_m(
    weight: Exact, gram: Exact, *, keep: int, group: int, damping: float
) -> Solved:
    """The same pass with each row's choice in each group of channels."""
    rows, order = by_row(weight), np.argsort(stretches(weight, group), kind="stable")
    moved, kept = rows.copy(), np.ones(rows.shape, bool)

    def choose(score: Exact) -> BoolArray:
        stays = np.ones(score.shape, bool)
        for line, row in zip(stays, score, strict=True):
            line[lowest_first(row)[: group - keep]] = False
        return stays

    for here, some, one in each_group(weight, gram, 2):
        hessian = damped(one, damping)[np.ix_(order, order)]
        found = sweep(some[:, order], hessian, group, choose)
        kept[here, order], moved[here, order] = found
    return kept.reshape(weight.shape), moved.reshape(weight.shape)


def spread(channels: Any, weight: Exact, groups: int) -> Any:
    """What is said of input channels through all groups, for every weight."""
    by_output = np.repeat(channels.reshape(groups, -1), len(weight) // groups, axis=0)
    over_window = by_output.reshape(*by_output.shape, *(1,) * (weight.ndim - 2))
    return np.broadcast_to(over_window, weight.shape)


def parts(weight: Exact, gram: Exact) -> Exact:
    """Inner products of what the input channels add to the output."""
    channels, blocks = weight.shape[1], []
    for _, rows, one in each_group(weight, gram, 2):
        product = (rows.T @ rows) * one
        window = len(one) // channels
        four = product.reshape(channels, window, channels, window)
        blocks.append(four.sum(axis=(1, 3)))
    q = zeros((channels * len(blocks),) * 2)
    for g, block in enumerate(blocks):
        here = slice(g * channels, (g + 1) * channels)
        q[here, here] = block
    return q


def feature_reconstruction(
    weight: Exact, gram: Exact, *, channels: BoolArray, damping: float
) -> Solved:
    """The best fit on the channels that are left."""
    groups = channels.size // weight.shape[1]
    mask = np.array(spread(channels, weight, groups))
    return refit(weight, gram, mask=mask, damping=damping)


def lasso_channels(weight: Exact, gram: Exact, *, count: int, damping: float) -> Solved:
    """The first channels on the path of the penalty from above, then the best fit.

    Between two penalties at which a channel comes or goes, coefficients move in a
    straight line whose slope solves the stationarity of the active ones.
    """
    q = parts(weight, gram)
    beta, slope, keep = zeros((len(q),)), q.sum(axis=1), len(q) - count
    first = lowest_first(-abs(slope))[0]
    penalty, active = abs(slope[first]), [first]
    while len(active) < keep:
        direction = zeros((len(q),))
        signs = np.array([-1 if slope[k] < 0 else 1 for k in active])
        direction[active] = inverse(q[np.ix_(active, active)]) @ signs
        drift = q @ direction
        events = {}
        for k in range(len(q)):
            if k in active:
                events[k, "goes"] = -beta[k] / direction[k]
            else:
                events[k, "above"] = (penalty - slope[k]) / (1 - drift[k])
                events[k, "below"] = (penalty + slope[k]) / (1 + drift[k])
        # What has just come stands at the penalty: its own event lies behind.
        ahead = {key: step for key, step in events.items() if step.value > step.off}
        k, _ = key = best(ahead)
        beta, slope = beta + direction * ahead[key], slope - drift * ahead[key]
        penalty = penalty - ahead[key]
        active = [one for one in active if one != k] if k in active else [*active, k]
    kept = np.isin(np.arange(len(q)), active)
    return feature_reconstruction(weight, gram, channels=kept, damping=damping)


def thinet(weight: Exact, gram: Exact, *, count: int, damping: float) -> Solved:
    """The removed set whose sum is missed least, grown one by one; factors after it."""
    q = parts(weight, gram)
    gone: list[int] = []
    for _ in range(count):
        sets = {c: [*gone, c] for c in range(len(q)) if c not in gone}
        gone.append(best({c: q[np.ix_(s, s)].sum() for c, s in sets.items()}))
    kept = ~np.isin(np.arange(len(q)), gone)
    ones = zeros((len(q),)) + 1
    factor = minimum(ones, damped(q, damping), kept)
    groups = len(q) // weight.shape[1]
    mask = np.array(spread(kept, weight, groups))
    return mask, weight * spread(factor, weight, groups)


def merge_neurons(weight: Exact, next_weight: Exact, *, count: int) -> Solved:
    """Of all pairs the cheapest: one neuron goes, the other's readers read for both."""
    rows, read = by_row(weight), next_weight.copy()
    left = list(range(len(rows)))
    for _ in range(count):
        size = reading(read)
        costs = {
            (j, i): size[j] * ((rows[j] - rows[i]) ** 2).sum()
            for j in left
            for i in left
            if i != j
        }
        gone, twin = best(costs)
        read[:, twin] = read[:, twin] + read[:, gone]
        read[:, gone] = number(0)
        left.remove(gone)
    return np.isin(np.arange(len(rows)), left), read


SOLVERS: dict[str, Callable[..., Solved]] = {
    solver.__name__: solver
    for solver in (
        refit,
        obs_update,
        cbs,
        obc,
        obc_n_m,
        sparsegpt,
        sparsegpt_n_m,
        feature_reconstruction,
        lasso_channels,
        thinet,
        merge_neurons,
    )
}
"""By the names of the catalog."""
