"""A network as a list of steps: what quantization and export work on.

The tree of layers is written out in the order of execution. Flattening disappears,
since memory order does not change; batch normalization is folded into the layer before
it; a ReLU becomes the bounds of whatever it follows. Five kinds of steps remain that
integers can take, and three that are for floating point alone: a recurrent layer along
a signal, a gate, and a layer that stays what it is. Every value between them is a plane
(C, H, W): features are (C, 1, 1), signals (C, 1, L).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass, replace

import numpy as np

from minprune._check import AnyArray, BoolArray, FloatArray
from minprune.nn.activation import (
    GELU,
    Flatten,
    LeakyReLU,
    ReLU,
    ReLU6,
    Sigmoid,
    Softmax,
    Tanh,
)
from minprune.nn.chain import Concat as Branches
from minprune.nn.chain import Residual, Sequential, SqueezeExcite
from minprune.nn.conv import Convolution
from minprune.nn.dropout import Dropout
from minprune.nn.embedding import Embedding
from minprune.nn.layer import Layer, Shape
from minprune.nn.linear import Linear
from minprune.nn.network import Network
from minprune.nn.norm import BatchNorm, LayerNorm
from minprune.nn.pool import AvgPool, GlobalAvgPool, MaxPool
from minprune.nn.recurrent import Recurrent
from minprune.nn.window import Window

Plane = tuple[int, int, int]

TAKEN = (
    "Linear, Conv1d and Conv2d (grouped and depthwise too), their sparse kinds, "
    "BatchNorm, ReLU, ReLU6, max, average and global average pools, Flatten, Dropout, "
    "Sequential, Residual, Concat, Heads"
)
"""What `lower` knows in integers, for the error message."""

TAKEN_FLOATING = (
    "LeakyReLU, Sigmoid, Tanh, GELU, Softmax, LayerNorm, Embedding, SqueezeExcite, "
    "RNN, LSTM, GRU"
)
"""What it knows besides in floating point."""

KEPT = (LeakyReLU, Sigmoid, Tanh, GELU, Softmax, LayerNorm, Embedding)
"""Layers that stay what they are."""

FLOATING = (*KEPT, SqueezeExcite, Recurrent)
"""Layers without an integer form."""

POINT = Window((1, 1), (1, 1), ((0, 0), (0, 0)), (1, 1))
"""A window that sees one position."""


@dataclass(frozen=True, slots=True)
class Step:
    """One operation: the values it reads, the one it writes, and their planes."""

    name: str
    """Dotted name of the layer it comes from."""
    xs: tuple[int, ...]
    y: int
    plane: Plane
    """Of each value read; `Concat` reads planes that differ in channels."""
    out: Plane
    _: KW_ONLY
    low: float = -math.inf
    high: float = math.inf
    """Bounds of the result, as a ReLU behind it sets them."""

    @property
    def behind(self) -> tuple[tuple[int, int], ...]:
        """Rows and columns of each value read."""
        return (self.plane[1:],) * len(self.xs)


@dataclass(frozen=True, slots=True)
class Affine(Step):
    """A convolution; a linear layer is one over a single position."""

    kind: str
    weight: FloatArray
    """(out, in/groups, kh, kw), float32; pruned entries are zero."""
    mask: BoolArray
    bias: FloatArray
    window: Window
    groups: int

    @property
    def matrix(self) -> FloatArray:
        """The weight as (out, K)."""
        return self.weight.reshape(len(self.weight), -1)

    @property
    def macs(self) -> int:
        """Multiply-adds for one sample, one for every kept weight and place."""
        return int(self.mask.sum()) * self.out[1] * self.out[2]


@dataclass(frozen=True, slots=True)
class Pool(Step):
    """The largest value under a window, or the mean with zeros of the border."""

    largest: bool
    window: Window


@dataclass(frozen=True, slots=True)
class Add(Step):
    """The sum of two values."""


@dataclass(frozen=True, slots=True)
class Concat(Step):
    """Values one behind the other."""


@dataclass(frozen=True, slots=True)
class Clip(Step):
    """Bounds alone, where a ReLU has nothing before it to belong to."""


@dataclass(frozen=True, slots=True)
class Kept(Step):
    """A layer without an integer form, as it is: one of `KEPT`."""

    layer: Layer


@dataclass(frozen=True, slots=True)
class Gate(Step):
    """The first value, each channel times its number in the second."""

    @property
    def behind(self) -> tuple[tuple[int, int], ...]:
        """See `Step.behind`."""
        return self.plane[1:], (1, 1)


@dataclass(frozen=True, slots=True)
class Scan(Step):
    """One direction of one level of a recurrent layer, along a signal."""

    cell: str
    """``"RNN"``, ``"LSTM"`` or ``"GRU"``."""
    inward: Affine
    """From what comes in at a step to the gates."""
    around: Affine
    """From the state to the gates."""
    backwards: bool
    last: bool
    """Whether the final state goes out alone, not the state at every step."""


@dataclass(frozen=True, slots=True)
class _Norm(Step):
    """``x * factor + shift`` for each channel; gone when `lower` is done."""

    factor: FloatArray
    shift: FloatArray


@dataclass(frozen=True, slots=True)
class Graph:
    """Steps in order; value 0 is what the door lets in, `output` the answer."""

    steps: tuple[Step, ...]
    sizes: dict[int, int]
    """Numbers in one sample of each value."""
    output: int
    input_shape: Shape
    classes: tuple[str, ...]
    scale: FloatArray
    offset: FloatArray
    """Raw samples enter as ``raw * scale + offset``."""

    def enter(self, x: AnyArray) -> FloatArray:
        """Raw samples, batch first, as scaled columns (size, N) in float32."""
        x = np.asarray(x)
        if (
            x.ndim == 0
            or x[:1].size not in (0, self.sizes[0])
            or x.dtype.kind not in "fiub"
        ):
            sizes = ", ".join(map(str, self.input_shape))
            raise ValueError(
                f"samples came as an array of type {x.dtype} and shape {x.shape}; "
                f"expected numbers of shape (N, {sizes})"
            )
        raw = x.reshape(len(x), *self.input_shape).astype(np.float32)
        inside = raw * self.scale + self.offset
        return np.ascontiguousarray(inside.reshape(len(x), self.sizes[0]).T)

    def last_uses(self) -> dict[int, int]:
        """The index of the last step that reads each value; the output's is the end."""
        uses = {x: index for index, step in enumerate(self.steps) for x in step.xs}
        return uses | {self.output: len(self.steps)}

    def evaluate(
        self,
        x: AnyArray,
        compute: Callable[[Step, list[AnyArray]], AnyArray],
        seen: Callable[[int, AnyArray], None] = lambda value, array: None,
    ) -> AnyArray:
        """Run every step on columns.

        Parameters
        ----------
        x : ndarray, shape (size, N)
            Value 0.
        compute : callable
            (step, inputs as (C, H, W, N)) -> output, in any shape that ends in N.
        seen : callable, optional
            Is shown every value as it is made, value 0 included.

        Returns
        -------
        y : ndarray, shape (size, N)
        """
        held = {0: x}
        seen(0, x)
        last = self.last_uses()
        for index, step in enumerate(self.steps):
            inputs = [
                held[i].reshape(-1, *behind, x.shape[-1])
                for i, behind in zip(step.xs, step.behind, strict=True)
            ]
            held[step.y] = compute(step, inputs).reshape(-1, x.shape[-1])
            seen(step.y, held[step.y])
            for i in set(step.xs):
                if last[i] == index:
                    del held[i]
        return held[self.output]


