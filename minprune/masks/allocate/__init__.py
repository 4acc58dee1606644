"""With scope "layer", how many weights each layer loses.

Every allocation returns a dict of counts, the number to remove from each layer, that
goes straight into ``select(scores, count=...)``. The counts add up to exactly what the
sparsity asks of all layers together (M.1): shares are solved for in exact arithmetic,
within the limits of each layer, and rounded once, by largest remainders.
"""

from minprune.masks.allocate.budget import by_cost
from minprune.masks.allocate.by_score import lamp, network, owl
from minprune.masks.allocate.by_shape import (
    ALLOCATIONS,
    by_sensitivity,
    er,
    erk,
    uniform,
    uniform_plus,
)

__all__ = [
    "ALLOCATIONS",
    "by_cost",
    "by_sensitivity",
    "er",
    "erk",
    "lamp",
    "network",
    "owl",
    "uniform",
    "uniform_plus",
]
