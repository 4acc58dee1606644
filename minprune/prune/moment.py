"""When in a run: a number of steps, or a share of them."""

from minprune._check import positive_int
from minprune.masks.count import rounded, share
from minprune.nn.train import Run

Moment = int | float
"""A number of steps (an int), or a share of the steps of the run (a float, 0 to 1)."""


def steps_of(caller: str, name: str, moment: Moment, run: Run) -> int:
    """A moment as a number of steps, refused when the run is over by then.

    >>> from types import SimpleNamespace
    >>> run = SimpleNamespace(steps=300)
    >>> steps_of("me", "end", 0.5, run), steps_of("me", "end", 50, run)
    (150, 50)
    """
    if isinstance(moment, float):
        share(caller, moment, name)
        return rounded(run.steps, moment, round)
    steps = positive_int(caller, name, moment, minimum=0)
    if steps > run.steps:
        raise ValueError(
            f"{caller}: {name} is step {steps} but the run has {run.steps} steps; the "
            f"nearest that can be met is {run.steps}"
        )
    return steps


def every(caller: str, frequency: Moment, run: Run) -> int:
    """Steps from one update to the next, one at least; they may outlast the run.

    >>> from types import SimpleNamespace
    >>> every("me", 0.001, SimpleNamespace(steps=300))
    1
    """
    if isinstance(frequency, float):
        return max(1, steps_of(caller, "frequency", frequency, run))
    return positive_int(caller, "frequency", frequency)
