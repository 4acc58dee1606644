"""What a run found: data first, text and pages second."""

import json
import platform
import textwrap
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Any, Literal, get_args
from xml.etree import ElementTree

import numpy as np

from minprune._version import __version__

Status = Literal["passed", "failed", "unsupported", "expected", "fixed", "broken"]
SCHEMA = 1
"""Version of the JSON form; it changes when a field changes its meaning."""

INDENT = " " * 20
"""Under the check of a finding, in text."""

SPECIFICATION = 1
"""Version of the clauses that the checks cite."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check.

    ``expected`` is a recorded failure that failed; ``fixed`` one that no longer does,
    which is not good: the record has to go. ``broken`` means the adapter raised. A
    ``passed`` with a message passed in the cases that the toolkit supports.
    """

    check: str
    clause: str
    status: Status
    message: str = ""
    repeat: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of a run, with everything needed to repeat it."""

    toolkit: str
    version: str
    seed: int
    findings: tuple[Finding, ...]
    environment: str = ""
    """What the toolkit ran in, where that was another interpreter."""

    @property
    def ok(self) -> bool:
        """Whether nothing is new: no failure, no surprise, no stale record."""
        return not any(f.status in ("failed", "broken", "fixed") for f in self.findings)

    def counts(self) -> dict[str, int]:
        """How many findings have each status, those that occur."""
        found: dict[str, int] = {}
        for finding in self.findings:
            found[finding.status] = found.get(finding.status, 0) + 1
        return found

    def as_dict(self) -> dict[str, Any]:
        """Machine-readable form."""
        return {
            "schema": SCHEMA,
            "specification": SPECIFICATION,
            "made_with": {
                "minprune": __version__,
                "python": platform.python_version(),
                "numpy": np.__version__,
                "platform": platform.platform(),
            },
            "ok": self.ok,
            **asdict(self),
        }

    def __str__(self) -> str:
        counts = ", ".join(f"{n} {status}" for status, n in self.counts().items())
        where = f" ({self.environment})" if self.environment else ""
        asked = len(self.findings)
        lines = [f"{self.toolkit} {self.version}{where}: {asked} checks, {counts}"]
        for f in self.findings:
            if f.status != "unsupported" and (f.status != "passed" or f.message):
                lines.append(f"  {f.status:<12}{f.clause:<6}{f.check}")
                texts = [*f.message.splitlines(), f.repeat]
                lines += [f"  {'':<18}{text}" for text in texts if text]
        lacking: dict[tuple[str, str], list[str]] = {}
        for f in self.findings:
            if f.status == "unsupported":
                lacking.setdefault((f.clause, f.message), []).append(f.check)
        for (clause, message), checks in lacking.items():
            lines.append(f"  {'unsupported':<12}{clause:<6}{message}")
            lines += textwrap.wrap(
                ", ".join(checks), 88, initial_indent=INDENT, subsequent_indent=INDENT
            )
        return "\n".join(lines)


def read(path: str | Path) -> Report:
    """A report that was written as JSON.

    Parameters
    ----------
    path : str or Path
        What ``minprune conformance ... --json`` printed.

    Raises
    ------
    ValueError
        If it is no such report, or one of another schema.
    """
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
        if found["schema"] != SCHEMA:
            raise ValueError(f"its schema is {found['schema']}; expected {SCHEMA}")
        findings = tuple(Finding(**finding) for finding in found["findings"])
        if wrong := {f.status for f in findings} - set(get_args(Status)):
            raise ValueError(f"there is no status {sorted(wrong)[0]!r}")
        toolkit, version = str(found["toolkit"]), str(found["version"])
        seed, where = int(found["seed"]), str(found["environment"])
        return Report(toolkit, version, seed, findings, where)
    except (KeyError, TypeError, ValueError) as why:
        raise ValueError(f"conformance: {path} is no report in JSON: {why}") from why


def as_json(report: Report) -> str:
    """The report as one JSON object."""
    return json.dumps(report.as_dict(), indent=2)


def as_junit(report: Report) -> str:
    """The report as JUnit XML: unsupported and expected are skips."""
    counts = report.counts()
    suite = ElementTree.Element(
        "testsuite",
        name=f"minprune conformance of {report.toolkit} {report.version}",
        tests=str(len(report.findings)),
        failures=str(counts.get("failed", 0) + counts.get("fixed", 0)),
        errors=str(counts.get("broken", 0)),
        skipped=str(counts.get("unsupported", 0) + counts.get("expected", 0)),
    )
    kinds = {
        "failed": "failure",
        "fixed": "failure",
        "broken": "error",
        "unsupported": "skipped",
        "expected": "skipped",
    }
    for finding in report.findings:
        case = ElementTree.SubElement(
            suite, "testcase", classname=finding.clause, name=finding.check
        )
        if finding.status in kinds:
            inside = ElementTree.SubElement(
                case, kinds[finding.status], message=finding.message
            )
            inside.text = finding.repeat
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True)


STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #222; margin: 1rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; }
summary { white-space: nowrap; } small { font-weight: normal; white-space: nowrap; }
th, td { border: 1px solid #ddd; padding: .25rem .5rem; text-align: left;
         vertical-align: top; }
.passed { background: #e6f4ea; } .failed, .broken, .fixed { background: #fbe4e4; }
.unsupported { background: #f2f2f2; color: #666; } .expected { background: #fdf3dc; }
pre { white-space: pre-wrap; margin: .3rem 0; max-width: 40rem; }
"""


def as_html(reports: list[Report]) -> str:
    """Several toolkits beside each other, on one self-contained page."""
    rows: dict[str, str] = {f.check: f.clause for r in reports for f in r.findings}
    header = "".join(_head(report) for report in reports)
    found = [{f.check: f for f in r.findings} for r in reports]
    body = [
        f"<tr><td>{escape(clause)}</td><td>{escape(check)}</td>"
        + "".join(_cell(of.get(check)) for of in found)
        + "</tr>"
        for check, clause in rows.items()
    ]
    seeds = ", ".join(sorted({str(r.seed) for r in reports}))
    note = (
        f"minprune {__version__}, specification {SPECIFICATION}, seed {seeds}, Python "
        f"{platform.python_version()}, NumPy {np.__version__}, {platform.platform()}"
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Conformance</title><style>{STYLE}</style></head><body>"
        f"<h1>Conformance</h1><p>{escape(note)}</p>"
        f'<div class="wide"><table><tr><th>clause</th><th>check</th>{header}</tr>'
        + "\n".join(body)
        + "</table></div></body></html>\n"
    )


def _head(report: Report) -> str:
    """A toolkit, and how many findings have each status."""
    name = escape(f"{report.toolkit} {report.version}")
    counts = "".join(f"<br>{n} {status}" for status, n in report.counts().items())
    return f"<th>{name}<small>{counts}</small></th>"


def _cell(finding: Finding | None) -> str:
    """One finding, its message folded away."""
    if finding is None:
        return "<td></td>"
    text = escape(finding.message)
    if finding.repeat:
        text += f"\n{escape(finding.repeat)}"
    inside = f"<details><summary>{finding.status}</summary><pre>{text}</pre></details>"
    shown = inside if text else finding.status
    return f'<td class="{finding.status}">{shown}</td>'
