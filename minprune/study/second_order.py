"""Magnitude, OBD and OBS on XOR and the MONK's problems: one weight at a time.

Networks are those of Hassibi & Stork 1992: one hidden layer of two or three units, and
every number in it counts as a weight, biases too.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.optimize import minimize

from minprune import nn
from minprune._check import AnyArray, BoolArray, FloatArray
from minprune.criteria.curvature import obd
from minprune.criteria.magnitude import magnitude
from minprune.criteria.solvers import obs_update
from minprune.data import Dataset
from minprune.nn.network import Network
from minprune.study.monks import MONKS, Problem, problem
from minprune.study.tables import SEEDS, Cell

DECAY = 1e-3
"""Half of this times the sum of squared weights is added to the error."""

# All parameters of a network as one vector, in the order of `Network.parameters`.


def vector(arrays: dict[str, FloatArray]) -> FloatArray:
    """Arrays laid end to end."""
    return np.concatenate([array.reshape(-1) for array in arrays.values()])


def put(net: Network, values: FloatArray) -> None:
    """Give a network the parameters in a vector."""
    params = net.parameters()
    ends = np.cumsum([param.size for param in params.values()])[:-1]
    for param, part in zip(params.values(), np.split(values, ends), strict=True):
        param[...] = part.reshape(param.shape)


def right(net: Network, x: AnyArray, y: AnyArray) -> float:
    """Share of cases on the right side of one half."""
    return float(((net(x) > 0.5) == (y > 0.5)).mean())


def settle(net: Network, data: Dataset, live: BoolArray) -> None:
    """Bring the live parameters to a minimum of the error, by L-BFGS.

    The error is half of the mean square, plus half of `DECAY` times the squares of the
    live parameters: at its minimum the gradient vanishes, as OBS takes for granted.
    """
    x, target = net.enter(data.train.x), data.train.y.T
    whole = vector(net.parameters())

    def error(values: FloatArray) -> tuple[float, FloatArray]:
        whole[live] = values
        put(net, whole)
        off = net.forward(x) - target
        net.backward(off / off.size)
        slope = vector(net.gradients())[live] + DECAY * values
        return float((off**2).mean() + DECAY * (values @ values)) / 2, slope

    how = {"maxiter": 2000, "ftol": 1e-12, "gtol": 1e-9}
    found = minimize(error, whole[live], jac=True, method="L-BFGS-B", options=how)
    whole[live] = found.x
    put(net, whole)


def trained(task: Problem, seed: int) -> Network:
    """One hidden layer of tanh and a sigmoid, in float64, at a minimum of the error.

    A start that ends with fewer cases right than the goal asks for is drawn anew: a
    network in a poor minimum has nothing to show.
    """
    data = task.data
    for attempt in range(20):
        root = nn.Sequential(
            nn.Linear(data.input_shape[0], task.hidden),
            nn.Tanh(),
            nn.Linear(task.hidden, 1),
            nn.Sigmoid(),
        )
        net = nn.Network(root, data.input_shape, seed=seed + 100 * attempt)
        net = net.astype(np.float64)
        settle(net, data, np.ones(vector(net.parameters()).size, bool))
        if right(net, data.train.x, data.train.y) >= task.goal:
            return net
    raise ValueError(
        f"trained: none of 20 networks for {data.name} gets the share {task.goal:.3f} "
        f"of the training cases right; draw another subset"
    )


def curvature(net: Network, data: Dataset) -> FloatArray:
    """Hessian of the error in all parameters, that of the outputs linearized.

    The sum of outer products of Hassibi & Stork 1992, plus the error's weight decay.
    """
    columns, rows = net.enter(data.train.x), []
    for case in range(columns.shape[-1]):
        net.backward(np.ones_like(net.forward(columns[..., [case]])))
        rows.append(vector(net.gradients()))
    slopes = np.array(rows)
    hessian: FloatArray = slopes.T @ slopes / len(slopes)
    return hessian + DECAY * np.eye(len(hessian))


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
    mask, moved = obs_update(weight, hessian, count=1, damping=0.0)
    return int(np.argmin(mask)), moved


STEPS: dict[str, Step] = {"magnitude": by_magnitude, "OBD": by_obd, "OBS": by_obs}


def fewest(
    net: Network, task: Problem, step: Step, retrain: bool = False
) -> tuple[int, float]:
    """Weights left when one more would be too many.

    Parameters
    ----------
    net : Network
        Left as it is.
    step : callable
        Chooses what goes, and moves what stays; the Hessian is taken anew each time.
    retrain : bool
        Bring the network to a minimum again whenever it falls below the goal, and give
        up only if that does not help.

    Returns
    -------
    kept : int
        Fewest weights with which the network gets its goal of training cases right.
    accuracy : float
        Share of all cases that are right with them.
    """
    net, data = net.copy(), task.data
    values = vector(net.parameters())
    live = np.ones(values.size, bool)
    accuracy = right(net, data.test.x, data.test.y)
    while live.any():
        hessian = curvature(net, data)[np.ix_(live, live)]
        goes, moved = step(values[live], hessian)
        values[live] = moved
        after = live.copy()
        after[np.flatnonzero(live)[goes]] = False
        values[~after] = 0
        put(net, values)
        if retrain and right(net, data.train.x, data.train.y) < task.goal:
            settle(net, data, after)
            values = vector(net.parameters())
        if right(net, data.train.x, data.train.y) < task.goal:
            break
        live, accuracy = after, right(net, data.test.x, data.test.y)
    return int(live.sum()), accuracy


def second_order(
    seeds: Sequence[int] = SEEDS,
    names: Sequence[str] = ("XOR", *MONKS),
    progress: Callable[[str], Any] | None = None,
) -> list[Cell]:
    """Weights kept, and accuracy on all cases in per cent, without and with retraining.

    Of XOR and the first two problems every training case has to stay right; of the
    third, whose labels are noisy, as many as the rule without exceptions gets right.
    """
    values: dict[tuple[str, str], list[float]] = {}
    for seed in seeds:
        for name in names:
            task = problem(name, seed)
            net, data = trained(task, seed), task.data
            rows = {
                "dense": (
                    vector(net.parameters()).size,
                    right(net, data.test.x, data.test.y),
                )
            }
            for retrain in (False, True):
                for row, step in STEPS.items():
                    label = f"{row}, retrained" if retrain else row
                    rows[label] = fewest(net, task, step, retrain)
            for row, (kept, accuracy) in rows.items():
                values.setdefault((row, f"{name}, weights"), []).append(kept)
                values.setdefault((row, f"{name}, right %"), []).append(100 * accuracy)
            if progress is not None:
                progress(f"{name}, seed {seed}")
    return [Cell(row, column, tuple(v)) for (row, column), v in values.items()]
