"""What the procedures are worth beyond digits: tables that one command makes again.

Every number is a mean over seeds with its standard deviation. Within a table all rows
of a seed start from the same network, so that rows can be compared seed by seed.

================  ================================================================
`tickets`         MNIST-1D: a ticket, its masks on new values, its counts elsewhere
`critical`        how far a network can be pruned before training and still connect
`rigl_cost`       what share of training time RigL's exchanges take
================  ================================================================

The tables on digits are in `minprune.study.digits`, those of one weight at a time in
`minprune.study.second_order`.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction
from time import process_time
from typing import Any

import numpy as np

from minprune import nn, prune
from minprune._random import stream
from minprune.data import Dataset, from_arrays, mnist1d
from minprune.nn.layer import Mode
from minprune.nn.network import Network
from minprune.study.digits import accuracy, random_start
from minprune.study.tables import SEEDS, Cell

# Lottery tickets.


def tickets(
    seeds: Sequence[int] = SEEDS,
    rounds: int = 8,
    epochs: int = 38,
    width: int = 500,
    progress: Callable[[str], Any] | None = None,
) -> list[Cell]:
    """MNIST-1D, two hidden layers of `width`, 27 % of every layer a round: accuracy.

    After eight rounds 8.1 % of the weights are left. The learning rate decays to zero,
    since the last steps at a constant rate are too noisy to compare.
    """
    data = mnist1d()
    training: dict[str, Any] = {
        "epochs": epochs,
        "batch_size": 100,
        "optimizer": nn.Adam(1e-2),
        "rate": nn.rates.cosine,
    }
    names = ("dense", "ticket", "masks on new values", "random masks")
    values: dict[str, list[float]] = {name: [] for name in names}
    for seed in seeds:
        net = nn.models.build("mlp", data, hidden=(width, width), seed=seed)
        how = prune.Tickets(rounds=rounds, rate="0.27", output_rate="0.27")
        found = how.run(net, data, seed=seed, **training)
        start = found[-1].start
        others = (
            prune.reinitialized(start, seed=1000 + seed),
            prune.shuffled(start, found[0].start, seed=seed),
        )
        for other in others:
            nn.train(other, data, seed=seed, **training)
        nets = (found[0].net, found[-1].net, *others)
        for name, one in zip(names, nets, strict=True):
            values[name].append(accuracy(one, data))
        if progress is not None:
            progress(f"tickets, seed {seed}")
    column = f"{100 * 0.73**rounds:.1f} % kept"
    return [Cell(name, column, tuple(found)) for name, found in values.items()]


# Critical compression.


def critical(
    seeds: Sequence[int] = SEEDS,
    progress: Callable[[str], Any] | None = None,
) -> list[Cell]:
    """The highest log10 compression at which LeNet-300-100 still connects, untrained.

    Compression is weights over weights kept, in tenths of its logarithm, and no layer
    is held above nothing (``min_keep=0``). The highest possible is
    log10(266,200 / 3) = 4.948: one weight in each of three layers.
    """
    rng = stream(0, "critical")
    data = from_arrays(rng.normal(size=(30, 784)), rng.integers(0, 10, 30))
    ways: dict[str, Callable[[Fraction, int], Any]] = {
        "SynFlow, 100 rounds": lambda s, _: prune.synflow(s, min_keep=0),
        "SynFlow, one round": lambda s, _: prune.OneShot(
            "synflow", sparsity=s, min_keep=0
        ),
        "magnitude": lambda s, _: prune.OneShot("magnitude", sparsity=s, min_keep=0),
        "random": lambda s, seed: prune.OneShot(
            "random", sparsity=s, min_keep=0, seed=seed
        ),
    }
    values: dict[str, list[float]] = {name: [] for name in ways}
    for seed in seeds:
        net = nn.models.build("lenet_300_100", data, seed=seed)
        for name, weight in net.weights().items():
            # He et al. 2015: the start for which the sources' figures were taken.
            draw = stream(seed, "He", name).normal(size=weight.shape)
            weight[...] = draw * np.sqrt(2 / weight.shape[1])
        for name, way in ways.items():
            values[name].append(_last_connected(net, way, seed))
        if progress is not None:
            progress(f"critical compression, seed {seed}")
    return [Cell(row, "log10 of compression", tuple(v)) for row, v in values.items()]


def _last_connected(
    net: Network, way: Callable[[Fraction, int], Any], seed: int
) -> float:
    """The highest tenth at which the pruned network connects, from above."""
    size = sum(weight.size for weight in net.weights().values())
    for tenths in range(int(10 * np.log10(size / 3)), -1, -1):
        kept = round(size / 10 ** (tenths / 10))
        pruned = net.copy()
        way(Fraction(size - kept, size), seed).run(pruned)
        if connected(pruned):
            return tenths / 10
    return 0.0


def connected(net: Network) -> bool:
    """Whether a path of kept weights leads from an input to an output of an MLP."""
    reached = None
    for mask in net.masks().values():
        reached = mask.any(axis=1) if reached is None else mask[:, reached].any(axis=1)
    return reached is not None and bool(reached.any())


# What evolving costs.


def rigl_cost(rounds: int = 12, between: int = 4) -> float:
    """Time of RigL's exchanges as a share of training, at its default interval.

    A 784-1024-1024-10 MLP at 90 % sparsity, batches of 128: the median processor time
    of an exchange over that of a hundred steps and the exchange. What the step behind
    an exchange takes longer, since the new pattern is laid out for the kernels, counts
    as part of the exchange.
    """
    rng = stream(0, "RigL cost")
    x = rng.normal(size=(256, 784)).astype(np.float32)
    data = from_arrays(x, np.arange(256) % 10)
    net = nn.models.build("mlp", data, hidden=(1024, 1024), seed=0)
    random_start("0.9", 0).begin(_run(net, data))
    rigl = prune.RigL(frequency=1, end=1.0)
    run = _run(net, data)
    rigl.begin(run)
    rows = slice(0, 128)

    def step() -> float:
        start = process_time()
        output = net.forward(net.enter(x[rows]), Mode(training=True))
        net.learn(nn.cross_entropy(output, data.train.y[rows])[1])
        run.optimizer.step(net.parameters(), net.gradients())
        return process_time() - start

    def exchange() -> float:
        start = process_time()
        rigl.after_step(run)
        return process_time() - start

    stepping, behind, exchanging = [step() for _ in range(between)], [], []
    exchange()
    step()  # compiled by now
    for _ in range(rounds):
        exchanging.append(exchange())
        behind.append(step())
        stepping += [step() for _ in range(between)]
    plain = float(np.median(stepping))
    cost = float(np.median(exchanging) + np.median(behind)) - plain
    return cost / (cost + 100 * plain)


def _run(net: Network, data: Dataset) -> nn.Run:
    return nn.Run(net, data, nn.SGD(0.1, momentum=0.9), nn.cross_entropy, 0, 1, 1000)
