"""Criteria that watch what a unit puts out.

They look at one unit's outputs over examples (and places of its feature map) and ask
whether they are ever anything, how large, how varied, how informative. `activation` is
taken behind the activation function, in units of the output.
"""

import numpy as np

from minprune._check import FloatArray, dimensions, float64, positive_int
from minprune.criteria._catalog import Holds, criterion
from minprune.criteria._ratio import centered, ratio


@criterion(
    unit="1",
    granularity="filter",
    formula="share of activations that are not zero",
    direction="prune highest",
    cites=("hu2016network",),
    batch="counted over examples and places",
    holds={
        Holds.NON_NEGATIVE,
        Holds.ZERO_AT_ZERO,
        Holds.PERMUTES_OUT,
        Holds.BATCH_ORDER,
    },
)
def apoz(activation: FloatArray) -> FloatArray:
    r"""How often a unit says anything: one minus its average percentage of zeros.

    Parameters
    ----------
    activation : ndarray of float, shape (examples, out) or (examples, out, ...places)
        What the units put out behind a ReLU.

    Returns
    -------
    score : ndarray of float64, shape (out,)
        Share of the outputs that are not exactly zero, 0 to 1. Higher means keep.

    Raises
    ------
    ValueError
        If there is no example, or `activation` holds a NaN or an infinity.

    See Also
    --------
    mean_activation : How much it says.
    hrank : For a map of one place, the same number.

    Notes
    -----
    .. math:: s_c = 1 - \mathrm{APoZ}_c
              = \frac1{NM} \sum_n \sum_m [\,a_{ncm} \ne 0\,]

    *Departs from the paper* in the direction alone: [1]_, Eq. 1, is the share of zeros
    and the highest goes; here the highest stays. Behind a function without a dead zone
    (tanh, sigmoid) every unit scores 1 and nothing is learned.

    References
    ----------
    .. [1] H. Hu, R. Peng, Y.-W. Tai and C.-K. Tang, "Network trimming: A data-driven
       neuron pruning approach towards efficient deep architectures", 2016, Sec. 3.1.
       arXiv:1607.03250

    Examples
    --------
    >>> apoz(np.array([[0.0, 3.0], [0.0, 0.0], [0.5, 1.0]])).round(2)
    array([0.33, 0.67])
    """
    a = _units("apoz", activation)
    score: FloatArray = np.count_nonzero(a, axis=1) / a.shape[1]
    return score


@criterion(
    unit="output",
    granularity="filter",
    formula="mean a",
    cites=("molchanov2017pruning",),
    batch="mean over examples and places",
    holds={Holds.ZERO_AT_ZERO, Holds.PERMUTES_OUT, Holds.BATCH_ORDER},
)
def mean_activation(activation: FloatArray) -> FloatArray:
    r"""How much a unit puts out on average.

    Parameters
    ----------
    activation : ndarray of float, shape (examples, out) or (examples, out, ...places)
        What the units put out.

    Returns
    -------
    score : ndarray of float64, shape (out,)
        Mean output. Higher means keep; it is negative only if the function's output
        may be.

    Raises
    ------
    ValueError
        If there is no example, or `activation` holds a NaN or an infinity.

    See Also
    --------
    activation_variance : A constant output, however large, is only a bias.

    Notes
    -----
    .. math:: s_c = \frac1{NM} \sum_n \sum_m a_{ncm}

    ([1]_, Sec. 2.2, "activation": mean). *Also known as*: NNI's ActivationMeanRank.
    One toolkit's filter pruner of this name prunes the highest: it inherits the order
    meant for the percentage of zeros.

    References
    ----------
    .. [1] P. Molchanov, S. Tyree, T. Karras, T. Aila and J. Kautz, "Pruning
       convolutional neural networks for resource efficient inference", ICLR 2017.
       arXiv:1611.06440

    Examples
    --------
    >>> mean_activation(np.array([[0.0, 3.0], [0.0, 0.0], [0.75, 1.5]]))
    array([0.25, 1.5 ])
    """
    score: FloatArray = _units("mean_activation", activation).mean(axis=1)
    return score


