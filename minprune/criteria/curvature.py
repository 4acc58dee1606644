"""Criteria that ask how far the loss rises when a weight is gone, to second order.

At a minimum the gradient vanishes and the loss is a bowl: ``L(w + d) - L(w)`` is about
``1/2 d' H d``. Taking a weight out is a step ``d = -w`` along its axis. The criteria
differ in how much of H they know (its trace, its diagonal, all of it, or a layer's
input moments) and in whether the other weights may move to make up for the loss;
`solvers` also makes that move, and `fisher` puts squared gradients in H's place.
"""

import numpy as np

from minprune._check import FloatArray, dimensions, float64, same_shape
from minprune.criteria._catalog import Holds, criterion
from minprune.criteria._quadratic import (
    damped,
    input_groups,
    inverse,
    rows,
    symmetric,
    without_dead_inputs,
)


@criterion(
    unit="loss",
    granularity="weight",
    formula="1/2 h_ii w^2",
    cites=("lecun1990optimal",),
    batch="Hessian of the mean loss",
    holds={
        Holds.ZERO_AT_ZERO,
        Holds.PERMUTES_OUT,
        Holds.PERMUTES_IN,
        Holds.SIGN_FREE,
        Holds.SCALES_WITH_WEIGHT,
        Holds.RESCALES,
    },
)
def obd(weight: FloatArray, hess_diag: FloatArray) -> FloatArray:
    r"""Optimal Brain Damage: rise of the loss when one weight goes and the rest stay.

    Parameters
    ----------
    weight : ndarray of float, any shape
        Weights of one layer.
    hess_diag : ndarray of float, same shape as `weight`
        Diagonal of the Hessian of the mean loss, in loss per squared weight.

    Returns
    -------
    score : ndarray of float64, same shape as `weight`
        Predicted rise of the loss. Higher means keep. It is negative where the loss
        bends down, that is away from a minimum.

    Raises
    ------
    ValueError
        If the shapes differ, or if either array holds a NaN or an infinity.

    See Also
    --------
    obs : The same with the rest of the Hessian, when the other weights may follow.
    fisher : The same with squared gradients in place of the curvature.

    Notes
    -----
    .. math:: s_i = \tfrac12\, h_{ii}\, w_i^2

    the quadratic term of the Taylor series along one axis, the gradient taken as zero
    and the cross terms dropped ([1]_, Sec. 2). For an isotropic Hessian it ranks as
    magnitude does.

    *Also known as*: Torch-Pruning's Hessian importance without the factor 1/2 and with
    squared gradients for `hess_diag`.

    References
    ----------
    .. [1] Y. LeCun, J. Denker and S. Solla, "Optimal brain damage", NeurIPS 1989.

    Examples
    --------
    The larger weight goes first: the loss is flat along its axis.

    >>> obd(np.array([2.0, -1.0]), np.array([0.1, 4.0]))
    array([0.2, 2. ])
    """
    weight, hess_diag = float64("obd", weight=weight, hess_diag=hess_diag)
    same_shape("obd", weight=weight, hess_diag=hess_diag)
    return 0.5 * hess_diag * weight**2


