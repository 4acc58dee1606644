r"""Gradient signal preservation: what a weight does to the length of the gradient.

A network trains fast where its gradient is long. Fading out weight i changes
:math:`\|g\|^2 / 2` at the rate :math:`-w_i (H g)_i`, so a weight whose product
:math:`w_i (H g)_i` is large holds the gradient up. `hessian_grad` is :math:`H g`, the
Hessian of the whole network's loss times its gradient, this layer's part of it.
"""

import numpy as np

from minprune._check import FloatArray, float64, same_shape
from minprune.criteria._catalog import Holds, criterion

_SIGNED = {
    Holds.ZERO_AT_ZERO,
    Holds.PERMUTES_OUT,
    Holds.PERMUTES_IN,
    Holds.SCALES_WITH_WEIGHT,
}


@criterion(
    unit="loss^2/weight^2",
    granularity="weight",
    formula="w (H g)",
    cites=("wang2020picking",),
    direction="prune highest",
    batch="gradient summed over half batches, then one Hessian product for each",
    holds=_SIGNED,
)
def grasp_official(weight: FloatArray, hessian_grad: FloatArray) -> FloatArray:
    r"""How much a weight holds up the gradient's length, by the authors' own code.

    Parameters
    ----------
    weight : ndarray of float, any shape
        Weights of one layer.
    hessian_grad : ndarray of float, same shape as `weight`
        This layer's part of :math:`H g`, in loss^2 per weight^3.

    Returns
    -------
    score : ndarray of float64, same shape as `weight`
        Rate at which half the squared gradient norm falls as the weight fades, in
        loss^2 per weight^2; negative where it rises. Higher means keep.

    Raises
    ------
    ValueError
        If the shapes differ, or if either array holds a NaN or an infinity.

    See Also
    --------
    grasp_synflow : The other published sign; the same ranking.
    grasp_magnitude : Drops the sign of the product, another ranking.

    Notes
    -----
    .. math:: s_i = w_i \, (H g)_i
                  = \frac{\partial}{\partial c_i} \frac{\|\nabla L(c \odot w)\|^2}{2}
                    \Big|_{c=1}

    The gradient :math:`\nabla L` is the one in the weights. The paper defines
    :math:`S = -w \odot H g` and removes the *highest*; its score is negated here, as
    the catalog keeps what is higher. Dividing by :math:`|\sum S| + 10^{-10}` over the
    network, as the code does, changes no ranking and is left out. The loss is that of
    the logits divided by 200.

    *Departs from the official code*, which keeps the k-th score itself and so removes
    one weight fewer than asked: counting is the selection's.

    References
    ----------
    .. [1] C. Wang, G. Zhang and R. Grosse, "Picking winning tickets before training by
       preserving gradient flow", ICLR 2020, Sec. 4. arXiv:2002.07376

    Examples
    --------
    The largest weight goes first: without it the gradient is longer.

    >>> grasp_official(np.array([3.0, 1.0, -1.0]), np.array([-1.0, 0.5, -2.0]))
    array([-3. ,  0.5,  2. ])
    """
    same_shape("grasp_official", weight=weight, hessian_grad=hessian_grad)
    weight, hessian_grad = float64(
        "grasp_official", weight=weight, hessian_grad=hessian_grad
    )
    return weight * hessian_grad


@criterion(
    unit="loss^2/weight^2",
    granularity="weight",
    formula="w (H g)",
    cites=("tanaka2020pruning", "wang2020picking"),
    direction="prune lowest",
    batch="gradient summed over all batches, then one Hessian product for each",
    holds=_SIGNED,
)
def grasp_synflow(weight: FloatArray, hessian_grad: FloatArray) -> FloatArray:
    r"""How much a weight holds up the gradient's length, as SynFlow's authors coded it.

    Parameters
    ----------
    weight : ndarray of float, any shape
        Weights of one layer.
    hessian_grad : ndarray of float, same shape as `weight`
        This layer's part of :math:`H g`, in loss^2 per weight^3.

    Returns
    -------
    score : ndarray of float64, same shape as `weight`
        As for `grasp_official`. Higher means keep.

    Raises
    ------
    ValueError
        If the shapes differ, or if either array holds a NaN or an infinity.

    See Also
    --------
    grasp_official : The same numbers from the opposite sign and direction.

    Notes
    -----
    .. math:: s_i = +w_i \, (H g)_i, \quad \text{the lowest removed}

    Read side by side, the two codes seem to contradict each other: one computes
    :math:`-w \odot Hg`, the other :math:`+w \odot Hg`. They also sort in opposite
    directions, so they remove the same weights. What differs is the evidence: this one
    neither draws the linear layers anew nor splits the batches in halves.

    References
    ----------
    .. [1] H. Tanaka, D. Kunin, D. Yamins and S. Ganguli, "Pruning neural networks
       without any data by iteratively conserving synaptic flow", NeurIPS 2020; the
       baseline `GraSP` in its code.

    Examples
    --------
    >>> grasp_synflow(np.array([3.0, 1.0, -1.0]), np.array([-1.0, 0.5, -2.0]))
    array([-3. ,  0.5,  2. ])
    """
    same_shape("grasp_synflow", weight=weight, hessian_grad=hessian_grad)
    weight, hessian_grad = float64(
        "grasp_synflow", weight=weight, hessian_grad=hessian_grad
    )
    return weight * hessian_grad


