"""Scores of a whole network: the card by its name, its evidence, one call a weight."""

import inspect
from typing import Any

from minprune._check import FloatArray, one_of, positive_int
from minprune._random import stream
from minprune.criteria import CATALOG, Card
from minprune.data import Dataset
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
    if card.needs == ("weight",):
        evidence = {name: {"weight": weight} for name, weight in net.weights().items()}
    elif data is None:
        raise ValueError(
            f"score: {criterion!r} asks for {', '.join(card.needs)}, which takes data; "
            f"expected a Dataset"
        )
    else:
        evidence = collect(
            net,
            data.train,
            card.needs,
            examples=positive_int("score", "examples", examples),
            batch=positive_int("score", "batch", batch),
            seed=seed,
        )
    draws = "rng" in inspect.signature(card.function).parameters
    scores = {}
    for name, known in evidence.items():
        given = dict(options)
        if draws:
            given["rng"] = stream(seed, "score", criterion, name, round)
        scores[name] = card.function(*(known[need] for need in card.needs), **given)
    return scores


def collect(
    net: Network,
    split: Any,
    needs: tuple[str, ...],
    *,
    examples: int,
    batch: int,
    seed: int,
) -> Any:
    """Weight and grad."""
    from minprune._check import one_of as known
    from minprune.nn import cross_entropy

    for need in needs:
        known("collect", "evidence", need, ("weight", "grad"))
    rows = stream(seed, "evidence").permutation(len(split))[:examples]
    total: Any = {}
    for part in range(0, len(rows), batch):
        some = rows[part : part + batch]
        _, delta = cross_entropy(net.forward(net.enter(split.x[some])), split.y[some])
        net.backward(delta * (len(some) / len(rows)))
        grads = net.gradients()
        for name in net.weights():
            total[name] = total.get(name, 0) + grads[name].astype("f8")
    return {
        name: {"weight": w, "grad": total[name]} for name, w in net.weights().items()
    }
