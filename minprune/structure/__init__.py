"""Channels that must go together, and taking them out for good."""

from minprune.structure.choose import (
    COSTS,
    Choice,
    choose,
    latency,
    multiply_adds,
    stored_bytes,
    weights,
)
from minprune.structure.groups import (
    coupled_norms,
    isomorphic,
    member_scores,
    score_units,
)
from minprune.structure.numbering import Axis
from minprune.structure.spaces import Space, Spaces, find_spaces
from minprune.structure.surgery import emptied, mask_units, remove, shrink

__all__ = [
    "COSTS",
    "Axis",
    "Choice",
    "Space",
    "Spaces",
    "choose",
    "coupled_norms",
    "emptied",
    "find_spaces",
    "isomorphic",
    "latency",
    "mask_units",
    "member_scores",
    "multiply_adds",
    "remove",
    "score_units",
    "shrink",
    "stored_bytes",
    "weights",
]
