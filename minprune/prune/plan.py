"""Several ways of pruning, one after the other, as one declared plan.

In Python a plan is a list of stages; in a file it is TOML::

    [training]                    # for every stage; all of it may be left out
    batch_size = 64
    lr = 1e-3

    [[stage]]
    name = "filters"
    remove = { criterion = "l1_norm", sparsity = 0.5 }
    epochs = 5

    [[stage]]
    name = "weights"
    procedures = [{ kind = "Gradual", criterion = "taylor", sparsity = 0.9 }]
    epochs = 10

    [[stage]]
    name = "recover"
    epochs = 5
    sparse = true
"""

import copy
import inspect
import os
import time
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_type_hints

from minprune import structure
from minprune._check import one_of, positive_int
from minprune.data import Dataset
from minprune.masks import AdaptiveThreshold
from minprune.masks.count import Share, share
from minprune.metrics import count
from minprune.nn.checkpoint import each
from minprune.nn.network import Network
from minprune.nn.optim import Adam
from minprune.nn.train import (
    Procedure,
    Run,
    default_loss,
    evaluate,
    joined_batches,
    train,
)
from minprune.prune.adaptive import Adaptive
from minprune.prune.admm import ADMM
from minprune.prune.channels import Channels, GradualChannels
from minprune.prune.cut import Cut, Options
from minprune.prune.edge_popup import EdgePopup
from minprune.prune.edit import set_masks
from minprune.prune.evolve import SET, SNFS, DeepR, RigL
from minprune.prune.gradual import Gradual
from minprune.prune.hard_concrete import HardConcrete
from minprune.prune.movement import Movement, SoftMovement
from minprune.prune.oneshot import OneShot
from minprune.prune.phases import Phases
from minprune.prune.powerprop import Powerpropagation
from minprune.prune.regularized import GrowingPenalty, Regularized
from minprune.prune.rounds import Rounds
from minprune.prune.soft_filters import SoftFilters
from minprune.prune.soft_threshold import SoftThreshold
from minprune.prune.straight_through import StraightThrough
from minprune.prune.surgery import Surgery
from minprune.prune.top_kast import TopKAST
from minprune.prune.variational import VariationalDropout
from minprune.sparse.compress import compress

KINDS: dict[str, type[Procedure]] = {
    kind.__name__: kind
    for kind in (
        ADMM,
        SET,
        SNFS,
        Adaptive,
        DeepR,
        EdgePopup,
        Gradual,
        GradualChannels,
        GrowingPenalty,
        HardConcrete,
        Movement,
        OneShot,
        Phases,
        Powerpropagation,
        Regularized,
        RigL,
        Rounds,
        SoftFilters,
        SoftMovement,
        SoftThreshold,
        StraightThrough,
        Surgery,
        TopKAST,
        VariationalDropout,
    )
}
"""The procedures that a file may name."""

PARTS: dict[str, type[Any]] = {"channels": Channels, "ramp": AdaptiveThreshold}
"""Arguments of procedures that are tables of their own."""

TRAINING = ("batch_size", "lr", "weight_decay", "seed")
STAGE = ("name", "remove", "procedures", "epochs", "sparse")


@dataclass(frozen=True)
class Remove:
    """Whole units that are taken out: which, and what share of them."""

    channels: Channels
    sparsity: Share

    def run(self, net: Network, data: Dataset | None) -> Network:
        """The smaller network; the one given is not changed."""
        chosen = self.channels.choice(net, data, self.sparsity)
        return structure.remove(net, chosen.removal)


@dataclass(frozen=True)
class Stage:
    """One step of a plan: take units out, hold sparsely, train with procedures.

    Parameters
    ----------
    name : str
        For the record.
    remove : Remove, optional
        Units to take out first.
    procedures : sequence of Procedure
        What prunes in this stage, in this order.
    epochs : int
        Of training. With 0 the procedures only do what they do at the beginning of a
        run.
    sparse : bool
        Hold pruned layers sparsely from here on; see `minprune.sparse.compress`.
    """

    name: str
    remove: Remove | None = None
    procedures: Sequence[Procedure] = ()
    epochs: int = 0
    sparse: bool = False


