"""Norms of filters and channels: how large all the weights are that would go at once.

The first axis of `weight` counts the filters, the second the input channels; a norm
runs over everything else. Norms of one kind rank the filters of one layer; between
layers they also measure how many weights a filter has, which the mean takes out.
"""

import numpy as np

from minprune._check import FloatArray, dimensions, float64
from minprune.criteria._catalog import Holds, criterion

_NORM = {
    Holds.NON_NEGATIVE,
    Holds.ZERO_AT_ZERO,
    Holds.PERMUTES_OUT,
    Holds.PERMUTES_IN,
    Holds.SIGN_FREE,
    Holds.SCALES_WITH_WEIGHT,
    Holds.DATA_FREE,
}


def _sizes(caller: str, weight: FloatArray) -> tuple[FloatArray, tuple[int, ...]]:
    """Sizes of the weights, checked, and the axes that lie inside a filter."""
    dimensions(caller, 1, 2, 3, 4, weight=weight)
    (weight,) = float64(caller, weight=weight)
    return np.abs(weight), tuple(range(1, weight.ndim))


@criterion(
    unit="weight",
    granularity="filter",
    formula="sum of |w| over the filter",
    cites=("li2017pruning",),
    holds=_NORM,
)
def l1_norm(weight: FloatArray) -> FloatArray:
    r"""Sum of the sizes of a filter's weights.

    Parameters
    ----------
    weight : ndarray of float, shape (out, ...)
        Weights of one layer.

    Returns
    -------
    score : ndarray of float64, shape (out,)
        In units of the weight. Higher means keep.

    Raises
    ------
    ValueError
        If `weight` has no axis or more than four, or holds a NaN or an infinity.

    See Also
    --------
    mean_magnitude : Divided by the number of weights, for ranking between layers.

    Notes
    -----
    .. math:: s_c = \sum_{i \in c} |w_i|

    It bounds the filter's output: inputs of size at most 1 give at most :math:`s_c`.

    References
    ----------
    .. [1] H. Li, A. Kadav, I. Durdanovic, H. Samet and H. Graf, "Pruning filters for
       efficient ConvNets", ICLR 2017, Sec. 3.1. arXiv:1608.08710

    Examples
    --------
    >>> l1_norm(np.array([[3.0, -4.0], [0.0, 6.0]]))
    array([7., 6.])
    """
    size, inside = _sizes("l1_norm", weight)
    score: FloatArray = np.sum(size, axis=inside)
    return score


@criterion(
    unit="weight",
    granularity="filter",
    formula="square root of the sum of w^2 over the filter",
    cites=("he2018soft",),
    holds=_NORM,
)
def l2_norm(weight: FloatArray) -> FloatArray:
    r"""Euclidean length of a filter.

    Parameters
    ----------
    weight : ndarray of float, shape (out, ...)
        Weights of one layer.

    Returns
    -------
    score : ndarray of float64, shape (out,)
        In units of the weight. Higher means keep.

    Raises
    ------
    ValueError
        If `weight` has no axis or more than four, or holds a NaN or an infinity.

    See Also
    --------
    squared_norm : Without the root: the same ranking, until something is added to it.

    Notes
    -----
    .. math:: s_c = \sqrt{\textstyle\sum_{i \in c} w_i^2}

    References
    ----------
    .. [1] Y. He, G. Kang, X. Dong, Y. Fu and Y. Yang, "Soft filter pruning for
       accelerating deep convolutional neural networks", IJCAI 2018, Sec. 3.2.
       arXiv:1808.06866

    Examples
    --------
    Here the order is not that of the sums of sizes.

    >>> l2_norm(np.array([[3.0, -4.0], [0.0, 6.0]]))
    array([5., 6.])
    """
    size, inside = _sizes("l2_norm", weight)
    score: FloatArray = np.sqrt(np.sum(size**2, axis=inside))
    return score


@criterion(
    unit="weight^2",
    granularity="filter",
    formula="sum of w^2 over the filter",
    cites=("fang2023depgraph",),
    holds=_NORM,
)
def squared_norm(weight: FloatArray) -> FloatArray:
    r"""Squared length of a filter, so that coupled layers can be added up.

    Parameters
    ----------
    weight : ndarray of float, shape (out, ...)
        Weights of one layer.

    Returns
    -------
    score : ndarray of float64, shape (out,)
        In units of the weight squared. Higher means keep.

    Raises
    ------
    ValueError
        If `weight` has no axis or more than four, or holds a NaN or an infinity.

    See Also
    --------
    l2_norm : Its root.
    group_magnitude : Adds it up over the layers that lose a channel together.

    Notes
    -----
    .. math:: s_c = \sum_{i \in c} w_i^2

    Torch-Pruning's magnitude with p = 2 is this, without a root. Within one layer that
    changes nothing; after a mean over layers, or in a ranking of the network, it does.

    References
    ----------
    .. [1] G. Fang, X. Ma, M. Song, M. Bi Mi and X. Wang, "DepGraph: towards any
       structural pruning", CVPR 2023. arXiv:2301.12900

    Examples
    --------
    >>> squared_norm(np.array([[3.0, -4.0], [0.0, 6.0]]))
    array([25., 36.])
    """
    size, inside = _sizes("squared_norm", weight)
    score: FloatArray = np.sum(size**2, axis=inside)
    return score


