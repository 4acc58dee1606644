"""Where in a network evidence is taken: a float64 twin with listening posts in it.

Every weight that counts towards sparsity has a *site*: the layer that holds it, the
batch norm and the activation function that follow it directly, and the next layer with
weights. What a unit *hands on* is its value behind that norm and that function; setting
it to zero there is what removing the unit means.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minprune._check import FloatArray
from minprune.nn.activation import Activation, Flatten
from minprune.nn.chain import Sequential
from minprune.nn.conv import Convolution
from minprune.nn.dropout import Dropout
from minprune.nn.layer import EVAL, Layer, Mode, Shape
from minprune.nn.linear import Linear
from minprune.nn.network import Network
from minprune.nn.norm import BatchNorm
from minprune.nn.pool import GlobalAvgPool, Pooling

Weighted = Linear | Convolution


class Probe(Layer):
    """A layer around another that remembers what passed, and may silence units."""

    kind = "Probe"

    def __init__(self, inner: Layer) -> None:
        super().__init__()
        self.children["inner"] = inner
        self.gate: FloatArray | None = None
        """What each output unit is multiplied with; None is one throughout."""
        nothing: FloatArray = np.empty(0)
        self.x = self.y = self.dy = nothing

    def output_shape(self, shape: Shape) -> Shape:
        """That of the layer inside."""
        return self.children["inner"].output_shape(shape)

    def forward(self, x: FloatArray, mode: Mode = EVAL) -> FloatArray:
        """Listen on both sides."""
        self.x, self.y = x, self.children["inner"].forward(x, mode)
        if self.gate is None:
            return self.y
        return self.y * self.gate.reshape(-1, *(1,) * (self.y.ndim - 1))

    def backward(self, dy: FloatArray) -> FloatArray:
        """Listen to the gradient; valid with every unit speaking."""
        self.dy = dy
        return self.children["inner"].backward(dy)


@dataclass
class Site:
    """A prunable weight and what stands around it in the twin."""

    name: str
    layer: Layer
    key: str
    """The weight's name in its layer."""
    norm: BatchNorm | None = None
    consumer: Layer | None = None
    flattened: bool = False
    """Whether the consumer sees the feature maps flattened."""
    own: Probe = field(init=False)
    """Around the layer itself: its input and its raw output."""
    tail: Probe = field(init=False)
    """Around the last of layer, norm and function: what the units hand on."""

    @property
    def weight(self) -> FloatArray:
        """In logical shape, pruned entries zero."""
        return self.layer.weights()[self.key]

    def weighted(self, evidence: str) -> Weighted:
        """The layer, if its weights meet columns of inputs; ValueError otherwise."""
        if not isinstance(self.layer, Weighted):
            raise ValueError(
                f"collect: {evidence} of {self.name} is not defined; {self.layer.kind} "
                f"is neither a linear nor a convolution layer"
            )
        return self.layer


def twin(net: Network, dtype: Any = np.float64) -> Network:
    """A copy in another precision in which every layer is dense."""

    def rebuilt(layer: Layer) -> Layer:
        other = layer.to_dense().clone(dtype)
        other.children = {name: rebuilt(c) for name, c in layer.children.items()}
        return other

    return net.with_root(rebuilt(net.root))


def sites(net: Network) -> dict[str, Site]:
    """The site of every prunable weight, with probes set into `net`."""
    layers = net.layers()
    found = {}
    for name, layer in layers.items():
        for key in layer.prunable:
            full = f"{name}.{key}" if name else key
            found[full] = site = Site(full, layer, key)
            tail = _look_ahead(site, name, layers)
            site.own = _probe(net, layers, name)
            site.tail = site.own if tail == name else _probe(net, layers, tail)
    return found


def _look_ahead(site: Site, name: str, layers: dict[str, Layer]) -> str:
    """Fill in norm and consumer; returns the name of the last layer of the unit."""
    tail, closed = name, False
    for after, layer in _following(name, layers):
        if isinstance(layer, BatchNorm) and tail == name and not closed:
            site.norm, tail = layer, after
        elif isinstance(layer, Activation) and not closed:
            tail, closed = after, True
        elif isinstance(layer, Weighted):
            site.consumer = layer
            return tail
        elif isinstance(layer, Flatten):
            site.flattened = closed = True
        elif isinstance(layer, BatchNorm | Activation | Pooling | GlobalAvgPool):
            closed = True
        elif not isinstance(layer, Dropout):  # which in evaluation is not there
            return tail
    return tail


def _following(name: str, layers: dict[str, Layer]) -> Iterator[tuple[str, Layer]]:
    """What comes after a layer, as long as it is one plain chain."""
    parent, _, own = name.rpartition(".")
    if not name or not isinstance(layers[parent], Sequential):
        return
    names = list(layers[parent].children)
    for child in names[names.index(own) + 1 :]:
        yield from _entered(f"{parent}.{child}" if parent else child, layers)
    yield from _following(parent, layers)


def _entered(name: str, layers: dict[str, Layer]) -> Iterator[tuple[str, Layer]]:
    """The layer itself, or the layers of a chain one by one."""
    layer = layers[name]
    if not isinstance(layer, Sequential):
        yield name, layer
        return
    for child in layer.children:
        yield from _entered(f"{name}.{child}", layers)


def _probe(net: Network, layers: dict[str, Layer], name: str) -> Probe:
    """The probe around a layer, set in if it is not there yet."""
    if not name:
        if not isinstance(net.root, Probe):
            net.root = Probe(net.root)
        return net.root
    parent, _, own = name.rpartition(".")
    children = layers[parent].children
    if not isinstance(children[own], Probe):
        children[own] = Probe(children[own])
    probe = children[own]
    assert isinstance(probe, Probe)
    return probe
