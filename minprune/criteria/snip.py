r"""Connection sensitivity: SNIP and what grew out of it.

Put a gate :math:`c = 1` on every weight and ask how fast the loss moves as the gate
closes: :math:`\partial L(c \odot w) / \partial c = w\, g`. The criteria here take
the size of that slope. They differ in where the gradient is taken: at the dense
network, at the network as pruned so far, or through some steps of training. The loops
over rounds are procedures; here stands what one round computes.
"""

import numpy as np

from minprune._check import FloatArray, float64, same_shape
from minprune.criteria._catalog import Holds, criterion

_PRODUCT = {
    Holds.NON_NEGATIVE,
    Holds.ZERO_AT_ZERO,
    Holds.PERMUTES_OUT,
    Holds.PERMUTES_IN,
    Holds.SIGN_FREE,
    Holds.SCALES_WITH_WEIGHT,
    Holds.RESCALES,
}


@criterion(
    unit="loss",
    granularity="weight",
    formula="|w g|",
    cites=("lee2019snip",),
    batch="abs after mean",
    bias="not scored; the official code scores and prunes biases too",
    holds=_PRODUCT,
)
def snip(weight: FloatArray, grad: FloatArray) -> FloatArray:
    r"""Connection sensitivity: how fast the loss moves as a weight is faded out.

    A gate that can start to close without moving the loss guards a weight that can be
    spared.

    Parameters
    ----------
    weight : ndarray of float, any shape
        Weights of one layer.
    grad : ndarray of float, same shape as `weight`
        Gradient of the mean loss at `weight`, in loss per weight.

    Returns
    -------
    score : ndarray of float64, same shape as `weight`
        Sensitivity in units of the loss (nats for cross-entropy). Higher means keep.

    Raises
    ------
    ValueError
        If the shapes differ, or if either array holds a NaN or an infinity.

    See Also
    --------
    taylor : Squares the same product; the same ranking.
    synflow : The same product, for a loss that needs no data.

    Notes
    -----
    .. math::

        s_i = \left| \frac{\partial L(c \odot w)}{\partial c_i} \right|_{c = 1}
            = \left| w_i \, \frac{\partial L}{\partial w_i} \right|

    The first form is the definition in [1]_; the second follows by the chain rule and
    is what is computed, at the cost of one product per weight after a backward pass.
    The absolute value stands outside the mean over the batch; taken per example it
    would rank differently.

    *Departs from the paper*: [1]_ divides by the sum over the network. That changes no
    ranking and makes a layer's score depend on every other layer, so it is left out.

    References
    ----------
    .. [1] N. Lee, T. Ajanthan and P. Torr, "SNIP: Single-shot network pruning based on
       connection sensitivity", ICLR 2019, Sec. 4.1. arXiv:1810.02340

    Examples
    --------
    The largest weight scores lowest but one, because the loss hardly feels it.

    >>> weight = np.array([[2.0, -1.0], [0.5, 0.0]])
    >>> grad = np.array([[0.1, 3.0], [-4.0, 9.0]])
    >>> snip(weight, grad)
    array([[0.2, 3. ],
           [2. , 0. ]])
    """
    same_shape("snip", weight=weight, grad=grad)
    weight, grad = float64("snip", weight=weight, grad=grad)
    return np.abs(weight * grad)


