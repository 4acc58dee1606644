"""The oracle: what the loss does when a unit is really taken out, and nothing less.

Every other criterion guesses this number from cheaper evidence. `loss_change` holds it
for every unit, at the cost of one pass over the data each.
"""

import numpy as np

from minprune._check import FloatArray, float64
from minprune.criteria._catalog import Holds, criterion


@criterion(
    unit="loss",
    granularity="filter",
    formula="L(without the unit) - L",
    cites=("molchanov2017pruning",),
    batch="difference of mean losses",
    holds={Holds.PERMUTES_OUT},
)
def leave_one_out(loss_change: FloatArray) -> FloatArray:
    r"""Rise of the loss when a unit is removed, as measured.

    Parameters
    ----------
    loss_change : ndarray of float, shape (out,)
        Mean loss without the unit minus mean loss, in units of the loss.

    Returns
    -------
    score : ndarray of float64, shape (out,)
        The rise. Higher means keep; a unit that does harm is negative and goes first.

    Raises
    ------
    ValueError
        If `loss_change` holds a NaN or an infinity.

    See Also
    --------
    leave_one_out_abs : Keeps what does harm, too.
    obd : The guess from the diagonal of the Hessian.

    Notes
    -----
    .. math:: s_c = L(\theta \text{ without } c) - L(\theta)

    ("oracle-loss" of [1]_, Sec. 2.1). It is the best order for removing one unit; for
    several at once it knows nothing of how they make up for one another.

    References
    ----------
    .. [1] P. Molchanov, S. Tyree, T. Karras, T. Aila and J. Kautz, "Pruning
       convolutional neural networks for resource efficient inference", ICLR 2017.
       arXiv:1611.06440

    Examples
    --------
    >>> leave_one_out(np.array([0.3, -0.1, 0.0]))
    array([ 0.3, -0.1,  0. ])
    """
    (change,) = float64("leave_one_out", loss_change=loss_change)
    return np.array(change)


@criterion(
    unit="loss",
    granularity="filter",
    formula="|L(without the unit) - L|",
    cites=("molchanov2017pruning",),
    batch="abs of the difference of mean losses",
    holds={Holds.NON_NEGATIVE, Holds.PERMUTES_OUT},
)
def leave_one_out_abs(loss_change: FloatArray) -> FloatArray:
    r"""Change of the loss, either way, when a unit is removed.

    Parameters
    ----------
    loss_change : ndarray of float, shape (out,)
        Mean loss without the unit minus mean loss, in units of the loss.

    Returns
    -------
    score : ndarray of float64, shape (out,)
        Size of the change. Higher means keep.

    Raises
    ------
    ValueError
        If `loss_change` holds a NaN or an infinity.

    See Also
    --------
    leave_one_out : Removes what does harm first.

    Notes
    -----
    .. math:: s_c = |L(\theta \text{ without } c) - L(\theta)|

    ("oracle-abs" of [1]_, Sec. 2.1, which the paper prefers: a loss that falls on the
    training data shows that the unit matters.)

    References
    ----------
    .. [1] P. Molchanov, S. Tyree, T. Karras, T. Aila and J. Kautz, "Pruning
       convolutional neural networks for resource efficient inference", ICLR 2017.
       arXiv:1611.06440

    Examples
    --------
    >>> leave_one_out_abs(np.array([0.3, -0.1, 0.0]))
    array([0.3, 0.1, 0. ])
    """
    (change,) = float64("leave_one_out_abs", loss_change=loss_change)
    return np.abs(change)
