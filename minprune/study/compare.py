"""How alike two criteria judge a network: their rankings, and the masks they give."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from minprune._check import AnyArray, BoolArray, FloatArray
from minprune.data import Dataset
from minprune.masks import Share, select
from minprune.nn.network import Network
from minprune.prune import score


@dataclass(frozen=True, slots=True)
class Pair:
    """Two criteria on one network."""

    first: str
    second: str
    rank_correlation: float
    """Spearman's, over all scored units; NaN where one ranks all equal."""
    overlap: float
    """Kept by both over kept by either (Jaccard); 1 where both keep nothing."""


def compare(
    net: Network,
    data: Dataset,
    criteria: Sequence[str],
    *,
    sparsity: Share = "0.9",
    examples: int = 512,
    seed: int = 0,
) -> list[Pair]:
    """Compare criteria pair by pair.

    Parameters
    ----------
    net : Network
        Scored in evaluation mode, and left as it is.
    data : Dataset
        For criteria that look at more than weights.
    criteria : sequence of str
        Two names or more from the catalog, all scoring the same kind of unit.
    sparsity : share
        At which the masks are compared, with network scope.
    examples, seed
        Of the evidence; the same for all criteria.

    Returns
    -------
    pairs : list of Pair
        In the order of `criteria`.

    Raises
    ------
    ValueError
        If fewer than two are named, or if they score different kinds of units.
    """
    if len(criteria) < 2:
        raise ValueError(f"compare: {len(criteria)} criteria; expected two or more")
    scores = {
        name: score(net, data, name, examples=examples, seed=seed) for name in criteria
    }
    first = criteria[0]
    for name, own in scores.items():
        for layer, values in own.items():
            if values.shape != scores[first][layer].shape:
                raise ValueError(
                    f"compare: {name!r} gives {layer} a score of shape {values.shape} "
                    f"but {first!r} one of shape {scores[first][layer].shape}; only "
                    f"criteria that score the same units can be compared"
                )
    ranks = {name: _ranks(np.concatenate(_flat(own))) for name, own in scores.items()}
    kept = {
        name: np.concatenate(_flat(select(own, sparsity=sparsity, scope="network")))
        for name, own in scores.items()
    }
    return [
        Pair(a, b, _correlation(ranks[a], ranks[b]), _overlap(kept[a], kept[b]))
        for a, b in combinations(criteria, 2)
    ]


def _flat(by_layer: Mapping[str, AnyArray]) -> list[AnyArray]:
    """Every layer's entries in flat order."""
    return [values.ravel() for values in by_layer.values()]


def _ranks(values: FloatArray) -> FloatArray:
    """Rank of each value, equal values sharing the mean of their ranks."""
    from scipy.stats import rankdata

    ranks: FloatArray = rankdata(values)
    return ranks


def _correlation(a: FloatArray, b: FloatArray) -> float:
    """Pearson's correlation of two rankings, which is Spearman's."""
    a, b = a - a.mean(), b - b.mean()
    size = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / size) if size else float("nan")


def _overlap(a: BoolArray, b: BoolArray) -> float:
    """Jaccard index of two masks."""
    either = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / either if either else 1.0
