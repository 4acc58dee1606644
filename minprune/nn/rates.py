"""Learning rates over a run: factors of the optimizer's own rate.

A rate is a function of (step, total) with steps counted from 0; the factor it gives is
for that step.
"""

from collections.abc import Callable
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
    return 0.5 * (1 + cos(pi * step / max(total, 1)))
