"""SparseGPT: Optimal Brain Surgeon in one pass, with one factorization for all rows.

It goes through the columns once, in the same order for every row, and only moves what
lies to the right. What that gives away against `obc` it saves in cost: a row is not
eliminated by itself. How many go comes as a count, or as `keep` of every `group` input
channels.
"""

from collections.abc import Callable

import numpy as np

from minprune._check import BoolArray, FloatArray, positive_int
from minprune.criteria._catalog import Holds, criterion
from minprune.criteria._quadratic import (
    along_channels,
    damped,
    input_groups,
    inverse,
    removable,
    rows,
    without_dead_inputs,
)


@criterion(
    kind="solver",
    unit="output^2",
    granularity="weight",
    formula="block by block the lowest w^2 / U_jj^2, U' U = G^-1; update to the right",
    cites=("frantar2023sparsegpt",),
    batch="mean of x x' over examples and positions",
    holds={Holds.PERMUTES_OUT, Holds.SCALES_WITH_WEIGHT},
)
def sparsegpt(
    weight: FloatArray,
    gram: FloatArray,
    *,
    count: int,
    block: int = 128,
    damping: float = 0.01,
) -> tuple[BoolArray, FloatArray]:
    r"""SparseGPT: one pass over the columns, one factorization for all rows.

    Parameters
    ----------
    weight : ndarray of float, shape (out, in) or (out, in/groups, height, width)
        Weights of one layer.
    gram : ndarray of float, shape (in, in) or (groups, K, K)
        Mean of x x' over the (unfolded) inputs, K = in/groups * height * width.
    count : int
        How many weights of the layer to remove.
    block : int
        Columns whose weights compete; the choice is made when the pass gets there.
    damping : float
        Share of the mean diagonal that is added to the diagonal of `gram`.

    Returns
    -------
    mask : ndarray of bool, same shape as `weight`
        False for exactly `count` weights, spread evenly over the blocks.
    weight : ndarray of float64, same shape as `weight`
        The moved weight, zero where the mask is False.

    Raises
    ------
    ValueError
        If `count` is not between 0 and the number of weights, shapes do not fit, the
        Gram matrix is not symmetric or not positive definite after damping, or an array
        holds a NaN or an infinity.
    TypeError
        If `count` or `block` is not a whole number.

    See Also
    --------
    obc : Every row in its own order, all survivors move.

    Notes
    -----
    At column j the columns before it are fixed, so the inverse that counts is that of
    :math:`G_{j:,\,j:}`. All of these lie in the one upper Cholesky factor of
    :math:`G^{-1} = U^\top U`: its row j is the first row of that inverse, over
    :math:`U_{jj}`. With it

    .. math:: s_{ij} = \frac{w_{ij}^2}{U_{jj}^2}, \qquad
              w_{i,\,j:} \leftarrow w_{i,\,j:} - \frac{w_{ij}}{U_{jj}} U_{j,\,j:}

    ([1]_, Sec. 3). The lowest scores of a block go, all rows together.
    For orthogonal inputs of equal size it is magnitude pruning, block by block.

    *Departs from the published code*, which removes a truncated share of each block and
    then one more (``<=`` the next score). Here the first c of all C columns together
    lose ``count * c // C`` weights wherever a block ends, so the blocks add up exactly.
    The damping is a share of the mean over inputs that are ever on; the code's mean has
    a one for each of the others.

    References
    ----------
    .. [1] E. Frantar and D. Alistarh, "SparseGPT: Massive language models can be
       accurately pruned in one-shot", ICML 2023. arXiv:2301.00774

    Examples
    --------
    What the first column loses, the second takes over; the last can give to nobody.

    >>> gram = np.array([[1.0, 0.9], [0.9, 1.0]])
    >>> sparsegpt(np.array([[1.0, 2.0]]), gram, count=1, damping=0.0)[1].round(2)
    array([[0. , 2.9]])
    >>> sparsegpt(np.array([[2.0, 0.1]]), gram, count=1, damping=0.0)[1].round(2)
    array([[2., 0.]])
    """
    size = int(np.prod(np.shape(weight)))
    count = removable("sparsegpt", count, size)
    block = positive_int("sparsegpt", "block", block)
    w, done = rows(weight), 0
    kept = np.ones(w.shape, bool)

    def choose(score: FloatArray) -> BoolArray:
        """Keep all but the block's part of `count`, which ends where the block ends."""
        nonlocal done
        begin, done = done, done + score.size
        part = count * done // size - count * begin // size if size else 0
        stays = np.ones(score.size, bool)
        stays[np.argsort(score, axis=None, kind="stable")[:part]] = False
        return stays.reshape(score.shape)

    for here, one in input_groups("sparsegpt", weight, gram):
        mended = without_dead_inputs(w[here], one)
        factor = _upper(damped("sparsegpt", "gram", mended, damping))
        kept[here] = _sweep(w[here], factor, block, choose)
    return kept.reshape(weight.shape), w.reshape(weight.shape)


