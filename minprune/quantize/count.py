"""What a quantized network holds and does, counted as `minprune.metrics` counts."""

from minprune.files import stored
from minprune.metrics.count import Count, LayerCount
from minprune.nn.tree import join
from minprune.quantize.graph import Affine
from minprune.quantize.network import QuantizedNetwork


def count(small: QuantizedNetwork) -> Count:
    """Weights, bytes and multiply-adds of a quantized network, by layer.

    Returns
    -------
    count : Count
        Integers are executed as they are stored, so resident bytes are file bytes, and
        only kept weights are multiplied.

    Examples
    --------
    >>> import numpy as np
    >>> from minprune.nn import Linear, Network, Sequential
    >>> from minprune.quantize import quantize
    >>> net = Network(Sequential(Linear(64, 3)), (64,), seed=0)
    >>> found = count(quantize(net, np.ones((1, 64))))
    >>> found.weights, found.macs_needed
    (192, 192)
    """
    state, layers = small.state(), []
    for step in small.graph.steps:
        if isinstance(step, Affine):
            names = stored.names(join(step.name, "weight"), state)
            names += [
                join(step.name, end) for end in ("bias", "multiplier", "exponent")
            ]
            held = sum(state[name].nbytes for name in names)
            size, kept, macs = step.mask.size, int(step.mask.sum()), step.macs
            layers.append(
                LayerCount(step.name, step.kind, size, kept, held, held, 0, macs, macs)
            )
    held = sum(array.nbytes for array in state.values())
    macs = sum(layer.macs_needed for layer in layers)
    return Count(
        tuple(layers),
        sum(layer.weights for layer in layers),
        sum(layer.kept for layer in layers),
        held,
        held,
        0,
        macs,
        macs,
    )
