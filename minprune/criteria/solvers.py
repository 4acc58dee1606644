"""Solvers: which weights go, and where the others move to make up for them.

All of them minimize the same bowl, ``1/2 (v - w)' H (v - w)``, with some entries of v
held at zero. For a given set of zeros the minimum is one linear system (`refit`); what
is hard is the choice of the set. How many go comes as a count or as a mask, never as a
share. A solver returns the mask (True where kept) and the moved weight in float64.
"""

import numpy as np

from minprune._check import BoolArray, FloatArray, float64
from minprune.criteria._catalog import Holds, criterion
from minprune.criteria._quadratic import (
    constrained_minimum,
    damped,
    input_groups,
    inverse,
    removable,
    rows,
    symmetric,
    without_dead_inputs,
)


@criterion(
    kind="solver",
    unit="output^2",
    granularity="weight",
    formula="G_KK v_K = (G w)_K in every row, K the kept weights",
    cites=("he2017channel", "hassibi1992second"),
    batch="mean of x x' over examples and positions",
    holds={Holds.PERMUTES_OUT, Holds.PERMUTES_IN},
)
def refit(
    weight: FloatArray, gram: FloatArray, *, mask: BoolArray, damping: float = 0.01
) -> tuple[BoolArray, FloatArray]:
    r"""Survivors that bring a pruned layer's output closest to what it was.

    Parameters
    ----------
    weight : ndarray of float, shape (out, in) or (out, in/groups, height, width)
        Weights of one layer before pruning.
    gram : ndarray of float, shape (in, in) or (groups, K, K)
        Mean of x x' over the (unfolded) inputs, K = in/groups * height * width.
    mask : ndarray of bool, same shape as `weight`
        True where kept, by whatever criterion.
    damping : float
        Share of the mean diagonal that is added to the diagonal of `gram`.

    Returns
    -------
    mask : ndarray of bool, same shape as `weight`
        A copy of the mask given.
    weight : ndarray of float64, same shape as `weight`
        The moved weight, zero where the mask is False.

    Raises
    ------
    ValueError
        If shapes do not fit, the Gram matrix is not symmetric or not positive definite
        after damping, or an array holds a NaN or an infinity.
    TypeError
        If `mask` is not boolean.

    See Also
    --------
    feature_reconstruction : Whole input channels.
    obc : Chooses the mask as well.

    Notes
    -----
    Row by row, with K the kept weights of the row,

    .. math:: \min_{v_{\bar K} = 0} (v - w)^\top G\, (v - w)
              \quad\Longrightarrow\quad G_{KK}\, v_K = (G\, w)_K

    which is the least-squares fit of the old output on the inputs that are left, and
    OBS's update for any number of removals at once. Damping pulls towards the old
    weight. Weights on inputs that are always zero are set to zero.

    References
    ----------
    .. [1] Y. He, X. Zhang and J. Sun, "Channel pruning for accelerating very deep
       neural networks", ICCV 2017, Sec. 3.1. arXiv:1707.06168
    .. [2] B. Hassibi and D. Stork, "Second order derivatives for network pruning:
       Optimal brain surgeon", NeurIPS 1992.

    Examples
    --------
    The inputs move together, so the survivor takes over nine tenths of the other.

    >>> gram = np.array([[1.0, 0.9], [0.9, 1.0]])
    >>> mask = np.array([[True, False]])
    >>> refit(np.array([[2.0, 1.0]]), gram, mask=mask, damping=0.0)[1]
    array([[2.9, 0. ]])
    """
    mask = np.array(mask)
    if mask.dtype != np.bool_:
        raise TypeError(f"refit: mask is of type {mask.dtype}; expected bool")
    if mask.shape != weight.shape:
        raise ValueError(
            f"refit: mask has shape {mask.shape} but weight has shape {weight.shape}; "
            f"expected one entry for every weight"
        )
    w = rows(weight)
    kept = mask.reshape(w.shape)
    for here, one in input_groups("refit", weight, gram):
        mended = without_dead_inputs(w[here], one)
        hessian = damped("refit", "gram", mended, damping)
        for row, keep in zip(w[here], kept[here], strict=True):
            row[:] = constrained_minimum(row, keep, hessian)
    return mask, w.reshape(weight.shape)


