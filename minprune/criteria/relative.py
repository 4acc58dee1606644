"""Criteria that ask how large a weight is beside others, so that layers compare.

Ranked by plain size, a layer whose weights are all small loses everything. A share has
no such scale: of the length of the layer, of what a neuron receives and an input sends,
or of what would outlive the weight. No share changes when the layer is multiplied by a
number. `weight` is one layer's, in units of itself.
"""

import numpy as np

from minprune._check import FloatArray, dimensions, float64
from minprune.criteria._catalog import Holds, criterion
from minprune.criteria._ratio import ratio, share_of_outliving

_SHARE = {
    Holds.NON_NEGATIVE,
    Holds.ZERO_AT_ZERO,
    Holds.PERMUTES_OUT,
    Holds.PERMUTES_IN,
    Holds.SIGN_FREE,
    Holds.SCALES_WITH_WEIGHT,
    Holds.SCALE_INVARIANT,
    Holds.DATA_FREE,
}


@criterion(
    unit="1",
    granularity="weight",
    formula="|w| / ||W||_2",
    cites=("nncf2020",),
    normalization="Euclidean norm of the layer",
    holds=_SHARE,
)
def normalized_magnitude(weight: FloatArray) -> FloatArray:
    r"""Size of a weight as a share of its layer's length.

    Layers whose weights are small all over (because a batch norm follows, say) lose
    everything to plain magnitude when the network is ranked as one. Dividing by the
    layer's Euclidean norm takes that scale out.

    Parameters
    ----------
    weight : ndarray of float, any shape
        Weights of one layer.

    Returns
    -------
    score : ndarray of float64, same shape as `weight`
        A share between 0 and 1; the squares of a layer sum to 1. Higher means keep.

    Raises
    ------
    ValueError
        If `weight` holds a NaN or an infinity.

    Notes
    -----
    .. math:: s_i = |w_i| \,/\, \sqrt{\textstyle\sum_j w_j^2}

    A layer of zeros scores zero everywhere; the formula as printed divides 0 by 0.

    References
    ----------
    .. [1] A. Kozlov, I. Lazarevich, V. Shamporov, N. Lyalyushkin and Y. Gorbachev,
       "Neural network compression framework for fast model inference", 2020.
       arXiv:2002.08679. The normed magnitude of its global ranking.

    Examples
    --------
    >>> normalized_magnitude(np.array([3.0, -4.0]))
    array([0.6, 0.8])
    """
    (weight,) = float64("normalized_magnitude", weight=weight)
    return ratio(np.abs(weight), np.sqrt(np.sum(weight**2)))


@criterion(
    unit="1",
    granularity="weight",
    formula="|w| / sum over its row + |w| / sum over its column",
    cites=("zhang2024plug",),
    normalization="sums of |w| over the output unit and over the input feature",
    holds=_SHARE,
)
def relative_importance(weight: FloatArray) -> FloatArray:
    r"""Share of a weight in what its neuron receives and in what its input sends out.

    Plain magnitude can cut every connection of an input or an output unit whose weights
    are small throughout. A share cannot all be small: each row and column sums to one.

    Parameters
    ----------
    weight : ndarray of float, shape (out, in) or (out, in/groups, height, width)
        Weights of one layer. A convolution is seen unfolded, (out, in*height*width). A
        vector is a column of single weights.

    Returns
    -------
    score : ndarray of float64, same shape as `weight`
        Between 0 and 2, without a unit. Higher means keep.

    Raises
    ------
    ValueError
        If `weight` holds a NaN or an infinity, or has no axis.

    See Also
    --------
    ria : The same, times a power of the norm of the input.

    Notes
    -----
    .. math:: s_{ij} = \frac{|w_{ij}|}{\sum_k |w_{ik}|}
                     + \frac{|w_{ij}|}{\sum_k |w_{kj}|}

    A row or column of zeros adds nothing; the formula as printed divides 0 by 0.

    *Departs from the paper*: [1]_ treats linear layers only. The unfolded view of a
    grouped convolution adds up columns of different groups.

    References
    ----------
    .. [1] Y. Zhang, H. Bai, H. Lin, J. Zhao, L. Hou and C. Cannistraci, "Plug-and-play:
       an efficient post-training pruning method for large language models", ICLR 2024.

    Examples
    --------
    The smallest weight is alone in its row and scores highest.

    >>> relative_importance(np.array([[0.1, 0.0], [0.4, 0.5]])).round(3)
    array([[1.2  , 0.   ],
           [1.244, 1.556]])
    """
    (weight,) = float64("relative_importance", weight=weight)
    dimensions("relative_importance", 1, 2, 3, 4, weight=weight)
    size = np.abs(weight)
    row = size.sum(axis=tuple(range(1, size.ndim)), keepdims=True)
    column = size.sum(axis=0)
    return ratio(size, row) + ratio(size, column)


@criterion(
    unit="1",
    granularity="weight",
    formula="w_i^2 / sum of w_j^2 over the weights that are not smaller",
    cites=("lee2021layer",),
    normalization="squares of the weights that would outlive it, in the layer",
    holds=_SHARE,
)
def lamp(weight: FloatArray) -> FloatArray:
    r"""Magnitude relative to the weights that would still stand when this one falls.

    Removing the smallest weights of a layer one after another, the score of each is the
    share of the remaining square length that goes with it. Within a layer the order is
    that of magnitude; between layers the score makes a global ranking choose sensible
    sparsities, and since the last weight of a layer scores 1, none is emptied first.

    Parameters
    ----------
    weight : ndarray of float, any shape
        Weights of one layer.

    Returns
    -------
    score : ndarray of float64, same shape as `weight`
        Between 0 and 1, without a unit; exactly 1 for the largest weight. Higher means
        keep.

    Raises
    ------
    ValueError
        If `weight` holds a NaN or an infinity.

    See Also
    --------
    magnitude : The same ranking inside one layer.

    Notes
    -----
    .. math:: s_i = \frac{w_i^2}{\sum_{j \ge i} w_j^2}
              \quad \text{with } w_1^2 \le w_2^2 \le \dots

    Of equal weights the one with the lower flat index comes first, so it scores lower
    and is removed first, as the selection breaks any other tie. The sums run from the
    largest weight down, in float64: taken as "total minus what came before" in float32,
    as some implementations do, they lose the tail of a large layer. A layer of zeros
    scores zero.

    References
    ----------
    .. [1] J. Lee, S. Park, S. Mo, S. Ahn and J. Shin, "Layer-adaptive sparsity for the
       magnitude-based pruning", ICLR 2021. arXiv:2010.07611

    Examples
    --------
    >>> lamp(np.array([[1.0, -2.0], [0.0, 2.0]])).round(3)
    array([[0.111, 0.5  ],
           [0.   , 1.   ]])
    """
    (weight,) = float64("lamp", weight=weight)
    return share_of_outliving(np.square(weight))
