"""Pruning at run time: what a sample does not need is not computed for it.

Gates decide, sample by sample, what of a layer's output is off. `Gated` runs a network
with gates, leaves out every product with what is off, and counts the multiply-adds that
each sample has executed.
"""

from minprune.prune.gating.boost import boosted
from minprune.prune.gating.gates import Relative, Threshold
from minprune.prune.gating.run import Gated

__all__ = ["Gated", "Relative", "Threshold", "boosted"]