@criterion(
    kind="solver",
    unit="loss",
    granularity="weight",
    formula="remove argmin w_q^2 / [H^-1]_qq, move w by -w_q H^-1 e_q / [H^-1]_qq",
    cites=("hassibi1992second",),
    batch="Hessian of the mean loss",
    holds={Holds.SCALES_WITH_WEIGHT},
)
def obs_update(
    weight: FloatArray, hessian: FloatArray, *, count: int, damping: float = 0.01
) -> tuple[BoolArray, FloatArray]:
    r"""Optimal Brain Surgeon in full: the cheapest weight goes, the others follow.

    Parameters
    ----------
    weight : ndarray of float, any shape
        Weights of one layer, n in all.
    hessian : ndarray of float, shape (n, n)
        Hessian of the mean loss in the weights in C order, in loss per squared weight.
    count : int
        How many weights to remove, one after another.
    damping : float
        Share of the mean diagonal that is added to the diagonal.

    Returns
    -------
    mask : ndarray of bool, same shape as `weight`
        False for exactly `count` weights.
    weight : ndarray of float64, same shape as `weight`
        The moved weight, zero where the mask is False.

    Raises
    ------
    ValueError
        If `count` is not between 0 and n, the Hessian has the wrong shape, is not
        symmetric or not positive definite after damping, or an array holds a NaN or an
        infinity.
    TypeError
        If `count` is not a whole number.

    See Also
    --------
    obs : The first step's scores alone.
    cbs : Chooses all removals together.

    Notes
    -----
    Each step removes the q with the lowest :math:`w_q^2 / (2 [H^{-1}]_{qq})` and moves

    .. math:: w \leftarrow w - \frac{w_q}{[H^{-1}]_{qq}} H^{-1} e_q, \qquad
              H^{-1} \leftarrow H^{-1} -
              \frac{H^{-1} e_q\, e_q^\top H^{-1}}{[H^{-1}]_{qq}}

    ([1]_, Eq. 5). The second line is the inverse without row and column q, so after
    any number of steps the weight is the exact minimum of the quadratic under the
    constraints so far: one Gaussian elimination in another order. Only the choice of
    the set is greedy. Cost: :math:`n^2` a step after :math:`n^3`.

    *Departs from the paper*, which recomputes the inverse Hessian of the moved network
    at every step; here the quadratic stays the one that was given.

    References
    ----------
    .. [1] B. Hassibi and D. Stork, "Second order derivatives for network pruning:
       Optimal brain surgeon", NeurIPS 1992, Sec. 2.

    Examples
    --------
    >>> hessian = np.array([[1.0, 0.9], [0.9, 1.0]])
    >>> mask, moved = obs_update(np.array([2.0, 1.0]), hessian, count=1, damping=0.0)
    >>> mask, moved
    (array([ True, False]), array([2.9, 0. ]))
    """
    weight, hessian = float64("obs_update", weight=weight, hessian=hessian)
    symmetric("obs_update", weight.size, hessian=hessian)
    count = removable("obs_update", count, weight.size)
    w, kept = weight.flatten(), np.ones(weight.size, bool)
    inv = inverse(damped("obs_update", "hessian", hessian, damping))
    for _ in range(count):
        cost = np.full(w.size, np.inf)
        cost[kept] = w[kept] ** 2 / np.diag(inv)[kept]
        q = int(np.argmin(cost))
        column = inv[:, q] / inv[q, q]  # exactly one at q, so the zeros below are exact
        w -= w[q] * column
        inv -= np.outer(column, inv[q])
        kept[q] = False
    return kept.reshape(weight.shape), w.reshape(weight.shape)


