r"""Taylor criteria summed over a filter: what removing all its weights costs.

To first order the cost of a filter is :math:`-\sum w g`. Six ways of turning that into
a score are in use. They differ in whether the square or the absolute value stands
outside the sum (contributions of opposite sign cancel, as they do in the loss) or
inside, and on which side of the mean over batches. The first axis counts the filters;
everything else is summed over.
"""

import numpy as np

from minprune._check import FloatArray, dimensions, float64, same_shape
from minprune.criteria._batches import by_batch
from minprune.criteria._catalog import Holds, criterion

_FILTER = {
    Holds.ZERO_AT_ZERO,
    Holds.PERMUTES_OUT,
    Holds.PERMUTES_IN,
    Holds.SCALES_WITH_WEIGHT,
    Holds.RESCALES,
}


def _products(caller: str, weight: FloatArray, grad: FloatArray) -> FloatArray:
    """The products w g of one layer, checked."""
    dimensions(caller, 1, 2, 3, 4, weight=weight)
    same_shape(caller, weight=weight, grad=grad)
    weight, grad = float64(caller, weight=weight, grad=grad)
    return weight * grad


def _products_by_batch(
    caller: str, weight: FloatArray, grad_by_batch: FloatArray
) -> FloatArray:
    """The products w g_b of one layer, batches first, checked."""
    dimensions(caller, 1, 2, 3, 4, weight=weight)
    by_batch(caller, "weight", weight, grad_by_batch)
    weight, grad = float64(caller, weight=weight, grad_by_batch=grad_by_batch)
    return weight * grad


def _over_filter(product: FloatArray, first: int = 1) -> FloatArray:
    """Sum over every axis from `first` on."""
    total: FloatArray = product.sum(axis=tuple(range(first, product.ndim)))
    return total


@criterion(
    unit="loss^2",
    granularity="filter",
    formula="(sum of w g over the filter)^2",
    cites=("molchanov2019importance",),
    batch="square after mean",
    holds=_FILTER | {Holds.NON_NEGATIVE},
)
def taylor_filter(weight: FloatArray, grad: FloatArray) -> FloatArray:
    r"""Squared first-order cost of removing a filter, by the paper's formula.

    Parameters
    ----------
    weight : ndarray of float, shape (out, ...)
        Weights of one layer.
    grad : ndarray of float, same shape as `weight`
        Gradient of the mean loss at `weight`, in loss per weight.

    Returns
    -------
    score : ndarray of float64, shape (out,)
        Squared change of the loss, in loss^2. Higher means keep.

    Raises
    ------
    ValueError
        If the shapes differ, or if an array holds a NaN or an infinity.

    See Also
    --------
    taylor_sum : The square inside the sum.
    taylor_gate : The same number from activations, if nothing else feeds the filter.

    Notes
    -----
    .. math:: s_c = \Bigl( \sum_{i \in c} w_i \, g_i \Bigr)^2

    The weights of a filter are one group that goes at once, so its cost is the sum of
    theirs, squared after it.

    *Departs from the official code*, which squares every product before the sum and
    averages over batches: `taylor_sum_by_batch`.

    References
    ----------
    .. [1] P. Molchanov, A. Mallya, S. Tyree, I. Frosio and J. Kautz, "Importance
       estimation for neural network pruning", CVPR 2019, Sec. 3.1. arXiv:1906.10771

    Examples
    --------
    In the first filter two costs cancel: removed together, the weights cost nothing.

    >>> weight, grad = np.array([[1.0, 1.0], [1.0, 0.0]]), np.array([[3.0, -3.0]] * 2)
    >>> taylor_filter(weight, grad)
    array([0., 9.])
    """
    return np.square(_over_filter(_products("taylor_filter", weight, grad)))


