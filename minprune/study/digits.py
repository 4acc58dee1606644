"""The main procedures on digits, at four sparsities and the same cost in epochs."""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from minprune import nn, prune
from minprune._check import one_of
from minprune.data import Dataset
from minprune.data import digits as load_digits
from minprune.nn.network import Network
from minprune.sparse import compress
from minprune.study.tables import SEEDS, Cell, against

SPARSITIES = ("0.8", "0.9", "0.95", "0.98")

Procedures = Sequence[nn.Procedure]
Make = Callable[[str, int], Procedures]
"""(sparsity, seed) -> what takes part in a training."""


class Training(NamedTuple):
    """Epochs, and the learning rate that falls from here along half a cosine."""

    epochs: int
    lr: float = 3e-3

    def run(
        self, net: Network, data: Dataset, seed: int, procedures: Procedures = ()
    ) -> None:
        """Train a network in place, by Adam."""
        nn.train(
            net,
            data,
            epochs=self.epochs,
            optimizer=nn.Adam(self.lr),
            rate=nn.rates.cosine,
            procedures=procedures,
            seed=seed,
        )


DENSE, REST = Training(20), Training(20)
"""Before pruning, and everything that comes after it."""
WHOLE = Training(40)
"""The same cost in one training, for what prunes before it."""


class Case(NamedTuple):
    """What a way of pruning is given; the networks are not to be changed."""

    initial: Network
    trained: Network
    data: Dataset
    sparsity: str
    seed: int


How = Callable[[Case], Network]
"""A way of pruning: the pruned and recovered network."""


def _one_shot(criterion: str, rest: Training = REST) -> How:
    """Cut the trained network once, and recover."""

    def run(case: Case) -> Network:
        net = case.trained.copy()
        cut = prune.OneShot(criterion, sparsity=case.sparsity, seed=case.seed)
        cut.run(net, case.data)
        return _recovered(net, case, rest)

    return run


def _iterative(rest: Training = REST) -> How:
    """Four cuts, each followed by some recovery; half of it comes last."""

    def run(case: Case) -> Network:
        net, some = case.trained.copy(), rest.epochs // 6
        left = float(1 - Fraction(case.sparsity)) ** (1 / 4)
        for step in range(1, 5):
            share = case.sparsity if step == 4 else f"{1 - left**step:.6f}"
            prune.OneShot("magnitude", sparsity=share, seed=case.seed).run(net)
            epochs = some if step < 4 else rest.epochs - 3 * some
            net = _recovered(net, case, Training(epochs, rest.lr))
        return net

    return run


def _recovered(net: Network, case: Case, rest: Training) -> Network:
    """What a pruning has left, held sparsely where that pays, after training."""
    net = compress(net)
    rest.run(net, case.data, case.seed)
    return net


def _from_trained(make: Make, rest: Training = REST) -> How:
    """Train on with procedures."""

    def run(case: Case) -> Network:
        net = case.trained.copy()
        rest.run(net, case.data, case.seed, make(case.sparsity, case.seed))
        return net

    return run


def _from_start(make: Make) -> How:
    """Train with procedures from the first step."""

    def run(case: Case) -> Network:
        net = case.initial.copy()
        WHOLE.run(net, case.data, case.seed, make(case.sparsity, case.seed))
        return net

    return run


def _gradual(criterion: str, rest: Training = REST) -> How:
    """Along the cubic schedule, the last three tenths of the epochs for recovery."""
    return _from_trained(
        lambda s, seed: [prune.Gradual(criterion, sparsity=s, seed=seed)], rest
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
    "movement": _from_trained(
        lambda s, seed: [prune.Movement(sparsity=s, scope="network")]
    ),
    "before training, random ERK": _from_start(lambda s, seed: [random_start(s, seed)]),
    "before training, SNIP": _from_start(
        lambda s, seed: [prune.OneShot("snip", sparsity=s, seed=seed)]
    ),
    "before training, SynFlow": _from_start(lambda s, seed: [prune.synflow(s)]),
    "SET": _from_start(
        lambda s, seed: [random_start(s, seed), prune.SET(seed=seed, end=0.75)]
    ),
    "RigL": _from_start(
        lambda s, seed: [random_start(s, seed), prune.RigL(frequency=20)]
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
        DENSE.run(trained, data, seed)
        dense = trained.copy()
        REST.run(dense, data, seed)
        for sparsity in sparsities:
            values.setdefault(("dense", sparsity), []).append(accuracy(dense, data))
            for name, way in ways.items():
                net = way(Case(initial, trained, data, sparsity, seed))
                values.setdefault((name, sparsity), []).append(accuracy(net, data))
            if progress is not None:
                progress(f"digits, seed {seed}, sparsity {sparsity}")
    return [Cell(row, f"{float(s):.0%}", tuple(v)) for (row, s), v in values.items()]


RECOVERIES = (
    Training(20, 1e-3),
    Training(20, 3e-3),
    Training(20, 1e-2),
    Training(60, 3e-3),
)


def by_recovery(
    seeds: Sequence[int] = SEEDS,
    sparsities: Sequence[str] = SPARSITIES[1:],
    progress: Callable[[str], Any] | None = None,
) -> list[Cell]:
    """Test accuracy on digits, by the epochs and learning rate after the dense ones."""
    ways: dict[str, How] = {}
    for rest in RECOVERIES:
        ways |= {
            _called("one-shot", rest): _one_shot("magnitude", rest),
            _called("iterative", rest): _iterative(rest),
            _called("gradual", rest): _gradual("magnitude", rest),
        }
    return _cells(ways, seeds, sparsities, progress)


def _called(name: str, rest: Training) -> str:
    """A row's name."""
    return f"{name}, {rest.epochs} epochs at {rest.lr:g}"


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
        (
            _called("one-shot", rest),
            (_called("iterative", rest), _called("gradual", rest)),
        )
        for rest in RECOVERIES
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