def lower(net: Network, caller: str = "lower", *, integer: bool = False) -> Graph:
    """The steps of a network.

    Parameters
    ----------
    net : Network
    caller : str
        Who asks, for the error.
    integer : bool
        Take only what integers can compute.

    Raises
    ------
    ValueError
        For a layer that has no step, by its name and kind, with what is known.

    Examples
    --------
    >>> from minprune.nn import Linear, Network, ReLU, Sequential
    >>> net = Network(Sequential(Linear(4, 8), ReLU(), Linear(8, 3)), (4,), seed=0)
    >>> [(s.name, s.plane, s.out, s.low) for s in lower(net).steps]
    [('0', (4, 1, 1), (8, 1, 1), 0.0), ('2', (8, 1, 1), (3, 1, 1), -inf)]
    """
    writer = _Writer(caller, integer)
    output = writer.visit("", net.root, 0, net.input_shape)
    steps = _fold(writer.steps, output)
    if not steps:
        raise ValueError(f"{caller}: the network holds no layer that computes anything")
    sizes = {0: math.prod(net.input_shape)}
    sizes |= {step.y: math.prod(step.out) for step in steps}
    return Graph(
        tuple(steps),
        sizes,
        output,
        net.input_shape,
        net.classes,
        net.scale.astype(np.float32),
        net.offset.astype(np.float32),
    )


