"""Whole channels: a criterion of the catalog, and the room that takes them out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from minprune._check import AnyArray, BoolArray, FloatArray, one_of
from minprune.criteria.group import reduce_mean
from minprune.data import Dataset
from minprune.masks import Scope
from minprune.masks.count import Share, share
from minprune.masks.schedule import SCHEDULES
from minprune.nn.network import Network
from minprune.nn.train import Procedure, Run
from minprune.prune.edit import set_masks
from minprune.prune.gradual import RAMPS
from minprune.prune.instead import needs_dense
from minprune.prune.moment import Moment, every, steps_of
from minprune.prune.score import BATCH, EXAMPLES, card_of, score
from minprune.structure.choose import Choice, Cost, choose
from minprune.structure.groups import (
    Normalization,
    Reduction,
    coupled_norms,
    score_units,
)
from minprune.structure.numbering import Role
from minprune.structure.spaces import Spaces, find_spaces
from minprune.structure.surgery import emptied, mask_units

SIDES: dict[str, Role] = {"filter": "makes", "channel": "reads"}
"""By granularity, whose scores speak for a unit: what makes it, or what reads it."""


@dataclass(frozen=True)
class Channels:
    """How a share of whole channels is chosen, by any criterion.

    Parameters
    ----------
    criterion : str
        A name from `minprune.criteria.CATALOG` that scores weights, filters or
        channels; `group_magnitude` scores all that goes with a unit.
    granularity : {"filter", "channel"}
        Whether a unit is judged by what makes it or by what reads it. What goes is the
        same: the unit, on both sides.
    cost : callable, optional
        What the share is of: `minprune.structure.weights`, `multiply_adds`, ...; left
        out, units.
    scope, min_keep, multiple_of, exclude
        As in `minprune.structure.choose`.
    reduce, normalize : callable
        As in `minprune.structure.score_units`.
    examples, batch, seed, options
        As in `Cut`.

    Raises
    ------
    ValueError
        If a name is not known, or the criterion scores something else.

    See Also
    --------
    Cut : Masks over weights, which keep every shape.

    Examples
    --------
    >>> from minprune import nn, structure
    >>> root = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    >>> net = nn.Network(root, (2,), seed=0)
    >>> net.parameters()["0.weight"][:] = [[1, 2], [0, 1], [3, 0]]
    >>> choice = Channels("l1_norm").choice(net, None, "1/3")
    >>> choice.removal
    {'0': array([1])}
    >>> structure.remove(net, choice.removal).weights()["0.weight"]
    array([[1., 2.],
           [3., 0.]], dtype=float32)
    """

    criterion: str
    granularity: str = "filter"
    cost: Cost | None = None
    scope: Scope | str = "network"
    min_keep: int = 1
    multiple_of: int = 1
    exclude: Iterable[str] = ()
    reduce: Reduction = reduce_mean
    normalize: Normalization | None = None
    examples: int = EXAMPLES
    batch: int = BATCH
    seed: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        one_of("Channels", "granularity", self.granularity, SIDES)
        card = card_of("Channels", self.criterion)
        scored = card.granularity
        if scored not in ("weight", self.granularity):
            raise ValueError(
                f"Channels: {self.criterion!r} scores by {scored}, which does not tell "
                f"one {self.granularity} from another; name a criterion that scores by "
                f"weight or {self.granularity}"
            )

    def scores(
        self,
        net: Network,
        data: Dataset | None,
        *,
        round: int = 0,
        given: Mapping[str, Mapping[str, AnyArray]] | None = None,
        spaces: Spaces | None = None,
    ) -> dict[str, FloatArray]:
        """The score of every unit, by space."""
        card = card_of("Channels", self.criterion)
        if card.needs == ("coupled_norms",):
            norms = coupled_norms(net, spaces=spaces)
            return {
                name: card.function(members, **self.options)
                for name, members in norms.items()
            }
        scores = score(
            net,
            data,
            self.criterion,
            examples=self.examples,
            batch=self.batch,
            seed=self.seed,
            round=round,
            given=given,
            **self.options,
        )
        return score_units(
            net,
            scores,
            sides=(SIDES[self.granularity],),
            reduce=self.reduce,
            normalize=self.normalize,
            spaces=spaces,
        )

    def choice(
        self,
        net: Network,
        data: Dataset | None,
        sparsity: Share,
        *,
        round: int = 0,
        given: Mapping[str, Mapping[str, AnyArray]] | None = None,
    ) -> Choice:
        """The units that go; those that masks have emptied already go first."""
        spaces = find_spaces(net)
        scores = self.scores(net, data, round=round, given=given, spaces=spaces)
        for name, units in emptied(net, spaces).items():
            if name in scores:
                scores[name][units] = scores[name].min() - 1
        return choose(
            net,
            scores,
            sparsity,
            cost=self.cost,
            scope=self.scope,
            min_keep=self.min_keep,
            multiple_of=self.multiple_of,
            exclude=self.exclude,
            spaces=spaces,
        )

    def masks(
        self,
        net: Network,
        data: Dataset | None,
        sparsity: Share,
        *,
        round: int = 0,
        given: Mapping[str, Mapping[str, AnyArray]] | None = None,
    ) -> dict[str, BoolArray]:
        """Masks that empty the chosen units: nothing makes them, nobody reads them."""
        chosen = self.choice(net, data, sparsity, round=round, given=given)
        return mask_units(net, chosen.removal).masks()

    def __str__(self) -> str:
        return f"{self.criterion} by whole {self.granularity}"


class GradualChannels(Procedure):
    """Empty whole channels in steps along a schedule, and train what is left.

    Parameters
    ----------
    channels : Channels
        Which units go; with no `cost`, since a schedule counts units.
    sparsity, begin, end, frequency, initial, schedule
        As in `Gradual`.

    See Also
    --------
    Gradual : The same for weights.

    Notes
    -----
    The network keeps its shapes while it is trained. What is empty is read by nobody,
    so that ``structure.shrink(net)`` afterwards changes no output.

    Examples
    --------
    >>> from minprune import data, nn, structure
    >>> digits = data.load("digits")
    >>> net = nn.models.build("mlp", digits, hidden=(16,), seed=0)
    >>> half = GradualChannels(Channels("l1_norm"), sparsity=0.5)
    >>> _ = nn.train(net, digits, epochs=1, procedures=[half])
    >>> structure.shrink(net).weights()["fc1.weight"].shape
    (8, 64)
    """

    def __init__(
        self,
        channels: Channels,
        *,
        sparsity: Share,
        begin: Moment = 0.0,
        end: Moment = 0.7,
        frequency: Moment = 0.05,
        initial: Share = 0,
        schedule: str = "cubic",
    ) -> None:
        share("GradualChannels", sparsity)
        one_of("GradualChannels", "schedule", schedule, RAMPS)
        if channels.cost is not None:
            raise ValueError(
                "GradualChannels: channels has a cost; a schedule counts units, so "
                "leave it out, or take units out in rounds with Channels.choice"
            )
        self.channels, self.sparsity, self.initial = channels, sparsity, initial
        self.begin_at, self.end_at, self.frequency = begin, end, frequency
        self.name = schedule

    def begin(self, run: Run) -> None:
        """See `Procedure.begin`."""
        needs_dense("GradualChannels", run.net)
        self.schedule = SCHEDULES[self.name](
            self.sparsity,
            begin=steps_of("GradualChannels", "begin", self.begin_at, run),
            end=steps_of("GradualChannels", "end", self.end_at, run),
            frequency=every("GradualChannels", self.frequency, run),
            initial=self.initial,
        )
        # What the end cannot have is refused here, not in the middle of the run.
        self.channels.masks(run.net, run.data, self.sparsity)
        self._update(run)

    def after_step(self, run: Run) -> None:
        """See `Procedure.after_step`."""
        self._update(run)

    def _update(self, run: Run) -> None:
        """Empty as many units as this step asks for, if it is a step for it."""
        if self.schedule.due(run.step):
            masks = self.channels.masks(
                run.net, run.data, self.schedule(run.step), round=run.step
            )
            set_masks(run.net, masks, run.optimizer)
