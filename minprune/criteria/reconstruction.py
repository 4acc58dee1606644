"""Solvers that take whole input channels away and rebuild the layer's output.

The channels of one layer are what the layer before puts out, so these say which of
*its* filters may go, judged by the layer that reads them. Channel c adds the part
``Z_c = X_c W_c'`` to the output Y; everything about the parts that matters is in their
inner products ``Q_cd = mean <Z_c, Z_d>``, which the weight and the Gram matrix of the
inputs give. In a grouped convolution channels count through all groups.
"""

import numpy as np

from minprune._check import AnyArray, BoolArray, FloatArray
from minprune.criteria._catalog import Holds, criterion
from minprune.criteria._quadratic import (
    constrained_minimum,
    damped,
    input_groups,
    removable,
    rows,
    without_dead_inputs,
    without_zero_diagonal,
)

SETTLED = 1e-10
"""Coordinate descent ends when no coefficient, of order 1, moves more than this."""


@criterion(
    kind="solver",
    unit="output^2",
    granularity="channel",
    formula="G_KK v_K = (G w)_K in every row, K the columns of the kept channels",
    cites=("he2017channel", "he2018amc"),
    batch="mean of x x' over examples and positions",
    holds={Holds.PERMUTES_OUT, Holds.SCALES_WITH_WEIGHT},
)
def feature_reconstruction(
    weight: FloatArray,
    gram: FloatArray,
    *,
    channels: BoolArray,
    damping: float = 0.01,
) -> tuple[BoolArray, FloatArray]:
    r"""The layer that best rebuilds its output from the input channels that are left.

    Parameters
    ----------
    weight : ndarray of float, shape (out, in) or (out, in/groups, height, width)
        Weights of the layer that reads the channels.
    gram : ndarray of float, shape (in, in) or (groups, K, K)
        Mean of x x' over the (unfolded) inputs, K = in/groups * height * width.
    channels : ndarray of bool, shape (in,)
        True for the input channels that stay, through all groups.
    damping : float
        Share of the mean diagonal that is added to the diagonal of `gram`.

    Returns
    -------
    mask : ndarray of bool, same shape as `weight`
        False for every weight on a removed channel.
    weight : ndarray of float64, same shape as `weight`
        The moved weight, zero where the mask is False.

    Raises
    ------
    ValueError
        If shapes do not fit, the Gram matrix is not symmetric or not positive definite
        after damping, or an array holds a NaN or an infinity.
    TypeError
        If `channels` is not boolean.

    See Also
    --------
    refit : The same for any mask.
    lasso_channels, thinet : Choose the channels as well.

    Notes
    -----
    .. math:: \min_{V} \; \overline{\| W x - V x_K \|^2}
              \quad\Longrightarrow\quad V\, G_{KK} = W\, G_{\cdot K}

    ([1]_). Nothing is lost when the removed channels are linear combinations of
    the kept ones. *Also known as*: the channel pruning of AMC [2]_, which keeps the
    channels of the largest absolute weight sums and handles 1x1 kernels.

    References
    ----------
    .. [1] Y. He, X. Zhang and J. Sun, "Channel pruning for accelerating very deep
       neural networks", ICCV 2017, Sec. 3.1. arXiv:1707.06168
    .. [2] Y. He et al., "AMC: AutoML for model compression and acceleration on mobile
       devices", ECCV 2018. arXiv:1802.03494

    Examples
    --------
    The third input is the sum of the others, so it can be rebuilt from them.

    >>> x = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
    >>> keep = np.array([True, True, False])
    >>> feature_reconstruction(np.ones((1, 3)), x.T @ x, channels=keep, damping=1e-9)[1]
    array([[2., 2., 0.]])
    """
    channels = np.asarray(channels)
    if channels.dtype != np.bool_:
        raise TypeError(
            f"feature_reconstruction: channels is of type {channels.dtype}; "
            f"expected bool"
        )
    return _rebuilt("feature_reconstruction", weight, gram, channels, damping)


