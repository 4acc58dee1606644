"""What a whole filter is worth when the layer's Fisher is a Kronecker product.

K-FAC takes the Fisher information of a layer as ``G x A``: A the second moment of what
comes in, G that of the gradient at what goes out. A filter is one row of the weight, so
the curvature it feels is ``G_ii A``, a matrix no larger than its inputs.
"""

import numpy as np

from minprune._check import FloatArray
from minprune.criteria._catalog import Holds, criterion
from minprune.criteria._quadratic import (
    damped,
    input_groups,
    inverse,
    rows,
    symmetric,
)


@criterion(
    unit="loss",
    granularity="filter",
    formula="1/2 G_ii w_i A w_i'",
    cites=("wang2019eigendamage",),
    batch="moments: mean over examples and positions",
    holds={
        Holds.NON_NEGATIVE,
        Holds.ZERO_AT_ZERO,
        Holds.PERMUTES_OUT,
        Holds.PERMUTES_IN,
        Holds.SCALES_WITH_WEIGHT,
    },
)
def kfac_obd(weight: FloatArray, kfac_a: FloatArray, kfac_g: FloatArray) -> FloatArray:
    r"""Rise of the loss when a filter goes and the others stay, by K-FAC.

    Parameters
    ----------
    weight : ndarray of float, shape (out, in) or (out, in/groups, height, width)
        Weights of one layer.
    kfac_a : ndarray of float, shape (in, in) or (groups, K, K)
        Mean of x x' over the (unfolded) inputs.
    kfac_g : ndarray of float, shape (out, out)
        Mean of g g' over the gradients at the layer's output, in squared loss per
        squared output.

    Returns
    -------
    score : ndarray of float64, shape (out,)
        Predicted rise of the loss. Higher means keep.

    Raises
    ------
    ValueError
        If shapes do not fit, a moment is not symmetric, or an array holds a NaN or an
        infinity.

    See Also
    --------
    kfac_obd_f2 : What the published code computes.
    kfac_obs : The same when the other filters may follow.

    Notes
    -----
    .. math:: s_i = \tfrac12\, G_{ii}\; w_i\, A\, w_i^\top

    the quadratic term for the step ``d = -w_i`` under :math:`F = G \otimes A`
    ([1]_). Inside a filter nothing is taken as independent.

    References
    ----------
    .. [1] C. Wang, R. Grosse, S. Fidler and G. Zhang, "EigenDamage: Structured pruning
       in the Kronecker-factored eigenbasis", ICML 2019. arXiv:1905.05934

    Examples
    --------
    The inputs are equal, so the second filter's weights cancel: it puts out nothing.

    >>> weight = np.array([[1.0, 1.0], [1.0, -1.0]])
    >>> kfac_obd(weight, np.ones((2, 2)), np.eye(2))
    array([2., 0.])
    """
    w, g = _checked("kfac_obd", weight, kfac_g)
    score = np.empty(len(w))
    for here, a in input_groups("kfac_obd", weight, kfac_a, "kfac_a"):
        score[here] = ((w[here] @ a) * w[here]).sum(axis=1)
    # A semidefinite form is not negative; its sum may be, by rounding.
    return 0.5 * np.diag(g) * np.maximum(score, 0.0)


@criterion(
    unit="loss",
    granularity="filter",
    formula="G_ii sum_jk w_ij^2 A_jk",
    cites=("wang2019eigendamage",),
    batch="moments: mean over examples and positions",
    holds={
        Holds.ZERO_AT_ZERO,
        Holds.PERMUTES_OUT,
        Holds.PERMUTES_IN,
        Holds.SIGN_FREE,
        Holds.SCALES_WITH_WEIGHT,
    },
)
def kfac_obd_f2(
    weight: FloatArray, kfac_a: FloatArray, kfac_g: FloatArray
) -> FloatArray:
    r"""The score called "OBD F2" in EigenDamage's published code.

    Parameters
    ----------
    weight : ndarray of float, shape (out, in) or (out, in/groups, height, width)
        Weights of one layer.
    kfac_a : ndarray of float, shape (in, in) or (groups, K, K)
        Mean of x x' over the (unfolded) inputs.
    kfac_g : ndarray of float, shape (out, out)
        Mean of g g' over the gradients at the layer's output.

    Returns
    -------
    score : ndarray of float64, shape (out,)
        In units of the loss. Higher means keep. It can be negative: it is no
        quadratic form.

    Raises
    ------
    ValueError
        If shapes do not fit, a moment is not symmetric, or an array holds a NaN or an
        infinity.

    See Also
    --------
    kfac_obd : The quadratic form of the paper; the two agree for a diagonal A up to
        the factor 1/2.

    Notes
    -----
    .. math:: s_i = G_{ii} \sum_j \sum_k w_{ij}^2 A_{jk}

    as ``((w**2) @ A).sum(1) * diag(G)`` in ``pruner/kfac_OBD_F2.py`` of the authors'
    repository (commit 2f2edfb). The square is taken before A is applied, so the signs
    inside a filter are lost and the order of filters differs from the paper's.

    *Departs from the published code*, which sums the moments over batches and divides
    the scores by their sum over the layer; means and plain scores rank alike within a
    layer.

    References
    ----------
    .. [1] C. Wang, R. Grosse, S. Fidler and G. Zhang, "EigenDamage: Structured pruning
       in the Kronecker-factored eigenbasis", ICML 2019. arXiv:1905.05934

    Examples
    --------
    The filter that puts out nothing ties with the one that adds its inputs up.

    >>> weight = np.array([[1.0, 1.0], [1.0, -1.0]])
    >>> kfac_obd_f2(weight, np.ones((2, 2)), np.eye(2))
    array([4., 4.])
    """
    w, g = _checked("kfac_obd_f2", weight, kfac_g)
    score = np.empty(len(w))
    for here, a in input_groups("kfac_obd_f2", weight, kfac_a, "kfac_a"):
        score[here] = (w[here] ** 2 @ a).sum(axis=1)
    return np.diag(g) * score


