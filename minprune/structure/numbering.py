"""One pass through a network that writes a number under every channel.

Every tensor has a first axis, its channels. A layer is met once, with the numbers of
what reaches it, and says three things: the numbers of what it returns, which numbers
are *tied* because one channel cannot go without the other, and to which number each row
and column of its arrays belongs. There is one function below for every kind of layer,
and nothing else in this room knows kinds:

    linear, convolution, embedding, recurrent   make channels: new numbers
    batch norm, activation, pool, dropout       the numbers that came
    flatten              each number once for every position of its channel
    concat, heads        the numbers of the branches, one behind the other
    residual             the numbers of the body, each tied to one of the shortcut
    squeeze-and-excite   the numbers that came, each tied to one of the gate
    layer norm, softmax  the numbers that came, held: these mix all channels, so that
                         taking one out would change the others
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import singledispatch
from typing import Literal

import numpy as np

from minprune._check import IntArray
from minprune.nn.activation import Activation, Flatten, Softmax
from minprune.nn.chain import Concat, Residual, Sequential, SqueezeExcite
from minprune.nn.conv import Convolution
from minprune.nn.dropout import Dropout
from minprune.nn.embedding import Embedding
from minprune.nn.layer import Layer, Shape
from minprune.nn.linear import Linear
from minprune.nn.norm import BatchNorm, LayerNorm
from minprune.nn.pool import GlobalAvgPool, Pooling
from minprune.nn.recurrent import Recurrent

Role = Literal["makes", "scales", "reads"]
"""Rows of weights and biases make a channel, batch norms scale it, columns read it."""


@dataclass(frozen=True, slots=True, eq=False)
class Axis:
    """One axis of one array of a layer, and the number under each of its entries."""

    layer: str
    array: str
    axis: int
    role: Role
    numbers: IntArray

    @property
    def name(self) -> str:
        """Dotted name of the array."""
        return f"{self.layer}.{self.array}" if self.layer else self.array


@dataclass(frozen=True, slots=True, eq=False)
class Size:
    """An argument of a layer that counts channels, and the numbers it counts."""

    layer: str
    argument: str
    numbers: IntArray


@dataclass
class Ledger:
    """What the pass writes down."""

    makers: list[str] = field(default_factory=list)
    """Who made each number: its place in this list is the number."""
    ties: list[tuple[IntArray, IntArray]] = field(default_factory=list)
    held: dict[int, str] = field(default_factory=dict)
    """Numbers that have to stay, and why."""
    axes: list[Axis] = field(default_factory=list)
    sizes: list[Size] = field(default_factory=list)

    def make(self, maker: str, count: int) -> IntArray:
        """New numbers."""
        first = len(self.makers)
        self.makers += [maker] * count
        return np.arange(first, first + count)

    def tie(self, these: IntArray, those: IntArray) -> None:
        """Let each of these go with the one of those that it meets by broadcasting."""
        these, those = np.broadcast_arrays(these, those)
        self.ties.append((these.reshape(-1), those.reshape(-1)))

    def hold(self, numbers: IntArray, why: str) -> None:
        """Forbid that any of these goes."""
        for number in numbers.tolist():
            self.held.setdefault(number, why)

    def mark(
        self,
        layer: str,
        arrays: Iterable[str],
        axis: int,
        role: Role,
        numbers: IntArray,
    ) -> None:
        """Say what the entries of an axis belong to."""
        self.axes += [Axis(layer, array, axis, role, numbers) for array in arrays]

    def count(self, layer: str, **arguments: IntArray) -> None:
        """Say what the arguments of a layer count."""
        self.sizes += [Size(layer, name, these) for name, these in arguments.items()]


@singledispatch
def number(
    layer: Layer, name: str, came: IntArray, shape: Shape, ledger: Ledger
) -> IntArray:
    """The numbers of what a layer returns for samples of `shape` numbered `came`."""
    raise ValueError(
        f"find_spaces: layer {name or 'root'} is a {layer.kind}, and nothing is known "
        f"of how its channels hang together; expected dense or sparse layers of "
        f"minprune.nn"
    )


@number.register
def _(
    layer: Activation | Dropout | Pooling | GlobalAvgPool,
    name: str,
    came: IntArray,
    shape: Shape,
    ledger: Ledger,
) -> IntArray:
    return came


@number.register
def _(
    layer: Flatten, name: str, came: IntArray, shape: Shape, ledger: Ledger
) -> IntArray:
    return np.repeat(came, int(np.prod(shape[1:])))


@number.register
def _(
    layer: BatchNorm, name: str, came: IntArray, shape: Shape, ledger: Ledger
) -> IntArray:
    ledger.count(name, num_features=came)
    ledger.mark(name, (*layer.params, *layer.buffers), 0, "scales", came)
    return came


@number.register
def _(
    layer: LayerNorm | Softmax,
    name: str,
    came: IntArray,
    shape: Shape,
    ledger: Ledger,
) -> IntArray:
    ledger.hold(came, f"{name or 'root'} ({layer.kind}) normalizes over all of them")
    return came


@number.register
def _(
    layer: Linear, name: str, came: IntArray, shape: Shape, ledger: Ledger
) -> IntArray:
    made = ledger.make(name, layer.out_features)
    ledger.count(name, in_features=came, out_features=made)
    ledger.mark(name, layer.params, 0, "makes", made)
    ledger.mark(name, ["weight"], 1, "reads", came)
    return made


@number.register
def _(
    layer: Convolution, name: str, came: IntArray, shape: Shape, ledger: Ledger
) -> IntArray:
    made = ledger.make(name, layer.out_channels)
    ledger.count(name, in_channels=came, out_channels=made)
    ledger.mark(name, layer.params, 0, "makes", made)
    reads, makes = (side.reshape(layer.groups, -1) for side in (came, made))
    if layer.groups > 1 and 1 in (reads.shape[1], makes.shape[1]):
        # Depthwise: a group has one channel on one side, so it goes as a whole, and
        # its weights with its rows.
        first = makes[:, :1]
        ledger.tie(first, makes)
        ledger.tie(first, reads)
        ledger.count(name, groups=first[:, 0])
    else:
        # Groups stay equally wide: a channel goes with those that stand in its place
        # in the other groups, and one column of the weight holds all of them.
        ledger.tie(makes[0], makes)
        ledger.tie(reads[0], reads)
        ledger.mark(name, ["weight"], 1, "reads", reads[0])
    return made


@number.register
def _(
    layer: Embedding, name: str, came: IntArray, shape: Shape, ledger: Ledger
) -> IntArray:
    made = ledger.make(name, layer.arguments()["embedding_dim"])
    ledger.hold(came, f"{name or 'root'} ({layer.kind}) reads symbols")
    ledger.count(name, embedding_dim=made)
    ledger.mark(name, ["weight"], 1, "makes", made)
    return made


@number.register
def _(
    layer: Recurrent, name: str, came: IntArray, shape: Shape, ledger: Ledger
) -> IntArray:
    # There is one hidden size: unit j of every gate, level and direction is one.
    made = ledger.make(name, layer.hidden_size)
    ledger.count(name, input_size=came, hidden_size=made)
    gates = np.tile(made, layer.gates)
    for level in range(layer.num_layers):
        for direction in layer.directions:
            end = f"l{level}{direction}"
            of_end = [key for key in layer.params if key.endswith(f"_{end}")]
            ledger.mark(name, of_end, 0, "makes", gates)
            ledger.mark(name, [f"weight_ih_{end}"], 1, "reads", came)
            ledger.mark(name, [f"weight_hh_{end}"], 1, "reads", made)
        came = np.tile(made, len(layer.directions))
    return came


@number.register
def _(
    layer: Sequential, name: str, came: IntArray, shape: Shape, ledger: Ledger
) -> IntArray:
    for key, child in layer.children.items():
        came = number(child, _below(name, key), came, shape, ledger)
        shape = child.output_shape(shape)
    return came


@number.register
def _(
    layer: Concat, name: str, came: IntArray, shape: Shape, ledger: Ledger
) -> IntArray:
    branches = layer.children.items()
    return np.concatenate(
        [number(way, _below(name, key), came, shape, ledger) for key, way in branches]
    )


@number.register
def _(
    layer: Residual, name: str, came: IntArray, shape: Shape, ledger: Ledger
) -> IntArray:
    ways = {
        key: number(way, _below(name, key), came, shape, ledger)
        for key, way in layer.children.items()
    }
    ledger.tie(ways["body"], ways.get("shortcut", came))
    return ways["body"]


@number.register
def _(
    layer: SqueezeExcite, name: str, came: IntArray, shape: Shape, ledger: Ledger
) -> IntArray:
    gate = layer.children["gate"]
    ledger.tie(number(gate, _below(name, "gate"), came, shape, ledger), came)
    return came


def _below(name: str, key: str) -> str:
    """Dotted name of a child."""
    return f"{name}.{key}" if name else key
