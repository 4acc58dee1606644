"""Criteria that ask how much an input varies: what never changes is only a bias.

A layer that loses an input whose value is always the same loses nothing, if the input's
mean is added to its bias. What is lost is what the input does beyond its mean.
"""

import numpy as np

from minprune._check import FloatArray, float64
from minprune.criteria._catalog import Holds, criterion
from minprune.criteria._inputs import by_weight


@criterion(
    unit="output^2",
    granularity="channel",
    formula="sum of w^2 var(x) over everything that reads the input channel",
    cites=("an2024fluctuation",),
    batch="variance of the input over examples and positions",
    holds={
        Holds.NON_NEGATIVE,
        Holds.ZERO_AT_ZERO,
        Holds.PERMUTES_OUT,
        Holds.PERMUTES_IN,
        Holds.SIGN_FREE,
        Holds.SCALES_WITH_WEIGHT,
    },
)
def flap(weight: FloatArray, input_variance: FloatArray) -> FloatArray:
    r"""Variance of an input times the squared length of the weights that read it.

    Parameters
    ----------
    weight : ndarray of float, shape (out, in) or (out, in/groups, height, width)
        Weights of one layer.
    input_variance : ndarray of float, shape (in,) or (groups, K)
        Variance of each (unfolded) input, K = in/groups * height * width.

    Returns
    -------
    score : ndarray of float64, shape (in,) or (in/groups,)
        Mean squared change of the output when the channel is replaced by its mean.
        Higher means keep.

    Raises
    ------
    ValueError
        If the shapes do not fit, a variance is negative, or an array holds a NaN or an
        infinity.

    See Also
    --------
    channel_l1_norm : Only what reads the channel, not what it says.
    activation_variance : Only what a unit says, not who reads it.
    wanda : The mean square in place of the variance, and weight by weight.

    Notes
    -----
    .. math:: s_j = \operatorname{var}(x_j)\, \sum_o w_{oj}^2

    ([1]_, ``WIFV`` in its code, commit 9bbad71). Replace :math:`x_j` by its mean
    :math:`\bar x_j`, which the bias :math:`w_{oj} \bar x_j` does exactly; then the
    output changes by :math:`w_{oj} (x_j - \bar x_j)`, and this is the mean of the
    squares. The score is meant for a channel whose mean goes into the bias; without
    that, what is lost is the mean square.

    Of a convolution the places of the kernel are summed, each with its own variance,
    as if they varied apart. In a grouped convolution entry j stands for channel j of
    every group.

    *Departs from the paper* by dividing by the number of examples, not by one less, and
    by the scaling with which it compares layers (deviations from the layer's mean). Its
    code updates the running mean in place before it takes the difference from the old
    one, so that it computes the square about the new mean.

    References
    ----------
    .. [1] Y. An, X. Zhao, T. Yu, M. Tang and J. Wang, "Fluctuation-based adaptive
       structured pruning for large language models", AAAI 2024. arXiv:2312.11983

    Examples
    --------
    The first input is read by larger weights, and hardly changes.

    >>> flap(np.array([[3.0, 1.0], [4.0, 1.0]]), np.array([0.01, 2.0]))
    array([0.25, 4.  ])
    """
    (w,) = float64("flap", weight=weight)
    terms = w**2 * by_weight("flap", w, input_variance=input_variance)
    score: FloatArray = np.sum(terms, axis=(0, *range(2, w.ndim)))
    return score
