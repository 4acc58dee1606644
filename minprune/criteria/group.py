"""Channels that must go together: one score for a channel of several coupled layers.

When an output channel goes, its batch norm, the layers that read it and everything
added to it lose their part as well. Each of these members has its own importance for
the channel (`squared_norm`, say). A *reduction* turns the members' importances, one row
a member, into one score for every channel; a *normalization* makes the scores of one
group comparable with those of another. Each is a function here; `group_magnitude` is
the pair that DepGraph takes by default. Where a member lacks a channel (behind a
concatenation) its importance is zero.
"""

import numpy as np

from minprune._check import FloatArray, dimensions, float64, not_negative
from minprune.criteria._catalog import Holds, criterion
from minprune.criteria._ratio import centered, ratio, share_of_outliving


@criterion(
    unit="1",
    granularity="filter",
    formula="mean over members of their squared norms, over its mean over channels",
    cites=("fang2023depgraph",),
    normalization="mean over the channels of the group",
    bias="not read, unless it is made a member",
    batch_norm="its squared scale is a member",
    holds={
        Holds.NON_NEGATIVE,
        Holds.ZERO_AT_ZERO,
        Holds.PERMUTES_OUT,
        Holds.SCALES_WITH_WEIGHT,
        Holds.SCALE_INVARIANT,
        Holds.DATA_FREE,
    },
)
def group_magnitude(coupled_norms: FloatArray) -> FloatArray:
    r"""Mean squared length of all that goes with a channel, relative to its group.

    Parameters
    ----------
    coupled_norms : ndarray of float, shape (members, channels)
        For every member of the group and every channel, the sum of the squared weights
        that go with it; zero where a member lacks the channel.

    Returns
    -------
    score : ndarray of float64, shape (channels,)
        Without a unit; the mean over the group is 1. Higher means keep.

    Raises
    ------
    ValueError
        If `coupled_norms` has not two axes or no member, is negative somewhere, or
        holds a NaN or an infinity.

    See Also
    --------
    squared_norm : The importance of one member.

    Notes
    -----
    .. math:: I_c = \frac{1}{M} \sum_m \sum_{i \in c} |w^{(m)}_i|^2, \qquad
              s_c = I_c \,/\, \overline{I}

    Torch-Pruning's `MagnitudeImportance` with p = 2, reduction "mean" and normalizer
    "mean". A group of zeros scores zero; the code divides 0 by 0.

    References
    ----------
    .. [1] G. Fang, X. Ma, M. Song, M. Bi Mi and X. Wang, "DepGraph: towards any
       structural pruning", CVPR 2023, Sec. 3.3. arXiv:2301.12900

    Examples
    --------
    Filters of one layer, and the columns of the next that read them: the second filter
    is short, but the next layer leans on it.

    >>> first, second = np.array([[2.0, 0.0], [1.0, 0.0]]), np.array([[0.0, 3.0]])
    >>> norms = np.stack([(first**2).sum(axis=1), (second**2).sum(axis=0)])
    >>> group_magnitude(norms).round(3)
    array([0.571, 1.429])
    """
    norms = _members("group_magnitude", coupled_norms)
    not_negative("group_magnitude", coupled_norms=norms)
    return normalize_mean(reduce_mean(norms))


def reduce_sum(coupled: FloatArray) -> FloatArray:
    """Sum over the members of a group, shape (members, channels) to (channels,).

    Examples
    --------
    >>> reduce_sum(np.array([[1.0, 2.0], [3.0, 0.0]]))
    array([4., 2.])
    """
    score: FloatArray = np.sum(_members("reduce_sum", coupled), axis=0)
    return score


def reduce_mean(coupled: FloatArray) -> FloatArray:
    """Mean over all members, those that lack the channel included.

    Examples
    --------
    >>> reduce_mean(np.array([[1.0, 2.0], [3.0, 0.0]]))
    array([2., 1.])
    """
    score: FloatArray = np.mean(_members("reduce_mean", coupled), axis=0)
    return score


def reduce_max(coupled: FloatArray) -> FloatArray:
    """The member that holds most on to the channel.

    Examples
    --------
    >>> reduce_max(np.array([[1.0, 2.0], [3.0, 0.0]]))
    array([3., 2.])
    """
    score: FloatArray = np.max(_members("reduce_max", coupled), axis=0)
    return score


def reduce_product(coupled: FloatArray) -> FloatArray:
    """Product over the members: one that is zero decides alone.

    Examples
    --------
    >>> reduce_product(np.array([[1.0, 2.0], [3.0, 0.0]]))
    array([3., 0.])
    """
    score: FloatArray = np.prod(_members("reduce_product", coupled), axis=0)
    return score