@criterion(
    unit="loss^2/weight^2",
    granularity="weight",
    formula="|w (H g)|",
    cites=("frankle2021pruning",),
    batch="abs after the Hessian product",
    holds=_SIGNED | {Holds.NON_NEGATIVE, Holds.SIGN_FREE},
)
def grasp_magnitude(weight: FloatArray, hessian_grad: FloatArray) -> FloatArray:
    r"""How much a weight moves the gradient's length, up or down.

    Parameters
    ----------
    weight : ndarray of float, any shape
        Weights of one layer.
    hessian_grad : ndarray of float, same shape as `weight`
        This layer's part of :math:`H g`, in loss^2 per weight^3.

    Returns
    -------
    score : ndarray of float64, same shape as `weight`
        Size of the rate, in loss^2 per weight^2. Higher means keep.

    Raises
    ------
    ValueError
        If the shapes differ, or if either array holds a NaN or an infinity.

    See Also
    --------
    grasp_official : Keeps the sign, and removes first what shortens the gradient most.

    Notes
    -----
    .. math:: s_i = |w_i \, (H g)_i|

    The first-order expansion behind the signed score is poor for a weight with a large
    product. Removing the weights whose product is nearest zero stays where it holds,
    and [1]_ reports higher accuracy for it.

    References
    ----------
    .. [1] J. Frankle, G. Dziugaite, D. Roy and M. Carbin, "Pruning neural networks at
       initialization: why are we missing the mark?", ICLR 2021. arXiv:2009.08576

    Examples
    --------
    >>> grasp_magnitude(np.array([3.0, 1.0, -1.0]), np.array([-1.0, 0.5, -2.0]))
    array([3. , 0.5, 2. ])
    """
    same_shape("grasp_magnitude", weight=weight, hessian_grad=hessian_grad)
    weight, hessian_grad = float64(
        "grasp_magnitude", weight=weight, hessian_grad=hessian_grad
    )
    return np.abs(weight * hessian_grad)


@criterion(
    unit="loss^2/weight^2",
    granularity="weight",
    formula="g^2",
    cites=("dejorge2021progressive",),
    batch="square after mean over batches",
    holds={Holds.NON_NEGATIVE, Holds.PERMUTES_OUT, Holds.PERMUTES_IN},
)
def grasp_iterative(grad: FloatArray) -> FloatArray:
    r"""What a weight itself contributes to the squared gradient norm.

    Parameters
    ----------
    grad : ndarray of float, any shape
        Gradient of the mean loss at the network as pruned so far, in loss per weight.

    Returns
    -------
    score : ndarray of float64, same shape as `grad`
        In loss^2 per weight^2. Higher means keep.

    Raises
    ------
    ValueError
        If `grad` holds a NaN or an infinity.

    See Also
    --------
    gradient_magnitude : Its square root; the same ranking.

    Notes
    -----
    .. math:: s_i = g_i^2

    One round of what [1]_ calls GraSP-It: with small steps between rounds, the gradient
    that survives is approximated by leaving the other entries as they are.

    References
    ----------
    .. [1] P. de Jorge, A. Sanyal, H. Behl, P. Torr, G. Rogez and P. Dokania,
       "Progressive skeletonization: trimming more fat from a network at
       initialization", ICLR 2021, and its code. arXiv:2006.09081

    Examples
    --------
    >>> grasp_iterative(np.array([3.0, -0.5]))
    array([9.  , 0.25])
    """
    (grad,) = float64("grasp_iterative", grad=grad)
    return np.square(grad)


@criterion(
    unit="loss^2/weight^2",
    granularity="layer",
    formula="sum of w (H g) over the layer",
    cites=("wang2020picking",),
    direction="prune highest",
    batch="gradient of the mean loss",
    holds=_SIGNED,
)
def gradient_preservation(weight: FloatArray, hessian_grad: FloatArray) -> FloatArray:
    r"""How much a whole layer holds up the gradient's length.

    Parameters
    ----------
    weight : ndarray of float, any shape
        Weights of one layer.
    hessian_grad : ndarray of float, same shape as `weight`
        This layer's part of :math:`H g`, in loss^2 per weight^3.

    Returns
    -------
    score : ndarray of float64, shape ()
        Rate at which half the squared gradient norm falls as all weights of the layer
        fade together, in loss^2 per weight^2. Higher means keep.

    Raises
    ------
    ValueError
        If the shapes differ, or if either array holds a NaN or an infinity.

    See Also
    --------
    grasp_official : One weight's part of the sum.

    Notes
    -----
    .. math:: s = \sum_i w_i (H g)_i
                = \frac{d}{d\alpha} \frac{\|\nabla L(\alpha w)\|^2}{2}\Big|_{\alpha=1}

    with one gate :math:`\alpha` on the layer and the other layers at rest. The sum over
    all layers is :math:`w^\top H g`.

    *Departs from the paper*, which scores single weights.

    References
    ----------
    .. [1] C. Wang, G. Zhang and R. Grosse, "Picking winning tickets before training by
       preserving gradient flow", ICLR 2020, Sec. 4. arXiv:2002.07376

    Examples
    --------
    >>> gradient_preservation(np.array([3.0, 1.0, -1.0]), np.array([-1.0, 0.5, -2.0]))
    array(-0.5)
    """
    same_shape("gradient_preservation", weight=weight, hessian_grad=hessian_grad)
    weight, hessian_grad = float64(
        "gradient_preservation", weight=weight, hessian_grad=hessian_grad
    )
    return np.asarray(np.sum(weight * hessian_grad))
