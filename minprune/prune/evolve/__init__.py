"""Patterns that move while the network is trained, held sparsely throughout.

The network starts with few weights and never has more: every so often some go and as
many come. ``procedures=[OneShot("random", sparsity=0.9, allocation="erk"), RigL()]``.
"""

from minprune.prune.evolve.deep_r import DeepR
from minprune.prune.evolve.hold import hold_sparsely
from minprune.prune.evolve.rigl import RigL
from minprune.prune.evolve.set import SET
from minprune.prune.evolve.snfs import SNFS

__all__ = ["SET", "SNFS", "DeepR", "RigL", "hold_sparsely"]
