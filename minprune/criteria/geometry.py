"""Criteria that see filters as points and ask which of them others could stand for.

A filter in the middle of the cloud, or pointing where another points, is replaceable
however long it is. Every filter is one row of the flattened weight; no data is asked
for. Flipping a filter's sign moves its point, so none of these is free of signs.
"""

import numpy as np

from minprune._check import FloatArray, dimensions, float64, positive_int
from minprune.criteria._catalog import Holds, criterion


@criterion(
    unit="weight",
    granularity="filter",
    formula="sum_j ||w_i - w_j||_2",
    cites=("he2019filter",),
    holds={
        Holds.NON_NEGATIVE,
        Holds.PERMUTES_OUT,
        Holds.PERMUTES_IN,
        Holds.SCALES_WITH_WEIGHT,
        Holds.DATA_FREE,
    },
)
def fpgm(weight: FloatArray) -> FloatArray:
    r"""Filter pruning by geometric median: how far a filter is from all the others.

    Parameters
    ----------
    weight : ndarray of float, shape (out, ...)
        Weights of one layer, one filter for every index of the first axis.

    Returns
    -------
    score : ndarray of float64, shape (out,)
        Sum of the distances to the other filters. Higher means keep.

    Raises
    ------
    ValueError
        If `weight` has no axis or holds a NaN or an infinity.

    See Also
    --------
    fpgm_two_stage : What the authors' code does.
    fpgm_of_squares : What another toolkit calls by the same name.
    cosine_redundancy : Asks for the nearest direction only.

    Notes
    -----
    .. math:: s_i = \sum_j \| w_i - w_j \|_2

    ([1]_, Sec. 3). The filter with the lowest sum lies nearest to the geometric median,
    the point where that sum is least of all. Turning all filters by one orthogonal
    matrix, or shifting them by one vector, changes nothing; flipping the sign of one
    does. *Also known as*: the FPGM of NNI and of NNCF.

    References
    ----------
    .. [1] Y. He, P. Liu, Z. Wang, Z. Hu and Y. Yang, "Filter pruning via geometric
       median for deep convolutional neural networks acceleration", CVPR 2019.
       arXiv:1811.00250

    Examples
    --------
    The filter in the middle goes first, though it is not the smallest.

    >>> fpgm(np.array([[0.0], [2.0], [5.0]]))
    array([7., 5., 8.])
    """
    score: FloatArray = _distances(_filters("fpgm", weight)).sum(axis=1)
    return score


@criterion(
    unit="place in the order of removal",
    granularity="filter",
    formula="first the by_norm lowest ||w_i||, then by sum_j ||w_i - w_j|| of the rest",
    cites=("he2019filter",),
    normalization="ranked within the layer",
    holds={
        Holds.NON_NEGATIVE,
        Holds.PERMUTES_OUT,
        Holds.SCALES_WITH_WEIGHT,
        Holds.DATA_FREE,
    },
)
def fpgm_two_stage(weight: FloatArray, *, by_norm: int = 0) -> FloatArray:
    r"""The authors' FPGM: small filters first, then those in the middle of the rest.

    Parameters
    ----------
    weight : ndarray of float, shape (out, ...)
        Weights of one layer, one filter for every index of the first axis.
    by_norm : int
        How many filters go for their norm before distances are looked at.

    Returns
    -------
    score : ndarray of float64, shape (out,)
        Place in the order of removal, 0 for the first. Higher means keep. The numbers
        mean nothing across layers.

    Raises
    ------
    ValueError
        If `by_norm` is not between 0 and the number of filters, or `weight` has no
        axis or holds a NaN or an infinity.
    TypeError
        If `by_norm` is not a whole number.

    See Also
    --------
    fpgm : The paper's formula alone, the order of `by_norm` 0.

    Notes
    -----
    The `by_norm` filters of smallest :math:`\|w_i\|_2` come first, in that order. The
    others follow by :math:`\sum_j \|w_i - w_j\|_2` over the others only. Ties go by
    index. It matches ``get_filter_similar`` in ``pruning_cifar10.py`` of the authors'
    repository (commit cf41d15), which takes both counts as truncated shares. Its switch
    to other distances compares with a constant, so it always runs the Euclidean one.

    References
    ----------
    .. [1] Y. He, P. Liu, Z. Wang, Z. Hu and Y. Yang, "Filter pruning via geometric
       median for deep convolutional neural networks acceleration", CVPR 2019.
       arXiv:1811.00250

    Examples
    --------
    Without its smallest filter the layer has another middle.

    >>> weight = np.array([[0.0], [2.0], [5.0], [6.0]])
    >>> fpgm_two_stage(weight)
    array([3., 0., 1., 2.])
    >>> fpgm_two_stage(weight, by_norm=1)
    array([0., 3., 1., 2.])
    """
    w = _filters("fpgm_two_stage", weight)
    if positive_int("fpgm_two_stage", "by_norm", by_norm, minimum=0) > len(w):
        raise ValueError(
            f"fpgm_two_stage: by_norm is {by_norm} but there are {len(w)} filters; "
            f"expected 0 to {len(w)}"
        )
    small = np.argsort(np.linalg.norm(w, axis=1), kind="stable")[:by_norm]
    rest = np.setdiff1d(np.arange(len(w)), small)
    far = _distances(w[rest]).sum(axis=1)
    order = np.concatenate([small, rest[np.argsort(far, kind="stable")]])
    place = np.empty(len(w))
    place[order] = np.arange(len(w))
    return place