@criterion(
    unit="loss",
    granularity="weight",
    formula="decay * previous + |w g|",
    cites=("neuralcompressor", "lee2019snip"),
    batch="abs after mean, then a decaying sum over steps",
    holds=_PRODUCT,
)
def snip_momentum(
    weight: FloatArray,
    grad: FloatArray,
    *,
    previous: FloatArray | None = None,
    decay: float = 0.9,
) -> FloatArray:
    r"""Connection sensitivity, summed over training steps with a fading memory.

    Parameters
    ----------
    weight : ndarray of float, any shape
        Weights of one layer at this step.
    grad : ndarray of float, same shape as `weight`
        Gradient of the loss of this step's batch, in loss per weight.
    previous : ndarray of float, same shape as `weight`, optional
        What this function returned at the step before; nothing at the first.
    decay : float
        Share of the previous score that is carried on, 0 to 1.

    Returns
    -------
    score : ndarray of float64, same shape as `weight`
        Accumulated sensitivity in units of the loss. Higher means keep.

    Raises
    ------
    ValueError
        If the shapes differ, or if an array holds a NaN or an infinity.

    See Also
    --------
    snip : One step of it.

    Notes
    -----
    .. math:: S_t = 0.9\, S_{t-1} + |w_t \, g_t|

    This is what the code of [1]_ computes. Its manual states the two coefficients the
    other way round, a sum that never forgets with each step weighed by 0.9.

    References
    ----------
    .. [1] Intel Neural Compressor 2.6, `SnipMomentumCriterion`.

    Examples
    --------
    >>> once = snip_momentum(np.array([2.0, 1.0]), np.array([1.0, -3.0]))
    >>> snip_momentum(np.array([2.0, 1.0]), np.array([1.0, 0.0]), previous=once)
    array([3.8, 2.7])
    """
    same_shape("snip_momentum", weight=weight, grad=grad)
    if previous is None:
        previous = np.zeros(np.shape(weight))
    same_shape("snip_momentum", weight=weight, previous=previous)
    weight, grad, previous = float64(
        "snip_momentum", weight=weight, grad=grad, previous=previous
    )
    if not 0 <= decay <= 1:
        raise ValueError(f"snip_momentum: decay is {decay}; expected 0 to 1")
    return decay * previous + np.abs(weight * grad)


@criterion(
    unit="loss",
    granularity="weight",
    formula="|w g|, both of the network as pruned so far",
    cites=("dejorge2021progressive",),
    batch="abs after mean over batches",
    holds=_PRODUCT,
)
def iterative_snip(weight: FloatArray, grad: FloatArray) -> FloatArray:
    r"""Connection sensitivity of the network that earlier rounds have left.

    Parameters
    ----------
    weight : ndarray of float, any shape
        Weights of one layer with the removed ones at zero.
    grad : ndarray of float, same shape as `weight`
        Gradient of the mean loss at those masked weights, in loss per weight.

    Returns
    -------
    score : ndarray of float64, same shape as `weight`
        Sensitivity in units of the loss; zero for what is gone. Higher means keep.

    Raises
    ------
    ValueError
        If the shapes differ, if `decay` is not between 0 and 1, or if an array holds a
        NaN or an infinity.

    See Also
    --------
    snip : The first round.
    force : Scores what is gone as well, so that it may return.

    Notes
    -----
    .. math:: s_i = \left| (m \odot w)_i \,
                    \frac{\partial L}{\partial w_i}\Big|_{m \odot w} \right|

    One round; between rounds the density falls exponentially. A removed weight is zero
    and so is its score, hence it stays removed but for ties at zero: re-pruning keeps
    what is gone out of the contest.

    References
    ----------
    .. [1] P. de Jorge, A. Sanyal, H. Behl, P. Torr, G. Rogez and P. Dokania,
       "Progressive skeletonization: trimming more fat from a network at
       initialization", ICLR 2021. arXiv:2006.09081

    Examples
    --------
    The second weight was removed; however steep the loss is there, it scores zero.

    >>> iterative_snip(np.array([2.0, 0.0]), np.array([0.1, 9.0]))
    array([0.2, 0. ])
    """
    same_shape("iterative_snip", weight=weight, grad=grad)
    weight, grad = float64("iterative_snip", weight=weight, grad=grad)
    return np.abs(weight * grad)


