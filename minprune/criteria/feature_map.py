"""Criteria that read the feature maps of an example as matrices.

A map of low rank repeats itself; a map that is a mixture of the other channels' maps
adds nothing to them. Ranks and nuclear norms say how much of either there is.
"""

import numpy as np

from minprune._check import FloatArray, dimensions, float64
from minprune.criteria._catalog import Holds, criterion

FLOAT32 = float(np.finfo(np.float32).eps)


@criterion(
    unit="1",
    granularity="filter",
    formula="mean_n rank(a_nc)",
    cites=("lin2020hrank",),
    batch="rank per example, then mean",
    holds={
        Holds.NON_NEGATIVE,
        Holds.ZERO_AT_ZERO,
        Holds.PERMUTES_OUT,
        Holds.BATCH_ORDER,
    },
)
def hrank(activation: FloatArray, *, tolerance: float | None = None) -> FloatArray:
    r"""Average rank of a channel's feature map.

    Parameters
    ----------
    activation : ndarray of float, shape (examples, out[, height[, width]])
        Feature maps. Vectors and single numbers are matrices of one row.
    tolerance : float, optional
        Singular values below this share of the largest do not count. By default the
        longer side of a map times the spacing of float32 at 1, as in the authors' code,
        which works in float32.

    Returns
    -------
    score : ndarray of float64, shape (out,)
        Mean rank, 0 to the shorter side of a map. Higher means keep.

    Raises
    ------
    ValueError
        If there is no example, `tolerance` is negative, or `activation` holds a NaN or
        an infinity.

    See Also
    --------
    chip : Compares the channels with one another.

    Notes
    -----
    .. math:: s_c = \frac1N \sum_n \mathrm{rank}(a_{nc})

    ([1]_). The rank of floating-point numbers is defined by the tolerance alone,
    so it is an argument. The paper finds the mean to settle after a few examples.

    References
    ----------
    .. [1] M. Lin et al., "HRank: Filter pruning using high-rank feature map", CVPR
       2020. arXiv:2002.10179

    Examples
    --------
    A map of equal rows against a map with a diagonal.

    >>> maps = np.array([[np.ones((2, 2)), np.eye(2)]])
    >>> hrank(maps)
    array([1., 2.])
    """
    maps = _maps("hrank", activation)
    if tolerance is None:
        tolerance = max(maps.shape[2:]) * FLOAT32
    if not (np.isfinite(tolerance) and tolerance >= 0):
        raise ValueError(f"hrank: tolerance is {tolerance}; expected 0 or more")
    ranks = np.linalg.matrix_rank(maps, rtol=tolerance)
    score: FloatArray = ranks.mean(axis=0, dtype=np.float64)
    return score


@criterion(
    unit="output",
    granularity="filter",
    formula="mean_n (||A_n||_* - ||A_n without row c||_*), A = maps as rows",
    cites=("sui2021chip",),
    batch="difference per example, then mean",
    holds={
        Holds.NON_NEGATIVE,
        Holds.ZERO_AT_ZERO,
        Holds.PERMUTES_OUT,
        Holds.BATCH_ORDER,
    },
)
def chip(activation: FloatArray) -> FloatArray:
    r"""Channel independence: the nuclear norm that is gone when a channel's map is.

    Parameters
    ----------
    activation : ndarray of float, shape (examples, out[, height[, width]])
        Feature maps.

    Returns
    -------
    score : ndarray of float64, shape (out,)
        Mean loss of nuclear norm, between zero and the mean length of the channel's
        map. Higher means keep.

    Raises
    ------
    ValueError
        If there is no example, or `activation` holds a NaN or an infinity.

    See Also
    --------
    hrank : Looks at each channel alone.

    Notes
    -----
    With :math:`A_n` the matrix whose row c is channel c's flattened map on example n,
    and the nuclear norm :math:`\|\cdot\|_*` the sum of the singular values,

    .. math:: s_c = \frac1N \sum_n
              \left( \|A_n\|_* - \|A_n \text{ with row } c \text{ zero}\|_* \right)

    ([1]_). For mutually orthogonal maps it is the map's length; a row that
    the others can express loses less. Cost: one singular value decomposition for every
    example and channel.

    *Departs from the published code*, which rounds the maps to four decimals first.

    References
    ----------
    .. [1] Y. Sui et al., "CHIP: Channel independence-based pruning for compact neural
       networks", NeurIPS 2021. arXiv:2110.13981

    Examples
    --------
    Three maps of length 5; the first two are the same.

    >>> maps = np.array([[[3.0, 4.0, 0.0], [3.0, 4.0, 0.0], [0.0, 0.0, 5.0]]])
    >>> chip(maps).round(2)
    array([2.07, 2.07, 5.  ])
    """
    maps = _maps("chip", activation)
    flat = maps.reshape(*maps.shape[:2], -1)
    whole = np.linalg.norm(flat, "nuc", axis=(1, 2))
    score = np.empty(flat.shape[1])
    for c in range(len(score)):
        without = flat.copy()
        without[:, c] = 0.0
        lost = whole - np.linalg.norm(without, "nuc", axis=(1, 2))
        score[c] = max(lost.mean(), 0.0)  # never negative, but for rounding
    return score


def _maps(caller: str, activation: FloatArray) -> FloatArray:
    """Activations as (examples, out, height, width), one row for what has no height."""
    (a,) = float64(caller, activation=activation)
    dimensions(caller, 2, 3, 4, activation=a)
    if a.size == 0:
        raise ValueError(
            f"{caller}: activation has shape {a.shape}, which holds no map to look at; "
            f"expected one example or more"
        )
    return a if a.ndim == 4 else a.reshape(*a.shape[:2], 1, -1)
