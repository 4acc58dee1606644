"""Magnitude, OBD and OBS on XOR and the MONK's problems: one weight at a time.

The problems are small enough to write down: XOR has four cases, each MONK's problem
432, six attributes of 3, 3, 2, 3, 4 and 2 values. The published training subsets are
fixed random draws that are not at hand; subsets of the same sizes are drawn here from a
seed.
"""

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np

from minprune import nn
from minprune._check import AnyArray, BoolArray, FloatArray
from minprune._random import stream
from minprune.criteria.curvature import obd
from minprune.criteria.evidence import collect
from minprune.criteria.magnitude import magnitude
from minprune.criteria.solvers import obs_update
from minprune.data import Dataset, from_arrays
from minprune.nn.network import Network
from minprune.study.procedures import SEEDS, Cell

VALUES = (3, 3, 2, 3, 4, 2)
MONKS: dict[str, tuple[Callable[[AnyArray], BoolArray], int, float, int]] = {
    "MONK 1": (lambda a: (a[:, 0] == a[:, 1]) | (a[:, 4] == 1), 124, 0.0, 3),
    "MONK 2": (lambda a: (a == 1).sum(axis=1) == 2, 169, 0.0, 3),
    "MONK 3": (
        lambda a: ((a[:, 4] == 3) & (a[:, 3] == 1)) | ((a[:, 4] != 4) & (a[:, 1] != 3)),
        122,
        0.05,
        3,
    ),
}
"""The rule, the number of training cases, the share of wrong labels, hidden units."""

DAMPING = 1e-4
"""Share of the mean diagonal added to the Hessian, which is singular."""


def problem(name: str, seed: int) -> tuple[Dataset, int]:
    """Training cases and all cases (as test split) of a problem, and hidden units."""
    if name == "XOR":
        x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], float)
        y, train, hidden = x.sum(axis=1) == 1, np.arange(4), 3
        noisy = y[train].astype(float)
    else:
        rule, size, noise, hidden = MONKS[name]
        cases = np.array(list(product(*(range(1, n + 1) for n in VALUES))))
        x = np.concatenate(
            [cases[:, [i]] == np.arange(1, n + 1) for i, n in enumerate(VALUES)], axis=1
        ).astype(float)
        y = rule(cases)
        rng = stream(seed, name)
        train = rng.permutation(len(x))[:size]
        wrong = rng.permutation(size)[: round(noise * size)]
        noisy = y[train].astype(float)
        noisy[wrong] = 1 - noisy[wrong]
    both = np.concatenate((x[train], x, x))
    target = np.concatenate((noisy, y, y)).astype(float)[:, None]
    split = np.repeat([0, 1, 2], [len(train), len(x), len(x)])
    return from_arrays(both, target, split=split, task="regression", name=name), hidden


def trained(data: Dataset, hidden: int, seed: int) -> Network:
    """One hidden layer of tanh and a sigmoid, trained to a minimum in float64."""
    features = data.input_shape[0]
    root = nn.Sequential(
        nn.Linear(features, hidden), nn.Tanh(), nn.Linear(hidden, 1), nn.Sigmoid()
    )
    net = nn.Network(root, data.input_shape, seed=seed).astype(np.float64)
    nn.train(
        net,
        data,
        epochs=1500,
        batch_size=len(data.train),
        optimizer=nn.Adam(2e-2, weight_decay=1e-5),
        rate=nn.rates.cosine,
        seed=seed,
    )
    return net


def right(net: Network, x: AnyArray, y: AnyArray) -> float:
    """Share of cases on the right side of one half."""
    return float(((net(x) > 0.5) == (y > 0.5)).mean())


def curvature(net: Network, data: Dataset) -> FloatArray:
    """Gauss-Newton Hessian of the mean squared error in all weights, biases held still.

    Equation (9) of Hassibi & Stork 1992. The slope of the output comes from the loss
    itself: with targets half below the outputs, the gradient of the squared error of an
    example is the gradient of its output.
    """
    x = data.train.x
    found = collect(net, (x, net(x) - 0.5), ["grad_by_example"], batch=len(x))
    slopes = np.concatenate(
        [
            evidence["grad_by_example"].reshape(len(x), -1)
            for evidence in found.values()
        ],
        axis=1,
    )
    hessian: FloatArray = 2 / len(x) * slopes.T @ slopes
    return hessian


