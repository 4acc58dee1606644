"""Allocation under a budget, where a weight of one layer costs more than of another."""

from collections.abc import Mapping
from fractions import Fraction
from math import inf, lcm
from operator import mul

import numpy as np

from minprune._check import FloatArray, not_negative
from minprune.masks import _request
from minprune.masks._request import Scores
from minprune.masks.allocate._solve import Counts, positive
from minprune.masks.select import lowest


def by_cost(
    scores: Scores,
    costs: Mapping[str, int | float | Fraction],
    budget: int | float | Fraction,
    *,
    min_keep: int = 1,
) -> Counts:
    """Keep the scores that are worth most for their cost, within a budget.

    Parameters
    ----------
    scores : dict of name to ndarray
        Scores of 0 or more; higher is kept.
    costs : dict of name to number
        What keeping one weight of a layer costs, above 0: its bytes, or the number of
        times it is used on one sample (multiply-adds).
    budget : number
        What all kept weights may cost together, in the unit of `costs`.
    min_keep : int
        Weights that stay in every layer at least.

    Returns
    -------
    counts : dict of name to int
        Number to remove from each layer: the fewest weights, lowest score per cost
        first, that bring the cost down to the budget.

    Raises
    ------
    ValueError
        If a score is negative, a cost is not above 0, or the weights that `min_keep`
        holds cost more than the budget.

    Notes
    -----
    Choosing the weights with the highest sum of scores within a budget is the knapsack
    problem. Taking them in the order of score per cost solves it but for the last
    weight; what is lost is less than one weight's score. Costs are added exactly; the
    ratio is taken in float64. Cost: one sort of all scores.

    Examples
    --------
    A weight of the convolution is used 100 times, so it must matter 100 times as much.

    >>> scores = {"conv": np.array([9.0, 900.0]), "fc": np.array([1.0, 2.0, 3.0])}
    >>> by_cost(scores, {"conv": 100, "fc": 1}, budget=102)
    {'conv': 1, 'fc': 1}
    """
    arrays = _request.arrays("by_cost", scores)
    price = positive("by_cost", "cost", arrays, costs)
    floors = _request.floors("by_cost", arrays, min_keep, 1)
    held = {name: min(floors[name], array.size) for name, array in arrays.items()}
    least = sum((held[name] * price[name] for name in held), Fraction(0))
    limit = _budget(budget)
    if limit < least:
        raise ValueError(
            f"by_cost: budget is {budget}, but the weights that min_keep holds cost "
            f"{float(least):g}, which is the nearest budget that can be met"
        )
    # In whole numbers of their common part, prices add up without rounding.
    part = lcm(limit.denominator, *(p.denominator for p in price.values()))
    whole = [int(p * part) for p in price.values()]
    sizes = [array.size for array in arrays.values()]
    cost = sum(map(mul, whole, sizes))
    excess = cost - int(limit * part)
    if excess <= 0:
        return dict.fromkeys(arrays, 0)
    worth = [_worth(n, array, price[n], held[n]) for n, array in arrays.items()]
    order = np.argsort(np.concatenate(worth), kind="stable")
    layer = np.repeat(np.arange(len(sizes)), sizes)[order]
    fits = np.int64 if cost < 2**63 else object
    saved = np.cumsum(np.array(whole, fits)[layer])
    gone = int(np.searchsorted(saved, excess)) + 1
    counts = np.bincount(layer[:gone], minlength=len(sizes))
    return dict(zip(arrays, counts.tolist(), strict=True))


def _budget(budget: int | float | Fraction) -> Fraction:
    """The budget, exactly as it prints."""
    if not 0 <= budget < inf:
        raise ValueError(
            f"by_cost: budget is {budget}; expected a number of 0 or more, in the unit "
            f"of the costs"
        )
    return Fraction(str(budget))


def _worth(name: str, scores: FloatArray, price: Fraction, held: int) -> FloatArray:
    """Score per cost of every weight, flat; infinite for the `held` highest."""
    not_negative("by_cost", **{name: scores})
    flat = scores.reshape(-1)
    worth = flat / float(price)
    worth[~lowest(flat, flat.size - held)] = np.inf
    return worth
