"""What the procedures are worth: tables that one command makes again.

Every number is a mean over seeds with its standard deviation. Within a table all rows
of a seed start from the same network, so that rows can be compared seed by seed.

================  ================================================================
`on_digits`       test accuracy at four sparsities, for the main procedures
`tickets`         MNIST-1D: a ticket, its masks on new values, its counts elsewhere
`critical`        how far a network can be pruned before training and still connect
`rigl_cost`       what share of training time RigL's exchanges take
================  ================================================================
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from time import process_time
from typing import Any

import numpy as np

from minprune import nn, prune
from minprune._random import stream
from minprune.data import Dataset, digits, from_arrays, mnist1d
from minprune.nn.layer import Mode
from minprune.nn.network import Network

SEEDS = (0, 1, 2, 3, 4)
SPARSITIES = ("0.8", "0.9", "0.95", "0.98")
DENSE, REST = 20, 20
"""Epochs of dense training, and of everything that comes after it, on digits."""


@dataclass(frozen=True)
class Cell:
    """One entry of a table: a value for every seed."""

    row: str
    column: str
    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return float(np.mean(self.values))

    @property
    def deviation(self) -> float:
        """Standard deviation over the seeds, of a sample."""
        several = len(self.values) > 1
        return float(np.std(self.values, ddof=1)) if several else 0.0

    def __str__(self) -> str:
        return f"{self.mean:.1f} ± {self.deviation:.1f}"


def markdown(cells: Sequence[Cell], corner: str = "") -> str:
    """A table of cells, rows and columns in the order in which they come.

    >>> print(markdown([Cell("a", "x", (1.0, 3.0)), Cell("a", "y", (2.0,))], "row"))
    | row | x | y |
    |---|---|---|
    | a | 2.0 ± 1.4 | 2.0 ± 0.0 |
    """
    rows = list(dict.fromkeys(cell.row for cell in cells))
    columns = list(dict.fromkeys(cell.column for cell in cells))
    at = {(cell.row, cell.column): str(cell) for cell in cells}
    lines = [[corner, *columns], ["---"] * (1 + len(columns))]
    lines += [[row, *(at.get((row, column), "") for column in columns)] for row in rows]
    return "\n".join(
        f"|{'|'.join(line)}|" if line[0] == "---" else f"| {' | '.join(line)} |"
        for line in lines
    )


# On digits.

How = Callable[[Network, Network, Dataset, str, int], Network]
"""(initial, trained, data, sparsity, seed) -> pruned and recovered network."""


def _training(seed: int) -> dict[str, Any]:
    return {"optimizer": nn.Adam(3e-3), "rate": nn.rates.cosine, "seed": seed}


def _one_shot(criterion: str) -> How:
    """Cut the trained network once, and recover."""

    def run(
        initial: Network, trained: Network, data: Dataset, sparsity: str, seed: int
    ) -> Network:
        net = trained.copy()
        prune.OneShot(criterion, sparsity=sparsity, seed=seed).run(net, data)
        return prune.recover(net, data, REST, **_training(seed))

    return run


def _during(make: Callable[[str, int], list[nn.Procedure]], epochs: int) -> How:
    """Train with procedures: on from the trained network, or all from the start."""

    def run(
        initial: Network, trained: Network, data: Dataset, sparsity: str, seed: int
    ) -> Network:
        net = (trained if epochs == REST else initial).copy()
        procedures = make(sparsity, seed)
        nn.train(net, data, epochs=epochs, procedures=procedures, **_training(seed))
        return net

    return run


def _iterative(
    initial: Network, trained: Network, data: Dataset, sparsity: str, seed: int
) -> Network:
    """Four cuts, each followed by some recovery; half of it comes last."""
    net, epochs = trained.copy(), (REST // 6, REST // 6, REST // 6)
    last = REST - sum(epochs)
    left = float(1 - Fraction(sparsity)) ** (1 / 4)
    for step, some in enumerate((*epochs, last), 1):
        share = sparsity if step == 4 else f"{1 - left**step:.6f}"
        prune.OneShot("magnitude", sparsity=share, seed=seed).run(net, data)
        net = prune.recover(net, data, some, **_training(seed))
    return net


def _random_start(sparsity: str, seed: int) -> nn.Procedure:
    return prune.OneShot("random", sparsity=sparsity, allocation="erk", seed=seed)


ON_DIGITS: dict[str, How] = {
    "one-shot, random": _one_shot("random"),
    "one-shot, magnitude": _one_shot("magnitude"),
    "one-shot, Taylor": _one_shot("taylor"),
    "iterative, magnitude": _iterative,
    "gradual, magnitude": _during(
        lambda s, seed: [prune.Gradual("magnitude", sparsity=s)], REST
    ),
    "movement": _during(
        lambda s, seed: [prune.Movement(sparsity=s, scope="network")], REST
    ),
    "before training, SynFlow": _during(
        lambda s, seed: [prune.synflow(s)], DENSE + REST
    ),
    "SET": _during(
        lambda s, seed: [_random_start(s, seed), prune.SET(seed=seed, end=0.75)],
        DENSE + REST,
    ),
    "RigL": _during(
        lambda s, seed: [_random_start(s, seed), prune.RigL(frequency=20)],
        DENSE + REST,
    ),
}
"""The rows; each has the same number of epochs in all."""


def on_digits(
    seeds: Sequence[int] = SEEDS,
    sparsities: Sequence[str] = SPARSITIES,
    rows: Sequence[str] | None = None,
    progress: Callable[[str], Any] | None = None,
) -> list[Cell]:
    """Test accuracy in per cent of an MLP 64-128-64-10 on digits."""
    data = digits()
    values: dict[tuple[str, str], list[float]] = {}
    for seed in seeds:
        initial = nn.models.build("mlp", data, seed=seed)
        trained = initial.copy()
        nn.train(trained, data, epochs=DENSE, **_training(seed))
        dense = trained.copy()
        nn.train(dense, data, epochs=REST, **_training(seed))
        for sparsity in sparsities:
            values.setdefault(("dense", sparsity), []).append(_accuracy(dense, data))
            for name in ON_DIGITS if rows is None else rows:
                net = ON_DIGITS[name](initial, trained, data, sparsity, seed)
                values.setdefault((name, sparsity), []).append(_accuracy(net, data))
            if progress is not None:
                progress(f"digits, seed {seed}, sparsity {sparsity}")
    return [Cell(row, f"{float(s):.0%}", tuple(v)) for (row, s), v in values.items()]


def _accuracy(net: Network, data: Dataset) -> float:
    return 100 * nn.evaluate(net, data.test, nn.cross_entropy)[1]


# Lottery tickets.


def tickets(
    seeds: Sequence[int] = SEEDS,
    rounds: int = 8,
    epochs: int = 38,
    width: int = 100,
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
            values[name].append(_accuracy(one, data))
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


def rigl_cost(steps: int = 30, exchanges: int = 5) -> float:
    """Time of RigL's exchanges as a share of training, at its default interval.

    A 784-1024-1024-10 MLP at 90 % sparsity, batches of 128: the median processor time
    of an exchange over that of a hundred steps and the exchange.
    """
    rng = stream(0, "RigL cost")
    x = rng.normal(size=(256, 784)).astype(np.float32)
    data = from_arrays(x, np.arange(256) % 10)
    net = nn.models.build("mlp", data, hidden=(1024, 1024), seed=0)
    _random_start("0.9", 0).begin(_run(net, data))
    rigl = prune.RigL(frequency=1, end=1.0)
    run = _run(net, data)
    rigl.begin(run)
    stepping, exchanging = [], []
    batch = slice(0, 128)
    for step in range(1, steps + exchanges + 1):
        start = process_time()
        output = net.forward(net.enter(x[batch]), Mode(training=True))
        net.backward(nn.cross_entropy(output, data.train.y[batch])[1])
        run.optimizer.step(net.parameters(), net.gradients())
        stepping.append(process_time() - start)
        if step > steps:
            start = process_time()
            rigl.after_step(run)
            exchanging.append(process_time() - start)
    exchange = float(np.median(exchanging))
    return exchange / (exchange + 100 * float(np.median(stepping)))


def _run(net: Network, data: Dataset) -> nn.Run:
    return nn.Run(net, data, nn.SGD(0.1, momentum=0.9), nn.cross_entropy, 0, 1, 1000)
