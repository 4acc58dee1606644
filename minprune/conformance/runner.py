"""Run checks against one toolkit, without pytest; `pytest_plugin` adds pytest."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from minprune._check import one_of
from minprune._random import stream
from minprune.conformance import checks  # noqa: F401  (files every check)
from minprune.conformance.adapter import Toolkit, Unsupported
from minprune.conformance.registry import (
    CHECKS,
    Broken,
    Case,
    Check,
    Deviation,
    Raised,
    numbers,
)
from minprune.conformance.report import Finding, Report
from minprune.conformance.verdict import verdict

__all__ = ["chosen", "run", "run_one"]


CHAPTERS = "MPASCFRW"
"""Their order in the specification."""


def chosen(only: Iterable[str] = (), clause: str = "") -> list[Check]:
    """The checks named, or all; of one clause, or of a chapter such as ``M``.

    They come in the order of the specification.
    """
    names = [one_of("conformance", "check", name, CHECKS) for name in only]
    found = [CHECKS[name] for name in names] or list(CHECKS.values())
    found.sort(key=_place)
    if clause:
        found = [
            c for c in found if c.clause == clause or c.clause.split(".")[0] == clause
        ]
        if not found:
            known = sorted({c.clause for c in CHECKS.values()})
            raise ValueError(
                f"conformance: no check cites clause {clause!r}; known: "
                f"{', '.join(known)}"
            )
    return found


def _place(check: Check) -> tuple[int, int]:
    """Chapter and number of the clause."""
    chapter, _, number = check.clause.partition(".")
    return CHAPTERS.index(chapter), int(number)


def run(
    toolkit: Toolkit,
    *,
    expected: Mapping[str, str] | None = None,
    seed: int = 0,
    only: Iterable[str] = (),
    clause: str = "",
    max_examples: int = 0,
    adapter: str = "ADAPTER",
) -> Report:
    """Run checks and never stop at the first failure.

    Parameters
    ----------
    toolkit : Toolkit
        An adapter.
    expected : mapping of str to str, optional
        Check name to reason, for failures that are known. A check that no longer fails
        is reported as "fixed" and makes the run not ok: the record cannot go stale.
    seed : int
        Every check gets a stream of its own from this seed, so order does not matter.
    only, clause
        Which checks; see `chosen`.
    max_examples : int
        Above 0, search instead: that many drawn cases for each check that can be
        searched, shrunk to a smallest counterexample. Recorded failures belong to the
        seeded checks, whose cases repeat, and are refused here.
    adapter : str
        What to call it in the commands that repeat findings.

    Returns
    -------
    report : Report
        One finding for each check, in the order of the specification.
    """
    recorded = dict(expected or {})
    for name in recorded:
        one_of("conformance", "check", name, CHECKS)
    if recorded and max_examples:
        raise ValueError(
            "conformance: expected failures were given to a search; a search may miss "
            "a failure, so they belong to the seeded checks"
        )
    found = chosen(only, clause)
    if max_examples:
        found = [c for c in found if c.strategy is not None]
    findings = (
        run_one(toolkit, c, recorded.get(c.name), seed, max_examples, adapter)
        for c in found
    )
    done = tuple(findings)
    return Report(toolkit.name, toolkit.version, seed, done, toolkit.environment)


def run_one(
    toolkit: Toolkit,
    check: Check,
    reason: str | None = None,
    seed: int = 0,
    max_examples: int = 0,
    adapter: str = "ADAPTER",
) -> Finding:
    """One check, on its seeded cases or by a search."""
    repeat = f"minprune conformance {adapter} --only {check.name} --seed {seed}"
    if max_examples:
        repeat += f" --max-examples {max_examples}"
    lacking = ""
    try:
        toolkit.begin()
        if max_examples:
            lacking = _search(toolkit, check, seed, max_examples)
        else:
            lacking = _every_case(toolkit, check, seed)
    except Unsupported as why:
        return Finding(check.name, check.clause, "unsupported", str(why))
    except Deviation as why:
        if reason is not None:
            return Finding(check.name, check.clause, "expected", reason)
        message = str(why) + verdict(toolkit, check.clause)
        return Finding(check.name, check.clause, "failed", message, repeat)
    except Raised as why:
        if reason is not None:
            return Finding(check.name, check.clause, "expected", reason)
        return Finding(check.name, check.clause, "broken", str(why), repeat)
    except Broken as why:  # no record makes a crash good: it need not repeat
        return Finding(check.name, check.clause, "broken", str(why), repeat)
    except Exception as why:  # of `begin`: also a finding, not our crash
        message = f"{type(why).__name__}: {why}"
        return Finding(check.name, check.clause, "broken", message, repeat)
    if reason is not None:
        return Finding(check.name, check.clause, "fixed", reason)
    return Finding(check.name, check.clause, "passed", lacking)


class _Asked:
    """Puts cases to a toolkit, and counts those that it lacks."""

    def __init__(self, toolkit: Toolkit, check: Check) -> None:
        self.toolkit, self.check = toolkit, check
        self.asked = 0
        self.lacking: list[str] = []

    def put(self, case: Case) -> None:
        """One case. An error of the toolkit is told with the numbers that raise it."""
        self.asked += 1
        try:
            self.check.body(self.toolkit, **case)
        except Unsupported as why:
            self.lacking.append(str(why))
        except (Deviation, Broken):
            raise
        except Raised as why:
            raise Raised(str(why) + numbers(case)) from why
        except Exception as why:
            name = type(why).__name__
            raise Raised(f"{name}: {why}{numbers(case)}") from why

    def said(self) -> str:
        """How many cases the toolkit lacks; if it lacks all, that is raised."""
        if not self.lacking:
            return ""
        if len(self.lacking) == self.asked:
            raise Unsupported(self.lacking[0])
        return (
            f"{len(self.lacking)} of {self.asked} cases unsupported: {self.lacking[0]}"
        )


def _every_case(toolkit: Toolkit, check: Check, seed: int) -> str:
    """The seeded cases."""
    cases = _Asked(toolkit, check)
    for case in check.cases(stream(seed, "conformance", check.name)):
        cases.put(case)
    return cases.said()


def _search(toolkit: Toolkit, check: Check, seed: int, max_examples: int) -> str:
    """Draw cases and shrink what fails; the smallest failure is raised."""
    if check.strategy is None:
        raise Unsupported("this check has fixed cases and is not searched")
    asked, cases = _Asked(toolkit, check), check.strategy()
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import seed as seeded

    @seeded(seed)
    @settings(
        max_examples=max_examples,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
        verbosity=_quiet(),
    )
    @given(cases)
    def holds(case: Case) -> None:
        asked.put(
            {k: v.copy() if isinstance(v, np.ndarray) else v for k, v in case.items()}
        )

    holds()
    return asked.said()


def _quiet() -> Any:
    """Hypothesis's setting for printing nothing: the report speaks."""
    from hypothesis import Verbosity

    return Verbosity.quiet