@dataclass(frozen=True, slots=True)
class Figures:
    """A network between two stages.

    Attributes
    ----------
    weights, kept : int
        Weights of the prunable set, and those of them that are kept.
    bytes, macs : int
        Bytes of the arrays in a file; multiply-adds executed on one sample.
    val_loss, val_score : float
        On the validation split: the score is accuracy, or root mean square error.
    """

    weights: int
    kept: int
    bytes: int
    macs: int
    val_loss: float
    val_score: float


@dataclass(frozen=True, slots=True)
class Record:
    """What one stage has done."""

    stage: str
    before: Figures
    after: Figures
    seconds: float


class Plan:
    """A sequence of stages.

    Parameters
    ----------
    stages : sequence of Stage
        In this order.
    training : dict, optional
        Keyword arguments of `minprune.nn.train` for every stage.

    Examples
    --------
    >>> from minprune import data, nn, prune
    >>> digits = data.load("digits")
    >>> net = nn.models.build("mlp", digits, hidden=(16,), seed=0)
    >>> half = Remove(prune.Channels("l1_norm"), 0.5)
    >>> cut = prune.OneShot("magnitude", sparsity=0.9)
    >>> plan = Plan([Stage("units", remove=half), Stage("weights", procedures=[cut])])
    >>> small, records = plan.run(net, digits)
    >>> [(record.stage, record.after.weights, record.after.kept) for record in records]
    [('units', 592, 592), ('weights', 592, 59)]
    """

    def __init__(
        self, stages: Sequence[Stage], training: Mapping[str, Any] | None = None
    ) -> None:
        if not stages:
            raise ValueError("Plan: there are no stages; expected one at least")
        self.stages, self.training = list(stages), dict(training or {})
        for stage in self.stages:
            positive_int(f"Plan, stage {stage.name!r}", "epochs", stage.epochs, 0)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> "Plan":
        """The plan in a TOML file.

        Raises
        ------
        ValueError
            If it is no TOML, or names what is not known: file, stage and field.
        """
        try:
            with open(path, "rb") as file:
                return cls.parse(tomllib.load(file))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as why:
            raise ValueError(f"{path}: this is no TOML: {why}") from why
        except (TypeError, ValueError) as why:
            raise ValueError(f"{path}: {why}") from why

    @classmethod
    def parse(cls, table: Mapping[str, Any]) -> "Plan":
        """The plan that such a file describes, from its tables."""
        for key in table:
            one_of("plan", "table", key, ("training", "stage"))
        stages = table.get("stage")
        if not isinstance(stages, list) or not stages:
            raise ValueError("plan: there are no stages; expected a [[stage]] at least")
        training = dict(table.get("training", {}))
        for key in training:
            one_of("plan, [training]", "key", key, TRAINING)
        lr, decay = training.pop("lr", 1e-3), training.pop("weight_decay", 0.0)
        training["optimizer"] = Adam(lr, weight_decay=decay)
        return cls([_stage(i, one) for i, one in enumerate(stages, 1)], training)

    def run(
        self,
        net: Network,
        data: Dataset,
        *,
        progress: Callable[[Record], Any] | None = None,
        **training: Any,
    ) -> tuple[Network, list[Record]]:
        """Follow the plan; the network itself is not changed.

        Parameters
        ----------
        net : Network
            Usually trained.
        data : Dataset
        progress : callable, optional
            Called with each finished stage.
        **training
            As in `minprune.nn.train`; goes before what the plan says. With a checkpoint
            every stage has its own file.

        Returns
        -------
        net : Network
            Pruned.
        records : list of Record
            Of every stage, before and after.

        Raises
        ------
        ValueError
            Before anything is trained, if a stage cannot be met after those before it.
        """
        given = self.training | training
        self.rehearse(net, data, **given)
        net, records = net.copy(), []
        after = figures(net, data)
        for number, stage in enumerate(self.stages, 1):
            start, before = time.perf_counter(), after
            net = _prepared(stage, net, data)
            procedures = [copy.deepcopy(one) for one in stage.procedures]
            own = each(given, f"stage{number}")
            train(net, data, epochs=stage.epochs, procedures=procedures, **own)
            after = figures(net, data)
            seconds = time.perf_counter() - start
            records.append(Record(stage.name, before, after, seconds))
            if progress is not None:
                progress(records[-1])
        return net, records

    def rehearse(self, net: Network, data: Dataset, **training: Any) -> None:
        """Go through the plan without training; ValueError where it cannot be met.

        Every stage is begun, and cut to the sparsity it ends at, on a copy.
        """
        net = net.copy()
        size = training.get("batch_size", 64)
        steps = len(joined_batches(len(data.train), size, None))
        for number, stage in enumerate(self.stages, 1):
            try:
                net = _prepared(stage, net, data)
                run = Run(
                    net,
                    data,
                    (training.get("optimizer") or Adam()).fresh(),
                    training.get("loss") or default_loss(data),
                    training.get("seed", 0),
                    stage.epochs,
                    steps,
                )
                for procedure in (copy.deepcopy(one) for one in stage.procedures):
                    procedure.begin(run)
                    known = vars(procedure)
                    cut = known.get("cut", known.get("channels"))
                    sparsity = known.get("sparsity")
                    if isinstance(cut, Cut | Channels) and sparsity is not None:
                        set_masks(net, cut.masks(net, data, sparsity))
            except ValueError as why:
                raise ValueError(f"plan, stage {number} ({stage.name}): {why}") from why


