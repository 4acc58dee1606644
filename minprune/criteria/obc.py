"""Optimal Brain Compression: the full Optimal Brain Surgeon, row by row.

The rows of a layer share one Hessian, the Gram matrix of its inputs, and do not feel
one another. So each is pruned for itself, weight after weight, and what the steps cost
decides between them. How many go comes as a count, or as `keep` of every `group` input
channels.
"""

import heapq

import numpy as np

from minprune._check import BoolArray, FloatArray, IntArray
from minprune.criteria._catalog import Holds, criterion
from minprune.criteria._quadratic import (
    along_channels,
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
    is the same only while the costs of a row rise; the heap needs no such luck. That
    code also takes ``ceil`` of a share and adds the identity to a singular matrix.

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
    order = along_channels("obc_n_m", weight, keep, group)
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
