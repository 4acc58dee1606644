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
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from minprune._check import positive_int
from minprune.data import Dataset
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
from minprune.prune import plan_file
from minprune.prune.channels import Channels
from minprune.prune.cut import Cut
from minprune.prune.edit import set_masks
from minprune.prune.instead import Instead
from minprune.prune.stage import Stage
from minprune.prune.undo import Undo
from minprune.sparse.compress import compress


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
    >>> half = prune.Remove(prune.Channels("l1_norm"), 0.5)
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
            where = f"Plan, stage {stage.name!r}"
            positive_int(where, "epochs", stage.epochs, 0)
            if not (stage.remove or stage.procedures or stage.epochs or stage.sparse):
                raise ValueError(
                    f"{where}: does nothing; expected remove, procedures, epochs or "
                    f"sparse"
                )
            if any(isinstance(one, Undo) for one in stage.procedures):
                raise ValueError(f"{where}: Undo {plan_file.ONLY_IN_PYTHON['Undo']}")

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> "Plan":
        """The plan in a TOML file.

        Raises
        ------
        ValueError
            If it is no TOML, or names what is not known: file, stage and field.
        """
        try:
            return cls(*plan_file.read(path))
        except (TypeError, ValueError) as why:
            raise ValueError(f"{path}: {why}") from why

    @classmethod
    def parse(cls, table: Mapping[str, Any]) -> "Plan":
        """The plan that such a file describes, from its tables."""
        return cls(*plan_file.parse(table))

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
                    _cut_as_in_the_end(procedure, run)
            except (TypeError, ValueError) as why:
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


def _cut_as_in_the_end(procedure: Procedure, run: Run) -> None:
    """Prune the network of a rehearsal as far as the procedure will have in the end."""
    if isinstance(procedure, Instead):
        procedure.update(replace(run, step=run.steps))
        procedure.show(run.net)
        return
    known = vars(procedure)
    cut, sparsity = known.get("cut", known.get("channels")), known.get("sparsity")
    if isinstance(cut, Cut | Channels) and sparsity is not None:
        set_masks(run.net, cut.masks(run.net, run.data, sparsity))
