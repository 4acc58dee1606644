r"""Taylor criteria on activations: what silencing a channel costs.

A channel is its feature map. Setting the map :math:`a` to zero moves the loss by about
:math:`-\sum a\, \partial L / \partial a`, summed over places. `activation` and
`activation_grad` hold a map for every example, shape (examples, out), (examples, out,
length) or (examples, out, height, width); the gradient is that of the example's own
loss, not of the mean, so that its unit does not depend on the number of examples.

The paper of 2017 and two codes that cite it compute three different scores, told apart
here by name. The gates of the paper of 2019 lead to the same products.
"""

import numpy as np

from minprune._check import FloatArray, dimensions, float64, same_shape
from minprune.criteria._catalog import Holds, criterion
from minprune.criteria._ratio import ratio

_CHANNEL = {
    Holds.NON_NEGATIVE,
    Holds.ZERO_AT_ZERO,
    Holds.PERMUTES_OUT,
    Holds.BATCH_ORDER,
}


def _products(
    caller: str, activation: FloatArray, activation_grad: FloatArray
) -> FloatArray:
    """The products a da, checked, as (examples, out, places)."""
    dimensions(caller, 2, 3, 4, activation=activation)
    same_shape(caller, activation=activation, activation_grad=activation_grad)
    if activation.size == 0:
        raise ValueError(
            f"{caller}: activation has shape {activation.shape}; "
            f"expected at least one example, channel and place"
        )
    activation, activation_grad = float64(
        caller, activation=activation, activation_grad=activation_grad
    )
    return (activation * activation_grad).reshape(*activation.shape[:2], -1)


def _normalized(score: FloatArray) -> FloatArray:
    """The score divided by its Euclidean norm over the layer."""
    return ratio(score, np.sqrt(np.sum(score**2)))


@criterion(
    unit="1",
    granularity="filter",
    formula="mean over examples of |mean over places of a da|, over its layer norm",
    cites=("molchanov2017pruning",),
    batch="abs per example, then mean",
    normalization="Euclidean norm over the layer",
    holds=_CHANNEL,
)
def taylor_activation(
    activation: FloatArray, activation_grad: FloatArray
) -> FloatArray:
    r"""First-order cost of silencing a channel, by the paper's formula.

    Parameters
    ----------
    activation : ndarray of float, shape (examples, out[, places...])
        Output of the layer, in units of the output.
    activation_grad : ndarray of float, same shape as `activation`
        Gradient of each example's loss at it, in loss per output.

    Returns
    -------
    score : ndarray of float64, shape (out,)
        A share; the squares of a layer sum to 1. Higher means keep.

    Raises
    ------
    ValueError
        If the shapes differ, if there is no example, or if an array holds a NaN or an
        infinity.

    See Also
    --------
    taylor_activation_nvlabs : The absolute value before the mean over places.
    taylor_activation_jacobgil : The absolute value after the sum over examples.

    Notes
    -----
    .. math:: \Theta_c = \frac{1}{N} \sum_n \Bigl| \frac{1}{M} \sum_m a_{ncm}
                \frac{\partial L_n}{\partial a_{ncm}} \Bigr|, \qquad
              s_c = \Theta_c \,/\, \sqrt{\textstyle\sum_j \Theta_j^2}

    Places of one example may cancel, examples may not. A layer whose products are all
    zero scores zero; the formula as printed divides 0 by 0.

    References
    ----------
    .. [1] P. Molchanov, S. Tyree, T. Karras, T. Aila and J. Kautz, "Pruning
       convolutional neural networks for resource efficient inference", ICLR 2017,
       Sec. 2.2. arXiv:1611.06440

    Examples
    --------
    Two examples pull the first channel in opposite directions; it still matters.

    >>> activation = np.array([[1.0, 1.0], [1.0, 1.0]])
    >>> taylor_activation(activation, np.array([[3.0, 4.0], [-3.0, 4.0]]))
    array([0.6, 0.8])
    """
    product = _products("taylor_activation", activation, activation_grad)
    return _normalized(np.abs(product.mean(axis=2)).mean(axis=0))


