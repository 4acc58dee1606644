"""The same promises asked of other toolkits: one adapter in, a report out.

Names are loaded when they are first used (PEP 562): the pytest plugin is imported by
every run of pytest where minprune is installed, and must cost such a run nothing.

>>> from minprune.conformance import run
>>> from minprune.conformance.toolkits.minprune import Adapter
>>> run(Adapter(), only=["count_is_exact"]).ok
True
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from minprune.conformance.adapter import Toolkit, Unsupported
    from minprune.conformance.isolated import Isolated
    from minprune.conformance.registry import CHECKS, Check, Deviation
    from minprune.conformance.report import (
        Finding,
        Report,
        as_html,
        as_json,
        as_junit,
        read,
    )
    from minprune.conformance.runner import chosen, run

_NAMES = {
    "CHECKS": "runner",  # which files every check
    "Check": "registry",
    "Deviation": "registry",
    "Finding": "report",
    "Isolated": "isolated",
    "Report": "report",
    "Toolkit": "adapter",
    "Unsupported": "adapter",
    "as_html": "report",
    "as_json": "report",
    "as_junit": "report",
    "chosen": "runner",
    "read": "report",
    "run": "runner",
}

__all__ = [
    "CHECKS",
    "Check",
    "Deviation",
    "Finding",
    "Isolated",
    "Report",
    "Toolkit",
    "Unsupported",
    "as_html",
    "as_json",
    "as_junit",
    "chosen",
    "read",
    "run",
]


def __getattr__(name: str) -> Any:
    """Load a name from its module when it is first used."""
    if name in _NAMES:
        return getattr(importlib.import_module(f"{__name__}.{_NAMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