@criterion(
    kind="solver",
    unit="output^2",
    granularity="group",
    formula="in each group keep the highest w^2 / U_jj^2; update to the right",
    cites=("frantar2023sparsegpt",),
    batch="mean of x x' over examples and positions",
    holds={Holds.PERMUTES_OUT, Holds.SCALES_WITH_WEIGHT},
)
def sparsegpt_n_m(
    weight: FloatArray,
    gram: FloatArray,
    *,
    keep: int,
    group: int,
    damping: float = 0.01,
) -> tuple[BoolArray, FloatArray]:
    r"""SparseGPT that keeps `keep` of every `group` input channels.

    Parameters
    ----------
    weight : ndarray of float, shape (out, in) or (out, in/groups, height, width)
        Weights of one layer.
    gram : ndarray of float, shape (in, in) or (groups, K, K)
        Mean of x x' over the (unfolded) inputs, K = in/groups * height * width.
    keep : int
        Weights that stay in a group.
    group : int
        Neighboring input channels, at one place of the kernel; divides their number.
    damping : float
        Share of the mean diagonal that is added to the diagonal of `gram`.

    Returns
    -------
    mask : ndarray of bool, same shape as `weight`
        True for exactly `keep` weights of each group.
    weight : ndarray of float64, same shape as `weight`
        The moved weight, zero where the mask is False.

    Raises
    ------
    ValueError
        If `group` does not divide the input channels, `keep` exceeds it, shapes do not
        fit, the Gram matrix is not symmetric or not positive definite after damping,
        or an array holds a NaN or an infinity.
    TypeError
        If `keep` or `group` is not a whole number.

    See Also
    --------
    obc_n_m : Every row in its own order, all survivors move.

    Notes
    -----
    As `sparsegpt` with blocks of one group, in which each row makes its own choice when
    the pass reaches the group. Groups run along the input channels, as in `obc_n_m`;
    the authors' code takes the flattened columns as they lie, which for a convolution
    mixes the places of the kernel.

    References
    ----------
    .. [1] E. Frantar and D. Alistarh, "SparseGPT: Massive language models can be
       accurately pruned in one-shot", ICML 2023. arXiv:2301.00774

    Examples
    --------
    >>> weight = np.array([[4.0, 3.0, 2.0, 1.0]])
    >>> sparsegpt_n_m(weight, np.eye(4), keep=1, group=2, damping=0.0)[1]
    array([[4., 0., 2., 0.]])
    """
    order = along_channels("sparsegpt_n_m", weight, keep, group)
    w = rows(weight)
    kept = np.ones(w.shape, bool)

    def choose(score: FloatArray) -> BoolArray:
        """Keep the highest of each row; of equal scores the later ones."""
        stays = np.ones(score.shape, bool)
        lowest = np.argsort(score, axis=1, kind="stable")[:, : group - keep]
        np.put_along_axis(stays, lowest, False, axis=1)
        return stays

    for here, one in input_groups("sparsegpt_n_m", weight, gram):
        mended = without_dead_inputs(w[here], one)
        hessian = damped("sparsegpt_n_m", "gram", mended, damping)
        moved = w[here][:, order]
        kept[here, order] = _sweep(
            moved, _upper(hessian[np.ix_(order, order)]), group, choose
        )
        w[here, order] = moved
    return kept.reshape(weight.shape), w.reshape(weight.shape)


def _upper(hessian: FloatArray) -> FloatArray:
    """The upper U with ``U' U = hessian^-1``."""
    return np.linalg.cholesky(inverse(hessian)).T


def _sweep(
    w: FloatArray,
    factor: FloatArray,
    block: int,
    choose: Callable[[FloatArray], BoolArray],
) -> BoolArray:
    """Go through the columns of `w`, in place; the mask of what `choose` kept."""
    kept = np.ones(w.shape, bool)
    pivot = np.diag(factor)
    for begin in range(0, w.shape[1], block):
        here = slice(begin, min(begin + block, w.shape[1]))
        kept[:, here] = choose(w[:, here] ** 2 / pivot[here] ** 2)
        for j in range(here.start, here.stop):
            lost = np.where(kept[:, j], 0.0, w[:, j]) / pivot[j]
            w[:, j:] -= np.outer(lost, factor[j, j:])
    w[~kept] = 0.0  # what rounding left of the zeros
    return kept