@criterion(
    unit="loss",
    granularity="weight",
    formula="|w_dense g|, the gradient of the network as pruned so far",
    cites=("dejorge2021progressive",),
    batch="abs after mean over batches",
    holds=_PRODUCT,
)
def force(dense_weight: FloatArray, grad: FloatArray) -> FloatArray:
    r"""Foresight connection sensitivity: what a weight is worth to the pruned network.

    Parameters
    ----------
    dense_weight : ndarray of float, any shape
        Weights of one layer before any was removed.
    grad : ndarray of float, same shape as `dense_weight`
        Gradient of the mean loss at the masked weights, in loss per weight; also given
        where the mask is False.

    Returns
    -------
    score : ndarray of float64, same shape as `dense_weight`
        Sensitivity in units of the loss. Higher means keep, or take back.

    Raises
    ------
    ValueError
        If the shapes differ, or if either array holds a NaN or an infinity.

    See Also
    --------
    iterative_snip : Scores removed weights zero, so that they never return.

    Notes
    -----
    .. math:: s_i = \left| w_i \,
                    \frac{\partial L}{\partial w_i}\Big|_{m \odot w} \right|

    One round. For a weight that is still there this is its sensitivity in the pruned
    network; for one that is gone, the size it had times the slope now found at zero.
    Before the first round the mask is all True and the score is that of SNIP.

    References
    ----------
    .. [1] P. de Jorge, A. Sanyal, H. Behl, P. Torr, G. Rogez and P. Dokania,
       "Progressive skeletonization: trimming more fat from a network at
       initialization", ICLR 2021. arXiv:2006.09081

    Examples
    --------
    The second weight was removed too early: the pruned network asks for it.

    >>> force(np.array([2.0, 0.5]), np.array([0.1, 9.0]))
    array([0.2, 4.5])
    """
    same_shape("force", dense_weight=dense_weight, grad=grad)
    dense_weight, grad = float64("force", dense_weight=dense_weight, grad=grad)
    return np.abs(dense_weight * grad)


@criterion(
    unit="loss",
    granularity="weight",
    formula="|d L(w_K) / d c|, the gates c acting before K steps of training",
    cites=("alizadeh2022prospect",),
    batch="abs after the gradient through all steps",
    holds={Holds.NON_NEGATIVE, Holds.PERMUTES_OUT, Holds.PERMUTES_IN},
)
def prospr(gate_grad: FloatArray) -> FloatArray:
    r"""Sensitivity of the loss after some training to a gate closed before it.

    SNIP asks what a weight is worth at initialization. This asks what it will have been
    worth for the training that follows.

    Parameters
    ----------
    gate_grad : ndarray of float, any shape
        Derivative of the loss at the trained weights in the gates on the initial ones,
        in units of the loss.

    Returns
    -------
    score : ndarray of float64, same shape as `gate_grad`
        Sensitivity in units of the loss. Higher means keep.

    Raises
    ------
    ValueError
        If `gate_grad` holds a NaN or an infinity.

    See Also
    --------
    snip : The same for no steps of training.

    Notes
    -----
    .. math:: s_i = \left| \frac{\partial L(w_K)}{\partial c_i} \right|_{c=1}, \qquad
              w_0 = c \odot w, \quad w_{k+1} = w_k - \eta \, \nabla L(w_k)

    The training steps and the derivative through them are the procedure's; its
    first-order form takes :math:`w_0 \odot \nabla L(w_K)` for the derivative.

    References
    ----------
    .. [1] M. Alizadeh, S. Tailor, L. Zintgraf, J. van Amersfoort, S. Farquhar, N. Lane
       and Y. Gal, "Prospect pruning: finding trainable weights at initialization using
       meta-gradients", ICLR 2022. arXiv:2202.08132

    Examples
    --------
    >>> prospr(np.array([0.3, -0.4, 0.0]))
    array([0.3, 0.4, 0. ])
    """
    (gate_grad,) = float64("prospr", gate_grad=gate_grad)
    return np.abs(gate_grad)
