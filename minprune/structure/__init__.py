"""Channels that must go together, and taking them out for good."""

from minprune.structure.numbering import Axis
from minprune.structure.spaces import Space, Spaces, find_spaces
from minprune.structure.surgery import emptied, mask_units, remove, shrink

__all__ = [
    "Axis",
    "Space",
    "Spaces",
    "emptied",
    "find_spaces",
    "mask_units",
    "remove",
    "shrink",
]
