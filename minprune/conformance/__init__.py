"""The same promises asked of other toolkits: one adapter in, a report out.

>>> from minprune.conformance import run
>>> from minprune.conformance.toolkits.minprune import Adapter
>>> run(Adapter(), only=["count_is_exact"]).ok
True
"""

from minprune.conformance.adapter import Toolkit, Unsupported
from minprune.conformance.registry import CHECKS, Check, Deviation
from minprune.conformance.report import Finding, Report, as_html, as_json, as_junit
from minprune.conformance.runner import chosen, run

__all__ = [
    "CHECKS",
    "Check",
    "Deviation",
    "Finding",
    "Report",
    "Toolkit",
    "Unsupported",
    "as_html",
    "as_json",
    "as_junit",
    "chosen",
    "run",
]