@criterion(
    unit="loss",
    granularity="filter",
    formula="1/2 (mean of h_ii over the filter) (sum of w^2 over the filter)",
    cites=("yu2022hessian",),
    batch="Hessian of the mean loss",
    holds={
        Holds.ZERO_AT_ZERO,
        Holds.PERMUTES_OUT,
        Holds.PERMUTES_IN,
        Holds.SIGN_FREE,
        Holds.SCALES_WITH_WEIGHT,
        Holds.RESCALES,
    },
)
def hessian_trace(weight: FloatArray, hess_diag: FloatArray) -> FloatArray:
    r"""Rise of the loss when a filter goes, its curvature taken as the same all round.

    Parameters
    ----------
    weight : ndarray of float, shape (out, ...)
        Weights of one layer.
    hess_diag : ndarray of float, same shape as `weight`
        Diagonal of the Hessian of the mean loss, in loss per squared weight.

    Returns
    -------
    score : ndarray of float64, shape (out,)
        Predicted rise of the loss. Higher means keep. It is negative where the loss
        bends down on average.

    Raises
    ------
    ValueError
        If the shapes differ, `weight` has no axis, or either array holds a NaN or an
        infinity.

    See Also
    --------
    obd : Weighs every weight with its own curvature.
    kfac_obd : Keeps the products of different weights of a filter.

    Notes
    -----
    With p the weights of filter c and :math:`H_c` their block of the Hessian,

    .. math:: s_c = \tfrac12\, w_c^\top H_c\, w_c
                  \approx \frac{\operatorname{tr} H_c}{2p}\, \|w_c\|^2

    ([1]_). The trace does not depend on the axes, so it can be estimated from products
    with random vectors where no diagonal is known. The second form is the mean of the
    first over all directions in which a filter of this length could point.

    *Departs from the published code*, which drops the factor 1/2 and estimates the
    trace (Hutchinson); here it is the sum of the diagonal that is given.

    References
    ----------
    .. [1] S. Yu, Z. Yao, A. Gholami, Z. Dong, S. Kim, M. Mahoney and K. Keutzer,
       "Hessian-aware pruning and optimal neural implant", WACV 2022. arXiv:2101.08940

    Examples
    --------
    Both filters are of length 5, but the first lies where the loss is flat.

    >>> weight = np.array([[3.0, 4.0], [4.0, 3.0]])
    >>> hessian_trace(weight, np.array([[0.0, 0.2], [2.0, 2.0]]))
    array([ 1.25, 25.  ])
    """
    weight, hess_diag = float64("hessian_trace", weight=weight, hess_diag=hess_diag)
    same_shape("hessian_trace", weight=weight, hess_diag=hess_diag)
    dimensions("hessian_trace", 1, 2, 3, 4, weight=weight)
    inside = tuple(range(1, weight.ndim))
    size = max(1, int(np.prod(weight.shape[1:])))
    curvature = np.sum(hess_diag, axis=inside) / size
    score: FloatArray = 0.5 * curvature * np.sum(weight**2, axis=inside)
    return score


@criterion(
    unit="loss",
    granularity="weight",
    formula="w^2 / (2 [H^-1]_ii)",
    cites=("hassibi1992second",),
    batch="Hessian of the mean loss",
    holds={
        Holds.NON_NEGATIVE,
        Holds.ZERO_AT_ZERO,
        Holds.SIGN_FREE,
        Holds.SCALES_WITH_WEIGHT,
    },
)
def obs(
    weight: FloatArray, hessian: FloatArray, *, damping: float = 0.01
) -> FloatArray:
    r"""Optimal Brain Surgeon: rise of the loss when a weight goes and the rest follow.

    Parameters
    ----------
    weight : ndarray of float, any shape
        Weights of one layer, n in all.
    hessian : ndarray of float, shape (n, n)
        Hessian of the mean loss in the weights in C order, in loss per squared weight.
    damping : float
        Share of the mean diagonal that is added to the diagonal.

    Returns
    -------
    score : ndarray of float64, same shape as `weight`
        Rise of the quadratic loss after the best move of all other weights. Higher
        means keep.

    Raises
    ------
    ValueError
        If the Hessian has the wrong shape, is not symmetric, or is not positive
        definite after damping, or if an array holds a NaN or an infinity.

    See Also
    --------
    obs_update : Makes the move, weight after weight.
    obd : Never smaller for the same weight; equal if the Hessian is diagonal.

    Notes
    -----
    Minimize :math:`\tfrac12 d^\top H d` subject to :math:`d_i = -w_i`. The minimum is

    .. math:: s_i = \frac{w_i^2}{2\,[H^{-1}]_{ii}}

    ([1]_, Eq. 5). Because the others may help, it is never above `obd`; for a diagonal
    Hessian the two agree. Cost: one Cholesky factorization, :math:`n^3/3`.

    *Departs from the paper*, which builds the inverse from gradients, starting at a
    small multiple of the identity; here the Hessian is given and the damping is stated.

    References
    ----------
    .. [1] B. Hassibi and D. Stork, "Second order derivatives for network pruning:
       Optimal brain surgeon", NeurIPS 1992, Sec. 2.

    Examples
    --------
    Two weights that can stand in for one another are cheap to take, either of them.

    >>> hessian = np.array([[1.0, 0.9, 0.0], [0.9, 1.0, 0.0], [0.0, 0.0, 1.0]])
    >>> obs(np.ones(3), hessian, damping=0.0).round(3)
    array([0.095, 0.095, 0.5  ])
    """
    weight, hessian = float64("obs", weight=weight, hessian=hessian)
    symmetric("obs", weight.size, hessian=hessian)
    diagonal = np.diag(inverse(damped("obs", "hessian", hessian, damping)))
    return weight**2 / (2.0 * diagonal.reshape(weight.shape))


