"""Optimal Brain Surgeon with the Fisher information in place of the Hessian.

The empirical Fisher ``F = ridge I + mean_n g_n g_n'`` is a sum of rank-one terms, so
its inverse grows by the Sherman-Morrison formula, one example at a time, and no matrix
is ever factored. The criteria differ in what they can afford to keep of it: dense
blocks along the diagonal, or nothing but one vector for every example.

A small ridge makes F nearly singular, and scores then carry about (largest eigenvalue /
ridge) roundings: with the default and gradients of size 1, trust ten digits, not
fifteen. The order in which the examples come moves no more than that. Where fewer than
four digits would be left, the ridge is refused.
"""

import numpy as np

from minprune._check import FloatArray, dimensions, float64, positive_int
from minprune.criteria._batches import by_example
from minprune.criteria._catalog import Holds, criterion
from minprune.criteria._quadratic import rows

LOST = 1e12
"""Squared length of a gradient over the ridge, beyond which rounding decides."""


@criterion(
    unit="loss",
    granularity="weight",
    formula="w^2 / (2 [F^-1]_ii), F = ridge I + mean_n g g' in blocks",
    cites=("singh2020woodfisher",),
    batch="outer product per example, then mean",
    holds={
        Holds.NON_NEGATIVE,
        Holds.ZERO_AT_ZERO,
        Holds.SIGN_FREE,
        Holds.SCALES_WITH_WEIGHT,
    },
)
def woodfisher(
    weight: FloatArray,
    grad_by_example: FloatArray,
    *,
    block: int = 64,
    ridge: float = 1e-5,
) -> FloatArray:
    r"""WoodFisher: OBS in blocks, the Fisher as Hessian, its inverse by Woodbury.

    Parameters
    ----------
    weight : ndarray of float, any shape
        Weights of one layer.
    grad_by_example : ndarray of float, shape (examples, ...weight)
        Gradient of each example's loss, in loss per weight.
    block : int
        Weights to a block, in C order; weights of different blocks are taken as
        independent. The last block may be shorter.
    ridge : float
        Added to the diagonal, in loss per squared weight; the paper's lambda.

    Returns
    -------
    score : ndarray of float64, same shape as `weight`
        Predicted rise of the loss after the best move of the block. Higher means keep.

    Raises
    ------
    ValueError
        If there is no example, shapes do not fit, `ridge` is not positive or lost
        beside the gradients, or an array holds a NaN or an infinity.

    See Also
    --------
    mfac : The same with one block for the whole layer, without a matrix.
    empirical_fisher : What blocks of one weight come to, up to the ridge.

    Notes
    -----
    .. math::

        s_i = \frac{w_i^2}{2\,[F^{-1}]_{ii}}, \qquad
        F_{n+1}^{-1} = F_n^{-1} - \frac{(F_n^{-1} g)(F_n^{-1} g)^\top}
                                       {N + g^\top F_n^{-1} g}, \qquad
        F_0^{-1} = I / \lambda

    ([1]_, Sec. 3 and 4). Cost: N block products per weight, `block` numbers of memory.

    *Departs from the published code*, which drops the factor 1/2 and adds 1e-10 both
    below the fraction and to it; neither is in the paper.

    References
    ----------
    .. [1] S. P. Singh and D. Alistarh, "WoodFisher: Efficient second-order
       approximation for neural network compression", NeurIPS 2020.
       arXiv:2004.14340

    Examples
    --------
    The gradients of the first two move together, so either can make up for the other.

    >>> grads = np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.1, -0.1, 0.0]])
    >>> woodfisher(np.ones(3), grads, block=3, ridge=1e-9).round(4)
    array([0.0066, 0.0066, 0.1667])
    """
    weight, grads = _checked("woodfisher", weight, grad_by_example, ridge)
    block = min(positive_int("woodfisher", "block", block), max(weight.size, 1))
    flat = grads.reshape(len(grads), weight.size)
    inverse = _inverse_blocks("woodfisher", flat, block, ridge)
    diagonal = np.diagonal(inverse, axis1=1, axis2=2)
    return weight**2 / (2.0 * diagonal.ravel()[: weight.size].reshape(weight.shape))


