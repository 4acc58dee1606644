"""Taylor criteria on single weights: what removing one costs, by expansion at hand.

Setting a weight to zero moves the loss by about :math:`-w g`. The criteria here start
from that product and differ in where the square stands, after or before the mean over
batches, and in what stands for the second-order term, if it is added. `grad` is the
gradient of the mean loss at `weight`; `grad_by_batch` holds one such gradient for every
batch. Sums over filters are in `taylor_filter`, products with activations in
`taylor_activation`.
"""

import numpy as np

from minprune._check import FloatArray, float64, same_shape
from minprune.criteria._batches import by_batch
from minprune.criteria._catalog import Holds, criterion

_SQUARE = {
    Holds.NON_NEGATIVE,
    Holds.ZERO_AT_ZERO,
    Holds.PERMUTES_OUT,
    Holds.PERMUTES_IN,
    Holds.RESCALES,
}


@criterion(
    unit="loss^2",
    granularity="weight",
    formula="(w g)^2",
    cites=("molchanov2019importance",),
    batch="square after mean",
    holds=_SQUARE | {Holds.SIGN_FREE, Holds.SCALES_WITH_WEIGHT},
)
def taylor(weight: FloatArray, grad: FloatArray) -> FloatArray:
    r"""Squared first-order cost of removing a weight.

    Parameters
    ----------
    weight : ndarray of float, any shape
        Weights of one layer.
    grad : ndarray of float, same shape as `weight`
        Gradient of the mean loss at `weight`, in loss per weight.

    Returns
    -------
    score : ndarray of float64, same shape as `weight`
        Squared change of the loss, in loss^2. Higher means keep.

    Raises
    ------
    ValueError
        If the shapes differ, or if either array holds a NaN or an infinity.

    See Also
    --------
    snip : The square root of it; the same ranking, over any scope.
    taylor_by_batch : Squares before the mean over batches.

    Notes
    -----
    .. math:: s_i = \bigl( L(w) - L(w \,|\, w_i = 0) \bigr)^2
                  \approx (w_i g_i)^2, \qquad g = \partial L / \partial w

    The first form is the definition in [1]_, the second is its expansion at w to first
    order, which is what is computed.

    *Departs from the official code*, which squares per batch and sums over a filter:
    see `taylor_sum_by_batch`.

    References
    ----------
    .. [1] P. Molchanov, A. Mallya, S. Tyree, I. Frosio and J. Kautz, "Importance
       estimation for neural network pruning", CVPR 2019, Sec. 3.1. arXiv:1906.10771

    Examples
    --------
    The largest weight scores low, because the loss hardly feels it.

    >>> taylor(np.array([2.0, -1.0, 0.5]), np.array([0.1, 3.0, -4.0]))
    array([0.04, 9.  , 4.  ])
    """
    same_shape("taylor", weight=weight, grad=grad)
    weight, grad = float64("taylor", weight=weight, grad=grad)
    return np.square(weight * grad)


@criterion(
    unit="loss^2",
    granularity="weight",
    formula="mean over batches of (w g_b)^2",
    cites=("molchanov2019importance", "nni"),
    batch="square per batch, then mean",
    holds=_SQUARE | {Holds.SIGN_FREE, Holds.SCALES_WITH_WEIGHT, Holds.BATCH_ORDER},
)
def taylor_by_batch(weight: FloatArray, grad_by_batch: FloatArray) -> FloatArray:
    r"""Squared first-order cost of removing a weight, averaged over batches.

    Parameters
    ----------
    weight : ndarray of float, any shape
        Weights of one layer.
    grad_by_batch : ndarray of float, shape (batches, *weight.shape)
        Gradient of the mean loss of each batch, in loss per weight.

    Returns
    -------
    score : ndarray of float64, same shape as `weight`
        Mean squared change of the loss, in loss^2. Higher means keep.

    Raises
    ------
    ValueError
        If the shapes do not fit, if there is no batch, or if an array holds a NaN or an
        infinity.

    See Also
    --------
    taylor : Squares after the mean, so that batches may cancel.

    Notes
    -----
    .. math:: s_i = \frac{1}{B} \sum_b (w_i \, g_{b,i})^2

    It exceeds `taylor` by the variance of :math:`w_i g_{b,i}` over the batches, so it
    depends on their size. At a minimum of the loss, where the mean gradient is zero and
    `taylor` is blind, this variance is all that is left. NNI's version 3 computes it;
    its version 2 does not divide by the number of batches.

    References
    ----------
    .. [1] P. Molchanov, A. Mallya, S. Tyree, I. Frosio and J. Kautz, "Importance
       estimation for neural network pruning", CVPR 2019, Sec. 3.

    Examples
    --------
    The gradients of the first weight cancel; its cost does not.

    >>> taylor_by_batch(np.array([2.0, 1.0]), np.array([[1.0, 1.0], [-1.0, 1.0]]))
    array([4., 1.])
    """
    by_batch("taylor_by_batch", "weight", weight, grad_by_batch)
    weight, grad_by_batch = float64(
        "taylor_by_batch", weight=weight, grad_by_batch=grad_by_batch
    )
    score: FloatArray = np.mean(np.square(weight * grad_by_batch), axis=0)
    return score