@criterion(
    unit="output^2",
    granularity="weight",
    formula="w^2 / (2 [G^-1]_jj), G = mean of x x'",
    cites=("dong2017learning",),
    batch="mean of x x' over examples and positions",
    holds={
        Holds.NON_NEGATIVE,
        Holds.ZERO_AT_ZERO,
        Holds.PERMUTES_OUT,
        Holds.PERMUTES_IN,
        Holds.SIGN_FREE,
        Holds.SCALES_WITH_WEIGHT,
    },
)
def layer_obs(
    weight: FloatArray, gram: FloatArray, *, damping: float = 0.01
) -> FloatArray:
    r"""Layer-wise OBS: how far a layer's output moves when its other weights make up.

    Parameters
    ----------
    weight : ndarray of float, shape (out, in) or (out, in/groups, height, width)
        Weights of one layer.
    gram : ndarray of float, shape (in, in) or (groups, K, K)
        Mean of x x' over the (unfolded) inputs, K = in/groups * height * width.
    damping : float
        Share of the mean diagonal that is added to the diagonal.

    Returns
    -------
    score : ndarray of float64, same shape as `weight`
        Half the mean squared change of the layer's output. Higher means keep.

    Raises
    ------
    ValueError
        If shapes do not fit, the Gram matrix is not symmetric or not positive definite
        after damping, or an array holds a NaN or an infinity.

    See Also
    --------
    obc : Repeats this and moves the row after every removal.
    wanda : The same with a diagonal Gram matrix, up to a square and the half.

    Notes
    -----
    The loss is the layer's own squared error, :math:`\tfrac12 \overline{(Wx - W'x)^2}`.
    Its Hessian is the same :math:`G = \overline{x x^\top}` for every row, so that

    .. math:: s_{ij} = \frac{w_{ij}^2}{2\,[G^{-1}]_{jj}}

    ([1]_, Sec. 3). A weight on an input that is always zero scores zero.

    *Also known as*: L-OBS. The published code divides the Gram matrix by the batch
    instead of the data set in places; a mean is a mean here.

    References
    ----------
    .. [1] X. Dong, S. Chen and S. J. Pan, "Learning to prune deep neural networks via
       layer-wise optimal brain surgeon", NeurIPS 2017. arXiv:1705.07565

    Examples
    --------
    >>> gram = np.array([[1.0, 0.9, 0.0], [0.9, 1.0, 0.0], [0.0, 0.0, 0.0]])
    >>> layer_obs(np.ones((1, 3)), gram, damping=0.0).round(3)
    array([[0.095, 0.095, 0.   ]])
    """
    w = rows(weight)
    score = np.empty(w.shape)
    for here, one in input_groups("layer_obs", weight, gram):
        mended = without_dead_inputs(w[here], one)
        diagonal = np.diag(inverse(damped("layer_obs", "gram", mended, damping)))
        score[here] = w[here] ** 2 / (2.0 * diagonal)
    return score.reshape(weight.shape)
