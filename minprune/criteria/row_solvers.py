"""Solvers for a layer, whose rows share one Hessian: the Gram matrix of the inputs.

OBC runs the full Optimal Brain Surgeon in every row and then decides between rows.
SparseGPT goes through the columns once, the same order for all rows, so that one
factorization serves them all; it only moves what lies to the right. How many go comes
as a count, or as `keep` of every `group` input channels.
"""

import heapq
from collections.abc import Callable

import numpy as np

from minprune._check import BoolArray, FloatArray, IntArray, positive_int
from minprune.criteria._catalog import Holds, criterion
from minprune.criteria._quadratic import (
    constrained_minimum,
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
    formula="per row remove argmin w_p^2 / [G^-1]_pp and update; cheapest rows first",
    cites=("frantar2022obc",),
    batch="mean of x x' over examples and positions",
    holds={Holds.PERMUTES_OUT, Holds.PERMUTES_IN, Holds.SCALES_WITH_WEIGHT},
)
def obc(
    weight: FloatArray, gram: FloatArray, *, count: int, damping: float = 0.01
) -> tuple[BoolArray, FloatArray]:
    r"""Optimal Brain Compression: exact OBS in each row, an exact count for the layer.

    Parameters
    ----------
    weight : ndarray of float, shape (out, in) or (out, in/groups, height, width)
        Weights of one layer.
    gram : ndarray of float, shape (in, in) or (groups, K, K)
        Mean of x x' over the (unfolded) inputs, K = in/groups * height * width.
    count : int
        How many weights of the layer to remove.
    damping : float
        Share of the mean diagonal that is added to the diagonal of `gram`.

    Returns
    -------
    mask : ndarray of bool, same shape as `weight`
        False for exactly `count` weights.
    weight : ndarray of float64, same shape as `weight`
        The moved weight, zero where the mask is False.

    Raises
    ------
    ValueError
        If `count` is not between 0 and the number of weights, shapes do not fit, the
        Gram matrix is not symmetric or not positive definite after damping, or an array
        holds a NaN or an infinity.
    TypeError
        If `count` is not a whole number.

    See Also
    --------
    layer_obs : The scores of the first step.
    sparsegpt : One pass instead of one elimination a row.

    Notes
    -----
    In every row, the algorithm of [1]_ removes weight after weight,

    .. math:: p = \arg\min_p \frac{w_p^2}{[G^{-1}]_{pp}}, \qquad
              w \leftarrow w - \frac{w_p}{[G^{-1}]_{pp}} G^{-1} e_p

    and notes order and cost. Then the cheapest next removal of any row is taken until
    `count` are gone (a heap over the rows), and each row is set to the minimum
    for its zeros. For orthogonal inputs of equal size it is magnitude pruning. Cost:
    :math:`K^3` a row.

    *Departs from the published code*, which sorts the costs of all rows together. That
    is the same only while the costs of a row rise; the heap needs no such luck. It also
    takes ``ceil`` of a share and adds the identity if the matrix is singular.

    References
    ----------
    .. [1] E. Frantar, S. P. Singh and D. Alistarh, "Optimal brain compression: A
       framework for accurate post-training quantization and pruning", NeurIPS 2022,
       Sec. 4. arXiv:2208.11580

    Examples
    --------
    Of two inputs that move together one is enough, in either row.

    >>> gram = np.array([[1.0, 0.9, 0.0], [0.9, 1.0, 0.0], [0.0, 0.0, 1.0]])
    >>> weight = np.array([[2.0, 1.0, 0.5], [1.0, 3.0, 2.0]])
    >>> obc(weight, gram, count=2, damping=0.0)[1]
    array([[2.9, 0. , 0.5],
           [0. , 3.9, 2. ]])
    """
    size = int(np.prod(np.shape(weight)))
    count = removable("obc", count, size)
    w = rows(weight)
    kept = np.ones(w.shape, bool)
    hessians: list[FloatArray] = []
    traces: list[list[tuple[float, int]]] = []
    for here, one in input_groups("obc", weight, gram):
        mended = without_dead_inputs(w[here], one)
        hessian = damped("obc", "gram", mended, damping)
        inv, free = inverse(hessian), np.ones(w.shape[1], np.intp)
        for row in w[here]:
            hessians.append(hessian)
            traces.append(list(_eliminate(row, inv, free, min(count, row.size))))
    taken = [0] * len(w)
    heap = [(trace[0][0], i) for i, trace in enumerate(traces) if trace]
    heapq.heapify(heap)
    for _ in range(count):
        _, i = heapq.heappop(heap)
        kept[i, traces[i][taken[i]][1]] = False
        taken[i] += 1
        if taken[i] < len(traces[i]):
            heapq.heappush(heap, (traces[i][taken[i]][0], i))
    for row, keep, hessian in zip(w, kept, hessians, strict=True):
        row[:] = constrained_minimum(row, keep, hessian)
    return kept.reshape(weight.shape), w.reshape(weight.shape)


