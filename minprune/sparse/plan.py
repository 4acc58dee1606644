"""A network as one compiled call: `compile` plans it, `Plan` runs it.

Planning walks the layers once, gives every activation a place in one arena and writes
the table of operations that `kernels.program` carries out. Weights are copied: a plan
is of the network as it was.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, cast, overload

import numpy as np

from minprune._check import (
    LANE,
    AnyArray,
    FloatArray,
    IntArray,
    batch_array,
    positive_int,
)
from minprune.nn.conv import Convolution
from minprune.nn.layer import Layer, Shape
from minprune.nn.network import Network
from minprune.nn.pool import AvgPool, Pooling
from minprune.sparse.base import SparseLayer
from minprune.sparse.bsr import BSR
from minprune.sparse.csr import CSR
from minprune.sparse.products import Pattern, numba_is_there
from minprune.sparse.training import TrainingStep, plan_step

SLACK = 256
"""Numbers behind the last activation, which a strip may read but nothing uses."""

TILE = 128
"""Most samples that one pass carries."""


class Plan:
    """A network that runs as one call, without allocating.

    Attributes
    ----------
    batch : int
        Most samples of one pass; a longer batch takes several.
    memory_bytes : int
        All that a call needs: activations, weights, indices and constants.
    operations : int
        Rows of the table.
    """

    def __init__(self, net: Network, batch: int) -> None:
        builder = _Builder(net, batch)
        from minprune.sparse.kernels import program

        self.batch, self.dtype = batch, net.dtype
        self.input_size = int(np.prod(net.input_shape))
        self.output_shape = net.output_shape
        self._arrays = builder.arrays()
        self._run: Callable[..., None] = program.run
        self._out = np.zeros((batch, *net.output_shape), self.dtype)
        self.operations = len(self._arrays[0])
        self.memory_bytes = sum(a.nbytes for a in (*self._arrays, self._out))

    def __call__(self, x: AnyArray, out: FloatArray | None = None) -> FloatArray:
        """Outputs for raw samples, batch first.

        Parameters
        ----------
        x : ndarray, shape (N, ...)
            Taken as it lies if it is C-contiguous, writable and of the network's type;
            a kernel is compiled for such memory only.
        out : ndarray, shape (N, *output_shape), optional
            Where to write. Left out, and with no more than `batch` samples, the answer
            stands in memory that the next call writes over.

        Returns
        -------
        y : ndarray, shape (N, *output_shape)
        """
        if not (isinstance(x, np.ndarray) and x.dtype == self.dtype and x.flags.carray):
            x = np.require(x, self.dtype, ["C", "ALIGNED", "WRITEABLE"])
        count = len(x)
        if x.size != count * self.input_size:
            raise ValueError(
                f"Plan: samples came in shape {x.shape}; expected {self.input_size} "
                f"numbers for each"
            )
        if out is None:
            out = (
                self._out[:count]
                if count <= self.batch
                else np.empty((count, *self.output_shape), self.dtype)
            )
        elif (
            out.shape != (count, *self.output_shape)
            or out.dtype != self.dtype
            or not out.flags.c_contiguous
        ):
            raise ValueError(
                f"Plan: out is {out.dtype} of shape {out.shape}; expected C-contiguous "
                f"{self.dtype} of shape {(count, *self.output_shape)}"
            )
        flat, written = x.reshape(-1), out.reshape(-1)
        if 0 < count <= self.batch:
            self._run(*self._arrays, flat, written, count)
            return out
        size = written.size // max(count, 1)
        for first in range(0, count, self.batch):
            samples = min(self.batch, count - first)
            self._run(
                *self._arrays,
                flat[first * self.input_size :],
                written[first * size :],
                samples,
            )
        return out


@overload
def compile(net: Network, batch: int = 1) -> Plan: ...
@overload
def compile(
    net: Network, batch: int = 1, *, loss: Any, optimizer: Any
) -> TrainingStep: ...
def compile(
    net: Network, batch: int = 1, *, loss: Any = None, optimizer: Any = None
) -> Plan | TrainingStep:
    """Plan a network as one call, for inference or for training.

    Parameters
    ----------
    net : Network
        Sparse layers are multiplied by what they store; dense ones, by every weight.
    batch : int
        Samples that one pass is laid out for, 128 at most. More can be given to the
        plan; they are taken so many at a time.

    loss : CrossEntropy, optional
        With it and `optimizer`, a training step is planned: for networks of linear
        layers and ReLU. The network's parameters are trained where they are.
    optimizer : SGD, optional
        Its learning rate is read at every step, and its velocity is kept up.

    Returns
    -------
    plan : Plan or TrainingStep
        Call it with raw samples, or with raw samples and labels; `memory_bytes` says
        beforehand what it holds.

    Raises
    ------
    ValueError
        If a layer has no compiled form, naming it; or without Numba.

    Examples
    --------
    >>> from minprune import nn
    >>> net = nn.Network(nn.Sequential(nn.Linear(3, 4), nn.ReLU()), (3,), seed=0)
    >>> run = compile(net)
    >>> x = np.array([[0.5, -1.0, 2.0]], np.float32)
    >>> bool(np.allclose(run(x), net(x), atol=1e-6))
    True
    >>> run.operations, run.memory_bytes
    (3, 2162)
    """
    batch = positive_int("compile", "batch", batch)
    if batch > TILE:
        raise ValueError(
            f"compile: batch is {batch}; a pass carries {TILE} at most, and a plan "
            f"takes longer batches in several passes, so ask for {TILE}"
        )
    if not numba_is_there():
        raise ValueError(
            "compile: needs numba; `pip install numba`, or call the network"
        )
    if loss is None and optimizer is None:
        return Plan(net, batch)
    return plan_step(net, batch, loss, optimizer)


@dataclass(frozen=True)
class _View:
    """Where an activation lies: (channels, rows, columns) of the builder's lanes."""

    at: int
    channels: int
    rows: int
    columns: int
    channel_step: int
    row_step: int
    shared: bool = False
    """Whether another operation reads it too, so that nothing may be fused into it."""

    @property
    def size(self) -> int:
        """Positions."""
        return self.channels * self.rows * self.columns