@criterion(
    unit="1",
    granularity="filter",
    formula="mean over examples and places of |a da|, over its layer norm",
    cites=("molchanov2019importance", "molchanov2017pruning"),
    batch="abs per example and place, then mean",
    normalization="Euclidean norm over the layer",
    holds=_CHANNEL,
)
def taylor_activation_nvlabs(
    activation: FloatArray, activation_grad: FloatArray
) -> FloatArray:
    r"""First-order cost of silencing single places of a channel, as NVlabs coded it.

    Parameters
    ----------
    activation : ndarray of float, shape (examples, out[, places...])
        Output of the layer, in units of the output.
    activation_grad : ndarray of float, same shape as `activation`
        Gradient of each example's loss at it, in loss per output.

    Returns
    -------
    score : ndarray of float64, shape (out,)
        A share; the squares of a layer sum to 1. Higher means keep.

    Raises
    ------
    ValueError
        If the shapes differ, if there is no example, or if an array holds a NaN or an
        infinity.

    See Also
    --------
    taylor_activation : The same where a channel has one place.

    Notes
    -----
    .. math:: \Theta_c = \frac{1}{N M} \sum_{n, m} \Bigl| a_{ncm}
                \frac{\partial L_n}{\partial a_{ncm}} \Bigr|, \qquad
              s_c = \Theta_c \,/\, \sqrt{\textstyle\sum_j \Theta_j^2}

    Nothing cancels. The code of [1]_ (method 6, "as is") adds :math:`10^{-8}` to the
    norm.

    References
    ----------
    .. [1] P. Molchanov, A. Mallya, S. Tyree, I. Frosio and J. Kautz, "Importance
       estimation for neural network pruning", CVPR 2019; NVlabs/Taylor_pruning,
       `Taylor_output`.

    Examples
    --------
    Places that would cancel in the first channel do not.

    >>> activation = np.ones((1, 2, 2))
    >>> taylor_activation_nvlabs(activation, np.array([[[3.0, -3.0], [4.0, 4.0]]]))
    array([0.6, 0.8])
    """
    product = _products("taylor_activation_nvlabs", activation, activation_grad)
    return _normalized(np.abs(product).mean(axis=(0, 2)))


@criterion(
    unit="1",
    granularity="filter",
    formula="|mean over examples and places of a da|, over its layer norm",
    cites=("gildenblat2017pruning", "molchanov2017pruning"),
    batch="abs after mean",
    normalization="Euclidean norm over the layer",
    holds=_CHANNEL,
)
def taylor_activation_jacobgil(
    activation: FloatArray, activation_grad: FloatArray
) -> FloatArray:
    r"""First-order cost of silencing a channel for all examples, by a well-known code.

    Parameters
    ----------
    activation : ndarray of float, shape (examples, out[, places...])
        Output of the layer, in units of the output.
    activation_grad : ndarray of float, same shape as `activation`
        Gradient of each example's loss at it, in loss per output.

    Returns
    -------
    score : ndarray of float64, shape (out,)
        A share; the squares of a layer sum to 1. Higher means keep.

    Raises
    ------
    ValueError
        If the shapes differ, if there is no example, or if an array holds a NaN or an
        infinity.

    See Also
    --------
    taylor_activation : The absolute value of every example.
    taylor_gate : Its square, before the normalization.

    Notes
    -----
    .. math:: \Theta_c = \Bigl| \frac{1}{N M} \sum_{n, m} a_{ncm}
                \frac{\partial L_n}{\partial a_{ncm}} \Bigr|, \qquad
              s_c = \Theta_c \,/\, \sqrt{\textstyle\sum_j \Theta_j^2}

    Examples of opposite sign cancel, so near a minimum of the training loss the score
    is mostly noise.

    References
    ----------
    .. [1] J. Gildenblat, "Pruning deep neural networks to make them fast and small",
       2017; jacobgil/pytorch-pruning.

    Examples
    --------
    >>> activation = np.array([[1.0, 1.0], [1.0, 1.0]])
    >>> taylor_activation_jacobgil(activation, np.array([[3.0, 4.0], [-3.0, 4.0]]))
    array([0., 1.])
    """
    product = _products("taylor_activation_jacobgil", activation, activation_grad)
    return _normalized(np.abs(product.mean(axis=(0, 2))))


