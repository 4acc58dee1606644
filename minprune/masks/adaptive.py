"""A threshold that rises while training is calm and yields when it is not.

A schedule fixes the sparsity beforehand; this ramp fixes nothing but its own steps. It
looks at how much the gradient has changed since the last look and at a validation
score, and moves the threshold for `minprune.masks.at_least` up, down or not at all.
"""

from dataclasses import dataclass, replace
from math import inf, isfinite
from typing import Literal, Self

Move = Literal["raise", "hold", "lower"]


@dataclass(frozen=True, slots=True)
class AdaptiveThreshold:
    """A threshold and what it has seen so far.

    Each look returns a new object, so that a run can be saved and resumed anywhere.

    Parameters
    ----------
    value : float
        The threshold, above 0, in the unit of the score.
    factor : float
        What a raise multiplies by and a lowering divides by; above 1.
    calm : float
        The threshold rises if the gradient's norm changed by at most this share.
    rough : float
        It falls if the norm changed by more than this share; in between it holds.
    tolerance : float
        It falls, whatever the gradient does, if the validation score lies more than
        this below the best one seen; in the unit of that score.
    ceiling : float
        The threshold never rises above it.
    norm, best : float or None
        Gradient norm at the last look and best validation score so far; None before
        the first.

    Raises
    ------
    ValueError
        If a parameter is out of its range.

    Notes
    -----
    With g the norm now and g' at the last look, the change is ``|g - g'| / g'``; from a
    norm of 0 it is 0 if the norm is still 0, and infinite if not. At the first look
    there is nothing to compare with, and the threshold holds.

    Examples
    --------
    >>> ramp = AdaptiveThreshold(0.1, factor=2.0)
    >>> for norm, score in [(1.0, 0.9), (1.05, 0.9), (4.0, 0.9), (4.0, 0.5)]:
    ...     print(ramp.move(norm, score), end=" ")
    ...     ramp = ramp.after(norm, score)
    hold raise lower lower
    >>> ramp.value
    0.05
    """

    value: float = 0.1
    factor: float = 1.1
    calm: float = 0.1
    rough: float = 0.5
    tolerance: float = 0.01
    ceiling: float = inf
    norm: float | None = None
    best: float | None = None

    def __post_init__(self) -> None:
        """Refuse parameters out of range."""
        wrong = (
            ("value", "above 0, and finite", 0 < self.value < inf),
            ("factor", "above 1, and finite", 1 < self.factor < inf),
            ("calm", "0 or more", self.calm >= 0),
            ("rough", f"at least calm, which is {self.calm}", self.rough >= self.calm),
            ("tolerance", "0 or more", self.tolerance >= 0),
            ("ceiling", f"at least value, {self.value}", self.ceiling >= self.value),
        )
        for name, expected, good in wrong:
            if not good:
                raise ValueError(
                    f"AdaptiveThreshold: {name} is {getattr(self, name)}; expected a "
                    f"number {expected}"
                )

    def move(self, norm: float, score: float | None = None) -> Move:
        """What a look at this gradient norm and validation score calls for."""
        for name, seen in (("norm", norm), ("score", score)):
            if seen is not None and not isfinite(seen):
                raise ValueError(
                    f"AdaptiveThreshold: {name} is {seen}; expected a finite number"
                )
        best = score if self.best is None else self.best
        if score is not None and best is not None and score < best - self.tolerance:
            return "lower"
        if self.norm is None:
            return "hold"
        if self.norm == 0:
            change = 0.0 if norm == 0 else inf
        else:
            change = abs(norm - self.norm) / self.norm
        if change <= self.calm:
            return "raise"
        return "lower" if change > self.rough else "hold"

    def after(self, norm: float, score: float | None = None) -> Self:
        """The ramp after a look.

        Parameters
        ----------
        norm : float
            Norm of the gradient now.
        score : float, optional
            Validation score now, higher is better; None leaves it out of account.

        Returns
        -------
        ramp : AdaptiveThreshold
            With the new threshold; this one is unchanged.
        """
        value = {
            "raise": min(self.value * self.factor, self.ceiling),
            "hold": self.value,
            "lower": self.value / self.factor,
        }[self.move(norm, score)]
        scores = [s for s in (self.best, score) if s is not None]
        best = max(scores, default=None)
        return replace(self, value=value, norm=norm, best=best)
