"""Taylor criteria on weights: what removing them costs, to first or second order.

Setting a weight to zero moves the loss by about :math:`-w g`. All criteria here start
from that product and differ in where the square or the absolute value stands: outside
or inside the sum over a filter, outside or inside the mean over batches. The place
decides whether costs of opposite sign may cancel. `grad` is the gradient of the mean
loss at `weight`; `grad_by_batch` holds one such gradient for every batch.
"""

import numpy as np

from minprune._check import FloatArray, float64, same_shape
from minprune.criteria._catalog import Holds, criterion


@criterion(
    unit="loss^2",
    granularity="weight",
    formula="(w g)^2",
    cites=("molchanov2019importance",),
    batch="square after mean",
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
       estimation for neural network pruning", CVPR 2019, Sec. 3.1, eq. 8.

    Examples
    --------
    The largest weight scores low, because the loss hardly feels it.

    >>> taylor(np.array([2.0, -1.0, 0.5]), np.array([0.1, 3.0, -4.0]))
    array([0.04, 9.  , 4.  ])
    """
    same_shape("taylor", weight=weight, grad=grad)
    weight, grad = float64("taylor", weight=weight, grad=grad)
    return np.square(weight * grad)
