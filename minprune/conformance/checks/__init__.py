"""Every check, one file a chapter of the specification; importing this files them."""

from minprune.conformance.checks import (
    allocation,
    masked,
    patterns,
    removal,
    schedules,
    scores,
    selection,
    storage,
)

__all__ = [
    "allocation",
    "masked",
    "patterns",
    "removal",
    "schedules",
    "scores",
    "selection",
    "storage",
]
