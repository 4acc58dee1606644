"""Chapter S: the sparsity at every step."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from minprune.conformance import definition, strategies
from minprune.conformance.adapter import Toolkit
from minprune.conformance.registry import Case, check, expect

CURVES = ("linear", "cubic", "cosine", "exponential")
CLOSE = 1e-12
"""Per unit of sparsity: a few roundings of float64 arithmetic, far below one weight."""


def frames(rng: np.random.Generator) -> Iterator[Case]:
    """Frames that the frequency divides, and one it does not."""
    for curve in CURVES:
        for begin, end, frequency in ((0, 10, 1), (5, 25, 5), (3, 20, 4)):
            for initial in (0.0, 0.25):
                yield {
                    "curve": curve,
                    "final": 0.9,
                    "begin": begin,
                    "end": end,
                    "frequency": frequency,
                    "initial": initial,
                }


def _values(toolkit: Toolkit, frame: dict[str, Any], steps: range) -> list[float]:
    """The toolkit's sparsity at each of the steps."""
    return [
        float(toolkit.schedule(frame["curve"], step, *[frame[k] for k in ORDER]))
        for step in steps
    ]


ORDER = ("final", "begin", "end", "frequency", "initial")


def _at(toolkit: Toolkit, frame: dict[str, Any], step: int, want: float) -> None:
    """One value."""
    (got,) = _values(toolkit, frame, range(step, step + 1))
    expect(
        abs(got - want) <= CLOSE,
        f"{frame['curve']} at step {step}: sparsity {got!r}, expected {want!r}",
        **frame,
    )


@check("S.1", frames, strategies.frames)
def it_begins_at_initial(toolkit: Toolkit, **frame: Any) -> None:
    """The first update is at the initial sparsity."""
    _at(toolkit, frame, frame["begin"], frame["initial"])


@check("S.1", frames, strategies.frames)
def it_ends_at_final(toolkit: Toolkit, **frame: Any) -> None:
    """The target is reached at `end`, whether or not the frequency divides the span."""
    _at(toolkit, frame, frame["end"], frame["final"])


@check("S.1", frames)
def it_stays_at_final(toolkit: Toolkit, **frame: Any) -> None:
    """After the end nothing changes."""
    _at(toolkit, frame, frame["end"] + 7, frame["final"])


def late_frames(rng: np.random.Generator) -> Iterator[Case]:
    """Frames that begin after step 0."""
    return (frame for frame in frames(rng) if frame["begin"])


@check("S.1", late_frames)
def it_is_zero_before_it_begins(toolkit: Toolkit, **frame: Any) -> None:
    """Nothing is pruned before the beginning."""
    _at(toolkit, frame, frame["begin"] - 1, 0.0)


@check("S.1", frames, strategies.frames)
def it_never_decreases(toolkit: Toolkit, **frame: Any) -> None:
    """Sparsity only grows."""
    values = _values(toolkit, frame, range(frame["end"] + 2))
    falls = [i for i in range(1, len(values)) if values[i] < values[i - 1] - CLOSE]
    expect(not falls, f"{frame['curve']} falls at step {falls[:1]}", **frame)


@check("S.2", frames, strategies.frames)
def it_holds_between_updates(toolkit: Toolkit, **frame: Any) -> None:
    """Between updates the sparsity is that of the last one."""
    for step in range(frame["begin"], frame["end"]):
        last = step - (step - frame["begin"]) % frame["frequency"]
        got, want = _values(toolkit, frame, range(step, step + 1)), last
        (want_value,) = _values(toolkit, frame, range(want, want + 1))
        expect(
            abs(got[0] - want_value) <= CLOSE,
            f"{frame['curve']} at step {step} is {got[0]!r}, at the last update, "
            f"step {last}, it was {want_value!r}",
            **frame,
        )


def one_step(rng: np.random.Generator) -> Iterator[Case]:
    """A frame of no length."""
    for curve in CURVES:
        yield {
            "curve": curve,
            "final": 0.8,
            "begin": 4,
            "end": 4,
            "frequency": 1,
            "initial": 0.0,
        }


@check("S.3", one_step)
def begin_equal_to_end_is_one_cut(toolkit: Toolkit, **frame: Any) -> None:
    """Zero divided by zero is no sparsity: it is the final one from that step on."""
    _at(toolkit, frame, 4, 0.8)
    _at(toolkit, frame, 3, 0.0)


def _curve(curve: str) -> Any:
    """Cases of one curve only."""

    def cases(rng: np.random.Generator) -> Iterator[Case]:
        return (case for case in frames(rng) if case["curve"] == curve)

    return cases


def _follows(toolkit: Toolkit, frame: dict[str, Any]) -> None:
    """S.4 at every step."""
    for step in range(frame["end"] + 1):
        _at(toolkit, frame, step, definition.schedule(step=step, **frame))


@check("S.4", _curve("linear"))
def linear_is_a_straight_line(toolkit: Toolkit, **frame: Any) -> None:
    """Initial + (final - initial) t."""
    _follows(toolkit, frame)


@check("S.4", _curve("cubic"))
def cubic_is_fast_first(toolkit: Toolkit, **frame: Any) -> None:
    """Final + (initial - final) (1 - t)^3, not its mirror image."""
    _follows(toolkit, frame)


@check("S.4", _curve("cosine"))
def cosine_is_half_a_wave(toolkit: Toolkit, **frame: Any) -> None:
    """Initial + (final - initial) (1 - cos(pi t)) / 2."""
    _follows(toolkit, frame)


@check("S.4", _curve("exponential"))
def exponential_multiplies_the_density(toolkit: Toolkit, **frame: Any) -> None:
    """1 - (1 - initial) ((1 - final) / (1 - initial))^t."""
    _follows(toolkit, frame)
