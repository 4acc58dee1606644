"""Allocations that let the scores of all layers decide."""

import math
from fractions import Fraction

import numpy as np

from minprune._check import not_negative
from minprune.criteria.relative import lamp as lamp_score
from minprune.masks import _request
from minprune.masks._request import Scores
from minprune.masks.allocate._solve import Counts, asked, level
from minprune.masks.count import Share, apportion, share
from minprune.masks.select import select


def network(scores: Scores, sparsity: Share, *, min_keep: int = 1) -> Counts:
    """What a ranking over all layers takes from each.

    Parameters
    ----------
    scores : dict of name to ndarray
        Higher is kept. Real and finite.
    sparsity : share
        Share to remove of all layers together.
    min_keep : int
        Weights that stay in every layer at least.

    Examples
    --------
    >>> network({"a": np.array([1.0, 2.0, 3.0]), "b": np.array([8.0, 9.0])}, "0.4")
    {'a': 2, 'b': 0}
    """
    masks = select(scores, sparsity=sparsity, scope="network", min_keep=min_keep)
    return {name: int(np.count_nonzero(~mask)) for name, mask in masks.items()}


def lamp(weights: Scores, sparsity: Share, *, min_keep: int = 1) -> Counts:
    """What a ranking over all layers by LAMP score takes from each.

    Parameters
    ----------
    weights : dict of name to ndarray
        The weights, not scores of them.
    sparsity, min_keep
        As in `network`.

    See Also
    --------
    minprune.criteria.relative.lamp : The score.

    References
    ----------
    .. [1] J. Lee, S. Park, S. Mo, S. Ahn and J. Shin, "Layer-adaptive sparsity for the
       magnitude-based pruning", ICLR 2021. arXiv:2010.07611

    Examples
    --------
    Scaling a layer does not change what it loses.

    >>> a, b = np.array([1.0, 2.0, 3.0, 4.0]), np.array([3.0, 1.0])
    >>> lamp({"a": a, "b": b}, "0.5") == lamp({"a": 100 * a, "b": b}, "0.5")
    True
    """
    arrays = _request.arrays("lamp", weights)
    return network(
        {name: lamp_score(array) for name, array in arrays.items()},
        sparsity,
        min_keep=min_keep,
    )


def owl(
    scores: Scores, sparsity: Share, *, outlier: float = 5.0, spread: Share = "0.08"
) -> Counts:
    """Layers with more outlying scores keep more.

    Parameters
    ----------
    scores : dict of name to ndarray
        Scores of 0 or more; the paper takes those of Wanda.
    sparsity : share
        Share to remove of all layers together.
    outlier : float
        Above 0; a score is an outlier if it is above `outlier` times the mean of its
        layer.
    spread : share
        Densities differ from their mean by about this much: between the layer with the
        fewest outliers and the one with the most lie twice `spread`.

    Raises
    ------
    ValueError
        If a score is negative, `outlier` is not a number above 0, or a share is not
        between 0 and 1.

    Notes
    -----
    With D the share of outliers in a layer, its density is
    ``c + 2 spread (D - min D) / (max D - min D)`` [1]_.

    *Departs from the paper*: there c makes the plain mean of the densities what is
    asked, which meets the sparsity only if all layers are of one size, and a density
    may leave [0, 1]. Here densities are clipped to [0, 1], and c is the number for
    which the weights kept add up. If all D are equal, the allocation is uniform. A
    layer without weights counts as one without outliers.

    References
    ----------
    .. [1] L. Yin et al., "Outlier weighed layerwise sparsity (OWL): a missing secret
       sauce for pruning LLMs to high sparsity", ICML 2024. arXiv:2310.05175

    Examples
    --------
    >>> flat, spiky = np.ones(100), np.ones(100)
    >>> spiky[:5] = 50.0
    >>> owl({"flat": flat, "spiky": spiky}, "0.5")
    {'flat': 58, 'spiky': 42}
    """
    arrays = _request.arrays("owl", scores)
    not_negative("owl", **arrays)
    if not 0 < outlier < math.inf:
        raise ValueError(f"owl: outlier is {outlier}; expected a number above 0")
    sizes = {name: array.size for name, array in arrays.items()}
    width = share("owl", spread, "spread")
    outlying = [
        Fraction(int(np.count_nonzero(array > outlier * array.mean())), array.size)
        if array.size
        else Fraction(0)
        for array in arrays.values()
    ]
    least, most = min(outlying), max(outlying)
    unit = 2 * width / (most - least) if most > least else Fraction(0)
    above = [unit * (d - least) for d in outlying]
    keeps = sum(sizes.values()) - asked("owl", sizes, sparsity)
    kept = apportion(level(above, list(sizes.values()), keeps))
    return {name: n - k for (name, n), k in zip(sizes.items(), kept, strict=True)}
