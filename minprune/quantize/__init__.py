"""Eight-bit integers: ranges, levels, and a network that computes with them alone.

`quantize` makes a `QuantizedNetwork` of a trained network and some samples;
`QuantizationAware` trains a network for it before. `graph`
writes a network out as steps, which export builds on too; `arithmetic` says what each
step computes, `fixed` how an integer is multiplied by a real factor, `observe` how
ranges are chosen, `form` how it all lies in a file.
"""

from minprune.quantize.aware import QuantizationAware
from minprune.quantize.count import count
from minprune.quantize.graph import Graph, lower
from minprune.quantize.network import QuantizedNetwork, quantize
from minprune.quantize.observe import OBSERVERS, mean_squared, min_max, percentile

__all__ = [
    "OBSERVERS",
    "Graph",
    "QuantizationAware",
    "QuantizedNetwork",
    "count",
    "lower",
    "mean_squared",
    "min_max",
    "percentile",
    "quantize",
]
