"""Pruning a network that answers several questions."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Unpack

import numpy as np

from minprune._check import AnyArray, FloatArray, one_of
from minprune.data import Dataset, Split
from minprune.masks.count import Share, share
from minprune.metrics import Count, count
from minprune.nn.loss import Tasks
from minprune.nn.network import Network
from minprune.nn.train import Procedure, Run
from minprune.prune.choice import Masks
from minprune.prune.cut import Cut, Options
from minprune.prune.edit import set_masks

Scores = dict[str, FloatArray]


@dataclass(frozen=True)
class TaskReport:
    """What a pruning has done to each task.

    Attributes
    ----------
    before, after : dict of task name to float
        On the validation split: share of right answers, or root mean square error.
    count : Count
        What is left.
    """

    before: dict[str, float]
    after: dict[str, float]
    count: Count


def by_sum(scores: list[Scores], ranks: list[float]) -> Scores:
    """What a weight is worth to all tasks together."""
    return {name: sum((s[name] for s in scores), np.zeros(1)) for name in scores[0]}


def by_max(scores: list[Scores], ranks: list[float]) -> Scores:
    """What a weight is worth to the task that needs it most."""
    return {name: np.maximum.reduce([s[name] for s in scores]) for name in scores[0]}


def by_worst(scores: list[Scores], ranks: list[float]) -> Scores:
    """What a weight is worth to the task that does worst.

    A layer that this task does not use, such as the head of another, would lose all:
    there it is what a weight is worth to the task that needs it most.
    """
    worst, most = scores[int(np.argmin(ranks))], by_max(scores, ranks)
    return {name: own if own.any() else most[name] for name, own in worst.items()}


AGGREGATES: dict[str, Callable[[list[Scores], list[float]], Scores]] = {
    "sum": by_sum,
    "max": by_max,
    "worst": by_worst,
}


class TaskShot(Procedure):
    """Prune once, by scores of every task.

    Parameters
    ----------
    criterion : str
        A name from `minprune.criteria.CATALOG` that looks at gradients; scores that do
        not depend on the loss are the same for every task.
    sparsity : share
        Share removed.
    tasks : minprune.nn.Tasks
        The heads, their losses and their columns of the targets.
    aggregate : {"sum", "max", "worst"}
        One score from those of the tasks; "worst" takes those of the task that does
        worst before pruning, and in layers which that task does not use, the highest.
    **how
        As in `Cut`.

    See Also
    --------
    OneShot : By the one loss of a network.

    Notes
    -----
    In `minprune.nn.train` it acts before the first step, as `OneShot` does.

    The scores of a task are divided by their sum over the network, so that a loss in
    larger units does not outvote the others. The loss of a task gives no gradient to
    the heads of others. For "worst", a task with labels does as well as its share of
    right answers, one with numbers as well as the share of the variance that it
    explains.
    """

    def __init__(
        self,
        criterion: str,
        *,
        sparsity: Share,
        tasks: Tasks,
        aggregate: str = "sum",
        **how: Unpack[Options],
    ) -> None:
        share("TaskShot", sparsity)
        one_of("TaskShot", "aggregate", aggregate, AGGREGATES)
        self.sparsity, self.tasks = sparsity, tasks
        self.aggregate = AGGREGATES[aggregate]
        self.cut = Cut(criterion, **how)

    def run(self, net: Network, data: Dataset) -> TaskReport:
        """Prune a network in place; report every task before and after."""
        before = quality(net, data.val, self.tasks)
        set_masks(net, self.masks(net, data))
        return TaskReport(before, quality(net, data.val, self.tasks), count(net))

    def begin(self, run: Run) -> None:
        """See `Procedure.begin`."""
        set_masks(run.net, self.masks(run.net, run.data), run.optimizer)

    def masks(self, net: Network, data: Dataset) -> Masks:
        """What stays, by the scores of all tasks together."""
        scores = [self._scores(net, data, name) for name in self.tasks.rows]
        ranks = [rank(net, data.val, self.tasks, name) for name in self.tasks.rows]
        together = self.aggregate(scores, ranks)
        return self.cut.masks(net, data, self.sparsity, scores=together)

    def _scores(self, net: Network, data: Dataset, task: str) -> Scores:
        """Scores by the loss of one task, as shares of their sum."""
        found = self.cut.scores(net, data, loss=only(self.tasks, task))
        total = sum(float(np.abs(array).sum()) for array in found.values())
        return {name: array / (total or 1.0) for name, array in found.items()}


def only(tasks: Tasks, name: str) -> Tasks:
    """The loss of one task; the other heads get no gradient."""
    return Tasks({name: tasks.rows[name]}, tasks.losses, tasks.columns)


def quality(net: Network, split: Split, tasks: Tasks) -> dict[str, float]:
    """Share of right answers of each task with labels, error of each with numbers."""
    found = {}
    for name, output, target in _answers(net, split, tasks):
        if target.ndim == 1:
            found[name] = float((output.argmax(axis=1) == target).mean())
        else:
            found[name] = float(np.sqrt(((output - target) ** 2).mean()))
    return found


def rank(net: Network, split: Split, tasks: Tasks, name: str) -> float:
    """How well a task does, so that tasks can be compared: 1 is perfect."""
    ((_, output, target),) = _answers(net, split, only(tasks, name))
    if target.ndim == 1:
        return float((output.argmax(axis=1) == target).mean())
    spread = float(target.var())
    return 1 - float(((output - target) ** 2).mean()) / (spread or 1.0)


def _answers(
    net: Network, split: Split, tasks: Tasks
) -> list[tuple[str, FloatArray, AnyArray]]:
    """(task, its outputs, its targets): targets are labels if they have one axis."""
    outputs = net(split.x, split.lengths)
    found = []
    for name, rows in tasks.rows.items():
        column = tasks.columns[name]
        target = split.y[:, column]
        if isinstance(column, int):
            target = target.astype(np.int64)
        found.append((name, outputs[:, rows], target))
    return found