def figures(net: Network, data: Dataset) -> Figures:
    """What is recorded of a network."""
    loss, score = evaluate(net, data.val, default_loss(data))
    size = count(net)
    return Figures(
        size.weights, size.kept, size.file_bytes, size.macs_executed, loss, score
    )


def _prepared(stage: Stage, net: Network, data: Dataset) -> Network:
    """The network as the training of a stage finds it."""
    if stage.remove is not None:
        net = stage.remove.run(net, data)
    return compress(net) if stage.sparse else net


def _stage(number: int, table: Mapping[str, Any]) -> Stage:
    """A stage from its table."""
    where = f"plan, stage {number}"
    for key in table:
        one_of(where, "key", key, STAGE)
    remove, procedures = table.get("remove"), []
    for given in table.get("procedures", ()):
        how = dict(given)
        kind = KINDS[one_of(where, "kind", how.pop("kind", ""), KINDS)]
        procedures.append(_made(f"{where}, {kind.__name__}", kind, how))
    return Stage(
        str(table.get("name", f"stage {number}")),
        None if remove is None else _removal(where, dict(remove)),
        procedures,
        table.get("epochs", 0),
        bool(table.get("sparse", False)),
    )


def _removal(where: str, how: dict[str, Any]) -> Remove:
    """Units to take out, from their table."""
    if "sparsity" not in how:
        raise ValueError(f"{where}: remove has no sparsity; expected one, such as 0.5")
    sparsity = how.pop("sparsity")
    share(where, sparsity)
    return Remove(_made(f"{where}, remove", Channels, how), sparsity)


def _made(where: str, kind: type[Any], how: dict[str, Any]) -> Any:
    """An object from its keyword arguments, each of which it has to know."""
    known = set(inspect.signature(kind).parameters) - {"how"}
    if "how" in inspect.signature(kind).parameters:
        known |= set(get_type_hints(Options))
    for key in how:
        one_of(where, "key", key, known)
    if isinstance(how.get("block"), list):
        how["block"] = tuple(how["block"])
    for part in PARTS.keys() & how.keys():
        how[part] = _made(f"{where}, {part}", PARTS[part], dict(how[part]))
    try:
        return kind(**how)
    except (TypeError, ValueError) as why:
        raise ValueError(f"{where}: {why}") from why
