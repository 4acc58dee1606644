r"""Relevance: how fast the loss falls as a unit's gate opens.

The first of all criteria on units: put a gate on what a unit hands on and ask for the
slope of the loss in it. With its sign, the slope tells a unit that does harm from one
that does nothing; `taylor_activation` has the criteria that drop the sign.
"""

import numpy as np

from minprune._check import FloatArray, dimensions, float64, same_shape
from minprune.criteria._catalog import Holds, criterion


@criterion(
    unit="loss",
    granularity="filter",
    formula="-(mean over examples of the sum over places of a da)",
    cites=("mozer1989skeletonization",),
    batch="signed mean",
    holds={Holds.ZERO_AT_ZERO, Holds.PERMUTES_OUT, Holds.BATCH_ORDER},
)
def skeletonization(activation: FloatArray, activation_grad: FloatArray) -> FloatArray:
    r"""Relevance of a unit: what the loss would gain without it, to first order.

    Parameters
    ----------
    activation : ndarray of float, shape (examples, out[, places...])
        What the units hand on.
    activation_grad : ndarray of float, same shape as `activation`
        Gradient of each example's loss at it, in loss per output.

    Returns
    -------
    score : ndarray of float64, shape (out,)
        Rise of the loss as the gate closes, in units of the loss. Higher means keep; a
        unit that does harm is negative and goes first.

    Raises
    ------
    ValueError
        If the shapes differ, there is no example, or an array holds a NaN or an
        infinity.

    See Also
    --------
    leave_one_out : The rise as measured.
    taylor_gate : The square, which keeps what does harm, too.

    Notes
    -----
    With :math:`\alpha_c` a gate on unit c, the relevance is the loss without the unit
    minus the loss with it, taken to first order at the open gate:

    .. math:: s_c = L_{\alpha_c = 0} - L_{\alpha_c = 1}
              \approx -\frac{\partial L}{\partial \alpha_c} \Big|_{\alpha_c = 1}
              = -\frac{1}{N} \sum_n \sum_m a_{ncm}
                \frac{\partial L_n}{\partial a_{ncm}}

    ([1]_). Near a minimum of the squared error the slope vanishes with the error, so
    the paper measures relevance with the sum of the sizes of the errors, whose slope
    does not. Which loss it is, is the evidence's affair.

    *Departs from the paper*, which averages the slope over the steps of training with a
    fading memory; here it is the mean over the examples that are given.

    References
    ----------
    .. [1] M. Mozer and P. Smolensky, "Skeletonization: A technique for trimming the fat
       from a network via relevance assessment", NeurIPS 1988.

    Examples
    --------
    The loss grows with the first unit and falls with the second.

    >>> activation = np.array([[1.0, 1.0], [3.0, 1.0]])
    >>> skeletonization(activation, np.array([[0.5, -2.0], [0.5, -1.0]]))
    array([-1. ,  1.5])
    """
    a, g = float64(
        "skeletonization", activation=activation, activation_grad=activation_grad
    )
    same_shape("skeletonization", activation=a, activation_grad=g)
    dimensions("skeletonization", 2, 3, 4, activation=a)
    if len(a) == 0:
        raise ValueError(
            f"skeletonization: activation has shape {a.shape}; expected one example or "
            f"more"
        )
    gates = np.sum(a * g, axis=tuple(range(2, a.ndim)))
    score: FloatArray = 0.0 - np.mean(gates, axis=0)  # no negative zero
    return score