@criterion(
    unit="loss^2",
    granularity="filter",
    formula="(mean over examples of the sum over places of a da)^2",
    cites=("molchanov2019importance",),
    batch="square after mean",
    holds=_CHANNEL,
)
def taylor_gate(activation: FloatArray, activation_grad: FloatArray) -> FloatArray:
    r"""Squared slope of the mean loss in a gate on a channel.

    Parameters
    ----------
    activation : ndarray of float, shape (examples, out[, places...])
        What the gate lets through (after the batch norm, in the paper).
    activation_grad : ndarray of float, same shape as `activation`
        Gradient of each example's loss at it, in loss per output.

    Returns
    -------
    score : ndarray of float64, shape (out,)
        Squared change of the loss, in loss^2. Higher means keep.

    Raises
    ------
    ValueError
        If the shapes differ, if there is no example, or if an array holds a NaN or an
        infinity.

    See Also
    --------
    taylor_gate_by_example : The square of every example.
    taylor_filter : The same where the map is linear in the filter, without a bias.

    Notes
    -----
    .. math:: s_c = \Bigl( \frac{\partial L}{\partial z_c} \Bigr)^2_{z_c = 1}
                  = \Bigl( \frac{1}{N} \sum_n \sum_m a_{ncm}
                    \frac{\partial L_n}{\partial a_{ncm}} \Bigr)^2

    The gate z multiplies the channel and is 1, so z times its gradient is its gradient.
    The code of [1]_ divides the score of gates shared along a
    residual path by constants (3, 4, 6 or 23) counted for its networks.

    References
    ----------
    .. [1] P. Molchanov, A. Mallya, S. Tyree, I. Frosio and J. Kautz, "Importance
       estimation for neural network pruning", CVPR 2019; method 22 of its code.

    Examples
    --------
    >>> taylor_gate(np.ones((2, 2)), np.array([[3.0, 4.0], [-3.0, 4.0]]))
    array([ 0., 16.])
    """
    product = _products("taylor_gate", activation, activation_grad)
    score: FloatArray = np.square(product.sum(axis=2).mean(axis=0))
    return score


@criterion(
    unit="loss^2",
    granularity="filter",
    formula="mean over examples of (sum over places of a da)^2",
    cites=("molchanov2019importance",),
    batch="square per example, then mean",
    holds=_CHANNEL,
)
def taylor_gate_by_example(
    activation: FloatArray, activation_grad: FloatArray
) -> FloatArray:
    r"""Squared slope of an example's loss in a gate on a channel, on average.

    Parameters
    ----------
    activation : ndarray of float, shape (examples, out[, places...])
        What the gate lets through.
    activation_grad : ndarray of float, same shape as `activation`
        Gradient of each example's loss at it, in loss per output.

    Returns
    -------
    score : ndarray of float64, shape (out,)
        Mean squared change of the loss, in loss^2. Higher means keep.

    Raises
    ------
    ValueError
        If the shapes differ, if there is no example, or if an array holds a NaN or an
        infinity.

    See Also
    --------
    taylor_gate : Squares after the mean, so that examples may cancel.

    Notes
    -----
    .. math:: s_c = \frac{1}{N} \sum_n \Bigl( \sum_m a_{ncm}
                    \frac{\partial L_n}{\partial a_{ncm}} \Bigr)^2

    The code of [1]_ sums over the examples where this takes the mean. The score is the
    diagonal of the empirical Fisher matrix of the gates.

    References
    ----------
    .. [1] P. Molchanov, A. Mallya, S. Tyree, I. Frosio and J. Kautz, "Importance
       estimation for neural network pruning", CVPR 2019, Table 1
       ("FG"); its code, method 23.

    Examples
    --------
    >>> taylor_gate_by_example(np.ones((2, 2)), np.array([[3.0, 4.0], [-3.0, 4.0]]))
    array([ 9., 16.])
    """
    product = _products("taylor_gate_by_example", activation, activation_grad)
    score: FloatArray = np.square(product.sum(axis=2)).mean(axis=0)
    return score
