"""How sparse a network shall be at every step of a run.

A schedule is a small frozen object: ``schedule(step)`` is the sparsity asked for from
that step on, as an exact `Fraction`, and ``schedule.due(step)`` says whether the masks
are to be made anew at that step.

All of them share one frame. Before `begin` nothing is asked for (sparsity 0). At
`begin` the sparsity is `initial`, at `end` and ever after it is `final`, exactly; in
between it is evaluated every `frequency` steps and held, and it never decreases. `end`
is always a step at which masks are made, so `final` is reached whatever the frequency.
If `begin` equals `end`, the sparsity is `final` from that step on.

With t running from 0 at `begin` to 1 at `end`:

=============  ==================================================================
`linear`       initial + (final - initial) t
`cubic`        final + (initial - final) (1 - t)^3        Zhu & Gupta 2017
`cosine`       initial + (final - initial) (1 - cos(pi t)) / 2
`exponential`  1 - (1 - initial) ((1 - final) / (1 - initial))^t
`geometric`    1 - (1 - rate)^round                       Frankle & Carbin 2019
`one_shot`     final from one step on
`constant`     final throughout
=============  ==================================================================
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

from minprune._check import positive_int
from minprune.masks.count import Share, share

Curve = Callable[[Fraction, Fraction, Fraction], Fraction]
"""The sparsity at ``curve(initial, final, t)`` for 0 < t < 1."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Sparsity per step; made by the functions of this module.

    Attributes
    ----------
    name : str
        The function that made it.
    initial, final : Fraction
        Sparsity at `begin` and from `end` on, as shares of the original size (M.5).
    begin, end : int
        First and last step at which masks are made.
    frequency : int
        Steps between two of them.
    curve : callable
        The way from `initial` to `final`.
    """

    name: str
    initial: Fraction
    final: Fraction
    begin: int
    end: int
    frequency: int
    curve: Curve = field(repr=False, compare=False)

    def __call__(self, step: int) -> Fraction:
        """The sparsity asked for at `step` (0, 1, ...)."""
        step = positive_int(self.name, "step", step, minimum=0)
        if step < self.begin:
            return Fraction(0)
        if step >= self.end:
            return self.final
        done = (step - self.begin) // self.frequency * self.frequency
        if done == 0:
            return self.initial
        return self.curve(self.initial, self.final, Fraction(done, self.span))

    @property
    def span(self) -> int:
        """Steps from `begin` to `end`."""
        return self.end - self.begin

    def due(self, step: int) -> bool:
        """Whether masks are made at `step`: every `frequency` steps, and at `end`."""
        if not self.begin <= step <= self.end:
            return False
        return step == self.end or (step - self.begin) % self.frequency == 0


def linear(
    final: Share, *, end: int, begin: int = 0, frequency: int = 1, initial: Share = 0
) -> Schedule:
    """Equal steps from `initial` to `final`.

    Parameters
    ----------
    final, initial : share
        Sparsity at the end and at the beginning, from 0 to 1.
    begin, end : int
        First and last step at which masks are made, ``0 <= begin <= end``.
    frequency : int
        Steps between two of them, 1 or more.

    Returns
    -------
    schedule : Schedule
        A function of the step.

    Raises
    ------
    ValueError
        If a share is not between 0 and 1, `initial` is above `final`, or the end comes
        before the beginning.

    Examples
    --------
    >>> ramp = linear("0.8", begin=10, end=20, frequency=5)
    >>> [float(ramp(step)) for step in (9, 10, 14, 15, 20, 99)]
    [0.0, 0.0, 0.0, 0.4, 0.8, 0.8]
    """
    return _ramp("linear", final, initial, begin, end, frequency, _linear)


def _linear(low: Fraction, high: Fraction, t: Fraction) -> Fraction:
    return low + (high - low) * t


def cubic(
    final: Share, *, end: int, begin: int = 0, frequency: int = 1, initial: Share = 0
) -> Schedule:
    """Fast while much is redundant, slow towards the end: gradual magnitude pruning.

    The parameters are those of `linear`.

    Notes
    -----
    .. math::  s_t = s_f + (s_i - s_f) (1 - t)^3

    In [1]_, eq. (1), the number of updates n and the steps between them are given; here
    `end` is, and n follows. At t = 1/2 seven eighths of the way are done. The mirror
    image t^3, found elsewhere under the name "cube", has done one eighth.

    References
    ----------
    .. [1] M. Zhu and S. Gupta, "To prune, or not to prune: exploring the efficacy of
       pruning for model compression", 2017, eq. (1). arXiv:1710.01878

    Examples
    --------
    >>> cubic("0.8", end=10)(5)
    Fraction(7, 10)
    """
    return _ramp("cubic", final, initial, begin, end, frequency, _cubic)


def _cubic(low: Fraction, high: Fraction, t: Fraction) -> Fraction:
    return high + (low - high) * (1 - t) ** 3


def cosine(
    final: Share, *, end: int, begin: int = 0, frequency: int = 1, initial: Share = 0
) -> Schedule:
    """Slow at both ends: half a wave of the cosine.

    The parameters are those of `linear`.

    Notes
    -----
    The share of the way is (1 - cos(pi t)) / 2, computed as sin(pi t / 2)^2, which does
    not cancel near the beginning, and taken as the decimal number it prints as.

    Examples
    --------
    >>> wave = cosine("0.8", end=4)
    >>> [round(float(wave(step)), 3) for step in range(5)]
    [0.0, 0.117, 0.4, 0.683, 0.8]
    """
    return _ramp("cosine", final, initial, begin, end, frequency, _cosine)


def _cosine(low: Fraction, high: Fraction, t: Fraction) -> Fraction:
    return low + (high - low) * Fraction(str(math.sin(math.pi / 2 * float(t)) ** 2))


def exponential(
    final: Share, *, end: int, begin: int = 0, frequency: int = 1, initial: Share = 0
) -> Schedule:
    """The same share of what is left goes at every update: density decays.

    The parameters are those of `linear`; `final` is below 1, which no decay reaches.

    See Also
    --------
    geometric : The same ladder with the share per round given, in exact arithmetic.

    Notes
    -----
    The logarithm of the density runs linearly. With `initial` 0 and K updates the
    density after update k is ``(1 - final) ** (k / K)``, the schedule of SynFlow's
    hundred rounds [1]_, Alg. 1. Powers are computed in float64 and taken as the decimal
    number they print as; the endpoints are exact.

    References
    ----------
    .. [1] H. Tanaka, D. Kunin, D. Yamins and S. Ganguli, "Pruning neural networks
       without any data by iteratively conserving synaptic flow", NeurIPS 2020, Alg. 1.
       arXiv:2006.05467

    Examples
    --------
    >>> decay = exponential("0.99", end=2)
    >>> [float(decay(step)) for step in range(3)]
    [0.0, 0.9, 0.99]
    """
    if share("exponential", final, "final") == 1:
        raise ValueError(
            "exponential: final is 1; a density that decays by a factor never reaches "
            "0, so expected a sparsity below 1, such as 0.999"
        )
    return _ramp("exponential", final, initial, begin, end, frequency, _exponential)


def _exponential(low: Fraction, high: Fraction, t: Fraction) -> Fraction:
    decay = float((1 - high) / (1 - low)) ** float(t)
    return min(max(low, 1 - (1 - low) * Fraction(str(decay))), high)


def geometric(
    rate: Share, *, rounds: int, begin: int = 0, frequency: int = 1
) -> Schedule:
    """A given share of what is left goes in every round: the lottery-ticket ladder.

    Parameters
    ----------
    rate : share
        What a round removes of what is left.
    rounds : int
        Number of rounds, 0 or more.
    begin : int
        Step of round 0, which removes nothing.
    frequency : int
        Steps from one round to the next, 1 or more.

    Returns
    -------
    schedule : Schedule
        Exact: the density after round k is ``(1 - rate) ** k``.

    Notes
    -----
    Every round counts from the original size (M.5), so rounding does not add up over
    the rounds. Layers may have ladders of their own: in [1]_ the output layer is cut at
    half the rate.

    References
    ----------
    .. [1] J. Frankle and M. Carbin, "The lottery ticket hypothesis: finding sparse,
       trainable neural networks", ICLR 2019, Sec. 2. arXiv:1803.03635

    Examples
    --------
    >>> ladder = geometric("0.2", rounds=3)
    >>> [float(1 - ladder(k)) for k in range(4)]
    [1.0, 0.8, 0.64, 0.512]
    """
    left = 1 - share("geometric", rate, "rate")
    rounds = positive_int("geometric", "rounds", rounds, minimum=0)
    begin = positive_int("geometric", "begin", begin, minimum=0)
    frequency = positive_int("geometric", "frequency", frequency)

    def ladder(low: Fraction, high: Fraction, t: Fraction) -> Fraction:
        return 1 - left ** int(t * rounds)

    end = begin + rounds * frequency
    return _ramp("geometric", 1 - left**rounds, 0, begin, end, frequency, ladder)


def one_shot(final: Share, *, at: int = 0) -> Schedule:
    """Everything at once, at one step.

    Examples
    --------
    >>> cut = one_shot("0.9", at=5)
    >>> [float(cut(step)) for step in (4, 5, 6)], cut.due(5), cut.due(6)
    ([0.0, 0.9, 0.9], True, False)
    """
    return _ramp("one_shot", final, 0, at, at, 1, _linear)


def constant(final: Share, *, end: int, begin: int = 0, frequency: int = 1) -> Schedule:
    """The same sparsity throughout, the masks made anew again and again.

    For procedures whose pattern moves while its size stays. The parameters are those of
    `linear`.

    Examples
    --------
    >>> held = constant("0.9", end=100, frequency=50)
    >>> [step for step in range(200) if held.due(step)], float(held(70))
    ([0, 50, 100], 0.9)
    """
    return _ramp("constant", final, final, begin, end, frequency, _linear)


SCHEDULES: dict[str, Callable[..., Schedule]] = {
    make.__name__: make
    for make in (linear, cubic, cosine, exponential, geometric, one_shot, constant)
}
"""By name, for command lines and plans."""


def _ramp(
    name: str,
    final: Share,
    initial: Share,
    begin: int,
    end: int,
    frequency: int,
    curve: Curve,
) -> Schedule:
    """A schedule whose arguments have been checked."""
    low, high = share(name, initial, "initial"), share(name, final, "final")
    if low > high:
        raise ValueError(
            f"{name}: initial is {initial}, above final, which is {final}; a schedule "
            f"never brings weights back; the nearest initial is {final}"
        )
    begin = positive_int(name, "begin", begin, minimum=0)
    end = positive_int(name, "end", end, minimum=0)
    if end < begin:
        raise ValueError(
            f"{name}: end is {end}, before begin, which is {begin}; "
            f"the nearest end is {begin}"
        )
    frequency = positive_int(name, "frequency", frequency)
    return Schedule(name, low, high, begin, end, frequency, curve)
