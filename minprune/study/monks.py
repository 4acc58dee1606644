"""XOR and the MONK's problems, which are small enough to write down.

XOR has four cases, each MONK's problem 432: six attributes of 3, 3, 2, 3, 4 and 2
values, one input a value. The published training subsets are fixed random draws that
are not at hand; subsets of the same sizes are drawn here from a seed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np

from minprune._check import AnyArray, BoolArray
from minprune._random import stream
from minprune.data import Dataset, from_arrays

Rule = Callable[[AnyArray], BoolArray]
"""From cases (n, 6), attributes counted from 1, to their answers."""

VALUES = (3, 3, 2, 3, 4, 2)


@dataclass(frozen=True)
class Monk:
    """One of the MONK's problems.

    Attributes
    ----------
    rule : callable
        The right answers.
    cases : int
        Size of the training subset.
    wrong : float
        Share of its labels that are wrong.
    hidden : int
        Units of the published network.
    wanted : callable
        The answers that a pruned network still has to give as well as this rule does.
    """

    rule: Rule
    cases: int
    wrong: float
    hidden: int
    wanted: Rule


def _first(a: AnyArray) -> BoolArray:
    found: BoolArray = (a[:, 0] == a[:, 1]) | (a[:, 4] == 1)
    return found


def _second(a: AnyArray) -> BoolArray:
    found: BoolArray = (a == 1).sum(axis=1) == 2
    return found


def _third(a: AnyArray) -> BoolArray:
    found: BoolArray = ((a[:, 4] == 3) & (a[:, 3] == 1)) | _without_exceptions(a)
    return found


def _without_exceptions(a: AnyArray) -> BoolArray:
    """What the published network of four weights computes: right in 97.2 % of cases."""
    found: BoolArray = (a[:, 4] != 4) & (a[:, 1] != 3)
    return found


MONKS = {
    "MONK 1": Monk(_first, 124, 0.0, 3, _first),
    "MONK 2": Monk(_second, 169, 0.0, 2, _second),
    "MONK 3": Monk(_third, 122, 0.05, 2, _without_exceptions),
}


@dataclass(frozen=True)
class Problem:
    """A network's task: training cases, all cases as test split, and what will do."""

    data: Dataset
    hidden: int
    goal: float
    """Share of the training cases that a pruned network has to get right."""


def problem(name: str, seed: int) -> Problem:
    """XOR, or one of the MONK's problems with a training subset drawn from the seed."""
    if name == "XOR":
        x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], float)
        y, train, hidden = x.sum(axis=1) == 1, np.arange(4), 2
        labels, goal = y.astype(float), 1.0
    else:
        monk, rng = MONKS[name], stream(seed, name)
        cases = np.array(list(product(*(range(1, n + 1) for n in VALUES))))
        x = np.concatenate(
            [cases[:, [i]] == np.arange(1, n + 1) for i, n in enumerate(VALUES)], axis=1
        ).astype(float)
        y, hidden = monk.rule(cases), monk.hidden
        train = rng.permutation(len(x))[: monk.cases]
        wrong = rng.permutation(monk.cases)[: round(monk.wrong * monk.cases)]
        labels = y[train].astype(float)
        labels[wrong] = 1 - labels[wrong]
        goal = float((monk.wanted(cases[train]) == (labels > 0.5)).mean())
    both = np.concatenate((x[train], x, x))
    target = np.concatenate((labels, y, y)).astype(float)[:, None]
    split = np.repeat([0, 1, 2], [len(train), len(x), len(x)])
    data = from_arrays(both, target, split=split, task="regression", name=name)
    return Problem(data, hidden, goal)
