"""Scores of a whole network: the card by its name, its evidence, one call a weight."""

import inspect
from collections.abc import Mapping
from typing import Any

from minprune._check import AnyArray, FloatArray, one_of, positive_int
from minprune._random import stream
from minprune.criteria import CATALOG, Card
from minprune.criteria.evidence import EVIDENCE, WITHOUT_DATA, collect
from minprune.data import Dataset
from minprune.nn.loss import Loss
from minprune.nn.network import Network

EXAMPLES, BATCH = 512, 64
"""How many training samples a score looks at, and how many at a time."""


def card_of(caller: str, criterion: str) -> Card:
    """The card of a score criterion; ValueError with the nearest if there is none."""
    card = CATALOG[one_of(caller, "criterion", criterion, CATALOG)]
    if card.kind != "score":
        raise ValueError(
            f"{caller}: {criterion!r} is a solver, which chooses the masks itself and "
            f"moves what stays; call criteria.{card.family}.{criterion} on the arrays, "
            f"or name a score criterion such as 'magnitude'"
        )
    return card


def score(
    net: Network,
    data: Dataset | None,
    criterion: str,
    *,
    examples: int = EXAMPLES,
    batch: int = BATCH,
    seed: int = 0,
    round: int = 0,
    given: Mapping[str, Mapping[str, AnyArray]] | None = None,
    loss: Loss | None = None,
    **options: Any,
) -> dict[str, FloatArray]:
    """How much each prunable weight of a network matters, by a named criterion.

    Parameters
    ----------
    net : Network
        Left as it is; scored in evaluation mode.
    data : Dataset or None
        Scored on its training split. None will do for a criterion that looks at
        weights alone.
    criterion : str
        A name from `minprune.criteria.CATALOG`.
    examples, batch : int
        Training samples looked at, and how many at a time.
    seed : int
        Draws the samples, and the scores of a criterion that draws.
    round : int
        Names a fresh stream for a criterion that draws: another round, another lot.
    given : dict of evidence name to dict of weight name to ndarray, optional
        Evidence that the network does not hold, such as the `dense_weight` of FORCE.
    loss : callable, optional
        What gradients are taken of; as `minprune.nn.train` chooses when left out.
    **options
        Keyword arguments of the criterion.

    Returns
    -------
    scores : dict of weight name to ndarray of float64
        Higher is kept. Of the weight's shape, or one number a unit, as the card's
        `granularity` says.

    Raises
    ------
    ValueError
        If there is no such criterion, if it is a solver, or if it needs data and there
        are none.

    Examples
    --------
    >>> from minprune import nn
    >>> net = nn.Network(nn.Sequential(nn.Linear(2, 2)), (2,), seed=0)
    >>> net.parameters()["0.weight"][:] = [[1, -3], [2, 0]]
    >>> score(net, None, "magnitude")
    {'0.weight': array([[1., 3.], [2., 0.]])}
    """
    card = card_of("score", criterion)
    given = {} if given is None else given
    asked = tuple(need for need in card.needs if need not in given)
    for need in asked:
        if need not in EVIDENCE:
            raise ValueError(
                f"score: {criterion!r} asks for {need}, which a network alone does not "
                f"hold; pass it as given={{{need!r}: {{weight name: array}}}}"
            )
    if data is None and not set(asked) <= WITHOUT_DATA:
        raise ValueError(
            f"score: {criterion!r} asks for {', '.join(asked)}, which takes data; "
            f"expected a Dataset"
        )
    evidence = collect(
        net,
        data,
        asked,
        examples=examples_of(examples, data),
        batch=positive_int("score", "batch", batch),
        seed=seed,
        loss=loss,
    )
    for need, by_weight in given.items():
        for name, known in evidence.items():
            known[need] = by_weight[name]
    draws = "rng" in inspect.signature(card.function).parameters
    scores = {}
    for name, known in evidence.items():
        how = dict(options)
        if draws:
            how["rng"] = stream(seed, "score", criterion, name, round)
        scores[name] = card.function(*(known[need] for need in card.needs), **how)
    return scores


def examples_of(examples: int, data: Dataset | None) -> int:
    """As many examples as were asked for, or as there are."""
    examples = positive_int("score", "examples", examples)
    return examples if data is None else min(examples, len(data.train))