def reduce_first(coupled: FloatArray) -> FloatArray:
    """The first member's importance: the layer that writes the channel.

    Examples
    --------
    >>> reduce_first(np.array([[1.0, 2.0], [3.0, 0.0]]))
    array([1., 2.])
    """
    first: FloatArray = _members("reduce_first", coupled)[0].copy()
    return first


def reduce_last(coupled: FloatArray) -> FloatArray:
    """The last member's importance; Torch-Pruning's reduction "gate".

    Examples
    --------
    >>> reduce_last(np.array([[1.0, 2.0], [3.0, 0.0]]))
    array([3., 0.])
    """
    last: FloatArray = _members("reduce_last", coupled)[-1].copy()
    return last


def normalize_sum(score: FloatArray) -> FloatArray:
    """Divide by the sum over the group, so that the scores sum to 1.

    Examples
    --------
    >>> normalize_sum(np.array([1.0, 3.0]))
    array([0.25, 0.75])
    """
    (score,) = float64("normalize_sum", score=score)
    return ratio(score, np.sum(score))


def normalize_mean(score: FloatArray) -> FloatArray:
    """Divide by the mean over the group, so that their mean is 1.

    Examples
    --------
    >>> normalize_mean(np.array([1.0, 3.0]))
    array([0.5, 1.5])
    """
    (score,) = float64("normalize_mean", score=score)
    return ratio(score, np.mean(score) if score.size else 0.0)


def normalize_max(score: FloatArray) -> FloatArray:
    """Divide by the largest of the group, so that it scores 1.

    Examples
    --------
    >>> normalize_max(np.array([1.0, 4.0]))
    array([0.25, 1.  ])
    """
    (score,) = float64("normalize_max", score=score)
    return ratio(score, np.max(score, initial=0.0))


def normalize_range(score: FloatArray) -> FloatArray:
    """Stretch the scores of the group from 0 to 1; equal scores become 0.

    Torch-Pruning's "standarization", without the 1e-8 it adds to the range.

    Examples
    --------
    >>> normalize_range(np.array([1.0, 2.0, 5.0]))
    array([0.  , 0.25, 1.  ])
    """
    (score,) = float64("normalize_range", score=score)
    lowest = score.min() if score.size else 0.0
    return ratio(score - lowest, np.max(score - lowest, initial=0.0))


def normalize_gaussian(score: FloatArray) -> FloatArray:
    """Count standard deviations from the group's mean; the scores may be negative.

    The deviation is that of a sample (divided by n - 1), as in Torch-Pruning, without
    the 1e-8 it adds. A single channel scores zero, and so do equal ones.

    Examples
    --------
    >>> normalize_gaussian(np.array([1.0, 2.0, 3.0]))
    array([-1.,  0.,  1.])
    """
    (score,) = float64("normalize_gaussian", score=score)
    if score.size < 2:
        return np.zeros_like(score)
    away = centered(score)
    return ratio(away, np.sqrt(np.sum(away**2) / (score.size - 1)))


def normalize_sentinel(score: FloatArray, *, quantile: float) -> FloatArray:
    """Divide by the score that stands at a given share of the group's ascending order.

    `quantile` is at least 0 and below 1; 0.5 divides by the (upper) median.

    Examples
    --------
    >>> normalize_sentinel(np.array([4.0, 1.0, 2.0]), quantile=0.5)
    array([2. , 0.5, 1. ])
    """
    (score,) = float64("normalize_sentinel", score=score)
    if not 0 <= quantile < 1:
        raise ValueError(
            f"normalize_sentinel: quantile is {quantile}; expected 0 or more, below 1"
        )
    if not score.size:
        return score.copy()
    return ratio(score, np.sort(score)[int(quantile * score.size)])


def normalize_lamp(score: FloatArray) -> FloatArray:
    """Divide every score by the sum of those that are not smaller, as LAMP does.

    Examples
    --------
    >>> normalize_lamp(np.array([4.0, 1.0]))
    array([1. , 0.2])
    """
    (score,) = float64("normalize_lamp", score=score)
    return share_of_outliving(score)


def _members(caller: str, coupled: FloatArray) -> FloatArray:
    """The importances of a group's members, checked."""
    dimensions(caller, 2, coupled_norms=coupled)
    if len(coupled) == 0:
        raise ValueError(
            f"{caller}: coupled_norms has shape {coupled.shape}, "
            f"that is no member; expected at least one"
        )
    (coupled,) = float64(caller, coupled_norms=coupled)
    return coupled
