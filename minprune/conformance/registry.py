"""What a check is: one clause, cases to try, and a body that explains its own failure.

A check may use the adapter, NumPy and `definition`, never another check: a toolkit that
fails one clause must not fail ten. Its cases come from a generator, so that a seed
repeats a finding, and, where a strategy is given, from a search that shrinks.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from minprune.conformance.adapter import Unsupported

Case = dict[str, Any]
Body = Callable[..., None]
Cases = Callable[[np.random.Generator], Iterable[Case]]


class Deviation(Exception):
    """A toolkit does not do what a clause says; the text stands by itself."""


class Broken(Exception):
    """The process of a toolkit hung, crashed or sent rubbish: that is no answer."""


class Raised(Exception):
    """A toolkit in a process of its own raised; the text names its error."""


@dataclass(frozen=True, slots=True)
class Check:
    """One promise that a toolkit is put to."""

    name: str
    clause: str
    body: Body
    cases: Cases
    strategy: Callable[[], Any] | None
    """Makes a Hypothesis strategy of cases; None where cases are few and fixed."""

    @property
    def claim(self) -> str:
        """The promise in one sentence."""
        return (self.body.__doc__ or "").strip().partition("\n")[0]


CHECKS: dict[str, Check] = {}


def check(
    clause: str, cases: Cases, strategy: Callable[[], Any] | None = None
) -> Callable[[Body], Body]:
    """File the decorated function in `CHECKS` and return it unchanged."""

    def file(body: Body) -> Body:
        name = body.__name__
        if name in CHECKS:
            raise ValueError(f"check {name!r} is filed twice")
        CHECKS[name] = Check(name, clause, body, cases, strategy)
        return body

    return file


def shown(value: Any) -> str:
    """A value as numbers to paste."""
    if isinstance(value, dict):
        inside = ", ".join(f"{key!r}: {shown(entry)}" for key, entry in value.items())
        return f"{{{inside}}}"
    if isinstance(value, np.ndarray):
        return repr(value.tolist())
    return repr(value)


LONGEST = 1000
"""Characters of a value that a message shows: weights of a whole network help nobody,
and the command that repeats the finding draws them again."""


def numbers(case: Case) -> str:
    """A case as lines to paste."""
    lines = {name: shown(value) for name, value in case.items()}
    return "".join(
        f"\n  {name} = "
        + (text if len(text) <= LONGEST else f"... ({len(text)} characters)")
        for name, text in lines.items()
    )


def expect(holds: bool, message: str, **case: Any) -> None:
    """Raise `Deviation` unless `holds`, with the numbers that show it."""
    if not holds:
        raise Deviation(message + numbers(case))


def same_mask(got: Any, want: Any, message: str, **case: Any) -> None:
    """Raise `Deviation` unless two masks are equal, naming the first difference."""
    got, want = np.asarray(got), np.asarray(want)
    expect(
        got.dtype == np.bool_ and got.shape == want.shape,
        f"{message}: a mask of type {got.dtype} and shape {got.shape} came back; "
        f"expected bool of shape {want.shape}",
        **case,
    )
    if (got != want).any():
        at = tuple(int(i) for i in np.argwhere(got != want)[0])
        expect(
            False,
            f"{message}: entry {at} was {'kept' if got[at] else 'removed'}; "
            f"{int((~got).sum())} were removed, expected {int((~want).sum())}",
            **case,
        )


def refuses(call: Callable[[], Any], message: str, **case: Any) -> None:
    """Raise `Deviation` unless the call raises an error of its own."""
    try:
        answer = call()
    except (Unsupported, Broken):
        raise
    except Exception:  # whatever the toolkit calls its refusal
        return
    expect(False, f"{message}: no error was raised", **case, answer=answer)
