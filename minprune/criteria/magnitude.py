"""Criteria that look at one weight and ask how large it is.

A small weight changes its neuron's sum little, whatever comes in. Here its size is
taken as it is, counted in standard deviations of its layer, or averaged over the whole
layer; `relative` measures it against its neighbors. `weight` is one layer's, in units
of itself; its shape is (out, in), (out, in/groups, height, width), or any other.
"""

import numpy as np

from minprune._check import BoolArray, FloatArray, float64
from minprune.criteria._catalog import Holds, criterion
from minprune.criteria._ratio import deviation, ratio


@criterion(
    unit="weight",
    granularity="weight",
    formula="|w|",
    cites=("han2015learning", "janowsky1989pruning"),
    holds={
        Holds.NON_NEGATIVE,
        Holds.ZERO_AT_ZERO,
        Holds.PERMUTES_OUT,
        Holds.PERMUTES_IN,
        Holds.SIGN_FREE,
        Holds.SCALES_WITH_WEIGHT,
        Holds.DATA_FREE,
    },
)
def magnitude(weight: FloatArray) -> FloatArray:
    r"""Size of a weight: the one criterion that needs nothing but the weight.

    Parameters
    ----------
    weight : ndarray of float, any shape
        Weights of one layer.

    Returns
    -------
    score : ndarray of float64, same shape as `weight`
        The absolute value, in units of the weight. Higher means keep.

    Raises
    ------
    ValueError
        If `weight` holds a NaN or an infinity.

    See Also
    --------
    normalized_magnitude : The same, comparable between layers of different scale.
    lamp : The same, for ranking the whole network at once.

    Notes
    -----
    .. math:: s_i = |w_i|

    Whether the layers compete ("global magnitude") is a choice of the selection's
    scope, not of the score.

    References
    ----------
    .. [1] S. Han, J. Pool, J. Tran and W. Dally, "Learning both weights and
       connections for efficient neural networks", NeurIPS 2015, Sec. 3.
    .. [2] S. Janowsky, "Pruning versus clipping in neural networks", Phys. Rev. A 39,
       1989.

    Examples
    --------
    >>> magnitude(np.array([[2.0, -1.0], [0.5, 0.0]]))
    array([[2. , 1. ],
           [0.5, 0. ]])
    """
    (weight,) = float64("magnitude", weight=weight)
    return np.abs(weight)


@criterion(
    unit="1",
    granularity="weight",
    formula="|w| / std(W)",
    cites=("han2015learning",),
    normalization="standard deviation of the layer",
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
def deviation_magnitude(weight: FloatArray) -> FloatArray:
    r"""Size of a weight counted in standard deviations of its layer.

    The quality parameter of the paper is a threshold on this score: keeping what scores
    at least q is what `deviation_mask` does.

    Parameters
    ----------
    weight : ndarray of float, any shape
        Weights of one layer.

    Returns
    -------
    score : ndarray of float64, same shape as `weight`
        Number of standard deviations, without a unit. Higher means keep.

    Raises
    ------
    ValueError
        If `weight` holds a NaN or an infinity.

    See Also
    --------
    deviation_mask : The threshold the paper draws on it.

    Notes
    -----
    .. math:: s_i = |w_i| \,/\, \sigma, \qquad
              \sigma^2 = \frac{1}{n} \sum_j (w_j - \bar w)^2

    The deviation is that of the population (divided by n), about the mean; the paper
    names neither. Since the mean is taken off, flipping the sign of some weights
    changes the score of all. A layer whose weights are all equal has no deviation
    and scores zero.

    References
    ----------
    .. [1] S. Han, J. Pool, J. Tran and W. Dally, "Learning both weights and
       connections for efficient neural networks", NeurIPS 2015, Sec. 4.

    Examples
    --------
    >>> deviation_magnitude(np.array([1.0, -1.0, 3.0, -3.0])).round(3)
    array([0.447, 0.447, 1.342, 1.342])
    """
    (weight,) = float64("deviation_magnitude", weight=weight)
    return ratio(np.abs(weight), deviation(weight))


def deviation_mask(weight: FloatArray, *, quality: float) -> BoolArray:
    """Keep the weights of at least `quality` standard deviations of their layer.

    Parameters
    ----------
    weight : ndarray of float, any shape
        Weights of one layer.
    quality : float
        The factor on the standard deviation, 0 or more.

    Returns
    -------
    mask : ndarray of bool, same shape as `weight`
        True where kept: `|w| >= quality * std(W)`.

    Raises
    ------
    ValueError
        If `weight` holds a NaN or an infinity, or `quality` is negative or no number.

    Notes
    -----
    A threshold gives whatever sparsity it gives: 68 % for normal weights at quality 1.
    To reach a stated sparsity, rank by `deviation_magnitude` instead.

    Examples
    --------
    >>> deviation_mask(np.array([1.0, -1.0, 3.0, -3.0]), quality=1.0)
    array([False, False,  True,  True])
    """
    (weight,) = float64("deviation_mask", weight=weight)
    if not quality >= 0:
        raise ValueError(f"deviation_mask: quality is {quality}; expected 0 or more")
    return np.abs(weight) >= quality * deviation(weight)


@criterion(
    unit="weight",
    granularity="layer",
    formula="mean of |w| over the layer",
    cites=("han2015learning",),
    normalization="number of weights of the layer",
    holds={
        Holds.NON_NEGATIVE,
        Holds.ZERO_AT_ZERO,
        Holds.PERMUTES_OUT,
        Holds.PERMUTES_IN,
        Holds.SIGN_FREE,
        Holds.SCALES_WITH_WEIGHT,
        Holds.DATA_FREE,
    },
)
def layer_magnitude(weight: FloatArray) -> FloatArray:
    r"""Mean size of a layer's weights, to rank whole arrays against each other.

    Parameters
    ----------
    weight : ndarray of float, any shape
        Weights of one layer.

    Returns
    -------
    score : ndarray of float64, shape ()
        Mean absolute value, in units of the weight. Higher means keep.

    Raises
    ------
    ValueError
        If `weight` holds a NaN or an infinity.

    See Also
    --------
    mean_magnitude : The same for every filter.

    Notes
    -----
    .. math:: s = \frac{1}{n} \sum_i |w_i|

    A layer without weights scores zero. Textbooks cut whole arrays below the median of
    this score; what remains of the network after an array is gone is not their
    concern, but yours.

    References
    ----------
    .. [1] S. Han, J. Pool, J. Tran and W. Dally, "Learning both weights and
       connections for efficient neural networks", NeurIPS 2015 (magnitude itself; its
       mean over an array is folklore).

    Examples
    --------
    >>> layer_magnitude(np.array([[1.0, -2.0], [0.0, 3.0]]))
    array(1.5)
    """
    (weight,) = float64("layer_magnitude", weight=weight)
    return np.asarray(np.abs(weight).mean() if weight.size else 0.0)