@criterion(
    unit="loss^2",
    granularity="filter",
    formula="mean over batches of (sum of w g_b over the filter)^2",
    cites=("molchanov2019importance",),
    batch="square per batch, then mean",
    holds=_FILTER | {Holds.NON_NEGATIVE, Holds.BATCH_ORDER},
)
def taylor_filter_by_batch(weight: FloatArray, grad_by_batch: FloatArray) -> FloatArray:
    r"""Squared first-order cost of removing a filter, averaged over batches.

    Parameters
    ----------
    weight : ndarray of float, shape (out, ...)
        Weights of one layer.
    grad_by_batch : ndarray of float, shape (batches, out, ...)
        Gradient of the mean loss of each batch, in loss per weight.

    Returns
    -------
    score : ndarray of float64, shape (out,)
        Mean squared change of the loss, in loss^2. Higher means keep.

    Raises
    ------
    ValueError
        If the shapes do not fit, if there is no batch, or if an array holds a NaN or an
        infinity.

    See Also
    --------
    taylor_filter : The square after the mean.

    Notes
    -----
    .. math:: s_c = \frac{1}{B} \sum_b \Bigl( \sum_{i \in c} w_i \, g_{b,i} \Bigr)^2

    References
    ----------
    .. [1] P. Molchanov, A. Mallya, S. Tyree, I. Frosio and J. Kautz, "Importance
       estimation for neural network pruning", CVPR 2019, Sec. 3.

    Examples
    --------
    >>> grad_by_batch = np.array([[[3.0, -3.0]], [[1.0, 1.0]]])
    >>> taylor_filter_by_batch(np.array([[1.0, 1.0]]), grad_by_batch)
    array([2.])
    """
    product = _products_by_batch("taylor_filter_by_batch", weight, grad_by_batch)
    score: FloatArray = np.mean(np.square(_over_filter(product, first=2)), axis=0)
    return score


@criterion(
    unit="loss^2",
    granularity="filter",
    formula="sum of (w g)^2 over the filter",
    cites=("molchanov2019importance",),
    batch="square after mean",
    holds=_FILTER | {Holds.NON_NEGATIVE, Holds.SIGN_FREE},
)
def taylor_sum(weight: FloatArray, grad: FloatArray) -> FloatArray:
    r"""Sum of the squared first-order costs of a filter's weights.

    Parameters
    ----------
    weight : ndarray of float, shape (out, ...)
        Weights of one layer.
    grad : ndarray of float, same shape as `weight`
        Gradient of the mean loss at `weight`, in loss per weight.

    Returns
    -------
    score : ndarray of float64, shape (out,)
        Sum of squared changes of the loss, in loss^2. Higher means keep.

    Raises
    ------
    ValueError
        If the shapes differ, or if an array holds a NaN or an infinity.

    See Also
    --------
    taylor_filter : The square outside the sum, as in the paper.

    Notes
    -----
    .. math:: s_c = \sum_{i \in c} (w_i \, g_i)^2

    As if the weights were removed one at a time, each from the full network.

    References
    ----------
    .. [1] P. Molchanov, A. Mallya, S. Tyree, I. Frosio and J. Kautz, "Importance
       estimation for neural network pruning", CVPR 2019; method 0 of its code, on one
       batch.

    Examples
    --------
    >>> weight, grad = np.array([[1.0, 1.0], [1.0, 0.0]]), np.array([[3.0, -3.0]] * 2)
    >>> taylor_sum(weight, grad)
    array([18.,  9.])
    """
    return _over_filter(np.square(_products("taylor_sum", weight, grad)))


@criterion(
    unit="loss^2",
    granularity="filter",
    formula="mean over batches of the sum of (w g_b)^2 over the filter",
    cites=("molchanov2019importance",),
    batch="square per batch, then mean",
    holds=_FILTER | {Holds.NON_NEGATIVE, Holds.SIGN_FREE, Holds.BATCH_ORDER},
)
def taylor_sum_by_batch(weight: FloatArray, grad_by_batch: FloatArray) -> FloatArray:
    r"""Sum of the squared costs of a filter's weights, by the official code.

    Parameters
    ----------
    weight : ndarray of float, shape (out, ...)
        Weights of one layer.
    grad_by_batch : ndarray of float, shape (batches, out, ...)
        Gradient of the mean loss of each batch, in loss per weight.

    Returns
    -------
    score : ndarray of float64, shape (out,)
        Mean over batches, in loss^2. Higher means keep.

    Raises
    ------
    ValueError
        If the shapes do not fit, if there is no batch, or if an array holds a NaN or an
        infinity.

    See Also
    --------
    taylor_filter_by_batch : The square outside the sum, as in the paper.

    Notes
    -----
    .. math:: s_c = \frac{1}{B} \sum_b \sum_{i \in c} (w_i \, g_{b,i})^2

    Method 0 of the code of [1]_. Between prunings that code also carries the score of
    the last one on, times 0.9, which is the procedure's business.

    References
    ----------
    .. [1] P. Molchanov, A. Mallya, S. Tyree, I. Frosio and J. Kautz, "Importance
       estimation for neural network pruning", CVPR 2019; NVlabs/Taylor_pruning,
       `Taylor_weight`.

    Examples
    --------
    >>> grad_by_batch = np.array([[[3.0, -3.0]], [[1.0, 1.0]]])
    >>> taylor_sum_by_batch(np.array([[1.0, 1.0]]), grad_by_batch)
    array([10.])
    """
    product = _products_by_batch("taylor_sum_by_batch", weight, grad_by_batch)
    score: FloatArray = np.mean(_over_filter(np.square(product), first=2), axis=0)
    return score