@criterion(
    kind="solver",
    unit="loss",
    granularity="weight",
    formula="min over sets of 1/2 sum_ij w_i H_ij w_j by swaps, then as refit",
    cites=("yu2022combinatorial",),
    batch="Hessian of the mean loss",
    holds={Holds.SCALES_WITH_WEIGHT},
)
def cbs(
    weight: FloatArray, hessian: FloatArray, *, count: int, damping: float = 0.01
) -> tuple[BoolArray, FloatArray]:
    r"""Combinatorial Brain Surgeon: weights that cancel one another go together.

    Parameters
    ----------
    weight : ndarray of float, any shape
        Weights of one layer, n in all.
    hessian : ndarray of float, shape (n, n)
        Hessian of the mean loss in the weights in C order, in loss per squared weight.
    count : int
        How many weights to remove.
    damping : float
        Share of the mean diagonal that is added to the diagonal.

    Returns
    -------
    mask : ndarray of bool, same shape as `weight`
        False for exactly `count` weights.
    weight : ndarray of float64, same shape as `weight`
        The moved weight, zero where the mask is False.

    Raises
    ------
    ValueError
        If `count` is not between 0 and n, the Hessian has the wrong shape, is not
        symmetric or not positive definite after damping, or an array holds a NaN or an
        infinity.
    TypeError
        If `count` is not a whole number.

    See Also
    --------
    obd : The same sum without the products of different weights.
    obs_update : Lets the others move before it chooses the next.

    Notes
    -----
    Selection first ([1]_, CBS-S): the set P of removed weights that minimizes

    .. math:: \tfrac12 \sum_{i \in P} \sum_{j \in P} w_i\, H_{ij}\, w_j

    by local search, starting from the lowest `obd` scores and swapping the one pair,
    in for out, that lowers the sum most, until none does. Then the update (CBS-U): the
    minimum of the quadratic for that set, as in `refit`. Each swap costs
    :math:`n^2`; the sum falls every time, so it ends, at a set that no single swap
    betters.

    *Departs from the paper*, whose search starts from randomized magnitude selections;
    taking the best swap from one start needs no randomness.

    References
    ----------
    .. [1] X. Yu, T. Serra, S. Ramalingam and S. Zhe, "The combinatorial brain surgeon:
       Pruning weights that cancel one another in neural networks", ICML 2022.
       arXiv:2203.04466

    Examples
    --------
    The first and the last cancel: each alone is dearer than the middle one, as a pair
    they cost nothing much.

    >>> hessian = np.array([[1.0, 0.0, -0.9], [0.0, 0.6, 0.0], [-0.9, 0.0, 1.0]])
    >>> cbs(np.ones(3), hessian, count=2, damping=0.0)[0]
    array([False,  True, False])
    """
    weight, hessian = float64("cbs", weight=weight, hessian=hessian)
    symmetric("cbs", weight.size, hessian=hessian)
    count = removable("cbs", count, weight.size)
    w, kept = weight.ravel(), np.ones(weight.size, bool)
    lifted = damped("cbs", "hessian", hessian, damping)
    pair = w[:, None] * lifted * w
    own = np.diag(pair)
    kept[np.argsort(own, kind="stable")[:count]] = False
    enough = 1e-12 * np.abs(pair).sum()  # a gain below this is rounding of the sum
    while 0 < count < w.size:
        felt = pair @ ~kept
        # Change of the sum when i (a row, removed) comes back and j (kept) goes.
        out, into = 0.5 * own - felt, 0.5 * own + felt
        change = out[~kept, None] + into[kept] - pair[np.ix_(~kept, kept)]
        best = np.unravel_index(np.argmin(change), change.shape)
        if change[best] >= -enough:
            break
        back, gone = np.flatnonzero(~kept)[best[0]], np.flatnonzero(kept)[best[1]]
        kept[back], kept[gone] = True, False
    moved = constrained_minimum(w, kept, lifted)
    return kept.reshape(weight.shape), moved.reshape(weight.shape)
