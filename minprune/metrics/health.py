"""What pruning may have broken: empty layers, dead units, inputs nobody reads."""

from dataclasses import dataclass

import numpy as np

from minprune.nn.network import Network


@dataclass(frozen=True, slots=True)
class LayerHealth:
    """One prunable weight, seen as (outputs, inputs)."""

    name: str
    empty: bool
    """Nothing is kept: the layer returns its bias."""
    dead_outputs: int
    """Output units without a kept weight: they return a constant."""
    unread_inputs: int
    """Input columns that no unit reads."""
    finite: bool


def health(net: Network) -> tuple[LayerHealth, ...]:
    """Look at every prunable weight.

    Examples
    --------
    >>> from minprune.nn import Linear, Network, Sequential
    >>> net = Network(Sequential(Linear(3, 2)), (3,), seed=0)
    >>> net.set_masks({"0.weight": np.array([[True, True, False], [False] * 3])})
    >>> h = health(net)[0]
    >>> h.empty, h.dead_outputs, h.unread_inputs
    (False, 1, 1)
    """
    found = []
    masks = net.masks()
    for name, weight in net.weights().items():
        kept = masks[name].reshape(len(weight), -1)
        found.append(
            LayerHealth(
                name,
                empty=not kept.any(),
                dead_outputs=int((~kept.any(axis=1)).sum()),
                unread_inputs=int((~kept.any(axis=0)).sum()),
                finite=bool(np.isfinite(weight).all()),
            )
        )
    return tuple(found)