class _Writer:
    """Writes the steps of a tree of layers, nothing folded yet."""

    def __init__(self, caller: str, integer: bool) -> None:
        self.caller, self.integer = caller, integer
        self.steps: list[Step] = []
        self._values = 0

    def visit(self, name: str, layer: Layer, x: int, shape: Shape) -> int:
        """Append what a layer does with value x; returns the value it gives."""
        if self.integer and isinstance(layer, FLOATING):
            raise self._unknown(name, layer)
        match layer:
            case Flatten() | Dropout():
                return x
            case SqueezeExcite():
                gate = self.visit(_join(name, "gate"), layer.children["gate"], x, shape)
                out = _plane(shape)
                return self._append(Gate(name, (x, gate), self._new(), out, out))
            case Recurrent():
                return self._recurrent(name, layer, x, shape)
            case Sequential():
                for key, child in layer.children.items():
                    x = self.visit(_join(name, key), child, x, shape)
                    shape = child.output_shape(shape)
                return x
            case Residual():
                ways = [
                    self.visit(_join(name, key), child, x, shape)
                    for key, child in layer.children.items()
                ]
                both = (*ways, x)[:2]
                out = _plane(layer.output_shape(shape))
                return self._append(Add(name, both, self._new(), out, out))
            case Branches():
                parts = tuple(
                    self.visit(_join(name, key), child, x, shape)
                    for key, child in layer.children.items()
                )
                out = _plane(layer.output_shape(shape))
                return self._append(Concat(name, parts, self._new(), out, out))
        return self._append(self._step(name, layer, x, shape))

    def _step(self, name: str, layer: Layer, x: int, shape: Shape) -> Step:
        """What a layer without children does."""
        plane, out = _plane(shape), _plane(layer.output_shape(shape))
        where = (name, (x,), self._new(), plane, out)
        match layer:
            case Linear() | Convolution():
                dense = layer.to_dense()
                weight = dense.params["weight"].astype(np.float32)
                mask = dense.masks.get("weight", np.ones(weight.shape, bool))
                bias = dense.params.get("bias", np.zeros(len(weight))).astype(float)
                if isinstance(layer, Linear):
                    kernel, window, groups = (1, 1), POINT, 1
                else:
                    kernel, window = layer.window.kernel, layer.window
                    groups = layer.groups
                full = (out[0], plane[0] // groups, *kernel)
                weight, mask = weight.reshape(full), mask.reshape(full)
                return Affine(*where, layer.kind, weight, mask, bias, window, groups)
            case BatchNorm():
                spread = np.sqrt(layer.buffers["running_var"].astype(float) + layer.eps)
                factor = layer.params.get("weight", 1.0) / spread
                shift = (
                    layer.params.get("bias", 0.0)
                    - layer.buffers["running_mean"] * factor
                )
                return _Norm(*where, factor, shift)
            case MaxPool() | AvgPool():
                return Pool(*where, isinstance(layer, MaxPool), layer.window)
            case GlobalAvgPool():
                view = Window(plane[1:], (1, 1), ((0, 0), (0, 0)), (1, 1))
                return Pool(*where, False, view)
            case ReLU():
                return Clip(*where, low=0.0)
            case ReLU6():
                return Clip(*where, low=0.0, high=6.0)
        if isinstance(layer, KEPT):
            return Kept(*where, layer)
        raise self._unknown(name, layer)

    def _recurrent(self, name: str, layer: Recurrent, x: int, shape: Shape) -> int:
        """Level upon level, both directions one behind the other."""
        for level in range(layer.num_layers):
            plane = _plane(shape)
            last = layer.last and level == layer.num_layers - 1
            length = 1 if last else plane[2]
            ways = tuple(
                self._append(
                    Scan(
                        _join(name, f"l{level}{direction}"),
                        (x,),
                        self._new(),
                        plane,
                        (layer.hidden_size, 1, length),
                        layer.kind,
                        _gates(name, layer, "ih", f"l{level}{direction}"),
                        _gates(name, layer, "hh", f"l{level}{direction}"),
                        direction != "",
                        last,
                    )
                )
                for direction in layer.directions
            )
            shape = (layer.hidden_size * len(ways), length)
            x = ways[0]
            if len(ways) > 1:
                where = _join(name, f"l{level}"), ways, self._new()
                x = self._append(Concat(*where, _plane(shape), _plane(shape)))
        return x

    def _unknown(self, name: str, layer: Layer) -> ValueError:
        """What to say of a layer that cannot be taken."""
        form = "integer form" if self.integer else "form as steps"
        known = TAKEN if self.integer else f"{TAKEN}, {TAKEN_FLOATING}"
        remedy = ""
        if isinstance(layer, FLOATING):
            remedy = "stay with float32, which takes it; "
        if isinstance(layer, Softmax):
            remedy = (
                "end in its logits, whose largest names the class and whose softmax "
                "can be taken outside, or stay with float32, which takes it; "
            )
        return ValueError(
            f"{self.caller}: layer {name or 'root'} is a {layer.kind}, which has no "
            f"{form}; {remedy}known: {known}"
        )

    def _new(self) -> int:
        """A number for a value; 0 is the input."""
        self._values += 1
        return self._values

    def _append(self, step: Step) -> int:
        """File a step; returns its value."""
        self.steps.append(step)
        return step.y


def _fold(steps: Sequence[Step], output: int) -> list[Step]:
    """Put norms into the layers before them, and bounds onto whatever they follow.

    Only where nobody else reads the value between the two. The step that stays writes
    the value of the step that went.
    """
    readers = [output, *(x for step in steps for x in step.xs)]
    done: dict[int, Step] = {}
    for step in steps:
        before = done.get(step.xs[0]) if readers.count(step.xs[0]) == 1 else None
        if isinstance(step, _Norm):
            if isinstance(before, Affine) and _fits(before, step):
                del done[before.y]
                step = _absorb(before, step)
            else:
                step = _depthwise(step)
        elif isinstance(step, Clip) and isinstance(before, Affine | Pool | Add | Clip):
            del done[before.y]
            step = replace(
                before,
                y=step.y,
                low=min(max(before.low, step.low), step.high),
                high=min(max(before.high, step.low), step.high),
            )
        done[step.y] = step
    return list(done.values())


def _gates(name: str, layer: Recurrent, which: str, end: str) -> Affine:
    """One of the two products of a recurrent layer, as a linear step of its own."""
    weight = layer.params[f"weight_{which}_{end}"].astype(np.float32)
    mask = layer.masks.get(f"weight_{which}_{end}", np.ones(weight.shape, bool))
    bias = layer.params.get(f"bias_{which}_{end}", np.zeros(len(weight)))
    rows, columns = weight.shape
    full, label = (rows, columns, 1, 1), _join(name, f"weight_{which}_{end}")
    return Affine(
        *(label, (), -1, (columns, 1, 1), (rows, 1, 1), layer.kind),
        *(weight.reshape(full), mask.reshape(full), bias.astype(float), POINT, 1),
    )


def _fits(affine: Affine, norm: _Norm) -> bool:
    """Whether a norm sees the channels of the affine step, and no bound between."""
    unbounded = (affine.low, affine.high) == (-math.inf, math.inf)
    return unbounded and affine.out == norm.plane


def _absorb(affine: Affine, norm: _Norm) -> Affine:
    """The affine step with its norm: factor * (W x + b) + shift."""
    factor = norm.factor.reshape(-1, 1, 1, 1)
    return replace(
        affine,
        y=norm.y,
        weight=(affine.weight * factor).astype(np.float32),
        bias=affine.bias * norm.factor + norm.shift,
    )


def _depthwise(norm: _Norm) -> Affine:
    """A norm with nothing to be folded into: one weight for each channel."""
    weight = norm.factor.astype(np.float32).reshape(-1, 1, 1, 1)
    where = (norm.name, norm.xs, norm.y, norm.plane, norm.out)
    mask = np.ones(weight.shape, bool)
    return Affine(*where, "BatchNorm", weight, mask, norm.shift, POINT, len(weight))


def _plane(shape: Shape) -> Plane:
    """Channels, rows and columns of a sample's shape."""
    if len(shape) == 3:
        return shape[0], shape[1], shape[2]
    return (shape[0], 1, shape[1]) if len(shape) == 2 else (shape[0], 1, 1)


def _join(layer: str, name: str) -> str:
    """Dotted name of a child."""
    return f"{layer}.{name}" if layer else name