@criterion(
    unit="loss",
    granularity="weight",
    formula="w^2 / (2 [F^-1]_ii), F = ridge I + mean_n g g', the whole layer",
    cites=("frantar2021mfac",),
    batch="outer product per example, then mean",
    holds={
        Holds.NON_NEGATIVE,
        Holds.ZERO_AT_ZERO,
        Holds.PERMUTES_OUT,
        Holds.PERMUTES_IN,
        Holds.SIGN_FREE,
        Holds.SCALES_WITH_WEIGHT,
    },
)
def mfac(
    weight: FloatArray, grad_by_example: FloatArray, *, ridge: float = 1e-5
) -> FloatArray:
    r"""M-FAC: OBS over a whole layer, from as many vectors as there are examples.

    Parameters
    ----------
    weight : ndarray of float, any shape
        Weights of one layer.
    grad_by_example : ndarray of float, shape (examples, ...weight)
        Gradient of each example's loss, in loss per weight.
    ridge : float
        Added to the diagonal, in loss per squared weight; the paper's lambda.

    Returns
    -------
    score : ndarray of float64, same shape as `weight`
        Predicted rise of the loss after the best move of the layer. Higher means keep.

    Raises
    ------
    ValueError
        If there is no example, shapes do not fit, `ridge` is not positive or lost
        beside the gradients, or an array holds a NaN or an infinity.

    See Also
    --------
    woodfisher : The same in blocks, with the blocks of the inverse written out.

    Notes
    -----
    With :math:`v_n = F_{n-1}^{-1} g_n` and :math:`q_n = N + g_n^\top v_n` the recursion
    of `woodfisher` unrolls to

    .. math::

        F_m^{-1} x = \frac{x}{\lambda} - \sum_{n \le m} v_n\, \frac{v_n^\top x}{q_n},
        \qquad [F^{-1}]_{ii} = \frac1\lambda - \sum_n \frac{v_{ni}^2}{q_n}

    ([1]_, Sec. 3). Each :math:`v_n` needs only those before it: N vectors of memory
    and :math:`N^2` products per weight, whatever the size of the layer.

    References
    ----------
    .. [1] E. Frantar, E. Kurtic and D. Alistarh, "M-FAC: Efficient matrix-free
       approximations of second-order information", NeurIPS 2021. arXiv:2107.03356

    Examples
    --------
    >>> grads = np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.1, -0.1, 0.0]])
    >>> mfac(np.ones(3), grads, ridge=1e-3).round(4)
    array([0.0076, 0.0076, 0.1672])
    """
    weight, grads = _checked("mfac", weight, grad_by_example, ridge)
    examples = len(grads)
    flat = grads.reshape(examples, weight.size)
    _in_reach("mfac", flat, ridge)
    v, q = np.zeros(flat.shape), np.ones(examples)
    for n, g in enumerate(flat):
        v[n] = g / ridge - (v[:n] @ g / q[:n]) @ v[:n]
        q[n] = examples + g @ v[n]
    diagonal = 1.0 / ridge - ((v**2) / q[:, None]).sum(axis=0)
    score: FloatArray = weight**2 / (2.0 * diagonal.reshape(weight.shape))
    return score