@criterion(
    kind="solver",
    unit="output^2",
    granularity="channel",
    formula="min_b 1/2 mean |Y - sum_c b_c Z_c|^2 + lambda |b|_1, then least squares",
    cites=("he2017channel",),
    batch="mean of x x' over examples and positions",
    holds={Holds.PERMUTES_OUT, Holds.PERMUTES_IN, Holds.SCALES_WITH_WEIGHT},
)
def lasso_channels(
    weight: FloatArray, gram: FloatArray, *, count: int, damping: float = 0.01
) -> tuple[BoolArray, FloatArray]:
    r"""Channel pruning: LASSO picks the input channels, least squares rebuilds.

    Parameters
    ----------
    weight : ndarray of float, shape (out, in) or (out, in/groups, height, width)
        Weights of the layer that reads the channels.
    gram : ndarray of float, shape (in, in) or (groups, K, K)
        Mean of x x' over the (unfolded) inputs, K = in/groups * height * width.
    count : int
        How many input channels to remove.
    damping : float
        Share of the mean diagonal that is added to the diagonal of `gram` when the
        weight is rebuilt.

    Returns
    -------
    mask : ndarray of bool, same shape as `weight`
        False for every weight on one of exactly `count` channels.
    weight : ndarray of float64, same shape as `weight`
        The rebuilt weight, zero where the mask is False.

    Raises
    ------
    ValueError
        If `count` is not between 0 and the number of channels, shapes do not fit, the
        Gram matrix is not symmetric or not positive definite after damping, or an array
        holds a NaN or an infinity.
    TypeError
        If `count` is not a whole number.

    See Also
    --------
    thinet : Greedy instead of convex.
    feature_reconstruction : The second step.

    Notes
    -----
    With :math:`Y = \sum_c Z_c` and :math:`Q_{cd} = \overline{\langle Z_c, Z_d \rangle}`
    the first step of [1]_ is

    .. math:: \min_\beta \; \tfrac12 (1 - \beta)^\top Q\, (1 - \beta)
              + \lambda \|\beta\|_1

    by coordinate descent with the soft threshold S,

    .. math:: \beta_c \leftarrow \frac1{Q_{cc}}
              S_\lambda\Big( (Q 1)_c - \sum_{d \ne c} Q_{cd}\, \beta_d \Big)

    The penalty is found by halving the interval between none and the one that removes
    everything. Where one penalty would remove several channels at once, the lower
    coefficients go. A channel that adds nothing goes first.

    *Departs from the paper* in the exact count (its code stops near the asked number)
    and, as its code does, in taking one turn of the alternation instead of many.

    References
    ----------
    .. [1] Y. He, X. Zhang and J. Sun, "Channel pruning for accelerating very deep
       neural networks", ICCV 2017, Sec. 3.1. arXiv:1707.06168

    Examples
    --------
    Two channels say the same; the weight of the stronger takes over the other's.

    >>> x = np.array([[1.0, 0.5, 0.0], [0.0, 0.0, 1.0]])
    >>> lasso_channels(np.ones((1, 3)), x.T @ x, count=1, damping=1e-9)[1]
    array([[1.5, 0. , 1. ]])
    """
    q = _parts("lasso_channels", weight, gram)
    keep = len(q) - removable("lasso_channels", count, len(q))
    low, high = 0.0, float(np.abs(q.sum(axis=1)).max(initial=0.0))
    beta: FloatArray = (np.diag(q) > 0).astype(np.float64)
    narrow = SETTLED * high
    while keep and high - low > narrow:
        middle = 0.5 * (low + high)
        trial = _lasso(q, middle, beta)
        alive = np.count_nonzero(trial)
        if alive >= keep:
            low, beta = middle, trial
        else:
            high = middle
        if alive == keep:
            break
    channels = np.zeros(len(q), bool)
    channels[np.argsort(np.abs(beta), kind="stable")[len(q) - keep :]] = True
    return _rebuilt("lasso_channels", weight, gram, channels, damping)


@criterion(
    kind="solver",
    unit="output^2",
    granularity="channel",
    formula="T grows by the lowest mean |sum_{c in T} Z_c|^2; the rest is rescaled",
    cites=("luo2017thinet",),
    batch="mean of x x' over examples and positions",
    holds={Holds.PERMUTES_OUT, Holds.PERMUTES_IN, Holds.SCALES_WITH_WEIGHT},
)
def thinet(
    weight: FloatArray, gram: FloatArray, *, count: int, damping: float = 0.01
) -> tuple[BoolArray, FloatArray]:
    r"""ThiNet: remove, one by one, the channels whose sum the output misses least.

    Parameters
    ----------
    weight : ndarray of float, shape (out, in) or (out, in/groups, height, width)
        Weights of the layer that reads the channels.
    gram : ndarray of float, shape (in, in) or (groups, K, K)
        Mean of x x' over the (unfolded) inputs, K = in/groups * height * width.
    count : int
        How many input channels to remove.
    damping : float
        Share of the mean diagonal that is added when the rest is rescaled.

    Returns
    -------
    mask : ndarray of bool, same shape as `weight`
        False for every weight on one of exactly `count` channels.
    weight : ndarray of float64, same shape as `weight`
        Kept channels times one factor each, zero where the mask is False.

    Raises
    ------
    ValueError
        If `count` is not between 0 and the number of channels, shapes do not fit, the
        Gram matrix is not symmetric, its parts are not positive definite after
        damping, or an array holds a NaN or an infinity.
    TypeError
        If `count` is not a whole number.

    See Also
    --------
    lasso_channels : Convex instead of greedy, and rebuilds every weight.

    Notes
    -----
    The removed set T grows by the channel with the lowest

    .. math:: \overline{\Big\| \sum_{c \in T} Z_c \Big\|^2}
              = \sum_{c \in T} \sum_{d \in T} Q_{cd}

    ([1]_), so channels that cancel one another go together. Then
    each kept channel gets the factor that least squares asks for:
    :math:`Q_{SS}\, \alpha_S = (Q\,1)_S`.

    It is what ``value_sum`` computes in the authors' code (commit b8c2725), but for the
    samples.

    *Departs from the paper*, which looks at random places of random output maps (its
    code at ten an image); here all outputs and places count. That code also solves for
    the factors without damping.

    References
    ----------
    .. [1] J.-H. Luo, J. Wu and W. Lin, "ThiNet: A filter level pruning method for deep
       neural network compression", ICCV 2017, Sec. 3.2. arXiv:1707.06342

    Examples
    --------
    The first two cancel, the last is small: it stays, missing it would be felt.

    >>> x = np.array([[1.0, -1.1, 1.2], [1.0, -1.1, 0.9]])
    >>> thinet(np.ones((1, 3)), x.T @ x, count=2)[0]
    array([[False, False,  True]])
    """
    q = _parts("thinet", weight, gram)
    count = removable("thinet", count, len(q))
    channels = np.ones(len(q), bool)
    missed = np.diag(q).copy()  # what the sum grows by if the channel joins T
    for _ in range(count):
        c = int(np.argmin(np.where(channels, missed, np.inf)))
        channels[c] = False
        missed += 2.0 * q[c]
    # A channel that adds nothing has no factor of its own; it keeps its weight.
    filled = without_zero_diagonal(q)
    lifted = damped("thinet", "the Gram matrix of the parts", filled, damping)
    factor = constrained_minimum(np.ones(len(q)), channels, lifted)
    mask: BoolArray = _spread(channels, weight)
    moved: FloatArray = weight * _spread(factor, weight)
    return mask, moved


