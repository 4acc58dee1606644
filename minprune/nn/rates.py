"""Learning rates over a run: factors of the optimizer's own rate.

A rate is a function of (step, total) with steps counted from 0; the factor it gives is
for that step. It remembers nothing, so a resumed run needs no state for it.
"""

from collections.abc import Callable, Sequence
from math import cos, pi

Rate = Callable[[int, int], float]


def constant(step: int, total: int) -> float:
    """The optimizer's own rate throughout."""
    return 1.0


def cosine(step: int, total: int) -> float:
    """Half a cosine from 1 down to 0 (Loshchilov & Hutter 2017, eq. 5).

    Examples
    --------
    >>> cosine(0, 10), round(cosine(5, 10), 12)
    (1.0, 0.5)
    """
    return _cosine(1.0, 0.0, step / max(total, 1))


def staircase(drops: Sequence[float] = (0.5, 0.75), factor: float = 0.1) -> Rate:
    """Multiply the rate by `factor` at each of these shares of the run.

    Examples
    --------
    >>> rate = staircase((0.5,), factor=0.1)
    >>> rate(4, 10), rate(5, 10)
    (1.0, 0.1)
    """
    if any(not 0 <= drop <= 1 for drop in drops):
        raise ValueError(f"staircase: drops are {drops}; expected shares from 0 to 1")

    def rate(step: int, total: int) -> float:
        return float(factor ** sum(step >= drop * total for drop in drops))

    return rate


def warm_up(share: float = 0.1, then: Rate = cosine) -> Rate:
    """Rise in equal steps over the first share of the run, then follow another rate.

    Examples
    --------
    >>> rate = warm_up(0.2, then=constant)
    >>> [rate(step, 10) for step in range(4)]
    [0.5, 1.0, 1.0, 1.0]
    """
    if not 0 <= share <= 1:
        raise ValueError(f"warm_up: share is {share}; expected 0 to 1")

    def rate(step: int, total: int) -> float:
        rising = round(share * total)
        if step < rising:
            return (step + 1) / rising
        return then(step - rising, total - rising)

    return rate


def one_cycle(share: float = 0.3, start: float = 1 / 25, end: float = 1e-4) -> Rate:
    """Up to the optimizer's rate by half a cosine and down again by another.

    Parameters
    ----------
    share : float
        Share of the run that rises.
    start : float
        First factor.
    end : float
        Last factor, as a multiple of `start`, as in PyTorch.

    References
    ----------
    .. [1] L. Smith and N. Topin, "Super-convergence", 2018. arXiv:1708.07120
    """

    def rate(step: int, total: int) -> float:
        top, last = share * total - 1, total - 1
        if step <= top and top > 0:
            return _cosine(start, 1.0, step / top)
        return _cosine(1.0, start * end, (step - top) / max(last - top, 1))

    return rate


def _cosine(first: float, last: float, along: float) -> float:
    """From `first` at 0 to `last` at 1 by half a cosine."""
    return last + (first - last) * 0.5 * (1 + cos(pi * along))