@criterion(
    unit="loss",
    granularity="group",
    formula="1/2 w_B' ([F^-1]_BB)^-1 w_B for B of `group` weights in a row",
    cites=("kurtic2022optimal",),
    batch="outer product per example, then mean",
    holds={
        Holds.NON_NEGATIVE,
        Holds.ZERO_AT_ZERO,
        Holds.PERMUTES_OUT,
        Holds.SCALES_WITH_WEIGHT,
    },
)
def obert(
    weight: FloatArray,
    grad_by_example: FloatArray,
    *,
    group: int = 4,
    block: int = 48,
    ridge: float = 1e-5,
) -> FloatArray:
    r"""Optimal BERT Surgeon: rise of the loss when neighboring weights go together.

    Parameters
    ----------
    weight : ndarray of float, shape (out, ...)
        Weights of one layer, K to an output.
    grad_by_example : ndarray of float, shape (examples, ...weight)
        Gradient of each example's loss, in loss per weight.
    group : int
        Neighbors in a row that go together; the last group of a row may be shorter.
    block : int
        Weights of a row whose Fisher is kept; a multiple of `group`.
    ridge : float
        Added to the diagonal, in loss per squared weight; the paper's lambda.

    Returns
    -------
    score : ndarray of float64, shape (out, ceil(K / group))
        Predicted rise of the loss after the best move of the block. Higher means keep.

    Raises
    ------
    ValueError
        If there is no example, shapes do not fit, `block` is no multiple of `group`,
        `ridge` is not positive or lost beside the gradients, or an array holds a NaN or
        an infinity.

    See Also
    --------
    woodfisher : Groups of one.

    Notes
    -----
    Minimize :math:`\tfrac12 d^\top F d` subject to :math:`d_B = -w_B`:

    .. math:: s_B = \tfrac12\, w_B^\top \left([F^{-1}]_{BB}\right)^{-1} w_B

    ([1]_, Sec. 3). For groups of one it is :math:`w_i^2 / (2 [F^{-1}]_{ii})`.

    *Departs from the paper*, whose blocks of 50 run on through the rows; here a block
    ends with its row, so that permuting outputs permutes scores.

    References
    ----------
    .. [1] E. Kurtic et al., "The optimal BERT surgeon: Scalable and accurate
       second-order pruning for large language models", EMNLP 2022.
       arXiv:2203.07259

    Examples
    --------
    A pair that makes up for one another is cheap weight by weight, not as a pair.

    >>> grads = np.array([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]])
    >>> obert(np.ones((1, 4)), grads[:, None], group=1, block=4, ridge=1e-3).round(3)
    array([[0.001, 0.001, 0.25 , 0.   ]])
    >>> obert(np.ones((1, 4)), grads[:, None], group=2, block=4, ridge=1e-3).round(3)
    array([[1.001, 0.251]])
    """
    weight, grads = _checked("obert", weight, grad_by_example, ridge)
    dimensions("obert", 1, 2, 3, 4, weight=weight)
    group = positive_int("obert", "group", group)
    if positive_int("obert", "block", block) % group:
        raise ValueError(
            f"obert: block is {block} and group is {group}; expected a multiple, "
            f"so that no group straddles two blocks"
        )
    w = rows(weight)
    outputs, columns = w.shape
    pad = -columns % block
    padded = np.pad(w, ((0, 0), (0, pad))).reshape(-1, group)
    g = np.pad(grads.reshape(len(grads), *w.shape), ((0, 0), (0, 0), (0, pad)))
    inverse = _inverse_blocks("obert", g.reshape(len(g), -1), block, ridge)
    tiles = inverse.reshape(-1, block // group, group, block // group, group)
    diagonal = np.einsum("btitj->btij", tiles).reshape(-1, group, group)
    pull = np.linalg.solve(diagonal, padded[..., None])[..., 0]
    score: FloatArray = 0.5 * (padded * pull).sum(axis=1)
    groups = (columns + pad) // group
    return score.reshape(outputs, groups)[:, : -(-columns // group)]


def _checked(
    caller: str, weight: FloatArray, grads: FloatArray, ridge: float
) -> tuple[FloatArray, FloatArray]:
    """Weight and gradients in float64, once they fit one another."""
    weight, grads = float64(caller, weight=weight, grad_by_example=grads)
    by_example(caller, weight, grads)
    if not (np.isfinite(ridge) and ridge > 0):
        raise ValueError(
            f"{caller}: ridge is {ridge}; expected a positive number, because a Fisher "
            f"of fewer examples than weights has no inverse without one"
        )
    return weight, grads


def _in_reach(caller: str, grads: FloatArray, ridge: float) -> None:
    """Raise ValueError if the ridge is nothing beside gradients on the last axis."""
    largest = np.max(np.mean(np.sum(grads**2, axis=-1), axis=0), initial=0.0)
    if largest > LOST * ridge:
        raise ValueError(
            f"{caller}: ridge is {ridge} but the squared gradients of a block add up "
            f"to {largest:.3g}, so rounding would decide; expected a ridge of "
            f"{largest / LOST:.3g} or more"
        )


def _inverse_blocks(
    caller: str, grads: FloatArray, block: int, ridge: float
) -> FloatArray:
    """Inverses of ``ridge I + mean_n g_n g_n'``, one for every `block` columns.

    Columns missing from the last block are filled with zero gradients, which leaves
    them apart from the rest.
    """
    examples, size = grads.shape
    blocks = -(-size // block)
    g = np.pad(grads, ((0, 0), (0, blocks * block - size)))
    g = g.reshape(examples, blocks, block)
    _in_reach(caller, g, ridge)
    inverse = np.tile(np.eye(block) / ridge, (blocks, 1, 1))
    for one in g:
        v = np.einsum("bij,bj->bi", inverse, one)
        q = examples + (one * v).sum(axis=1)
        inverse -= v[:, :, None] * (v / q[:, None])[:, None, :]
    return inverse
