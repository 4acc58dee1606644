"""What a network holds and what it does: weights, bytes and multiply-adds, by layer.

Three numbers of bytes are kept apart. *File*: the arrays as stored, indices included.
*Resident*: the arrays in memory that inference needs. *Execution*: what is built from
them in order to run fast. And two of multiply-adds: *executed*, which a dense layer
spends on pruned weights too, and *needed*, one for every kept weight and every place it
is used.
"""

from dataclasses import dataclass

import numpy as np

from minprune.nn.boost import FeatureBoost
from minprune.nn.chain import Concat, Residual, Sequential, SqueezeExcite
from minprune.nn.layer import Layer, Shape
from minprune.nn.network import Network


@dataclass(frozen=True, slots=True)
class LayerCount:
    """One layer that holds prunable weights."""

    name: str
    kind: str
    weights: int
    kept: int
    file_bytes: int
    resident_bytes: int
    execution_bytes: int
    macs_executed: int
    macs_needed: int

    @property
    def sparsity(self) -> float:
        """Share of the weights that is removed; 0 for a layer without weights."""
        return 1 - self.kept / self.weights if self.weights else 0.0


@dataclass(frozen=True, slots=True)
class Count:
    """A network and its layers."""

    layers: tuple[LayerCount, ...]
    weights: int
    kept: int
    file_bytes: int
    resident_bytes: int
    execution_bytes: int
    macs_executed: int
    macs_needed: int

    @property
    def sparsity(self) -> float:
        """Share removed, over the prunable set; 0 for a network without weights."""
        return 1 - self.kept / self.weights if self.weights else 0.0


def count(net: Network) -> Count:
    """Count a network.

    Returns
    -------
    count : Count
        `weights` and `kept` run over linear, convolution and recurrent weights, no
        biases and no batch norm; bytes run over every array of the network.

    Examples
    --------
    >>> from minprune.nn import Linear, Network, Sequential
    >>> net = Network(Sequential(Linear(4, 3)), (4,), seed=0)
    >>> net.set_masks({"0.weight": np.eye(3, 4, dtype=bool)})
    >>> c = count(net)
    >>> c.weights, c.kept, c.sparsity, c.macs_executed, c.macs_needed
    (12, 3, 0.75, 12, 3)
    """
    shapes = input_shapes(net)
    layers = tuple(
        _count_layer(name, layer, shapes[name])
        for name, layer in net.root.walk()
        if layer.prunable
    )
    return Count(
        layers,
        sum(layer.weights for layer in layers),
        sum(layer.kept for layer in layers),
        sum(array.nbytes for array in net.state().values()),
        net.bytes(),
        net.execution_bytes(),
        net.macs(),
        sum(layer.macs_needed for layer in layers),
    )


def input_shapes(net: Network) -> dict[str, Shape]:
    """The shape of the sample that reaches each layer, by dotted name."""
    shapes: dict[str, Shape] = {}

    def visit(name: str, layer: Layer, shape: Shape) -> None:
        shapes[name] = shape
        for key, child in layer.children.items():
            visit(f"{name}.{key}" if name else key, child, shape)
            if isinstance(layer, Sequential):
                shape = child.output_shape(shape)
            elif not isinstance(
                layer, Residual | Concat | SqueezeExcite | FeatureBoost
            ):
                raise TypeError(f"input_shapes: {layer.kind} is no known chain")

    visit("", net.root, net.input_shape)
    return shapes


def _count_layer(name: str, layer: Layer, shape: Shape) -> LayerCount:
    """One line of the table."""
    weights = layer.weights()
    kept = sum(
        int(np.count_nonzero(layer.masks[key])) if key in layer.masks else weight.size
        for key, weight in weights.items()
    )
    return LayerCount(
        name,
        layer.kind,
        sum(weight.size for weight in weights.values()),
        kept,
        sum(array.nbytes for array in layer.state().values()),
        layer.bytes(),
        layer.execution_bytes(),
        layer.macs(shape),
        kept * layer.uses(shape),
    )