@criterion(
    unit="loss",
    granularity="filter",
    formula="sum of |w g| over the filter",
    cites=("fang2023depgraph",),
    batch="abs after mean",
    holds=_FILTER | {Holds.NON_NEGATIVE, Holds.SIGN_FREE},
)
def taylor_absolute(weight: FloatArray, grad: FloatArray) -> FloatArray:
    r"""Sum of the sizes of the first-order costs of a filter's weights.

    Parameters
    ----------
    weight : ndarray of float, shape (out, ...)
        Weights of one layer.
    grad : ndarray of float, same shape as `weight`
        Gradient of the mean loss at `weight`, in loss per weight.

    Returns
    -------
    score : ndarray of float64, shape (out,)
        In units of the loss. Higher means keep.

    Raises
    ------
    ValueError
        If the shapes differ, or if an array holds a NaN or an infinity.

    See Also
    --------
    snip : One weight's part of the sum.

    Notes
    -----
    .. math:: s_c = \sum_{i \in c} |w_i \, g_i|

    The default of Torch-Pruning's Taylor importance. With its option `multivariable` it
    takes the absolute value outside, which ranks as `taylor_filter`.

    References
    ----------
    .. [1] G. Fang, X. Ma, M. Song, M. Bi Mi and X. Wang, "DepGraph: towards any
       structural pruning", CVPR 2023; Torch-Pruning, `GroupTaylorImportance`.

    Examples
    --------
    >>> weight, grad = np.array([[1.0, 1.0], [1.0, 0.0]]), np.array([[3.0, -3.0]] * 2)
    >>> taylor_absolute(weight, grad)
    array([6., 3.])
    """
    return _over_filter(np.abs(_products("taylor_absolute", weight, grad)))


@criterion(
    unit="loss",
    granularity="filter",
    formula="sum of w g over the filter, signed",
    cites=("zmora2019distiller",),
    batch="signed mean",
    holds=_FILTER,
)
def taylor_signed(weight: FloatArray, grad: FloatArray) -> FloatArray:
    r"""Slope of the loss as a filter grows, with its sign.

    Parameters
    ----------
    weight : ndarray of float, shape (out, ...)
        Weights of one layer.
    grad : ndarray of float, same shape as `weight`
        Gradient of the mean loss at `weight`, in loss per weight.

    Returns
    -------
    score : ndarray of float64, shape (out,)
        In units of the loss. Higher means keep.

    Raises
    ------
    ValueError
        If the shapes differ, or if an array holds a NaN or an infinity.

    See Also
    --------
    taylor_filter : Its square: large costs and large gains are both kept.
    movement : The opposite sign, and reason.

    Notes
    -----
    .. math:: s_c = \sum_{i \in c} w_i \, g_i

    Distiller's `GradientRankedFilterPruner` removes the most negative first. Removing a
    filter moves the loss by :math:`-s_c` to first order, so what goes first is what
    should cost most. It is here because it is in use, not because it is advised.

    References
    ----------
    .. [1] N. Zmora, G. Jacob, L. Zlotnik, B. Elharar and G. Novik, "Neural network
       Distiller", 2019. arXiv:1910.12232

    Examples
    --------
    >>> taylor_signed(np.array([[1.0, 1.0], [1.0, 0.0]]), np.array([[3.0, -4.0]] * 2))
    array([-1.,  3.])
    """
    return _over_filter(_products("taylor_signed", weight, grad))
