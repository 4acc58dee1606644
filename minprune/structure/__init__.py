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
from minprune.structure.constants import fold_constants
from minprune.structure.groups import (
    coupled_norms,
    isomorphic,
    member_scores,
    score_units,
)
from minprune.structure.layers import (
    drop_layers,
    droppable,
    layer_ablations,
    layer_scales,
    layer_similarities,
)
from minprune.structure.merge import merge_batch_norms, merge_linear
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
    "drop_layers",
    "droppable",
    "emptied",
    "find_spaces",
    "fold_constants",
    "isomorphic",
    "latency",
    "layer_ablations",
    "layer_scales",
    "layer_similarities",
    "mask_units",
    "member_scores",
    "merge_batch_norms",
    "merge_linear",
    "multiply_adds",
    "remove",
    "score_units",
    "shrink",
    "stored_bytes",
    "weights",
]
