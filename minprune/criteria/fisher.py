"""Criteria with the Fisher information in place of the curvature.

For a log-likelihood the mean of squared gradients is, at the minimum, the expected
Hessian. It needs no second derivative and is never negative. Here is its diagonal, for
weights and for the gates of feature maps; `inverse_fisher` keeps the products of
different weights' gradients, too.
"""

import numpy as np

from minprune._check import (
    FloatArray,
    dimensions,
    float64,
    not_negative,
    same_shape,
)
from minprune.criteria._batches import by_example
from minprune.criteria._catalog import Holds, criterion


@criterion(
    unit="loss",
    granularity="weight",
    formula="1/2 F_ii w^2",
    cites=("theis2018faster",),
    batch="square per example, then mean",
    holds={
        Holds.NON_NEGATIVE,
        Holds.ZERO_AT_ZERO,
        Holds.PERMUTES_OUT,
        Holds.PERMUTES_IN,
        Holds.SIGN_FREE,
        Holds.SCALES_WITH_WEIGHT,
        Holds.RESCALES,
    },
)
def fisher(weight: FloatArray, fisher_diag: FloatArray) -> FloatArray:
    r"""Rise of the loss when a weight goes, the Fisher information as its curvature.

    Parameters
    ----------
    weight : ndarray of float, any shape
        Weights of one layer.
    fisher_diag : ndarray of float, same shape as `weight`
        Diagonal of the Fisher information: mean over examples of the squared gradient,
        in squared loss per squared weight.

    Returns
    -------
    score : ndarray of float64, same shape as `weight`
        Predicted rise of the loss, in nats for a negative log-likelihood. Higher means
        keep.

    Raises
    ------
    ValueError
        If the shapes differ, if `fisher_diag` is negative somewhere, or if either array
        holds a NaN or an infinity.

    See Also
    --------
    obd : With the curvature itself, which may be negative; the Fisher is not.
    empirical_fisher : The same from the gradients of the examples.

    Notes
    -----
    .. math:: s_i = \tfrac12\, F_{ii}\, w_i^2

    For a log-likelihood, at its minimum and with labels drawn from the model, the
    Fisher information is the expected Hessian; then this is `obd` ([1]_, Sec. 2).

    References
    ----------
    .. [1] L. Theis, I. Korshunova, A. Tejani and F. Huszár, "Faster gaze prediction
       with dense networks and Fisher pruning", 2018. arXiv:1801.05787

    Examples
    --------
    >>> fisher(np.array([2.0, -1.0]), np.array([0.5, 4.0]))
    array([1., 2.])
    """
    weight, fisher_diag = float64("fisher", weight=weight, fisher_diag=fisher_diag)
    same_shape("fisher", weight=weight, fisher_diag=fisher_diag)
    not_negative("fisher", fisher_diag=fisher_diag)
    return 0.5 * fisher_diag * weight**2


@criterion(
    unit="loss",
    granularity="weight",
    formula="1/2 w^2 mean_n g_n^2",
    cites=("theis2018faster",),
    batch="square per example, then mean",
    holds={
        Holds.NON_NEGATIVE,
        Holds.ZERO_AT_ZERO,
        Holds.PERMUTES_OUT,
        Holds.PERMUTES_IN,
        Holds.SIGN_FREE,
        Holds.SCALES_WITH_WEIGHT,
        Holds.RESCALES,
        Holds.BATCH_ORDER,
    },
)
def empirical_fisher(weight: FloatArray, grad_by_example: FloatArray) -> FloatArray:
    r"""Rise of the loss when a weight goes, from the gradients of single examples.

    Parameters
    ----------
    weight : ndarray of float, any shape
        Weights of one layer.
    grad_by_example : ndarray of float, shape (examples, ...weight)
        Gradient of each example's loss, in loss per weight.

    Returns
    -------
    score : ndarray of float64, same shape as `weight`
        Predicted rise of the loss. Higher means keep.

    Raises
    ------
    ValueError
        If there is no example, the shapes do not fit, or an array holds a NaN or an
        infinity.

    See Also
    --------
    woodfisher : Keeps the products of different weights' gradients too.

    Notes
    -----
    .. math:: s_i = \tfrac12\, w_i^2\, \frac1N \sum_n g_{ni}^2

    ([1]_, Sec. 2). The square is taken example by example. Squaring the mean gradient
    instead, as codes do that only see batches, gives about 1/N of it and zero at the
    minimum; one published importance keeps only the last example's square.

    References
    ----------
    .. [1] L. Theis, I. Korshunova, A. Tejani and F. Huszár, "Faster gaze prediction
       with dense networks and Fisher pruning", 2018. arXiv:1801.05787

    Examples
    --------
    The gradients cancel over the batch, and still both weights are felt.

    >>> empirical_fisher(np.array([2.0, 1.0]), np.array([[1.0, -3.0], [-1.0, 3.0]]))
    array([2. , 4.5])
    """
    weight, grads = float64(
        "empirical_fisher", weight=weight, grad_by_example=grad_by_example
    )
    by_example("empirical_fisher", weight, grads)
    score: FloatArray = 0.5 * weight**2 * np.mean(grads**2, axis=0)
    return score


@criterion(
    unit="loss",
    granularity="filter",
    formula="1/2 mean_n (sum_hw a g)^2",
    cites=("theis2018faster",),
    batch="sum over places, square per example, then mean",
    holds={
        Holds.NON_NEGATIVE,
        Holds.ZERO_AT_ZERO,
        Holds.PERMUTES_OUT,
        Holds.BATCH_ORDER,
    },
)
def fisher_feature_map(
    activation: FloatArray, activation_grad: FloatArray
) -> FloatArray:
    r"""Rise of the loss when a feature map is faded out, by its gate's Fisher.

    Parameters
    ----------
    activation : ndarray of float, shape (examples, out) or (examples, out, ...places)
        What the units put out.
    activation_grad : ndarray of float, same shape as `activation`
        Gradient of each example's loss in it, in loss per output.

    Returns
    -------
    score : ndarray of float64, shape (out,)
        Predicted rise of the loss. Higher means keep.

    Raises
    ------
    ValueError
        If the shapes differ, there is no example, or an array holds a NaN or an
        infinity.

    See Also
    --------
    fisher : One weight at a time.

    Notes
    -----
    A gate of 1 on a feature map has the gradient :math:`\gamma_{nk} = \sum_{hw}
    a_{nkhw}\, g_{nkhw}` on example n. Closing it costs

    .. math:: s_k = \frac1{2N} \sum_n \gamma_{nk}^2

    ([1]_, Sec. 2). The places are summed before the square: they share the gate.

    References
    ----------
    .. [1] L. Theis, I. Korshunova, A. Tejani and F. Huszár, "Faster gaze prediction
       with dense networks and Fisher pruning", 2018. arXiv:1801.05787

    Examples
    --------
    >>> activation = np.array([[2.0, 1.0], [2.0, 1.0]])
    >>> fisher_feature_map(activation, np.array([[1.0, 0.0], [-1.0, 2.0]]))
    array([2., 1.])
    """
    a, g = float64(
        "fisher_feature_map", activation=activation, activation_grad=activation_grad
    )
    same_shape("fisher_feature_map", activation=a, activation_grad=g)
    dimensions("fisher_feature_map", 2, 3, 4, activation=a)
    if len(a) == 0:
        raise ValueError("fisher_feature_map: activation holds no example; expected 1+")
    gates = (a * g).sum(axis=tuple(range(2, a.ndim)))
    score: FloatArray = 0.5 * np.mean(gates**2, axis=0)
    return score
