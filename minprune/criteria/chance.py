"""No criterion at all: what every other one has to beat.

The scores are drawn, independently and evenly between 0 and 1. A criterion that does
not beat them at the same sparsity has learned nothing about the network.
"""

import numpy as np

from minprune._check import FloatArray, dimensions, float64
from minprune.criteria._catalog import Holds, criterion


@criterion(
    unit="1",
    granularity="weight",
    formula="u, uniform on [0, 1)",
    cites=("blalock2020state",),
    holds={Holds.NON_NEGATIVE, Holds.SIGN_FREE, Holds.DATA_FREE}
    | {Holds.SCALE_INVARIANT, Holds.SCALES_WITH_WEIGHT},
)
def random(weight: FloatArray, *, rng: np.random.Generator) -> FloatArray:
    r"""A lot drawn for every weight.

    Parameters
    ----------
    weight : ndarray of float, any shape
        Weights of one layer; only the shape is used.
    rng : numpy.random.Generator
        Where the lots come from.

    Returns
    -------
    score : ndarray of float64, same shape as `weight`
        Uniform on [0, 1), without a unit. Higher means keep.

    Raises
    ------
    ValueError
        If `weight` holds a NaN or an infinity.

    Notes
    -----
    .. math:: s_i \sim U[0, 1)

    Ranking the lots and cutting at an exact count removes exactly the asked share.
    Removing each weight with that probability, as some implementations do, only hits
    it on average.

    References
    ----------
    .. [1] D. Blalock, J. Gonzalez Ortiz, J. Frankle and J. Guttag, "What is the state
       of neural network pruning?", MLSys 2020. arXiv:2003.03033

    Examples
    --------
    The same generator, the same lots.

    >>> draw = lambda: random(np.ones((2, 2)), rng=np.random.default_rng(0))
    >>> draw().round(2)
    array([[0.64, 0.27],
           [0.04, 0.02]])
    >>> bool((draw() == draw()).all())
    True
    """
    (weight,) = float64("random", weight=weight)
    return rng.random(weight.shape)


@criterion(
    unit="1",
    granularity="filter",
    formula="u, uniform on [0, 1)",
    cites=("mittal2019studying",),
    holds={Holds.NON_NEGATIVE, Holds.SIGN_FREE, Holds.DATA_FREE}
    | {Holds.SCALE_INVARIANT, Holds.SCALES_WITH_WEIGHT},
)
def random_filter(weight: FloatArray, *, rng: np.random.Generator) -> FloatArray:
    r"""A lot drawn for every filter.

    Parameters
    ----------
    weight : ndarray of float, shape (out, ...)
        Weights of one layer; only the number of output units is used.
    rng : numpy.random.Generator
        Where the lots come from.

    Returns
    -------
    score : ndarray of float64, shape (out,)
        Uniform on [0, 1), without a unit. Higher means keep.

    Raises
    ------
    ValueError
        If `weight` holds a NaN or an infinity, or has no axis.

    Notes
    -----
    .. math:: s_c \sim U[0, 1)

    After fine-tuning, random filters come close to chosen ones more often than the
    literature on criteria would suggest; [1]_ is the study to read.

    References
    ----------
    .. [1] D. Mittal, S. Bhardwaj, M. Khapra and B. Ravindran, "Studying the plasticity
       in deep convolutional neural networks using random pruning", Machine Vision and
       Applications 30, 2019.

    Examples
    --------
    >>> random_filter(np.ones((3, 2, 5, 5)), rng=np.random.default_rng(0)).round(2)
    array([0.64, 0.27, 0.04])
    """
    (weight,) = float64("random_filter", weight=weight)
    dimensions("random_filter", 1, 2, 3, 4, weight=weight)
    return rng.random(len(weight))
