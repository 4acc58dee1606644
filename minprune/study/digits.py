"""The main procedures on digits, at four sparsities and the same cost in epochs."""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from minprune import nn, prune
from minprune._check import one_of
from minprune.data import Dataset
from minprune.data import digits as load_digits
from minprune.nn.network import Network
from minprune.study.tables import SEEDS, Cell, against

SPARSITIES = ("0.8", "0.9", "0.95", "0.98")
DENSE, REST = 20, 20
"""Epochs of dense training, and of everything that comes after it, on digits."""

How = Callable[[Network, Network, Dataset, str, int], Network]
"""(initial, trained, data, sparsity, seed) -> pruned and recovered network."""


RATE = 3e-3
"""Learning rate on digits; it falls along half a cosine."""


def _training(seed: int, lr: float = RATE) -> dict[str, Any]:
    return {"optimizer": nn.Adam(lr), "rate": nn.rates.cosine, "seed": seed}


def _one_shot(criterion: str, lr: float = RATE) -> How:
    """Cut the trained network once, and recover."""

    def run(
        initial: Network, trained: Network, data: Dataset, sparsity: str, seed: int
    ) -> Network:
        net = trained.copy()
        prune.OneShot(criterion, sparsity=sparsity, seed=seed).run(net, data)
        return prune.recover(net, data, REST, **_training(seed, lr))

    return run


def _during(
    make: Callable[[str, int], list[nn.Procedure]], epochs: int, lr: float = RATE
) -> How:
    """Train with procedures: on from the trained network, or all from the start."""

    def run(
        initial: Network, trained: Network, data: Dataset, sparsity: str, seed: int
    ) -> Network:
        net = (trained if epochs == REST else initial).copy()
        procedures = make(sparsity, seed)
        training = _training(seed, lr)
        nn.train(net, data, epochs=epochs, procedures=procedures, **training)
        return net

    return run


def _iterative(lr: float = RATE) -> How:
    """Four cuts, each followed by some recovery; half of it comes last."""

    def run(
        initial: Network, trained: Network, data: Dataset, sparsity: str, seed: int
    ) -> Network:
        net, epochs = trained.copy(), (REST // 6, REST // 6, REST // 6)
        last = REST - sum(epochs)
        left = float(1 - Fraction(sparsity)) ** (1 / 4)
        for step, some in enumerate((*epochs, last), 1):
            share = sparsity if step == 4 else f"{1 - left**step:.6f}"
            prune.OneShot("magnitude", sparsity=share, seed=seed).run(net, data)
            net = prune.recover(net, data, some, **_training(seed, lr))
        return net

    return run


def _gradual(criterion: str, lr: float = RATE) -> How:
    """Along the cubic schedule, the last three tenths of the epochs for recovery."""
    return _during(
        lambda s, seed: [prune.Gradual(criterion, sparsity=s, seed=seed)], REST, lr
    )


def random_start(sparsity: str, seed: int) -> nn.Procedure:
    """Random masks, more of them left in small layers: where evolving ones start."""
    return prune.OneShot("random", sparsity=sparsity, allocation="erk", seed=seed)


ON_DIGITS: dict[str, How] = {
    "one-shot, random": _one_shot("random"),
    "one-shot, magnitude": _one_shot("magnitude"),
    "one-shot, Taylor": _one_shot("taylor"),
    "one-shot, SNIP": _one_shot("snip"),
    "iterative, magnitude": _iterative(),
    "gradual, magnitude": _gradual("magnitude"),
    "gradual, Taylor": _gradual("taylor"),
    "movement": _during(
        lambda s, seed: [prune.Movement(sparsity=s, scope="network")], REST
    ),
    "before training, random ERK": _during(
        lambda s, seed: [random_start(s, seed)], DENSE + REST
    ),
    "before training, SNIP": _during(
        lambda s, seed: [prune.OneShot("snip", sparsity=s, seed=seed)], DENSE + REST
    ),
    "before training, SynFlow": _during(
        lambda s, seed: [prune.synflow(s)], DENSE + REST
    ),
    "SET": _during(
        lambda s, seed: [random_start(s, seed), prune.SET(seed=seed, end=0.75)],
        DENSE + REST,
    ),
    "RigL": _during(
        lambda s, seed: [random_start(s, seed), prune.RigL(frequency=20)],
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
    if rows is None:
        rows = list(ON_DIGITS)
    ways = {one_of("on_digits", "row", row, ON_DIGITS): ON_DIGITS[row] for row in rows}
    return _cells(ways, seeds, sparsities, progress)


def _cells(
    ways: Mapping[str, How],
    seeds: Sequence[int],
    sparsities: Sequence[str],
    progress: Callable[[str], Any] | None,
) -> list[Cell]:
    """A dense row, and one for each way."""
    data = load_digits()
    values: dict[tuple[str, str], list[float]] = {}
    for seed in seeds:
        initial = nn.models.build("mlp", data, seed=seed)
        trained = initial.copy()
        nn.train(trained, data, epochs=DENSE, **_training(seed))
        dense = trained.copy()
        nn.train(dense, data, epochs=REST, **_training(seed))
        for sparsity in sparsities:
            values.setdefault(("dense", sparsity), []).append(accuracy(dense, data))
            for name, way in ways.items():
                net = way(initial, trained, data, sparsity, seed)
                values.setdefault((name, sparsity), []).append(accuracy(net, data))
            if progress is not None:
                progress(f"digits, seed {seed}, sparsity {sparsity}")
    return [Cell(row, f"{float(s):.0%}", tuple(v)) for (row, s), v in values.items()]


RATES = (1e-3, 3e-3, 1e-2)


def by_rate(
    seeds: Sequence[int] = SEEDS,
    sparsities: Sequence[str] = SPARSITIES[1:],
    progress: Callable[[str], Any] | None = None,
) -> list[Cell]:
    """Test accuracy on digits, by the learning rate of recovery."""
    ways: dict[str, How] = {}
    for lr in RATES:
        ways |= {
            f"one-shot, {lr:g}": _one_shot("magnitude", lr),
            f"iterative, {lr:g}": _iterative(lr),
            f"gradual, {lr:g}": _gradual("magnitude", lr),
        }
    return _cells(ways, seeds, sparsities, progress)


COMPARED: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("one-shot, magnitude", ("iterative, magnitude", "gradual, magnitude")),
    (
        "one-shot, random",
        (
            "one-shot, magnitude",
            "one-shot, Taylor",
            "one-shot, SNIP",
            "iterative, magnitude",
            "gradual, magnitude",
            "gradual, Taylor",
            "movement",
        ),
    ),
    (
        "before training, random ERK",
        ("before training, SNIP", "before training, SynFlow", "SET", "RigL"),
    ),
    *(
        (f"one-shot, {lr:g}", (f"iterative, {lr:g}", f"gradual, {lr:g}"))
        for lr in RATES
    ),
)
"""A row, and those that are compared with it seed by seed."""


def comparisons(cells: Sequence[Cell]) -> list[str]:
    """Tables of gains, for the rows of `COMPARED` that are there."""
    there = {cell.row for cell in cells}
    return [
        against(cells, base, [row for row in rows if row in there])
        for base, rows in COMPARED
        if base in there
    ]


def accuracy(net: Network, data: Dataset) -> float:
    """On the test split, in per cent."""
    return 100 * nn.evaluate(net, data.test, nn.cross_entropy)[1]