def _parts(caller: str, weight: FloatArray, gram: FloatArray) -> FloatArray:
    """Inner products ``Q_cd`` of what the channels add to the output."""
    w, inside = rows(weight), []
    for here, one in input_groups(caller, weight, gram):
        channels = weight.shape[1]
        places = len(one) // max(channels, 1)
        product = (w[here].T @ w[here]) * one
        blocks = product.reshape(channels, places, channels, places)
        inside.append(blocks.sum(axis=(1, 3)))
    q = np.zeros((len(inside) * weight.shape[1],) * 2)
    for g, block in enumerate(inside):
        here = slice(g * len(block), (g + 1) * len(block))
        q[here, here] = block
    return q


def _lasso(q: FloatArray, penalty: float, beta: FloatArray) -> FloatArray:
    """Minimum over b of ``1/2 (1-b)'Q(1-b) + penalty |b|_1``, starting at `beta`."""
    beta, moved = beta.copy(), np.inf
    slope = q @ (1.0 - beta)
    while moved > SETTLED:
        moved = 0.0
        for c in np.flatnonzero(np.diag(q) > 0):
            alone = slope[c] + q[c, c] * beta[c]
            new = np.sign(alone) * max(abs(alone) - penalty, 0.0) / q[c, c]
            slope -= q[c] * (new - beta[c])
            moved, beta[c] = max(moved, abs(new - beta[c])), new
    return beta


def _spread(by_channel: AnyArray, weight: FloatArray) -> AnyArray:
    """A value for every channel of every group, given to the weights that read it."""
    by_column = _by_column(by_channel, weight)
    outputs = len(weight) // len(by_column)
    return np.repeat(by_column, outputs, axis=0).reshape(weight.shape)


def _by_column(by_channel: AnyArray, weight: FloatArray) -> AnyArray:
    """A value for every channel, given to its unfolded columns: (groups, K)."""
    inputs, places = weight.shape[1], int(np.prod(weight.shape[2:]))
    groups = len(by_channel) // inputs if inputs else 1
    return np.repeat(by_channel.reshape(groups, inputs), places, axis=1)


def _rebuilt(
    caller: str,
    weight: FloatArray,
    gram: FloatArray,
    channels: BoolArray,
    damping: float,
) -> tuple[BoolArray, FloatArray]:
    """Mask and least-squares weight when these channels are left."""
    w, groups = rows(weight), list(input_groups(caller, weight, gram))
    wanted = (len(groups) * weight.shape[1],)
    if channels.shape != wanted:
        raise ValueError(
            f"{caller}: channels has shape {channels.shape}; expected {wanted}, one "
            f"entry for every input channel"
        )
    for (here, one), kept in zip(groups, _by_column(channels, weight), strict=True):
        mended = without_dead_inputs(w[here], one)
        hessian = damped(caller, "gram", mended, damping)
        # All rows of a group keep the same columns: one system for all of them.
        w[here] = constrained_minimum(w[here].T, kept, hessian).T
    mask: BoolArray = _spread(channels, weight)
    return mask, w.reshape(weight.shape)
