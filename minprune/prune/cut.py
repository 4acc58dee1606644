"""What is removed when: the criterion, whose scores compete, and what goes as one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypedDict

from minprune._check import BoolArray
from minprune.data import Dataset
from minprune.masks import select
from minprune.masks._request import Scope
from minprune.masks.count import Share
from minprune.nn.network import Network
from minprune.prune.score import BATCH, EXAMPLES, card_of, score

Masks = dict[str, BoolArray]


class Options(TypedDict, total=False):
    """The keyword arguments of a `Cut`, which every procedure that cuts takes too."""

    scope: Scope
    min_keep: int | Mapping[str, int] | None
    exclude: Iterable[str]
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
    min_keep : int or dict, optional
        Units that stay in every layer at least: 1 where layers compete, unless given.
    exclude : iterable of str
        Weights, by name or pattern, that are not pruned and not counted.
    examples, batch, seed
        Of the data that the criterion looks at; see `score`.
    options : dict, optional
        Keyword arguments of the criterion itself.
    """

    criterion: str
    scope: Scope = "network"
    min_keep: int | Mapping[str, int] | None = None
    exclude: Iterable[str] = ()
    examples: int = EXAMPLES
    batch: int = BATCH
    seed: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        card_of("Cut", self.criterion)

    def masks(
        self,
        net: Network,
        data: Dataset | None,
        sparsity: Share | Mapping[str, Share],
        round: int = 0,
    ) -> Masks:
        """The masks at this sparsity; what is gone already stays gone (M.5)."""
        scores = score(
            net,
            data,
            self.criterion,
            examples=self.examples,
            batch=self.batch,
            seed=self.seed,
            round=round,
            **self.options,
        )
        return select(
            scores,
            sparsity=sparsity,
            scope=self.scope,
            min_keep=self.min_keep,
            exclude=self.exclude,
            previous=net.masks(),
        )

    def __str__(self) -> str:
        own = [f"{self.criterion!r}"]
        for option in fields(self)[1:]:
            value = getattr(self, option.name)
            if value != option.default and value:
                own.append(f"{option.name}={value!r}")
        return ", ".join(own)