class _Builder:
    """The table, written layer by layer."""

    def __init__(self, net: Network, batch: int) -> None:
        from minprune.sparse.kernels import program

        self.program = program
        self.batch = batch
        self.lanes = 1 if batch == 1 else -(-batch // LANE) * LANE
        self.dtype = net.dtype
        self.operations: list[Any] = []
        self.top = 0
        self.cuts: list[IntArray] = []
        self.offsets: list[IntArray] = []
        self.weights: list[FloatArray] = []
        self.constants: list[FloatArray] = []

        shape = net.input_shape
        view = self.place(*_planes(shape))
        scale = np.broadcast_to(net.scale, shape).reshape(-1)
        offset = np.broadcast_to(net.offset, shape).reshape(-1)
        both = self.keep(self.constants, np.concatenate((scale, offset)))
        size = int(np.prod(shape))
        self.operations.append(program.Enter(view.at, size, self.lanes, both))
        view = self.contiguous(self.through(net.root, "", view, shape))
        self.operations.append(program.Leave(view.at, view.size, self.lanes))

    def arrays(self) -> tuple[AnyArray, ...]:
        """Table, cuts, offsets, weights, constants and the arena of activations."""

        def joined(parts: list[Any], dtype: Any) -> AnyArray:
            return np.concatenate([*parts, np.zeros(1, dtype)]).astype(dtype)

        widest = max((o.dtype.itemsize for o in self.offsets), default=2)
        arena = batch_array((self.top + SLACK,), self.dtype)
        arena[...] = 0
        return (
            self.program.write(self.operations),
            joined(self.cuts, np.int32),
            joined(self.offsets, np.uint16 if widest == 2 else np.uint32),
            joined(self.weights, self.dtype),
            joined(self.constants, self.dtype),
            arena,
        )

    # Memory.

    def keep(self, arena: list[Any], array: AnyArray) -> int:
        """Put an array into an arena; where it begins."""
        start = sum(map(len, arena))
        arena.append(array)
        return start

    def room(self, numbers: int) -> int:
        """Room for so many numbers and a zero behind them, on a cache line."""
        start = self.top
        self.top += numbers // LANE * LANE + LANE
        return start

    def place(self, channels: int, rows: int, columns: int) -> _View:
        """Room for an activation without gaps."""
        row = columns * self.lanes
        at = self.room(channels * rows * row)
        return _View(at, channels, rows, columns, rows * row, row)

    def is_contiguous(self, view: _View) -> bool:
        """Whether a view has no gaps."""
        row = view.columns * self.lanes
        return (view.row_step == row or view.rows == 1) and (
            view.channel_step == view.rows * row or view.channels == 1
        )

    def contiguous(self, view: _View) -> _View:
        """The view itself, or a copy without gaps."""
        if self.is_contiguous(view):
            return view
        made = self.place(view.channels, view.rows, view.columns)
        self.move(view, made)
        return made

    def move(self, x: _View, y: _View, **options: int) -> None:
        """Copy, scale or add one view into another of the same extent."""
        self.operations.append(
            self.program.Move(
                x.at,
                x.channel_step,
                x.row_step,
                self.lanes,
                y.at,
                y.channel_step,
                y.row_step,
                self.lanes,
                x.channels,
                x.rows,
                x.columns,
                self.lanes,
                **options,
            )
        )

    # Layers.

    def through(self, layer: Layer, name: str, view: _View, shape: Shape) -> _View:
        """The operations of one layer; where its output lies."""
        for kind, write in _WRITERS.items():
            if layer.kind == kind:
                return write(self, layer, name, view, shape)
        raise ValueError(
            f"compile: layer {name or 'root'} is a {layer.kind}, which has no compiled "
            f"form; known: {', '.join(sorted(_WRITERS))}; call the network instead"
        )

    def weighted(self, layer: Layer) -> tuple[Pattern, FloatArray]:
        """Pattern and values of a layer, every weight of a dense one."""
        values = layer.params["weight"]
        if isinstance(layer, SparseLayer):
            return layer.pattern, values
        pattern = CSR.from_mask(np.ones((len(values), values[0].size), bool))
        return pattern, values.reshape(-1)

    def store(
        self, rows: Any, values: FloatArray, layer: Layer
    ) -> tuple[int, int, int, int, int]:
        """Places of cuts, offsets (and how many), values and bias of a layer."""
        flat = values.reshape(-1)
        cuts = self.keep(self.cuts, rows.cuts)
        stored = self.keep(self.offsets, rows.offsets)
        ordered = flat if rows.order is None else flat[rows.order]
        kept = self.keep(self.weights, ordered)
        bias = layer.params.get("bias", np.zeros(rows.outputs, self.dtype))
        return cuts, stored, len(rows.offsets), kept, self.keep(self.constants, bias)

    def linear(self, layer: Layer, name: str, view: _View, shape: Shape) -> _View:
        """A strip product, or a gather for a single sample."""
        from minprune.sparse.kernels import BlockProducts
        from minprune.sparse.kernels.linear import LinearProducts, frame

        pattern, values = self.weighted(layer)
        layouts = LinearProducts(pattern).rows
        view = self.contiguous(view)
        made = self.place(pattern.shape[0], 1, 1)
        if (
            self.lanes == 1
            and BlockProducts.fits(pattern)
            and pattern.block[0] % LANE == 0
        ):
            self.blocks(pattern, values, layer, view, made)
            return made
        if self.lanes == 1:
            self.column(layouts.narrow, values, layer, view, made)
            return made
        rows = layouts.of(self.lanes)
        where = frame(rows, self.lanes, self.lanes, self.lanes)
        places = self.store(rows, values, layer)
        self.operations.append(self.program.Product(view.at, made.at, *places, where))
        return made

    def blocks(
        self, pattern: BSR, values: FloatArray, layer: Layer, view: _View, made: _View
    ) -> None:
        """Down blocks of one column."""
        from minprune.sparse.kernels import BlockProducts

        rows = BlockProducts(pattern).blocks.narrow
        stored = self.keep(self.offsets, rows.offsets)
        held, height, outputs = len(values), pattern.block[0], pattern.shape[0]
        bias = layer.params.get("bias", np.zeros(outputs, self.dtype))
        self.operations.append(
            self.program.Blocks(
                view.at,
                made.at,
                self.keep(self.cuts, rows.cuts),
                stored,
                held,
                self.keep(self.weights, values.reshape(-1)),
                height,
                self.keep(self.constants, bias),
                outputs,
            )
        )

    def column(
        self, rows: Any, values: FloatArray, layer: Layer, view: _View, made: _View
    ) -> None:
        """The gather; behind its input lies a zero, behind its output a spare place."""
        from minprune.sparse.kernels.layout import make_slices

        flat = values.reshape(-1)
        ordered = flat if rows.order is None else flat[rows.order]
        slices = make_slices(rows, ordered, view.size)
        cuts = self.keep(self.cuts, slices.cuts)
        lanes = self.keep(self.cuts, slices.rows)
        stored = self.keep(self.offsets, slices.offsets)
        kept = self.keep(self.weights, slices.values)
        bias = layer.params.get("bias", np.zeros(rows.outputs, self.dtype))
        start = self.keep(self.constants, np.append(bias, self.dtype.type(0)))
        held, outputs, count = len(slices.values), rows.outputs, len(slices.cuts) - 1
        self.operations.append(
            self.program.Column(
                view.at, made.at, cuts, count, lanes, stored, held, kept, start, outputs
            )
        )

    def convolution(self, layer: Layer, name: str, view: _View, shape: Shape) -> _View:
        """Spread onto padded phases, then one strip product."""
        from minprune.sparse.kernels.conv import Layout, frame

        given = cast("Convolution", layer)
        pattern, values = self.weighted(layer)
        layout = Layout(
            pattern,
            given.window,
            given.groups,
            given.in_channels,
            (view.rows, view.columns),
        )
        at = self.spread(layout, view)
        (rows, columns), width = layout.output, layout.phase[1]
        out, lanes = pattern.shape[0], self.lanes
        places = self.store(layout.rows, values, layer)
        if lanes > 1:
            made = self.place(out, rows, columns)
            where = frame(layout.rows, rows, columns * lanes, lanes, width * lanes)
        else:  # one strip from the first position to the last, borders included
            length = -(-rows * width // LANE) * LANE
            made = _View(self.room(out * length), out, rows, columns, length, width)
            where = frame(layout.rows, 1, length, lanes, 0)
        self.operations.append(self.program.Product(at, made.at, *places, where))
        return made

    def spread(self, layout: Any, view: _View) -> int:
        """Where the phases of the padded input lie; the view itself if it will do."""
        (height, width), (sh, sw) = layout.phase, layout.window.stride
        plain = (sh, sw) == (1, 1) and (height, width) == (view.rows, view.columns)
        if plain and self.is_contiguous(view):
            return view.at
        lanes, channels = self.lanes, view.channels
        plane = height * width * lanes
        at = self.room(sh * sw * channels * plane + width * lanes + TILE)
        for phase, own, theirs in layout.phases(layout.phase, (0, 0)):
            rows, columns = (side.stop - side.start for side in own)
            x = theirs[0].start * view.row_step + theirs[1].start * lanes
            y = own[0].start * width * lanes + own[1].start * lanes
            self.operations.append(
                self.program.Move(
                    view.at + x,
                    view.channel_step,
                    view.row_step * sh,
                    lanes * sw,
                    at + phase * channels * plane + y,
                    plane,
                    width * lanes,
                    lanes,
                    channels,
                    rows,
                    columns,
                    lanes,
                )
            )
        return at

    def relu(self, layer: Layer, name: str, view: _View, shape: Shape) -> _View:
        """Fused into the operation that made the view, unless others read it too."""
        last = self.operations[-1]
        if not view.shared and getattr(last, "y", None) == view.at:
            if isinstance(last, self.program.Product):
                fused = last._replace(frame=last.frame._replace(relu=1))
                self.operations[-1] = fused
                return view
            if isinstance(
                last, self.program.Column | self.program.Blocks | self.program.Move
            ):
                self.operations[-1] = last._replace(relu=1)
                return view
        made = self.place(view.channels, view.rows, view.columns)
        self.move(view, made, relu=1)
        return made

    def batch_norm(self, layer: Layer, name: str, view: _View, shape: Shape) -> _View:
        """Running statistics make it a scale and a shift of each channel."""
        mean, variance = layer.buffers["running_mean"], layer.buffers["running_var"]
        scale = layer.params.get("weight", np.ones_like(mean)) / np.sqrt(
            variance + cast("Any", layer).eps
        )
        shift = layer.params.get("bias", np.zeros_like(mean)) - mean * scale
        made = self.place(view.channels, view.rows, view.columns)
        both = self.keep(self.constants, np.concatenate((scale, shift)))
        self.move(view, made, scale=both)
        return made

    def pool(self, layer: Layer, name: str, view: _View, shape: Shape) -> _View:
        """A window over every plane."""
        pooling = cast("Pooling", layer)
        window = pooling.window
        rows, columns = window.output(layer.kind, view.rows, view.columns)
        corner = window.padding[0][0], window.padding[1][0]
        mean = isinstance(layer, AvgPool)
        return self.windows(
            view, rows, columns, window.kernel, window.stride, corner, mean
        )

    def mean(self, layer: Layer, name: str, view: _View, shape: Shape) -> _View:
        """One window over the whole plane."""
        whole = (view.rows, view.columns)
        return self.windows(view, 1, 1, whole, whole, (0, 0), True)

    def windows(
        self,
        view: _View,
        rows: int,
        columns: int,
        kernel: tuple[int, int],
        stride: tuple[int, int],
        corner: tuple[int, int],
        mean: bool,
    ) -> _View:
        """One pooling operation."""
        made = self.place(view.channels, rows, columns)
        size = (made.channels, rows, columns, self.lanes)
        steps = (view.at, view.channel_step, view.row_step, made.at)
        window = (*kernel, *stride, *corner, view.rows, view.columns, int(mean))
        self.operations.append(self.program.Pool(*steps, *size, *window))
        return made

    def flatten(self, layer: Layer, name: str, view: _View, shape: Shape) -> _View:
        """Nothing moves unless there are gaps."""
        view = self.contiguous(view)
        return _View(view.at, view.size, 1, 1, self.lanes, self.lanes, view.shared)

    def same(self, layer: Layer, name: str, view: _View, shape: Shape) -> _View:
        """Nothing happens at inference."""
        return view

    def sequential(self, layer: Layer, name: str, view: _View, shape: Shape) -> _View:
        """One after the other."""
        for child, below in layer.children.items():
            view = self.through(below, _join(name, child), view, shape)
            shape = below.output_shape(shape)
        return view

    def residual(self, layer: Layer, name: str, view: _View, shape: Shape) -> _View:
        """The shortcut is added to what the body made."""
        view = _shared(view)
        body = self.through(layer.children["body"], _join(name, "body"), view, shape)
        around = view
        if "shortcut" in layer.children:
            below = layer.children["shortcut"]
            around = self.through(below, _join(name, "shortcut"), view, shape)
        made = self.place(body.channels, body.rows, body.columns)
        self.move(body, made)
        self.move(around, made, add=1)
        return made

    def concat(self, layer: Layer, name: str, view: _View, shape: Shape) -> _View:
        """Every branch is copied to its channels."""
        view = _shared(view)
        parts = [
            self.through(below, _join(name, child), view, shape)
            for child, below in layer.children.items()
        ]
        channels = sum(part.channels for part in parts)
        made = self.place(channels, parts[0].rows, parts[0].columns)
        at = made.at
        for part in parts:
            target = _View(
                at,
                part.channels,
                part.rows,
                part.columns,
                made.channel_step,
                made.row_step,
            )
            self.move(part, target)
            at += part.channels * made.channel_step
        return _shared(made)


_Writer = Callable[[_Builder, Layer, str, _View, Shape], _View]

_WRITERS: dict[str, _Writer] = {
    "Sequential": _Builder.sequential,
    "Residual": _Builder.residual,
    "Concat": _Builder.concat,
    "Linear": _Builder.linear,
    "SparseLinear": _Builder.linear,
    "Conv1d": _Builder.convolution,
    "Conv2d": _Builder.convolution,
    "SparseConv1d": _Builder.convolution,
    "SparseConv2d": _Builder.convolution,
    "ReLU": _Builder.relu,
    "BatchNorm": _Builder.batch_norm,
    "MaxPool1d": _Builder.pool,
    "MaxPool2d": _Builder.pool,
    "AvgPool1d": _Builder.pool,
    "AvgPool2d": _Builder.pool,
    "GlobalAvgPool": _Builder.mean,
    "Flatten": _Builder.flatten,
    "Dropout": _Builder.same,
}


def _planes(shape: Shape) -> tuple[int, int, int]:
    """(channels, rows, columns) of a sample; a signal is a plane of one row."""
    if len(shape) == 1:
        return shape[0], 1, 1
    if len(shape) == 2:
        return shape[0], 1, shape[1]
    return shape[0], shape[1], shape[2]


def _shared(view: _View) -> _View:
    """The same place, marked as read by several."""
    return replace(view, shared=True)


def _join(above: str, below: str) -> str:
    """Dotted name of a layer in another."""
    return f"{above}.{below}" if above else below
