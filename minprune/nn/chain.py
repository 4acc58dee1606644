"""Layers made of layers: one after the other, around, side by side, one by another."""

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

    def learn(self, dy: FloatArray) -> None:
        """Back to the first layer that has something to learn, and no further."""
        layers = list(self.children.values())
        teachable = [any(part.params for _, part in x.walk()) for x in layers]
        if True in teachable:
            first = teachable.index(True)
            for layer in reversed(layers[first + 1 :]):
                dy = layer.backward(dy)
            layers[first].learn(dy)


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

    def learn(self, dy: FloatArray) -> None:
        """Both ways learn from the same gradient."""
        for layer in self.children.values():
            layer.learn(dy)


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


@register("Heads")
class Heads(Concat):
    """Several answers from one trunk: named branches whose outputs are stacked.

    Parameters
    ----------
    *branches : Layer, or one mapping of str to Layer
        Each ends flat. `rows` says which outputs are whose.

    Examples
    --------
    >>> from minprune.nn.linear import Linear
    >>> heads = Heads({"digit": Linear(4, 10), "slant": Linear(4, 1)})
    >>> heads.output_shape((4,)), heads.rows((4,))
    ((11,), {'digit': slice(0, 10, None), 'slant': slice(10, 11, None)})
    """

    def rows(self, shape: Shape) -> dict[str, slice]:
        """Which outputs each head gives, for samples of `shape` at the heads."""
        rows, first = {}, 0
        for name, branch in self.children.items():
            count = branch.output_shape(shape)[0]
            rows[name] = slice(first, first + count)
            first += count
        return rows


@register("SqueezeExcite")
class SqueezeExcite(Layer):
    """Channels weighted by a glance at all of them, ``y = x * gate(x)``.

    Parameters
    ----------
    gate : Layer
        From (C, ...) to (C,): by custom a global average pool, two linear layers with a
        ReLU between them, and a sigmoid.

    References
    ----------
    .. [1] J. Hu, L. Shen and G. Sun, "Squeeze-and-excitation networks",
       CVPR 2018, Sec. 3. arXiv:1709.01507
    """

    def __init__(self, gate: Layer) -> None:
        super().__init__()
        self.children["gate"] = gate

    @classmethod
    def assemble(
        cls, children: dict[str, Layer], **arguments: object
    ) -> "SqueezeExcite":
        """See `Layer.assemble`."""
        return cls(children["gate"], **arguments)

    def output_shape(self, shape: Shape) -> Shape:
        """Unchanged; the gate has to give one number for each channel."""
        gates = self.children["gate"].output_shape(shape)
        if gates != shape[:1]:
            raise misfit(
                "SqueezeExcite", shape, f"a gate that gives {shape[:1]}, not {gates}"
            )
        return shape

    def macs(self, shape: Shape) -> int:
        """Those of the gate."""
        return self.children["gate"].macs(shape)

    def forward(self, x: FloatArray, mode: Mode = EVAL) -> FloatArray:
        """Each channel times its gate."""
        gate = self.children["gate"].forward(x, mode)
        self._x = x
        self._gate = gate.reshape(len(gate), *(1,) * (x.ndim - 2), gate.shape[-1])
        return x * self._gate

    def backward(self, dy: FloatArray) -> FloatArray:
        """The product rule: past the gate, and through it."""
        places = tuple(range(1, dy.ndim - 1))
        through = self.children["gate"].backward((dy * self._x).sum(axis=places))
        return dy * self._gate + through
