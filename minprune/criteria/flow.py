r"""Criteria that count what could flow through a weight, without any data.

Replace every weight by its size and feed ones: what comes out, summed, is

.. math:: R = \mathbf{1}^\top |W_L| \cdots |W_2| |W_1| \mathbf{1},

the sum over all paths from input to output of the product of the sizes along the path.
A weight's score is the part of R whose paths lead through it. The evidence is the
gradient of R (or of the same sum of squares), taken on the network whose parameters
are replaced, batch-norm statistics included.
"""

import numpy as np

from minprune._check import FloatArray, float64, not_negative, same_shape
from minprune.criteria._catalog import Holds, criterion

_FLOW = {
    Holds.NON_NEGATIVE,
    Holds.ZERO_AT_ZERO,
    Holds.PERMUTES_OUT,
    Holds.PERMUTES_IN,
    Holds.SIGN_FREE,
    Holds.SCALES_WITH_WEIGHT,
    Holds.RESCALES,
    Holds.DATA_FREE,
}


@criterion(
    unit="1",
    granularity="weight",
    formula="|w dR/d|w||",
    cites=("tanaka2020pruning",),
    batch_norm="every stored array is replaced by its absolute value",
    holds=_FLOW,
)
def synflow(weight: FloatArray, flow_grad: FloatArray) -> FloatArray:
    r"""Synaptic flow: the sum of all paths through a weight, in sizes.

    Parameters
    ----------
    weight : ndarray of float, any shape
        Weights of one layer; signs do not matter.
    flow_grad : ndarray of float, same shape as `weight`
        Derivative of R in the size of each weight.

    Returns
    -------
    score : ndarray of float64, same shape as `weight`
        Part of R that flows through the weight. Higher means keep.

    Raises
    ------
    ValueError
        If the shapes differ, or if either array holds a NaN or an infinity.

    See Also
    --------
    snip : The same product for the loss on data.
    synflow_l2 : Squares along the paths.

    Notes
    -----
    .. math:: s_i = \Bigl| w_i \, \frac{\partial R}{\partial |w_i|} \Bigr|

    One round. Every path crosses each layer once, so the scores of a layer sum to R,
    the same for all layers, and a neuron receives what it sends on (conservation). A
    layer loses its last weight only after every layer with larger scores has lost
    weights: taken in many small rounds, no layer is emptied before it must be.

    R grows with the product of the layers' widths. Float32 overflows on deep networks,
    so the evidence is collected in float64.

    References
    ----------
    .. [1] H. Tanaka, D. Kunin, D. Yamins and S. Ganguli, "Pruning neural networks
       without any data by iteratively conserving synaptic flow", NeurIPS 2020, Sec. 4
       (Theorems 1 and 2) and Sec. 6. arXiv:2006.05467

    Examples
    --------
    Two inputs, one hidden unit, one output: R = (2 + 1) 3 = 9 in both layers.

    >>> synflow(np.array([[2.0, -1.0]]), np.array([[3.0, 3.0]]))
    array([[6., 3.]])
    >>> synflow(np.array([[-3.0]]), np.array([[3.0]]))
    array([[9.]])
    """
    same_shape("synflow", weight=weight, flow_grad=flow_grad)
    weight, flow_grad = float64("synflow", weight=weight, flow_grad=flow_grad)
    return np.abs(weight * flow_grad)


@criterion(
    unit="1",
    granularity="weight",
    formula="w^2 dR2/d(w^2), R2 the sum over paths of squared weights",
    cites=("gebhart2021unified", "patil2021phew"),
    batch_norm="every stored array is replaced by its square",
    holds=_FLOW,
)
def synflow_l2(weight: FloatArray, path_grad: FloatArray) -> FloatArray:
    r"""Synaptic flow in squares: the sum of all paths through a weight, each squared.

    Parameters
    ----------
    weight : ndarray of float, any shape
        Weights of one layer; signs do not matter.
    path_grad : ndarray of float, same shape as `weight`
        Derivative of :math:`R_2` in the square of each weight.

    Returns
    -------
    score : ndarray of float64, same shape as `weight`
        Part of :math:`R_2` that flows through the weight. Higher means keep.

    Raises
    ------
    ValueError
        If the shapes differ, if `path_grad` is negative somewhere, or if either array
        holds a NaN or an infinity.

    See Also
    --------
    synflow : Sizes along the paths; prefers many small paths to few large ones.

    Notes
    -----
    .. math:: s_i = w_i^2 \, \frac{\partial R_2}{\partial w_i^2}, \qquad
              R_2 = \mathbf{1}^\top W_L^{\odot 2} \cdots W_1^{\odot 2} \mathbf{1}

    :math:`R_2` is the squared length of the vector of all paths, which bounds the trace
    of the path kernel, hence how fast the network can learn. The scores of a layer sum
    to it.

    *Also known* in a code that cites [1]_ with :math:`|w_i|` before the derivative in
    place of :math:`w_i^2`. That is no part of :math:`R_2`, and layers do not share it.

    References
    ----------
    .. [1] T. Gebhart, U. Saxena and P. Schrater, "A unified paths perspective for
       pruning at initialization", 2021. arXiv:2101.10552
    .. [2] S. Patil and C. Dovrolis, "PHEW: constructing sparse networks that learn fast
       and generalize well without training data", ICML 2021. arXiv:2010.11354

    Examples
    --------
    >>> synflow_l2(np.array([[2.0, -1.0]]), np.array([[9.0, 9.0]]))
    array([[36.,  9.]])
    """
    same_shape("synflow_l2", weight=weight, path_grad=path_grad)
    weight, path_grad = float64("synflow_l2", weight=weight, path_grad=path_grad)
    not_negative("synflow_l2", path_grad=path_grad)
    return weight**2 * path_grad