@criterion(
    unit="weight^2",
    granularity="filter",
    formula="sum_j ||w_i^2 - w_j^2||_2, squares entry by entry",
    cites=("fang2023depgraph", "he2019filter"),
    holds={
        Holds.NON_NEGATIVE,
        Holds.PERMUTES_OUT,
        Holds.PERMUTES_IN,
        Holds.SIGN_FREE,
        Holds.SCALES_WITH_WEIGHT,
        Holds.DATA_FREE,
    },
)
def fpgm_of_squares(weight: FloatArray) -> FloatArray:
    r"""FPGM on squared weights, as Torch-Pruning computes it for one layer.

    Parameters
    ----------
    weight : ndarray of float, shape (out, ...)
        Weights of one layer, one filter for every index of the first axis.

    Returns
    -------
    score : ndarray of float64, shape (out,)
        Sum of the distances between squared filters. Higher means keep.

    Raises
    ------
    ValueError
        If `weight` has no axis or holds a NaN or an infinity.

    See Also
    --------
    fpgm : On the weights themselves.

    Notes
    -----
    .. math:: s_i = \sum_j \| w_i \odot w_i - w_j \odot w_j \|_2

    ``FPGMImportance`` with its default exponent 2 raises the weights to it before it
    takes distances, so a filter and its negative count as the same point. In a coupled
    group it adds the other layers' distances; here there is one layer.

    References
    ----------
    .. [1] G. Fang, X. Ma, M. Song, M. B. Mi and X. Wang, "DepGraph: Towards any
       structural pruning", CVPR 2023 (the toolkit). arXiv:2301.12900
    .. [2] Y. He, P. Liu, Z. Wang, Z. Hu and Y. Yang, "Filter pruning via geometric
       median for deep convolutional neural networks acceleration", CVPR 2019.

    Examples
    --------
    Opposite filters are far apart, and here in the same place.

    >>> weight = np.array([[1.0], [-1.0], [2.0]])
    >>> fpgm(weight), fpgm_of_squares(weight)
    (array([3., 5., 4.]), array([3., 3., 6.]))
    """
    squares = _filters("fpgm_of_squares", weight) ** 2
    score: FloatArray = _distances(squares).sum(axis=1)
    return score


@criterion(
    unit="1",
    granularity="filter",
    formula="1 - max_{j != i} cos(w_i, w_j)",
    cites=("ayinde2018building",),
    normalization="length of each filter",
    holds={
        Holds.NON_NEGATIVE,
        Holds.ZERO_AT_ZERO,
        Holds.PERMUTES_OUT,
        Holds.PERMUTES_IN,
        Holds.SCALES_WITH_WEIGHT,
        Holds.SCALE_INVARIANT,
        Holds.DATA_FREE,
    },
)
def cosine_redundancy(weight: FloatArray) -> FloatArray:
    r"""How far the nearest other filter points away from this one.

    Parameters
    ----------
    weight : ndarray of float, shape (out, ...)
        Weights of one layer, one filter for every index of the first axis.

    Returns
    -------
    score : ndarray of float64, shape (out,)
        One minus the largest cosine to another filter, 0 to 2. Higher means keep.

    Raises
    ------
    ValueError
        If `weight` has no axis or holds a NaN or an infinity.

    See Also
    --------
    fpgm : Sums distances, so that length matters.
    data_free_saliency : Also asks what the next layer makes of the two.

    Notes
    -----
    .. math:: s_i = 1 - \max_{j \ne i} \frac{w_i^\top w_j}{\|w_i\| \|w_j\|}

    Filters that point the same way say the same thing at two volumes, and behind a
    batch norm the same thing. Both filters of such a pair score low: remove one and
    score again. An all-zero filter scores 0, a filter without another 1.

    *Departs from the paper*, which joins filters into clusters by this cosine and keeps
    one of each; the score ranks by the first join.

    References
    ----------
    .. [1] B. O. Ayinde and J. M. Zurada, "Building efficient ConvNets using redundant
       feature pruning", 2018. arXiv:1802.07653

    Examples
    --------
    >>> cosine_redundancy(np.array([[1.0, 0.0], [3.0, 0.0], [0.0, 1.0]]))
    array([0., 0., 1.])
    """
    w = _filters("cosine_redundancy", weight)
    length = np.linalg.norm(w, axis=1)
    unit = w / np.where(length > 0, length, 1.0)[:, None]
    cosine = np.clip(unit @ unit.T, -1.0, 1.0)
    np.fill_diagonal(cosine, -np.inf)
    nearest = cosine.max(axis=1, initial=-np.inf)
    alone = np.isinf(nearest)
    return np.where(length > 0, 1.0 - np.where(alone, 0.0, nearest), 0.0)


def _filters(caller: str, weight: FloatArray) -> FloatArray:
    """The weight in float64 as (out, K)."""
    (w,) = float64(caller, weight=weight)
    dimensions(caller, 1, 2, 3, 4, weight=w)
    return w.reshape(len(w), -1) if w.size else w.reshape(len(w), 0)


def _distances(points: FloatArray) -> FloatArray:
    """Distance of every pair, row by row: differences first, so that none cancels."""
    apart = np.zeros((len(points), len(points)))
    for i, point in enumerate(points):
        apart[i] = np.linalg.norm(points - point, axis=1)
    return apart