Step = Callable[[FloatArray, FloatArray], tuple[int, FloatArray]]
"""(live weights, their Hessian) -> (which one goes, what the others become)."""


def by_magnitude(weight: FloatArray, hessian: FloatArray) -> tuple[int, FloatArray]:
    """The smallest goes."""
    return int(np.argmin(magnitude(weight))), weight


def by_obd(weight: FloatArray, hessian: FloatArray) -> tuple[int, FloatArray]:
    """The one goes whose own curvature makes it cheapest."""
    return int(np.argmin(obd(weight, np.diag(hessian)))), weight


def by_obs(weight: FloatArray, hessian: FloatArray) -> tuple[int, FloatArray]:
    """The one goes whose loss the others can best make good, and they do."""
    mask, moved = obs_update(weight, hessian, count=1, damping=DAMPING)
    return int(np.argmin(mask)), moved


STEPS: dict[str, Step] = {"magnitude": by_magnitude, "OBD": by_obd, "OBS": by_obs}


def fewest(net: Network, data: Dataset, step: Step) -> tuple[int, float]:
    """Weights left when one more would cost a training case, without any retraining.

    Returns
    -------
    kept : int
        Fewest weights with which as many training cases are right as before.
    accuracy : float
        Share of all cases that are right with them.
    """
    net = net.copy()
    weights = list(net.weights().values())
    live = np.ones(sum(weight.size for weight in weights), bool)
    goal = right(net, data.train.x, data.train.y)
    accuracy = right(net, data.test.x, data.test.y)
    while live.any():
        flat = np.concatenate([weight.reshape(-1) for weight in weights])
        hessian = curvature(net, data)[np.ix_(live, live)]
        goes, moved = step(flat[live], hessian)
        flat[live] = moved
        flat[np.flatnonzero(live)[goes]] = 0
        for weight, part in zip(
            weights,
            np.split(flat, np.cumsum([w.size for w in weights])[:-1]),
            strict=True,
        ):
            weight[...] = part.reshape(weight.shape)
        if right(net, data.train.x, data.train.y) < goal:
            break
        live[np.flatnonzero(live)[goes]] = False
        accuracy = right(net, data.test.x, data.test.y)
    return int(live.sum()), accuracy


def second_order(
    seeds: Sequence[int] = SEEDS,
    names: Sequence[str] = ("XOR", *MONKS),
    progress: Callable[[str], Any] | None = None,
) -> list[Cell]:
    """Weights kept, and accuracy on all cases in per cent, without retraining.

    Only networks that get every clean training case right are pruned; others are
    trained again from another seed: a network in a poor minimum has nothing to show.
    """
    values: dict[tuple[str, str], list[float]] = {}
    for seed in seeds:
        for name in names:
            data, hidden = problem(name, seed)
            wanted = 1 - MONKS[name][2] if name in MONKS else 1.0
            for attempt in range(10):
                net = trained(data, hidden, seed=seed + 100 * attempt)
                if right(net, data.train.x, data.train.y) >= wanted - 0.01:
                    break
            whole = sum(weight.size for weight in net.weights().values())
            values.setdefault(("dense", f"{name}, weights"), []).append(whole)
            values.setdefault(("dense", f"{name}, right %"), []).append(
                100 * right(net, data.test.x, data.test.y)
            )
            for row, step in STEPS.items():
                kept, accuracy = fewest(net, data, step)
                values.setdefault((row, f"{name}, weights"), []).append(kept)
                values.setdefault((row, f"{name}, right %"), []).append(100 * accuracy)
            if progress is not None:
                progress(f"{name}, seed {seed}")
    return [Cell(row, column, tuple(v)) for (row, column), v in values.items()]