@criterion(
    unit="loss^2",
    granularity="weight",
    formula="(-w g + w^2 h / 2)^2",
    cites=("molchanov2019importance",),
    batch="square after mean",
    holds=_SQUARE,
)
def taylor_second_order(
    weight: FloatArray, grad: FloatArray, hess_diag: FloatArray
) -> FloatArray:
    r"""Squared cost of removing a weight, with the curvature along it.

    Parameters
    ----------
    weight : ndarray of float, any shape
        Weights of one layer.
    grad : ndarray of float, same shape as `weight`
        Gradient of the mean loss at `weight`, in loss per weight.
    hess_diag : ndarray of float, same shape as `weight`
        Diagonal of the Hessian of the mean loss, in loss per weight^2.

    Returns
    -------
    score : ndarray of float64, same shape as `weight`
        Squared change of the loss, in loss^2. Higher means keep.

    Raises
    ------
    ValueError
        If the shapes differ, or if an array holds a NaN or an infinity.

    See Also
    --------
    taylor : Without the second term.
    obd : Without the first.
    taylor_fisher : Without the square, and with squared gradients for the curvature.

    Notes
    -----
    .. math:: s_i = \Bigl( -w_i g_i + \tfrac{1}{2} w_i^2 H_{ii} \Bigr)^2
                  \approx \bigl( L(w \,|\, w_i = 0) - L(w) \bigr)^2

    Exact when the loss is quadratic in the weight. The two terms may cancel, so here,
    unlike in first order, flipping a weight's sign alone changes its score.

    References
    ----------
    .. [1] P. Molchanov, A. Mallya, S. Tyree, I. Frosio and J. Kautz, "Importance
       estimation for neural network pruning", CVPR 2019, Sec. 3.1; its
       code, method 11.

    Examples
    --------
    The loss (w - 1)^2 is the same at w = 2 and at zero: nothing is lost.

    >>> taylor_second_order(np.array([2.0]), np.array([2.0]), np.array([2.0]))
    array([0.])
    """
    same_shape("taylor_second_order", weight=weight, grad=grad, hess_diag=hess_diag)
    weight, grad, hess_diag = float64(
        "taylor_second_order", weight=weight, grad=grad, hess_diag=hess_diag
    )
    return np.square(-weight * grad + weight**2 * hess_diag / 2)


@criterion(
    unit="loss",
    granularity="weight",
    formula="|w g - w^2 F / 2|",
    cites=("ma2023llmpruner",),
    batch="gradient of the mean loss; for F, square per example, then mean",
    holds=_SQUARE,
)
def taylor_fisher(
    weight: FloatArray, grad: FloatArray, fisher_diag: FloatArray
) -> FloatArray:
    r"""Size of the cost of removing a weight, the Fisher information as its curvature.

    Parameters
    ----------
    weight : ndarray of float, any shape
        Weights of one layer.
    grad : ndarray of float, same shape as `weight`
        Gradient of the mean loss at `weight`, in loss per weight.
    fisher_diag : ndarray of float, same shape as `weight`
        Mean over examples of the squared gradient of each example's loss.

    Returns
    -------
    score : ndarray of float64, same shape as `weight`
        Change of the loss, either way, in units of the loss. Higher means keep.

    Raises
    ------
    ValueError
        If the shapes differ, or if an array holds a NaN or an infinity.

    See Also
    --------
    taylor_second_order : With the curvature itself, and squared.
    fisher : The second term alone.

    Notes
    -----
    .. math:: s_i = \Bigl| w_i g_i - \tfrac{1}{2} w_i^2 F_{ii} \Bigr|
                  \approx \bigl| L(w) - L(w \,|\, w_i = 0) \bigr|

    The expansion of the loss to second order, with :math:`F_{ii}` for the diagonal of
    the Hessian. The two terms may cancel: a weight that descent would make smaller may
    be one that matters.

    As ``param_mix`` in the importance of the authors' code (commit 07ece7a), where the
    score of a channel is the sum of these over its weights. Its ``param_second`` is
    twice `fisher`, its ``vectorize`` the root of `taylor_filter`.

    References
    ----------
    .. [1] X. Ma, G. Fang and X. Wang, "LLM-Pruner: On the structural pruning of large
       language models", NeurIPS 2023. arXiv:2305.11627

    Examples
    --------
    The first weight's slope and its curvature make up for one another.

    >>> weight, grad = np.array([2.0, 2.0]), np.array([1.0, -1.0])
    >>> taylor_fisher(weight, grad, np.array([1.0, 1.0]))
    array([0., 4.])
    """
    same_shape("taylor_fisher", weight=weight, grad=grad, fisher_diag=fisher_diag)
    weight, grad, fisher_diag = float64(
        "taylor_fisher", weight=weight, grad=grad, fisher_diag=fisher_diag
    )
    return np.abs(weight * grad - weight**2 * fisher_diag / 2)
