"""Criteria that ask how far the loss rises when a weight is gone, to second order.

At a minimum the gradient vanishes and the loss is a bowl: ``L(w + d) - L(w)`` is about
``1/2 d' H d``. Taking a weight out is a step ``d = -w`` along its axis. The criteria
differ in how much of H they know (its diagonal, all of it, one layer's input moments,
or squared gradients in its place) and in whether the other weights may move to make
up for the loss; `solvers` also makes that move.
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
    out = np.empty(weight.shape)
    scores, w = out.reshape(len(weight), -1), rows(weight)
    for here, one in input_groups("layer_obs", weight, gram):
        mended = without_dead_inputs(w[here], one)
        diagonal = np.diag(inverse(damped("layer_obs", "gram", mended, damping)))
        scores[here] = w[here] ** 2 / (2.0 * diagonal)
    return out


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
        If the shapes differ, or if either array holds a NaN or an infinity.

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
    _examples_of("empirical_fisher", weight, grads)
    score: FloatArray = 0.5 * weight**2 * (grads**2).mean(axis=0)
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
    score: FloatArray = 0.5 * (gates**2).mean(axis=0)
    return score


def _examples_of(caller: str, weight: FloatArray, grads: FloatArray) -> None:
    """Raise ValueError unless `grads` is one array like `weight` for every example."""
    if grads.ndim == 0 or grads.shape[1:] != weight.shape or len(grads) == 0:
        raise ValueError(
            f"{caller}: grad_by_example has shape {grads.shape}; expected "
            f"(examples, {', '.join(map(str, weight.shape))}) with one example or more"
        )