@criterion(
    unit="loss",
    granularity="filter",
    formula="1/2 w_i A w_i' / [G^-1]_ii",
    cites=("wang2019eigendamage", "hassibi1992second"),
    batch="moments: mean over examples and positions",
    holds={
        Holds.NON_NEGATIVE,
        Holds.ZERO_AT_ZERO,
        Holds.PERMUTES_OUT,
        Holds.PERMUTES_IN,
        Holds.SCALES_WITH_WEIGHT,
    },
)
def kfac_obs(
    weight: FloatArray,
    kfac_a: FloatArray,
    kfac_g: FloatArray,
    *,
    damping: float = 0.01,
) -> FloatArray:
    r"""Rise of the loss when a filter goes and the other filters follow, by K-FAC.

    Parameters
    ----------
    weight : ndarray of float, shape (out, in) or (out, in/groups, height, width)
        Weights of one layer.
    kfac_a : ndarray of float, shape (in, in) or (groups, K, K)
        Mean of x x' over the (unfolded) inputs.
    kfac_g : ndarray of float, shape (out, out)
        Mean of g g' over the gradients at the layer's output.
    damping : float
        Share of the mean diagonal of `kfac_g` that is added to its diagonal.

    Returns
    -------
    score : ndarray of float64, shape (out,)
        Predicted rise of the loss after the best move of the other filters. Higher
        means keep.

    Raises
    ------
    ValueError
        If shapes do not fit, a moment is not symmetric, `kfac_g` is not positive
        definite after damping, or an array holds a NaN or an infinity.

    See Also
    --------
    kfac_obd : Never smaller, when the damping is zero.

    Notes
    -----
    The block of :math:`F^{-1} = G^{-1} \otimes A^{-1}` that belongs to a filter is
    :math:`[G^{-1}]_{ii} A^{-1}`. With the block form of OBS,

    .. math:: s_i = \tfrac12\, \frac{w_i\, A\, w_i^\top}{[G^{-1}]_{ii}}

    so A is never inverted. In a grouped convolution a filter reads only its own
    group's inputs; filters of other groups cannot make up for it, so each group takes
    its own block of `kfac_g`.

    References
    ----------
    .. [1] C. Wang, R. Grosse, S. Fidler and G. Zhang, "EigenDamage: Structured pruning
       in the Kronecker-factored eigenbasis", ICML 2019. arXiv:1905.05934
    .. [2] B. Hassibi and D. Stork, "Second order derivatives for network pruning:
       Optimal brain surgeon", NeurIPS 1992.

    Examples
    --------
    Filters whose output gradients go together can stand in for one another.

    >>> g = np.array([[1.0, 0.9, 0.0], [0.9, 1.0, 0.0], [0.0, 0.0, 1.0]])
    >>> kfac_obs(np.ones((3, 2)), np.eye(2), g, damping=0.0).round(2)
    array([0.19, 0.19, 1.  ])
    """
    w, g = _checked("kfac_obs", weight, kfac_g)
    score = np.empty(len(w))
    for here, a in input_groups("kfac_obs", weight, kfac_a, "kfac_a"):
        form = np.maximum(((w[here] @ a) * w[here]).sum(axis=1), 0.0)
        own = inverse(damped("kfac_obs", "kfac_g", g[here, here], damping))
        score[here] = 0.5 * form / np.diag(own)
    return score


def _checked(
    caller: str, weight: FloatArray, kfac_g: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The weight as rows and the output moments, once they fit one another."""
    symmetric(caller, len(weight), kfac_g=kfac_g)
    return rows(weight), np.asarray(kfac_g, np.float64)
