"""The values of a graph as its nodes are met, first to last.

A value is made by one layer from the value before it, or where branches meet. Nodes
that only pass a value on give it another name; what scales and shifts the input becomes
preprocessing.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from minprune.files import LIMIT_BYTES
from minprune.nn.conv import Conv1d, Conv2d
from minprune.nn.foreign_onnx.affine import with_bias
from minprune.nn.foreign_onnx.layers import JOINS, layer_of, target_shape
from minprune.nn.foreign_onnx.node import Operator
from minprune.nn.layer import Layer, Shape
from minprune.nn.linear import Linear


@dataclass(frozen=True, slots=True)
class Value:
    """A value of the graph and how it is made."""

    shape: Shape
    sources: tuple[str, ...]
    node: Operator | None
    name: str
    """Of the layer that makes it."""
    layer: Layer | None
    """None for the input, and where branches meet."""
    split: str
    """The nearest value that every way from the input to this one passes."""
    depth: int
    """Number of such values before it."""


class Values:
    """Takes the nodes of a graph, one after the other.

    Attributes
    ----------
    input_shape, scale, offset
        Of the network.
    values : dict of str to Value
        By their first name.
    alone : dict of str to bool
        Whether one node at most reads what has this name.
    """

    def __init__(self, name: str, shape: Shape, readers: Mapping[str, int]) -> None:
        self.input_shape = shape
        self.scale = np.ones((1,) * len(shape))
        self.offset = np.zeros((1,) * len(shape))
        self._root, self._readers = name, readers
        self.values = {name: Value(shape, (), None, "", None, "", 0)}
        # A value that passes through has several names; it is held under the first.
        self._first = {name: name}
        self.alone = {name: readers[name] == 1}
        self._wide: dict[str, Shape] = {}
        """Features seen as planes of one position, for the Mul of a gate alone."""
        self._names: set[str] = set()

    def shape(self, name: str) -> Shape:
        """The shape of a value, as ONNX sees it."""
        return self._wide.get(name) or self.values[self._first[name]].shape

    def add(self, node: Operator, output: str, stem: str) -> None:
        """File what a node makes."""
        for name in node.inputs:
            if name not in self._first:
                raise node.refuse(
                    f"reads {name!r}, which is no constant and no value made before it"
                )
        if not node.inputs:
            raise node.refuse("reads constants only; export it with constants folded")
        if len(node.inputs) > 1 or node.op == "Concat":
            self._join(node, output)
        elif not (self._passes(node, output) or self._absorbs(node, output)):
            self._layer(node, output, stem)

    def ends(self, output: str) -> tuple[str, str]:
        """The first names of the output and of the input."""
        if output not in self._first:
            raise ValueError(f"no node makes the output {output!r}")
        if output in self._wide:
            raise ValueError(f"the output {output!r} is features with axes added")
        return self._first[output], self._root

    def _file(
        self,
        node: Operator,
        output: str,
        shape: Shape,
        layer: Layer | None,
        wanted: str = "",
    ) -> None:
        """Hold a new value."""
        if 4 * math.prod(shape) > LIMIT_BYTES:
            raise node.refuse(f"would give samples of shape {shape}")
        sources = tuple(self._first[name] for name in node.inputs)
        split = sources[0]
        for other in sources[1:]:
            split = self._split(split, other)
        name, depth = self._name(wanted or node.name), self.values[split].depth + 1
        value = Value(shape, sources, node, name, layer, split, depth)
        self.values[output], self._first[output] = value, output
        self.alone[output] = self._readers[output] == 1

    def _pass(self, node: Operator, output: str) -> None:
        """Give the only input of a node another name."""
        source = node.inputs[0]
        self._first[output] = self._first[source]
        self.alone[output] = self.alone[source] and self._readers[output] == 1

    def _layer(self, node: Operator, output: str, stem: str) -> None:
        """A value made by one layer, or by none."""
        if 0 in node.constants:
            raise node.refuse("has a constant where the samples are expected")
        shape = self.shape(node.inputs[0])
        layer = layer_of(node, shape)
        if layer is None:
            self._pass(node, output)
            return
        try:
            out = layer.output_shape(shape)
        except ValueError as why:
            raise node.refuse(f"does not fit: {why}") from why
        self._file(node, output, out, layer, stem)

    def _passes(self, node: Operator, output: str) -> bool:
        """Whether a node only makes features wide, for a gate, or narrow again."""
        source = node.inputs[0]
        held = self.values[self._first[source]].shape
        if len(held) == 1 and node.op in ("Reshape", "Unsqueeze", "Squeeze", "Flatten"):
            target = target_shape(node, self.shape(source))
            if target == (*held, *(1,) * (len(target) - 1)):
                self._pass(node, output)
                if target != held:
                    self._wide[output] = target
                return True
        if source in self._wide:
            raise node.refuse("reads features with axes added; only a Mul may")
        return False

    def _absorbs(self, node: Operator, output: str) -> bool:
        """Whether a node becomes a part of what is there: preprocessing, or a bias."""
        source = node.inputs[0]
        at_door = self._first[source] == self._root and self.alone[source]
        if at_door and node.op in ("Reshape", "Unsqueeze"):
            target = target_shape(node, self.input_shape)
            plain = self.scale.size == self.offset.size == 1
            if not plain or target == (math.prod(target),):
                return False
            root = self.values[self._root]
            self.values[self._root] = replace(root, shape=target)
            self.input_shape = target
            self.scale = self.scale.reshape((1,) * len(target))
            self.offset = self.offset.reshape((1,) * len(target))
        elif node.op in ("Add", "Sub", "Mul", "Div") and node.constants:
            layer = self.values[self._first[source]].layer
            if at_door:
                self._enter(node)
            elif (
                node.op == "Add"
                and self.alone[source]
                and isinstance(layer, Linear | Conv1d | Conv2d)
                and "bias" not in layer.params
            ):
                with_bias(node, layer, next(iter(node.constants.values())))
            else:
                raise node.refuse(
                    "has a constant; that is read right behind the input, as "
                    "preprocessing, and in an Add behind a layer without bias"
                )
        else:
            return False
        self._pass(node, output)
        return True

    def _enter(self, node: Operator) -> None:
        """A constant behind the input joins scale and offset."""
        ((position, array),) = node.constants.items()
        rank = len(self.input_shape)
        constant = array.astype(float)
        if constant.ndim == rank + 1 and len(constant) == 1:
            constant = constant[0]
        constant = constant.reshape((1,) * (rank - constant.ndim) + constant.shape)
        try:
            fits = np.broadcast_shapes(constant.shape, self.input_shape)
        except ValueError:
            fits = ()
        if fits != self.input_shape or not np.isfinite(constant).all():
            raise node.refuse(
                f"has a constant of shape {array.shape} for samples of shape "
                f"{self.input_shape}"
            )
        match node.op, position:
            case "Mul", _:
                self.scale, self.offset = self.scale * constant, self.offset * constant
            case "Add", _:
                self.offset = self.offset + constant
            case "Sub", 1:
                self.offset = self.offset - constant
            case "Div", 1 if constant.all():
                self.scale, self.offset = self.scale / constant, self.offset / constant
            case _:
                raise node.refuse("has a constant on its left, or divides by zero")

    def _join(self, node: Operator, output: str) -> None:
        """Where branches meet."""
        shapes = [self.shape(name) for name in node.inputs]
        pair = len(shapes) == 2 or node.op == "Concat"
        if node.op not in JOINS or node.constants or not pair:
            raise node.refuse("reads several values; only Add, Concat and Mul may")
        wide = [name for name in node.inputs if name in self._wide]
        if node.op == "Mul":
            self._file(node, output, self._gated(node, shapes), None)
            return
        if wide:
            raise node.refuse("reads features with axes added; only a Mul may")
        if node.op == "Add":
            if shapes[0] != shapes[1]:
                raise node.refuse(f"adds samples of shapes {shapes[0]} and {shapes[1]}")
            self._file(node, output, shapes[0], None)
            return
        axis = int(node.attributes.get("axis", 1))
        if axis % (len(shapes[0]) + 1) != 1 or len({shape[1:] for shape in shapes}) > 1:
            raise node.refuse(f"joins shapes {shapes} along axis {axis}; expected 1")
        channels = sum(shape[0] for shape in shapes)
        self._file(node, output, (channels, *shapes[0][1:]), None)

    def _gated(self, node: Operator, shapes: list[Shape]) -> Shape:
        """The shape of what a Mul takes through a gate."""
        first = [self._first[name] for name in node.inputs]
        split = self._split(*first)
        for gate, x in ((1, 0), (0, 1)):
            one = (shapes[x][0], *(1,) * (len(shapes[x]) - 1))
            made = first[x] == split != first[gate] and node.inputs[x] not in self._wide
            if made and shapes[gate] == one:
                return shapes[x]
        raise node.refuse(
            f"multiplies samples of shapes {shapes[0]} and {shapes[1]}; expected "
            f"channels and a gate that is made of them"
        )

    def _split(self, one: str, other: str) -> str:
        """The nearest value that all ways to both pass."""
        while one != other:
            if self.values[one].depth < self.values[other].depth:
                one, other = other, one
            one = self.values[one].split
        return one

    def _name(self, wanted: str) -> str:
        """A name for a layer, without dots and slashes, not yet given."""
        base = wanted.strip("/.").replace("/", "_").replace(".", "_") or "layer"
        name, number = base, 1
        while name in self._names:
            number += 1
            name = f"{base}_{number}"
        self._names.add(name)
        return name