@criterion(
    unit="weight",
    granularity="filter",
    formula="largest |w| of the filter",
    cites=("li2017pruning",),
    holds=_NORM,
)
def max_norm(weight: FloatArray) -> FloatArray:
    r"""Size of a filter's largest weight.

    Parameters
    ----------
    weight : ndarray of float, shape (out, ...)
        Weights of one layer.

    Returns
    -------
    score : ndarray of float64, shape (out,)
        In units of the weight. Higher means keep.

    Raises
    ------
    ValueError
        If `weight` has no axis or more than four, or holds a NaN or an infinity.

    Notes
    -----
    .. math:: s_c = \max_{i \in c} |w_i|

    The limit of the p-norms as p grows. A filter without weights scores zero.

    References
    ----------
    .. [1] H. Li, A. Kadav, I. Durdanovic, H. Samet and H. Graf, "Pruning filters for
       efficient ConvNets", ICLR 2017. arXiv:1608.08710

    Examples
    --------
    >>> max_norm(np.array([[3.0, -4.0], [0.0, 6.0]]))
    array([4., 6.])
    """
    size, inside = _sizes("max_norm", weight)
    score: FloatArray = np.max(size, axis=inside, initial=0.0)
    return score


@criterion(
    unit="weight",
    granularity="filter",
    formula="mean of |w| over the filter",
    cites=("zmora2019distiller",),
    normalization="number of weights of the filter",
    holds=_NORM,
)
def mean_magnitude(weight: FloatArray) -> FloatArray:
    r"""Mean size of a filter's weights.

    Parameters
    ----------
    weight : ndarray of float, shape (out, ...)
        Weights of one layer.

    Returns
    -------
    score : ndarray of float64, shape (out,)
        In units of the weight. Higher means keep.

    Raises
    ------
    ValueError
        If `weight` has no axis or more than four, or holds a NaN or an infinity.

    See Also
    --------
    l1_norm : The sum; the same ranking in one layer.
    layer_magnitude : The mean over a whole layer.

    Notes
    -----
    .. math:: s_c = \frac{1}{|c|} \sum_{i \in c} |w_i|

    What Distiller calls its L1 norm. A filter without weights scores zero.

    References
    ----------
    .. [1] N. Zmora, G. Jacob, L. Zlotnik, B. Elharar and G. Novik, "Neural network
       Distiller", 2019. arXiv:1910.12232

    Examples
    --------
    >>> mean_magnitude(np.array([[3.0, -4.0], [0.0, 6.0]]))
    array([3.5, 3. ])
    """
    size, inside = _sizes("mean_magnitude", weight)
    count = max(1, int(np.prod(size.shape[1:])))
    score: FloatArray = np.sum(size, axis=inside) / count
    return score


@criterion(
    unit="weight",
    granularity="channel",
    formula="sum of |w| over everything that reads the input channel",
    cites=("he2018amc",),
    holds=_NORM,
)
def channel_l1_norm(weight: FloatArray) -> FloatArray:
    r"""Sum of the sizes of the weights that read an input channel.

    Parameters
    ----------
    weight : ndarray of float, shape (out, in) or (out, in/groups, height, width)
        Weights of one layer.

    Returns
    -------
    score : ndarray of float64, shape (in,) or (in/groups,)
        In units of the weight. Higher means keep.

    Raises
    ------
    ValueError
        If `weight` has fewer than two axes or more than four, or holds a NaN or an
        infinity.

    See Also
    --------
    l1_norm : The other side: the weights that write an output channel.

    Notes
    -----
    .. math:: s_j = \sum_{o, h, w} |w_{ojhw}|

    The channels a consumer hardly reads, whatever their producer makes of them. In a
    grouped convolution entry j stands for channel j of every group.

    References
    ----------
    .. [1] Y. He, J. Lin, Z. Liu, H. Wang, L. Li and S. Han, "AMC: AutoML for model
       compression and acceleration on mobile devices", ECCV 2018; its code.
       arXiv:1802.03494

    Examples
    --------
    >>> channel_l1_norm(np.array([[3.0, -4.0], [0.0, 6.0]]))
    array([ 3., 10.])
    """
    dimensions("channel_l1_norm", 2, 3, 4, weight=weight)
    (weight,) = float64("channel_l1_norm", weight=weight)
    score: FloatArray = np.sum(np.abs(weight), axis=(0, *range(2, weight.ndim)))
    return score
