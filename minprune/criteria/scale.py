r"""Criteria on the scales of a batch norm: gates that training has already set.

A batch norm multiplies every channel by its scale :math:`\gamma` and adds a shift
:math:`\beta`. The scale is comparable between channels, since what it multiplies has
unit variance. All arrays have one entry for every channel of the layer before.
Removing a channel removes its shift too: a channel whose scale is zero still sends on
the constant :math:`\beta`.
"""

import numpy as np

from minprune._check import FloatArray, float64, same_shape
from minprune.criteria._batches import by_batch
from minprune.criteria._catalog import Holds, criterion

_SCALE = {Holds.NON_NEGATIVE, Holds.ZERO_AT_ZERO, Holds.PERMUTES_OUT}
_BY_GRADIENT = _SCALE | {Holds.SCALES_WITH_WEIGHT, Holds.RESCALES}


@criterion(
    unit="bn_scale",
    granularity="filter",
    formula="|gamma|",
    cites=("liu2017learning",),
    batch_norm="the scale is the score; the shift is not read",
    holds=_SCALE | {Holds.SIGN_FREE, Holds.SCALES_WITH_WEIGHT, Holds.DATA_FREE},
)
def bn_scale_magnitude(bn_scale: FloatArray) -> FloatArray:
    r"""Size of a channel's batch-norm scale (network slimming).

    Parameters
    ----------
    bn_scale : ndarray of float, shape (channels,)
        Scales of the batch norm that follows the layer.

    Returns
    -------
    score : ndarray of float64, shape (channels,)
        Standard deviation of the channel after the batch norm, in units of its output.
        Higher means keep.

    Raises
    ------
    ValueError
        If `bn_scale` holds a NaN or an infinity.

    Notes
    -----
    .. math:: s_c = |\gamma_c|

    Meant for networks trained with an L1 penalty on the scales, which drives many of
    them to zero; without it the sizes tell little apart. The layers compete as one.

    *Departs from NNI's version 3*, which learns an extra factor instead of using the
    scale.

    References
    ----------
    .. [1] Z. Liu, J. Li, Z. Shen, G. Huang, S. Yan and C. Zhang, "Learning efficient
       convolutional networks through network slimming", ICCV 2017, Sec. 3.
       arXiv:1708.06519

    Examples
    --------
    >>> bn_scale_magnitude(np.array([1.0, -0.5, 0.01]))
    array([1.  , 0.5 , 0.01])
    """
    (bn_scale,) = float64("bn_scale_magnitude", bn_scale=bn_scale)
    return np.abs(bn_scale)


@criterion(
    unit="loss^2",
    granularity="filter",
    formula="(gamma g_gamma + beta g_beta)^2",
    cites=("molchanov2019importance",),
    batch="square after mean",
    batch_norm="scale and shift are one group",
    holds=_BY_GRADIENT,
)
def taylor_bn(
    bn_scale: FloatArray,
    bn_scale_grad: FloatArray,
    bn_shift: FloatArray,
    bn_shift_grad: FloatArray,
) -> FloatArray:
    r"""Squared first-order cost of removing a channel's scale and shift together.

    Parameters
    ----------
    bn_scale, bn_shift : ndarray of float, shape (channels,)
        Scales and shifts of the batch norm that follows the layer.
    bn_scale_grad, bn_shift_grad : ndarray of float, shape (channels,)
        Gradients of the mean loss in them.

    Returns
    -------
    score : ndarray of float64, shape (channels,)
        Squared change of the loss, in loss^2. Higher means keep.

    Raises
    ------
    ValueError
        If the shapes differ, or if an array holds a NaN or an infinity.

    See Also
    --------
    taylor_bn_executed : What the authors' code computes: the shift is left out.
    taylor_gate : The same number from the activations behind the batch norm.

    Notes
    -----
    .. math:: s_c = \Bigl( \gamma_c \frac{\partial L}{\partial \gamma_c}
                         + \beta_c \frac{\partial L}{\partial \beta_c} \Bigr)^2

    The sum is the slope of the loss in a gate on the channel after its batch norm.

    References
    ----------
    .. [1] P. Molchanov, A. Mallya, S. Tyree, I. Frosio and J. Kautz, "Importance
       estimation for neural network pruning", CVPR 2019, Table 2 ("BN scale").

    Examples
    --------
    The channel's scale matters and its shift undoes it.

    >>> one = np.ones(1)
    >>> taylor_bn(one, 2 * one, one, -2 * one), taylor_bn_executed(one, 2 * one)
    (array([0.]), array([4.]))
    """
    arrays = {
        "bn_scale": bn_scale,
        "bn_scale_grad": bn_scale_grad,
        "bn_shift": bn_shift,
        "bn_shift_grad": bn_shift_grad,
    }
    same_shape("taylor_bn", **arrays)
    scale, scale_grad, shift, shift_grad = float64("taylor_bn", **arrays)
    return np.square(scale * scale_grad + shift * shift_grad)


