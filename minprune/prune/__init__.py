"""Training and pruning together: when to score, what to remove, how to recover.

Every procedure is a small object. Those that take part in training are `Procedure`s for
``nn.train(..., procedures=[...])`` and combine by standing in one list.
"""

from minprune.prune.cut import Cut
from minprune.prune.gradual import Gradual
from minprune.prune.oneshot import OneShot
from minprune.prune.recover import recover
from minprune.prune.score import score

__all__ = ["Cut", "Gradual", "OneShot", "recover", "score"]
