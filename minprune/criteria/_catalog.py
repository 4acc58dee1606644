"""The catalog: one card per criterion, written beside the function it describes.

A criterion is a pure function from arrays to an array: *score criteria* return a score
(float64, higher is kept), *solvers* return a mask and the moved weights. Positional
parameters name the evidence that is needed (`weight`, `grad`, `input_norm`, ...);
keyword-only parameters are options. The decorator reads that signature, files a card
and returns the function unchanged. Nothing is wrapped: `help`, `inspect`, doctest and a
debugger see the body.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, TypeVar

Kind = Literal["score", "solver"]
Granularity = Literal[
    "weight", "group", "block", "row", "filter", "channel", "layer", "any"
]
Direction = Literal["prune lowest", "prune highest"]
F = TypeVar("F", bound=Callable[..., Any])


class Holds(Enum):
    """Statements a criterion can make about itself; each is checked, not trusted."""

    NON_NEGATIVE = "no score is below zero"
    ZERO_AT_ZERO = "a zero weight (or an all-zero unit) scores zero"
    PERMUTES_OUT = "permuting the output units of the evidence permutes the score"
    PERMUTES_IN = "permuting the input features of the evidence permutes the score"
    SIGN_FREE = "the score is unchanged when the signs of any weights are flipped"
    SCALES_WITH_WEIGHT = "doubling the weight keeps the ranking within the layer"
    SCALE_INVARIANT = "the score is unchanged when the weight is doubled"
    RESCALES = "the score is unchanged by w -> a w, g -> g / a"
    BATCH_ORDER = "the order of the examples in the evidence does not matter"
    DATA_FREE = "only parameters of the network are asked for"


@dataclass(frozen=True, slots=True)
class Card:
    """What a reader, a test and a report need to know about one criterion."""

    name: str
    family: str
    kind: Kind
    function: Callable[..., Any]
    needs: tuple[str, ...]
    unit: str
    granularity: Granularity
    formula: str
    direction: Direction
    batch: str
    normalization: str
    bias: str
    batch_norm: str
    accumulation: str
    holds: frozenset[Holds]
    cites: tuple[str, ...]

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0]


CATALOG: dict[str, Card] = {}


def criterion(
    *,
    unit: str,
    granularity: Granularity,
    formula: str,
    cites: tuple[str, ...],
    holds: set[Holds],
    kind: Kind = "score",
    direction: Direction = "prune lowest",
    batch: str = "no data",
    normalization: str = "none",
    bias: str = "not scored",
    batch_norm: str = "not read",
    accumulation: str = "float64",
) -> Callable[[F], F]:
    r"""File the decorated function in `CATALOG` and return it unchanged.

    Parameters
    ----------
    unit : str
        Unit of the score: "weight", "loss", "loss/weight", "output^2", "1", ...
    granularity : str
        What one entry of the score stands for.
    formula : str
        One line of plain text, as computed: ``"|w g|"``.
    cites : tuple of str
        Keys in ``docs/references.bib``, the source of the formula first.
    holds : set of Holds
        Promises; ``tests/criteria/test_promises.py`` tests each.
    kind : {"score", "solver"}
        Whether the function scores, or also moves the survivors.
    direction : {"prune lowest", "prune highest"}
        The paper's direction. A "prune highest" score is negated here.
    batch : str
        When the absolute value (or the square) is taken relative to the sum over the
        batch: "abs after mean", "square per example, then mean", ...
    normalization : str
        What the score is divided by, and over what.
    bias, batch_norm : str
        Whether and how biases and batch-norm parameters enter.
    accumulation : str
        The type in which sums run.
    """

    def file(function: F) -> F:
        name, family = function.__name__, function.__module__.rpartition(".")[2]
        if name in CATALOG:
            first = CATALOG[name].family
            raise ValueError(f"{name!r} is filed twice, by {first} and by {family}")
        needs = tuple(
            p.name
            for p in inspect.signature(function).parameters.values()
            if p.kind is p.POSITIONAL_OR_KEYWORD
        )
        CATALOG[name] = Card(
            name=name,
            family=family,
            kind=kind,
            function=function,
            needs=needs,
            unit=unit,
            granularity=granularity,
            formula=formula,
            direction=direction,
            batch=batch,
            normalization=normalization,
            bias=bias,
            batch_norm=batch_norm,
            accumulation=accumulation,
            holds=frozenset(holds),
            cites=cites,
        )
        return function

    return file