@criterion(
    unit="output^2",
    granularity="filter",
    formula="mean (a - mean a)^2",
    cites=("polyak2015channel", "molchanov2017pruning"),
    batch="over examples and places",
    holds={
        Holds.NON_NEGATIVE,
        Holds.ZERO_AT_ZERO,
        Holds.PERMUTES_OUT,
        Holds.BATCH_ORDER,
    },
)
def activation_variance(activation: FloatArray) -> FloatArray:
    r"""How much a unit's output varies: what it tells beyond a constant.

    Parameters
    ----------
    activation : ndarray of float, shape (examples, out) or (examples, out, ...places)
        What the units put out.

    Returns
    -------
    score : ndarray of float64, shape (out,)
        Variance over examples and places, divided by their number. Higher means keep.

    Raises
    ------
    ValueError
        If there is no example, or `activation` holds a NaN or an infinity.

    See Also
    --------
    activation_entropy : Counts how many different things it says.

    Notes
    -----
    .. math:: s_c = \frac1{NM} \sum_{nm} (a_{ncm} - \bar a_c)^2

    A unit without variance can be folded into the next layer's bias. [1]_ ranks
    channels by it; [2]_ lists its root among its baselines, which ranks alike.

    References
    ----------
    .. [1] A. Polyak and L. Wolf, "Channel-level acceleration of deep face
       representations", IEEE Access 3, 2015.
    .. [2] P. Molchanov, S. Tyree, T. Karras, T. Aila and J. Kautz, "Pruning
       convolutional neural networks for resource efficient inference", ICLR 2017.

    Examples
    --------
    The first unit is loud and says nothing.

    >>> activation_variance(np.array([[9.0, 1.0], [9.0, 3.0]]))
    array([0., 1.])
    """
    away = centered(_units("activation_variance", activation), axis=1)
    score: FloatArray = np.mean(away**2, axis=1)
    return score


@criterion(
    unit="nat",
    granularity="filter",
    formula="-sum_b p_b log p_b, p = histogram of the place means over examples",
    cites=("luo2017entropy",),
    batch="mean over places, histogram over examples",
    holds={
        Holds.NON_NEGATIVE,
        Holds.ZERO_AT_ZERO,
        Holds.PERMUTES_OUT,
        Holds.BATCH_ORDER,
    },
)
def activation_entropy(activation: FloatArray, *, bins: int = 10) -> FloatArray:
    r"""How many different things a unit says: the entropy of its mean output.

    Parameters
    ----------
    activation : ndarray of float, shape (examples, out) or (examples, out, ...places)
        What the units put out.
    bins : int
        Equal stretches between a unit's lowest and highest output.

    Returns
    -------
    score : ndarray of float64, shape (out,)
        Entropy in nats, 0 to log(bins). Higher means keep.

    Raises
    ------
    ValueError
        If there is no example, `bins` is below 1, or `activation` holds a NaN or an
        infinity.
    TypeError
        If `bins` is not a whole number.

    See Also
    --------
    activation_variance : Measures the spread, not the number of cases.

    Notes
    -----
    Each example's feature map is averaged to one number; with :math:`p_{cb}` the share
    of examples whose number falls into bin b of channel c,

    .. math:: s_c = -\sum_b p_{cb} \log p_{cb}

    ([1]_, Sec. 3). The highest value belongs to the last bin. A constant unit scores
    zero. The score does not change under ``a -> u a + v``, but for rounding.

    References
    ----------
    .. [1] J.-H. Luo and J. Wu, "An entropy-based pruning method for CNN compression",
       2017. arXiv:1706.05791

    Examples
    --------
    Two outcomes, then four, all equally often.

    >>> activation = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 2.0], [1.0, 3.0]])
    >>> activation_entropy(activation, bins=4) / np.log(2)
    array([1., 2.])
    """
    bins = positive_int("activation_entropy", "bins", bins)
    _units("activation_entropy", activation)
    a = np.asarray(activation, np.float64)
    means = a.mean(axis=tuple(range(2, a.ndim)))
    low, high = means.min(axis=0), means.max(axis=0)
    place = ratio(means - low, high - low) * bins
    bin_of = np.minimum(place.astype(np.intp), bins - 1)
    share = np.stack([(bin_of == b).mean(axis=0) for b in range(bins)])
    logs = np.log(share, out=np.zeros_like(share), where=share > 0)
    score: FloatArray = np.abs((share * logs).sum(axis=0))
    return score


def _units(caller: str, activation: FloatArray) -> FloatArray:
    """The outputs as (out, examples times places), checked."""
    (a,) = float64(caller, activation=activation)
    dimensions(caller, 2, 3, 4, activation=a)
    flat = np.moveaxis(a, 1, 0).reshape(a.shape[1], int(a.size / max(a.shape[1], 1)))
    if flat.shape[1] == 0:
        raise ValueError(
            f"{caller}: activation has shape {a.shape}, which holds no output to look "
            f"at; expected one example or more"
        )
    return flat