@criterion(
    kind="solver",
    unit="output^2",
    granularity="group",
    formula="as obc in each row, at most group - keep removals a group",
    cites=("frantar2022obc",),
    batch="mean of x x' over examples and positions",
    holds={Holds.PERMUTES_OUT, Holds.SCALES_WITH_WEIGHT},
)
def obc_n_m(
    weight: FloatArray,
    gram: FloatArray,
    *,
    keep: int,
    group: int,
    damping: float = 0.01,
) -> tuple[BoolArray, FloatArray]:
    r"""Optimal Brain Compression that keeps `keep` of every `group` input channels.

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
    sparsegpt_n_m : One pass over the columns.

    Notes
    -----
    The greedy row elimination of `obc`, in which a group that has given up
    ``group - keep`` weights is left alone. Groups run along the input channels, as in
    the authors' code.

    References
    ----------
    .. [1] E. Frantar, S. P. Singh and D. Alistarh, "Optimal brain compression: A
       framework for accurate post-training quantization and pruning", NeurIPS 2022,
       Sec. 4. arXiv:2208.11580

    Examples
    --------
    >>> weight = np.array([[4.0, 3.0, 2.0, 1.0]])
    >>> obc_n_m(weight, np.eye(4), keep=1, group=2, damping=0.0)[1]
    array([[4., 0., 2., 0.]])
    """
    order = _along_channels("obc_n_m", weight, keep, group)
    w = rows(weight)
    kept = np.ones(w.shape, bool)
    for here, one in input_groups("obc_n_m", weight, gram):
        mended = without_dead_inputs(w[here], one)
        hessian = damped("obc_n_m", "gram", mended, damping)[np.ix_(order, order)]
        inv = inverse(hessian)
        for row, stays in zip(w[here], kept[here], strict=True):
            budget = np.full(row.size // group, group - keep)
            gone = [
                p for _, p in _eliminate(row[order], inv, budget, int(budget.sum()))
            ]
            stays[order[gone]] = False
            row[order] = constrained_minimum(row[order], stays[order], hessian)
    return kept.reshape(weight.shape), w.reshape(weight.shape)


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
    then one more (``<=`` the next score). Here the blocks' counts differ by their size
    alone and add up exactly: the first blocks hold ``count * columns // all columns``.

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
        part = count * done // size - count * begin // size
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
    order = _along_channels("sparsegpt_n_m", weight, keep, group)
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


def _eliminate(
    w: FloatArray, inv: FloatArray, budget: IntArray, steps: int
) -> list[tuple[float, int]]:
    """Cost and place of each removal of a greedy OBS in one row; changes nothing.

    `budget` says how many weights each of its equal stretches of the row may lose.
    """
    w, inv, budget = w.copy(), inv.copy(), budget.copy()
    stretch = w.size // max(budget.size, 1)
    kept, trace = np.ones(w.size, bool), []
    for _ in range(steps):
        open_ = kept & np.repeat(budget > 0, stretch)
        cost = np.full(w.size, np.inf)
        cost[open_] = w[open_] ** 2 / np.diag(inv)[open_]
        p = int(np.argmin(cost))
        trace.append((0.5 * float(cost[p]), p))
        column = inv[:, p] / inv[p, p]
        w -= w[p] * column
        inv -= np.outer(column, inv[p])
        kept[p] = False
        budget[p // stretch] -= 1
    return trace


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


def _along_channels(caller: str, weight: FloatArray, keep: int, group: int) -> IntArray:
    """Places in a row, input channels running fastest; checks `keep` of `group`."""
    group = positive_int(caller, "group", group)
    keep = positive_int(caller, "keep", keep, minimum=0)
    channels = weight.shape[1] if weight.ndim > 1 else 0
    if keep > group or channels == 0 or channels % group:
        raise ValueError(
            f"{caller}: keep={keep} of group={group} does not fit the {channels} input "
            f"channels of weight {weight.shape}; expected a group that divides them "
            f"and no more to keep than it holds"
        )
    return np.arange(int(np.prod(weight.shape[1:]))).reshape(channels, -1).T.ravel()
