"""Putting a prediction around a convolution, so that most of it need not be made."""

from minprune._check import one_of
from minprune._random import stream
from minprune.masks import removed
from minprune.masks.count import Share
from minprune.nn.boost import FeatureBoost
from minprune.nn.conv import Convolution
from minprune.nn.network import Network


def boosted(net: Network, name: str, sparsity: Share, seed: int = 0) -> Network:
    """A copy of a network in which one convolution is gated, ready to be trained.

    Parameters
    ----------
    net : Network
    name : str
        Dotted name of the convolution.
    sparsity : share
        Share of its channels that is off for every sample.
    seed : int
        Draws the predictor.

    See Also
    --------
    minprune.nn.FeatureBoost : The layer that comes in its place.
    """
    other = net.copy()
    layers = other.layers()
    conv = layers[one_of("boosted", "layer", name, layers)]
    parent, _, key = name.rpartition(".")
    if not isinstance(conv, Convolution) or not name:
        raise ValueError(
            f"boosted: {name!r} is {conv.kind}; expected a convolution inside a chain"
        )
    gate = FeatureBoost(conv, removed(conv.out_channels, sparsity))
    gate.params = {k: a.astype(net.dtype) for k, a in gate.params.items()}
    gate.reset(stream(seed, "boosted", name))
    layers[parent].children[key] = gate
    return other
