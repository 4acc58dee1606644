"""Layers made of layers: one after the other, around, side by side."""

from collections.abc import Mapping
from typing import cast

import numpy as np

from minprune._check import FloatArray
from minprune.nn.layer import EVAL, Layer, Mode, Shape, misfit, register


@register("Sequential")
class Sequential(Layer):
    """One layer after the other.

    Parameters
    ----------
    *layers : Layer, or one mapping of str to Layer
        Unnamed layers are numbered as PyTorch numbers them: "0", "1", ...

    Examples
    --------
    >>> from minprune.nn.linear import Linear
    >>> net = Sequential(Linear(4, 3), Linear(3, 2))
    >>> [name for name, _ in net.walk()], net.output_shape((4,))
    (['', '0', '1'], (2,))
    """

    def __init__(self, *layers: Layer | Mapping[str, Layer]) -> None:
        super().__init__()
        if len(layers) == 1 and isinstance(layers[0], Mapping):
            self.children = dict(layers[0])
        else:
            given = cast("tuple[Layer, ...]", layers)
            self.children = {str(i): layer for i, layer in enumerate(given)}

    @classmethod
    def assemble(cls, children: dict[str, Layer], **arguments: object) -> "Sequential":
        """See `Layer.assemble`."""
        return cls(children, **arguments)

    def output_shape(self, shape: Shape) -> Shape:
        """The shape after the last layer; an error says which layer does not fit."""
        for index, (name, layer) in enumerate(self.children.items()):
            try:
                shape = layer.output_shape(shape)
            except ValueError as why:
                raise ValueError(f"layer {index} ({name}): {why}") from None
        return shape

    def macs(self, shape: Shape) -> int:
        """Sum over the layers, each on the shape that reaches it."""
        total = 0
        for layer in self.children.values():
            total += layer.macs(shape)
            shape = layer.output_shape(shape)
        return total

    def forward(self, x: FloatArray, mode: Mode = EVAL) -> FloatArray:
        """Through every layer in turn."""
        for layer in self.children.values():
            x = layer.forward(x, mode)
        return x

    def backward(self, dy: FloatArray) -> FloatArray:
        """Through every layer in reverse."""
        for layer in reversed(self.children.values()):
            dy = layer.backward(dy)
        return dy


@register("Residual")
class Residual(Layer):
    """A body and a way around it, ``y = body(x) + shortcut(x)``.

    Parameters
    ----------
    body : Layer
        What is added to the shortcut.
    shortcut : Layer, optional
        A projection, where body changes the shape; left out, the identity.
    """

    def __init__(self, body: Layer, shortcut: Layer | None = None) -> None:
        super().__init__()
        self.children["body"] = body
        if shortcut is not None:
            self.children["shortcut"] = shortcut

    @classmethod
    def assemble(cls, children: dict[str, Layer], **arguments: object) -> "Residual":
        """See `Layer.assemble`."""
        return cls(children["body"], children.get("shortcut"), **arguments)

    def output_shape(self, shape: Shape) -> Shape:
        """The shape of the sum; both ways must agree."""
        body = self.children["body"].output_shape(shape)
        shortcut = self.children.get("shortcut")
        around = shape if shortcut is None else shortcut.output_shape(shape)
        if body != around:
            raise misfit(
                "Residual",
                shape,
                f"body and shortcut to agree, but they give {body} and {around}; "
                f"add a projection as shortcut",
            )
        return body

    def macs(self, shape: Shape) -> int:
        """Sum over both ways."""
        return sum(layer.macs(shape) for layer in self.children.values())

    def forward(self, x: FloatArray, mode: Mode = EVAL) -> FloatArray:
        """Body plus shortcut."""
        y = self.children["body"].forward(x, mode)
        shortcut = self.children.get("shortcut")
        return y + (x if shortcut is None else shortcut.forward(x, mode))

    def backward(self, dy: FloatArray) -> FloatArray:
        """A sum hands its gradient to both ways; the input gathers them."""
        dx = self.children["body"].backward(dy)
        shortcut = self.children.get("shortcut")
        return dx + (dy if shortcut is None else shortcut.backward(dy))


@register("Concat")
class Concat(Layer):
    """Branches side by side, their channels stacked in order.

    Parameters
    ----------
    *branches : Layer, or one mapping of str to Layer
        Each is given the same input; their outputs may differ in channels only.
    """

    def __init__(self, *branches: Layer | Mapping[str, Layer]) -> None:
        super().__init__()
        self.children = Sequential(*branches).children
        if not self.children:
            raise ValueError("Concat: no branches were given; expected one or more")

    @classmethod
    def assemble(cls, children: dict[str, Layer], **arguments: object) -> "Concat":
        """See `Layer.assemble`."""
        return cls(children, **arguments)

    def output_shape(self, shape: Shape) -> Shape:
        """Channels add up; everything behind them must agree."""
        shapes = [branch.output_shape(shape) for branch in self.children.values()]
        if len({behind for _, *rest in shapes for behind in [tuple(rest)]}) > 1:
            raise misfit(
                "Concat",
                shape,
                f"branches that differ in channels only, but they give {shapes}",
            )
        return (sum(channels for channels, *_ in shapes), *shapes[0][1:])

    def macs(self, shape: Shape) -> int:
        """Sum over the branches."""
        return sum(branch.macs(shape) for branch in self.children.values())

    def forward(self, x: FloatArray, mode: Mode = EVAL) -> FloatArray:
        """Every branch on the same input."""
        parts = [branch.forward(x, mode) for branch in self.children.values()]
        self._splits = np.cumsum([len(part) for part in parts[:-1]])
        return np.concatenate(parts)

    def backward(self, dy: FloatArray) -> FloatArray:
        """Each branch takes its channels back; the input gathers the sum."""
        parts = np.split(dy, self._splits)
        gradients = [
            branch.backward(part)
            for branch, part in zip(self.children.values(), parts, strict=True)
        ]
        return sum(gradients[1:], start=gradients[0])