@criterion(
    unit="loss^2",
    granularity="filter",
    formula="(gamma g_gamma)^2",
    cites=("molchanov2019importance",),
    batch="square after mean",
    batch_norm="the shift is not read",
    holds=_BY_GRADIENT | {Holds.SIGN_FREE},
)
def taylor_bn_executed(bn_scale: FloatArray, bn_scale_grad: FloatArray) -> FloatArray:
    r"""Squared first-order cost of removing a channel's scale alone.

    Parameters
    ----------
    bn_scale : ndarray of float, shape (channels,)
        Scales of the batch norm that follows the layer.
    bn_scale_grad : ndarray of float, shape (channels,)
        Gradient of the mean loss in them.

    Returns
    -------
    score : ndarray of float64, shape (channels,)
        Squared change of the loss, in loss^2. Higher means keep.

    Raises
    ------
    ValueError
        If the shapes differ, or if an array holds a NaN or an infinity.

    See Also
    --------
    taylor_bn : The formula of the paper, with the shift.

    Notes
    -----
    .. math:: s_c = \Bigl( \gamma_c \frac{\partial L}{\partial \gamma_c} \Bigr)^2

    The code of [1]_ (method 31) means to add the shift, but looks for it as an
    attribute of the scale, where there is none; this is what it executes.

    References
    ----------
    .. [1] P. Molchanov, A. Mallya, S. Tyree, I. Frosio and J. Kautz, "Importance
       estimation for neural network pruning", CVPR 2019; NVlabs/Taylor_pruning,
       `BN_Taylor`.

    Examples
    --------
    >>> taylor_bn_executed(np.array([1.0, -0.5]), np.array([2.0, 2.0]))
    array([4., 1.])
    """
    same_shape("taylor_bn_executed", bn_scale=bn_scale, bn_scale_grad=bn_scale_grad)
    bn_scale, bn_scale_grad = float64(
        "taylor_bn_executed", bn_scale=bn_scale, bn_scale_grad=bn_scale_grad
    )
    return np.square(bn_scale * bn_scale_grad)


@criterion(
    unit="loss",
    granularity="filter",
    formula="sum over batches of |gamma g_gamma + beta g_beta|",
    cites=("you2019gate",),
    batch="abs per batch, then sum",
    batch_norm="a gate behind the batch norm, so scale and shift are one group",
    holds=_BY_GRADIENT | {Holds.BATCH_ORDER},
)
def gate_decorator(
    bn_scale: FloatArray,
    bn_scale_grad_by_batch: FloatArray,
    bn_shift: FloatArray,
    bn_shift_grad_by_batch: FloatArray,
) -> FloatArray:
    r"""Size of the first-order cost of closing a channel's gate, summed over batches.

    Parameters
    ----------
    bn_scale, bn_shift : ndarray of float, shape (channels,)
        Scales and shifts of the batch norm that follows the layer.
    bn_scale_grad_by_batch, bn_shift_grad_by_batch : ndarray of float
        Gradients of each batch's mean loss in them, shape (batches, channels).

    Returns
    -------
    score : ndarray of float64, shape (channels,)
        In units of the loss. Higher means keep.

    Raises
    ------
    ValueError
        If the shapes do not fit, or if an array holds a NaN or an infinity.

    See Also
    --------
    taylor_bn : The same sum, squared after the mean over batches.

    Notes
    -----
    .. math:: s_c = \sum_b \Bigl| \phi_c \frac{\partial L_b}{\partial \phi_c} \Bigr|
                  = \sum_b \Bigl| \gamma_c \frac{\partial L_b}{\partial \gamma_c}
                         + \beta_c \frac{\partial L_b}{\partial \beta_c} \Bigr|

    The first form is the definition: the gate :math:`\phi = \gamma` multiplies the
    channel behind a batch norm of scale 1 and shift :math:`\beta / \gamma`. Both
    networks compute the same, so the second form needs no gate and no division.

    *Departs from the official code*, which clamps :math:`\beta/\gamma` to plus or minus
    10 and takes off a term for the multiply-adds saved, an option of the procedure.

    References
    ----------
    .. [1] Z. You, K. Yan, J. Ye, M. Ma and P. Wang, "Gate decorator: global filter
       pruning method for accelerating deep convolutional neural networks", NeurIPS
       2019, Sec. 3. arXiv:1909.08174

    Examples
    --------
    Two batches pull the first channel's gate in opposite directions; it matters.

    >>> scale, shift = np.array([1.0, 0.5]), np.zeros(2)
    >>> by_batch = np.array([[2.0, 1.0], [-2.0, 1.0]])
    >>> gate_decorator(scale, by_batch, shift, np.zeros((2, 2)))
    array([4., 1.])
    """
    same_shape("gate_decorator", bn_scale=bn_scale, bn_shift=bn_shift)
    by_batch("gate_decorator", "bn_scale", bn_scale, bn_scale_grad_by_batch)
    by_batch("gate_decorator", "bn_shift", bn_shift, bn_shift_grad_by_batch)
    scale, scale_grad, shift, shift_grad = float64(
        "gate_decorator",
        bn_scale=bn_scale,
        bn_scale_grad_by_batch=bn_scale_grad_by_batch,
        bn_shift=bn_shift,
        bn_shift_grad_by_batch=bn_shift_grad_by_batch,
    )
    score: FloatArray = np.abs(scale * scale_grad + shift * shift_grad).sum(axis=0)
    return score
