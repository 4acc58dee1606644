"""Neurons that are nearly twins: one can go if the other speaks for both.

If two neurons of a layer have equal weights, they always put out the same, and the
layer that reads them may take the sum of its two weights from one of them. For neurons
that are nearly equal the mistake has a bound that needs no data.
"""

import numpy as np

from minprune._check import BoolArray, FloatArray, dimensions, float64
from minprune.criteria._catalog import Holds, criterion
from minprune.criteria._quadratic import removable


@criterion(
    unit="weight^4",
    granularity="filter",
    formula="min_i mean_k a_kj^2 ||w_i - w_j||^2",
    cites=("srinivas2015data",),
    holds={
        Holds.NON_NEGATIVE,
        Holds.PERMUTES_OUT,
        Holds.PERMUTES_IN,
        Holds.SCALES_WITH_WEIGHT,
        Holds.DATA_FREE,
    },
)
def data_free_saliency(
    weight: FloatArray, next_weight: FloatArray, *, bias: FloatArray | None = None
) -> FloatArray:
    r"""What it costs at most to let the nearest other neuron speak for this one.

    Parameters
    ----------
    weight : ndarray of float, shape (out, ...)
        Weights of the layer whose neurons may merge.
    next_weight : ndarray of float, shape (other, out, ...)
        Weights of the layer that reads them.
    bias : ndarray of float, shape (out,), optional
        Biases; two neurons are twins only if these agree, too.

    Returns
    -------
    score : ndarray of float64, shape (out,)
        Saliency of the cheapest merge that removes the neuron. Higher means keep.

    Raises
    ------
    ValueError
        If the shapes do not fit, or an array holds a NaN or an infinity.

    See Also
    --------
    merge_neurons : Merges, one after another.
    cosine_redundancy : Does not see the next layer.

    Notes
    -----
    With :math:`a_{kj}` the weight by which output k reads neuron j,

    .. math:: s_j = \min_{i \ne j} \; \langle a_{kj}^2 \rangle_k \, \| w_i - w_j \|^2

    ([1]_, Sec. 3). If j goes and :math:`a_{ki}` becomes :math:`a_{ki} + a_{kj}`,
    then behind a ReLU output k changes by at most
    :math:`|a_{kj}|\,\|w_i - w_j\|\,\|x\|`. The places of a convolution kernel are
    summed. The only neuron of a layer is compared with silence, a neuron of zeros.

    References
    ----------
    .. [1] S. Srinivas and R. V. Babu, "Data-free parameter pruning for deep neural
       networks", BMVC 2015. arXiv:1507.06149

    Examples
    --------
    Of the twins the one that is read less goes first.

    >>> weight = np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 2.0]])
    >>> data_free_saliency(weight, np.array([[2.0, 1.0, 1.0]])).round(2)
    array([0.04, 0.01, 4.61])
    """
    w, a = _checked("data_free_saliency", weight, next_weight, bias)
    if len(w) == 1:
        w, a = np.pad(w, ((0, 1), (0, 0))), np.pad(a, ((0, 0), (0, 1), (0, 0)))
    score: FloatArray = _saliency(w, a).min(axis=0, initial=np.inf)
    return score[: len(weight)]


@criterion(
    kind="solver",
    unit="weight^4",
    granularity="filter",
    formula="remove j of the lowest mean_k a_kj^2 ||w_i - w_j||^2, a_i = a_i + a_j",
    cites=("srinivas2015data",),
    holds=set(),
)
def merge_neurons(
    weight: FloatArray,
    next_weight: FloatArray,
    *,
    count: int,
    bias: FloatArray | None = None,
) -> tuple[BoolArray, FloatArray]:
    r"""Data-free pruning: neurons go one by one, their nearest twins speak for them.

    Parameters
    ----------
    weight : ndarray of float, shape (out, ...)
        Weights of the layer whose neurons merge.
    next_weight : ndarray of float, shape (other, out, ...)
        Weights of the layer that reads them.
    count : int
        How many neurons to remove; one at least must stay.
    bias : ndarray of float, shape (out,), optional
        Biases; two neurons are twins only if these agree, too.

    Returns
    -------
    mask : ndarray of bool, shape (out,)
        False for exactly `count` neurons.
    next_weight : ndarray of float64, same shape as `next_weight`
        The reading weights after the surgery, zero for the removed neurons.

    Raises
    ------
    ValueError
        If `count` is not between 0 and one less than the neurons, the shapes do not
        fit, or an array holds a NaN or an infinity.
    TypeError
        If `count` is not a whole number.

    See Also
    --------
    data_free_saliency : The first step's scores.

    Notes
    -----
    Of all pairs, take the lowest :math:`\langle a_{kj}^2 \rangle_k \|w_i - w_j\|^2`,
    remove j, add its reading weights to those of i, and score again with the new ones
    ([1]_, Sec. 3). Equal neurons merge without any change of the network. Of equal
    saliencies the lower j, then the lower i, is taken.

    References
    ----------
    .. [1] S. Srinivas and R. V. Babu, "Data-free parameter pruning for deep neural
       networks", BMVC 2015. arXiv:1507.06149

    Examples
    --------
    >>> weight = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
    >>> merge_neurons(weight, np.array([[2.0, 1.0, 1.0]]), count=1)
    (array([False,  True,  True]), array([[0., 3., 1.]]))
    """
    w, a = _checked("merge_neurons", weight, next_weight, bias)
    count = removable("merge_neurons", count, max(len(w) - 1, 0))
    a, kept = a.copy(), np.ones(len(w), bool)
    for _ in range(count):
        cost = _saliency(w, a)
        cost[~kept], cost[:, ~kept] = np.inf, np.inf
        gone, twin = divmod(int(np.argmin(cost.T)), len(w))
        a[:, twin] += a[:, gone]
        a[:, gone], kept[gone] = 0.0, False
    return kept, a.reshape(next_weight.shape)


def _checked(
    caller: str,
    weight: FloatArray,
    next_weight: FloatArray,
    bias: FloatArray | None,
) -> tuple[FloatArray, FloatArray]:
    """Neurons as rows, bias last, and reading weights as (other, out, places)."""
    w, a = float64(caller, weight=weight, next_weight=next_weight)
    dimensions(caller, 2, 3, 4, weight=w, next_weight=a)
    w = w.reshape(len(w), int(np.prod(w.shape[1:])))
    if a.shape[1] != len(w):
        raise ValueError(
            f"{caller}: next_weight has shape {a.shape} but weight has {len(w)} "
            f"neurons; expected one column for each"
        )
    if bias is not None:
        (b,) = float64(caller, bias=bias)
        if b.shape != (len(w),):
            raise ValueError(
                f"{caller}: bias has shape {b.shape}; expected ({len(w)},)"
            )
        w = np.column_stack([w, b])
    return w, a.reshape(*a.shape[:2], int(np.prod(a.shape[2:])))


def _saliency(w: FloatArray, a: FloatArray) -> FloatArray:
    """Cost [i, j] of letting i speak for j; infinite on the diagonal."""
    read = (a**2).sum(axis=2).mean(axis=0)
    cost = np.zeros((len(w), len(w)))
    for i, row in enumerate(w):
        cost[i] = read * ((w - row) ** 2).sum(axis=1)
    np.fill_diagonal(cost, np.inf)
    return cost
