"""What is removed: the criterion, whose scores compete, and what goes as one."""

import fnmatch
import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypedDict

import numpy as np

from minprune._check import AnyArray, BoolArray, FloatArray, one_of
from minprune.data import Dataset
from minprune.masks._request import Scope
from minprune.masks.allocate import ALLOCATIONS
from minprune.masks.count import Share
from minprune.masks.nm import keep_of_group
from minprune.masks.units import UNITS, Units, blocks, channels
from minprune.nn.loss import Loss
from minprune.nn.network import Network
from minprune.prune.choice import Masks, choose
from minprune.prune.score import BATCH, EXAMPLES, card_of, score

GRANULARITIES = (*UNITS, "block", "nm")
REDUCTIONS = ("mean", "sum", "max", "l2")


class Options(TypedDict, total=False):
    """The keyword arguments of a `Cut`, which every procedure that cuts takes too."""

    scope: Scope
    allocation: str | None
    granularity: str | None
    block: tuple[int, int] | None
    keep: int | None
    group: int | None
    reduce: str
    min_keep: int | Mapping[str, int] | None
    exclude: Iterable[str] | None
    examples: int
    batch: int
    seed: int
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Cut:
    """How a sparsity becomes masks.

    Parameters
    ----------
    criterion : str
        A name from `minprune.criteria.CATALOG`.
    scope : {"network", "layer"} or dict of group name to weight names
        Whose scores compete.
    allocation : str, optional
        A name from `minprune.masks.allocate.ALLOCATIONS`, such as "erk", which shares
        the sparsity out among the layers; scores then compete within each layer. For
        single weights.
    granularity : str, optional
        What goes as one: "weight", "block", "row" (or "neuron", "filter"), "column",
        "channel", "kernel", "layer", or "nm" (`keep` of every `group`). A share counts
        such units. By default what the criterion scores.
    block : (int, int), optional
        Rows and columns of a block, for granularity "block".
    keep, group : int, optional
        For granularity "nm": how many stay of how many weights that follow each other
        along the input axis. Where groups do not divide it, the rest stays.
    reduce : {"mean", "sum", "max", "l2"}
        The score of a unit from those of its weights, if the criterion scores weights.
    min_keep : int or dict, optional
        Units that stay in every layer at least: 1 where layers compete, unless given.
    exclude : iterable of str, optional
        Weights, by name or pattern, that are not pruned and not counted. By default
        none; but where whole outputs go, the last layer, since its rows are the
        answers, and where whole channels go, the first, since they are the input.
    examples, batch, seed
        Of the data that the criterion looks at; see `score`.
    options : dict, optional
        Keyword arguments of the criterion itself.

    Raises
    ------
    ValueError
        If a name is not known, or what a granularity needs is missing.

    Notes
    -----
    A mask is over weights. A row or filter that is masked still emits its bias;
    `minprune.structure` takes it out for good, bias and batch norm included.

    A weight for which the criterion has no evidence (no batch norm follows it, say) is
    left as it is and not counted.
    """

    criterion: str
    scope: Scope = "network"
    allocation: str | None = None
    granularity: str | None = None
    block: tuple[int, int] | None = None
    keep: int | None = None
    group: int | None = None
    reduce: str = "mean"
    min_keep: int | Mapping[str, int] | None = None
    exclude: Iterable[str] | None = None
    examples: int = EXAMPLES
    batch: int = BATCH
    seed: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        card = card_of("Cut", self.criterion)
        of_card = card.granularity if card.granularity in GRANULARITIES else "weight"
        chosen = of_card if self.granularity is None else self.granularity
        object.__setattr__(self, "granularity", chosen)
        one_of("Cut", "granularity", chosen, GRANULARITIES)
        one_of("Cut", "reduction", self.reduce, REDUCTIONS)
        if of_card != "weight" and of_card != (
            "filter" if _is_output(chosen) else chosen
        ):
            raise ValueError(
                f"Cut: {self.criterion!r} scores by {of_card}, which granularity "
                f"{chosen!r} cannot use; leave granularity out, or name a criterion "
                f"that scores weights"
            )
        if self.allocation is not None:
            one_of("Cut", "allocation", self.allocation, ALLOCATIONS)
            if chosen != "weight":
                raise ValueError(
                    f"Cut: allocation {self.allocation!r} shares out single weights, "
                    f"but granularity is {chosen!r}; expected 'weight'"
                )
        takes = inspect.signature(card.function).parameters.values()
        known = [p.name for p in takes if p.kind is p.KEYWORD_ONLY and p.name != "rng"]
        for name in self.options:
            one_of(f"Cut, {self.criterion}", "option", name, known)
        if (chosen == "block") != (self.block is not None):
            raise ValueError(
                f"Cut: granularity is {chosen!r} and block is {self.block}; blocks "
                f"need granularity='block' and rows and columns, such as block=(4, 1)"
            )
        for name, value in (("keep", self.keep), ("group", self.group)):
            if (chosen == "nm") != (value is not None):
                raise ValueError(
                    f"Cut: granularity is {chosen!r} and {name} is {value}; a pattern "
                    f"of groups needs granularity='nm', keep=2, group=4"
                )

    @property
    def fixed(self) -> bool:
        """Whether the pattern itself says how much goes."""
        return self.granularity == "nm"

    def scores(
        self,
        net: Network,
        data: Dataset | None = None,
        *,
        round: int = 0,
        given: Mapping[str, Mapping[str, AnyArray]] | None = None,
        loss: Loss | None = None,
    ) -> dict[str, FloatArray]:
        """What the criterion says of a network; see `minprune.prune.score`."""
        return score(
            net,
            data,
            self.criterion,
            examples=self.examples,
            batch=self.batch,
            seed=self.seed,
            round=round,
            given=given,
            loss=loss,
            **self.options,
        )

    def masks(
        self,
        net: Network,
        data: Dataset | None = None,
        sparsity: Share | Mapping[str, Share] | None = None,
        *,
        round: int = 0,
        given: Mapping[str, Mapping[str, AnyArray]] | None = None,
        previous: Mapping[str, BoolArray] | None = None,
        scores: Mapping[str, FloatArray] | None = None,
        rising: bool = False,
    ) -> Masks:
        """The masks of the scored weights at this sparsity.

        Parameters
        ----------
        net, data, round, given
            As in `score`.
        sparsity : share, or dict of weight name to share
            Of the original number of units; None for granularity "nm".
        previous : dict of weight name to ndarray of bool, optional
            What may stay; left out, the masks of the network: what is gone stays gone
            (M.5).
        scores : dict of weight name to ndarray, optional
            Scores that are at hand already, instead of the criterion's.
        rising : bool
            A step on the way to more: where more is gone already than is asked for,
            nothing goes, instead of an error.
        """
        if (sparsity is None) != self.fixed:
            raise ValueError(
                f"Cut: granularity is {self.granularity!r} and sparsity is {sparsity}; "
                f"'nm' takes its sparsity from keep and group, all others need one"
            )
        there = dict(net.masks() if previous is None else previous)
        if scores is None:
            scores = self.scores(net, data, round=round, given=given)
        out = self.excluded(list(there))
        if self.keep is not None and self.group is not None:
            return {
                name: self._groups(scores[name], there[name], self.keep, self.group)
                for name in scores
                if name not in out
            }
        units = {name: self._units(net, name) for name in scores}
        kept = choose(
            {name: self._reduced(s, units[name], name) for name, s in scores.items()},
            sparsity,
            self.scope,
            {n: units[n].max(there[n].astype(float)) > 0 for n in scores},
            min_keep=self.min_keep,
            exclude=[name for name in out if name in scores],
            allocation=self.allocation,
            rising=rising,
        )
        return {name: units[name].expand(kept[name]) & there[name] for name in scores}

    def excluded(self, names: list[str]) -> list[str]:
        """Which of these weights are left alone."""
        if self.exclude is not None:
            given = [self.exclude] if isinstance(self.exclude, str) else self.exclude
            found: list[str] = []
            for pattern in given:
                if not any(sign in pattern for sign in "*?["):
                    one_of("Cut", "weight", pattern, names)
                found += fnmatch.filter(names, pattern)
            return found
        if _is_output(str(self.granularity)) and len(names) > 1:
            return names[-1:]
        return names[:1] if self.granularity == "channel" and len(names) > 1 else []

    def _units(self, net: Network, name: str) -> Units:
        """What goes as one in a weight."""
        layer, key = net.owner("Cut", name)
        shape = layer.weights()[key].shape
        if self.block is not None:
            return blocks(shape, self.block)
        if self.granularity == "channel":
            return channels(shape, getattr(layer, "groups", 1))
        return UNITS[str(self.granularity)](shape)

    def _reduced(self, scores: FloatArray, units: Units, name: str) -> FloatArray:
        """One score for each unit."""
        if scores.shape == units.shape:
            return scores
        if scores.shape != units.of.shape:
            raise ValueError(
                f"Cut: {self.criterion!r} scores {name!r} in the shape {scores.shape}; "
                f"granularity {self.granularity!r} needs {units.of.shape}"
            )
        reduced: FloatArray = getattr(units, self.reduce)(scores)
        return reduced

    def _groups(
        self, scores: FloatArray, there: BoolArray, keep: int, group: int
    ) -> BoolArray:
        """`keep` of every `group` along the input axis, first among what is there."""
        if scores.shape != there.shape:
            raise ValueError(
                f"Cut: {self.criterion!r} scores no single weights, which granularity "
                f"'nm' needs; name a criterion that does, such as 'magnitude'"
            )
        last = np.where(there, scores, scores.min(initial=0) - 1)
        mask = keep_of_group(last, keep=keep, group=group, axis=1, remainder="keep")
        return mask & there

    def __str__(self) -> str:
        scope = self.scope if isinstance(self.scope, str) else "group"
        return f"{self.criterion} by {self.granularity}, scope {scope}"


def _is_output(granularity: str) -> bool:
    """Whether what goes as one is all that makes an output."""
    return granularity in ("row", "neuron", "filter")
