"""The range of real numbers that 256 levels have to cover, from values seen.

Each observer takes all values of one tensor over the calibration samples and returns
(low, high). What lies outside is cut off; what lies inside is rounded to a level.
Widening the range trades the second error for the first.
"""

from collections.abc import Callable

import numpy as np

from minprune._check import AnyArray, finite, one_of

Range = tuple[float, float]
Observer = Callable[[AnyArray], Range]

BINS = 2048
"""Of the histogram in `mean_squared`: eight for each level of the widest range."""


def min_max(values: AnyArray) -> Range:
    """The smallest and the largest value: nothing is cut off.

    Examples
    --------
    >>> min_max(np.array([-1.0, 0.5, 3.0]))
    (-1.0, 3.0)
    """
    finite("min_max", values=values)
    return float(values.min(initial=0)), float(values.max(initial=0))


def percentile(values: AnyArray, share: float = 0.9999) -> Range:
    """The range that leaves out a share ``(1 - share) / 2`` of the values at each end.

    Examples
    --------
    >>> low, high = percentile(np.arange(1001.0), 0.9)
    >>> round(low), round(high)
    (50, 950)
    """
    finite("percentile", values=values)
    if not 0 < share <= 1:
        raise ValueError(f"percentile: share is {share}; expected 0 < share <= 1")
    if not values.size:
        return 0.0, 0.0
    low, high = np.quantile(values, [(1 - share) / 2, (1 + share) / 2])
    return float(low), float(high)


def mean_squared(values: AnyArray) -> Range:
    """The range, shrunk from the widest, of the least mean squared error.

    Notes
    -----
    The error of a range is computed on a histogram of `BINS` bins: each bin's middle is
    cut off, rounded to the nearest of 256 levels, and weighed with the bin's count.
    Shrinking goes in steps of one hundredth, both ends alike.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(size=10_000)
    >>> low, high = mean_squared(np.append(noise, 40.0))
    >>> bool(high < 40)
    True
    """
    widest = min_max(values)
    if widest[0] == widest[1]:
        return widest
    counts, edges = np.histogram(values, BINS, widest)
    middles = (edges[1:] + edges[:-1]) / 2

    def error(share: float) -> float:
        low, high = share * widest[0], share * widest[1]
        step = (high - low) / 255
        rounded = low + np.rint((np.clip(middles, low, high) - low) / step) * step
        return float(counts @ (rounded - middles) ** 2)

    best = min((share / 100 for share in range(100, 19, -1)), key=error)
    return best * widest[0], best * widest[1]


OBSERVERS: dict[str, Observer] = {
    "min_max": min_max,
    "percentile": percentile,
    "mean_squared": mean_squared,
}


def observer(caller: str, name: str) -> Observer:
    """The observer of that name; ValueError names the nearest."""
    return OBSERVERS[one_of(caller, "observer", name, OBSERVERS)]
