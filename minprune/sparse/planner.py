"""From layers to a table of operations: what `compile` does before anything runs.

Every activation gets a place in one arena, without reuse: padding that is zero once
stays zero. Planes lie as (channels, rows, columns, lanes); a single sample has one
lane, and a convolution then runs over the borders of its rows, so that a view may
have gaps.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from minprune._check import LANE, AnyArray, FloatArray, IntArray
from minprune.nn.conv import Convolution
from minprune.nn.layer import Layer, Shape
from minprune.nn.network import Network
from minprune.nn.pool import AvgPool, Pooling
from minprune.sparse.arenas import SLACK, aligned, joined, joined_offsets, keep
from minprune.sparse.base import SparseLayer
from minprune.sparse.bsr import BSR
from minprune.sparse.csr import CSR
from minprune.sparse.products import Pattern


@dataclass(frozen=True)
class View:
    """Where an activation lies: (channels, rows, columns) of the builder's lanes."""

    at: int
    channels: int
    rows: int
    columns: int
    channel_step: int
    row_step: int
    column_step: int = 0
    """Numbers between columns; 0 stands for the lanes, without a gap."""
    shared: bool = False
    """Whether another operation reads it too, so that nothing may be fused into it."""

    @property
    def size(self) -> int:
        """Positions."""
        return self.channels * self.rows * self.columns


Writer = Callable[[Layer, str, View], View]


class Planner:
    """The table, written layer by layer."""

    def __init__(self, net: Network, batch: int) -> None:
        from minprune.sparse.kernels import block, program, strips

        self.program, self.strips, self.block = program, strips, block
        self.batch = batch
        self.lanes = 1 if batch == 1 else -(-batch // LANE) * LANE
        self.dtype = net.dtype
        self.operations: list[tuple[Any, Any]] = []
        self.top = 0
        self.cuts: list[IntArray] = []
        self.offsets: list[IntArray] = []
        self.numbers: list[FloatArray] = []

        self.plan(net)

    def plan(self, net: Network) -> None:
        """From raw samples in to outputs out."""
        view = self.contiguous(self.through(net.root, "", self.enter(net)))
        self.add(self.program.leave, self.program.Leave(view.at, view.size, self.lanes))

    def enter(self, net: Network) -> View:
        """Where raw samples come to lie, scaled and shifted."""
        shape = net.input_shape
        view = self.place(*_planes(shape))
        scale = np.broadcast_to(net.scale, shape).reshape(-1)
        offset = np.broadcast_to(net.offset, shape).reshape(-1)
        plain = (scale == 1).all() and (offset == 0).all()
        both = -1 if plain else self.keep(np.concatenate((scale, offset)))
        size = int(np.prod(shape))
        self.add(
            self.program.enter, self.program.Enter(view.at, size, self.lanes, both)
        )
        return view

    def add(self, operation: Any, operands: Any) -> None:
        """One more row of the table."""
        self.operations.append((operation, operands))

    def arrays(self) -> tuple[AnyArray, ...]:
        """The table and all arenas, as `table.run` takes them."""
        from minprune.sparse.kernels.table import write

        offsets = joined_offsets(self.offsets)
        return (
            write(self.operations, offsets.dtype, self.dtype),
            joined(self.cuts, np.int32),
            offsets,
            joined(self.numbers, self.dtype),
            aligned(self.top + SLACK, self.dtype),
        )

    # Memory.

    def keep(self, numbers: AnyArray) -> int:
        """A place for these weights or constants."""
        return keep(self.numbers, numbers)

    def room(self, numbers: int) -> int:
        """Room for so many numbers and a zero behind them, on a cache line."""
        start = self.top
        self.top += numbers // LANE * LANE + LANE
        return start

    def place(self, channels: int, rows: int, columns: int) -> View:
        """Room for an activation without gaps."""
        row = columns * self.lanes
        at = self.room(channels * rows * row)
        return View(at, channels, rows, columns, rows * row, row)

    def is_contiguous(self, view: View) -> bool:
        """Whether a view has no gaps."""
        row = view.columns * self.lanes
        return (view.row_step == row or view.rows == 1) and (
            view.channel_step == view.rows * row or view.channels == 1
        )

    def contiguous(self, view: View) -> View:
        """The view itself, or a copy without gaps."""
        if self.is_contiguous(view):
            return view
        made = self.place(view.channels, view.rows, view.columns)
        self.move(view, made)
        return made

    def move(self, x: View, y: View, **options: int) -> None:
        """Copy, scale or add one view into another of the same extent."""
        self.add(
            self.program.move if options else self.program.copy,
            self.program.Move(
                x.at,
                x.channel_step,
                x.row_step,
                x.column_step or self.lanes,
                y.at,
                y.channel_step,
                y.row_step,
                y.column_step or self.lanes,
                x.channels,
                x.rows,
                x.columns,
                self.lanes,
                **options,
            ),
        )

    # Layers.

    purpose, instead = "form", "call the network instead"

    def writers(self) -> dict[str, Writer]:
        """Who plans which kind of layer."""
        return {
            "Sequential": self.sequential,
            "Residual": self.residual,
            "Concat": self.concat,
            "Linear": self.linear,
            "SparseLinear": self.linear,
            "Conv1d": self.convolution,
            "Conv2d": self.convolution,
            "SparseConv1d": self.convolution,
            "SparseConv2d": self.convolution,
            "ReLU": self.relu,
            "ReLU6": self.relu,
            "BatchNorm": self.batch_norm,
            "MaxPool1d": self.pool,
            "MaxPool2d": self.pool,
            "AvgPool1d": self.pool,
            "AvgPool2d": self.pool,
            "GlobalAvgPool": self.mean,
            "Flatten": self.flatten,
            "Dropout": self.same,
        }

    def through(self, layer: Layer, name: str, view: View) -> View:
        """The operations of one layer; where its output lies."""
        writers = self.writers()
        if layer.kind in writers:
            return writers[layer.kind](layer, name, view)
        raise ValueError(
            f"compile: layer {name or 'root'} is a {layer.kind}, which has no compiled "
            f"{self.purpose}; known: {', '.join(sorted(writers))}; {self.instead}"
        )

    def weighted(self, layer: Layer) -> tuple[Pattern, FloatArray]:
        """Pattern and values of a layer, every weight of a dense one."""
        values = layer.params["weight"]
        if isinstance(layer, SparseLayer):
            return layer.pattern, values
        pattern = CSR.from_mask(np.ones((len(values), values[0].size), bool))
        return pattern, values.reshape(-1)

    def product(
        self, rows: Any, values: FloatArray, layer: Layer, x: int, y: int, where: Any
    ) -> None:
        """A strip product from x to y."""
        from minprune.sparse.kernels.layout import in_order

        bias = layer.params.get("bias", np.zeros(rows.outputs, self.dtype))
        operands = self.strips.Product(
            x,
            y,
            keep(self.cuts, rows.cuts),
            keep(self.offsets, rows.offsets),
            self.keep(in_order(rows, values.reshape(-1))),
            self.keep(bias),
            where,
            0,
            rows.outputs,
        )
        self.add(self.strips.product, operands)

    def linear(self, layer: Layer, name: str, view: View) -> View:
        """A strip product, or a gather for a single sample."""
        from minprune.sparse.kernels import BlockProducts
        from minprune.sparse.kernels.linear import LinearProducts, frame

        (pattern, values), view = self.weighted(layer), self.contiguous(view)
        made, single = self.place(pattern.shape[0], 1, 1), self.lanes == 1
        if single and BlockProducts.fits(pattern) and pattern.block[0] % LANE == 0:
            self.blocks(pattern, values, layer, view, made)
            return made
        layouts = LinearProducts(pattern).rows
        if single:
            self.column(layouts.whole, values, layer, view, made)
            return made
        rows = layouts.of(self.lanes)
        where = frame(rows, self.lanes, self.lanes, self.lanes)
        self.product(rows, values, layer, view.at, made.at, where)
        return made

    def blocks(
        self, pattern: BSR, values: FloatArray, layer: Layer, view: View, made: View
    ) -> None:
        """Down blocks of one column."""
        from minprune.sparse.kernels import BlockProducts

        rows = BlockProducts(pattern).blocks.whole
        bias = layer.params.get("bias", np.zeros(pattern.shape[0], self.dtype))
        operands = self.block.Column(
            view.at,
            made.at,
            keep(self.cuts, rows.cuts),
            keep(self.offsets, rows.offsets),
            self.keep(values.reshape(-1)),
            self.keep(bias),
            pattern.block[0],
            rows.outputs,
        )
        self.add(self.block.column, operands)

    def column(
        self, rows: Any, values: FloatArray, layer: Layer, view: View, made: View
    ) -> None:
        """The gather; behind its input lies a zero, behind its output a spare place."""
        from minprune.sparse.kernels.layout import in_order, make_slices

        sliced = make_slices(rows, in_order(rows, values.reshape(-1)), view.size)
        bias = layer.params.get("bias", np.zeros(rows.outputs, self.dtype))
        operands = self.strips.Slices(
            view.at,
            made.at,
            keep(self.cuts, sliced.cuts),
            keep(self.cuts, sliced.rows),
            keep(self.offsets, sliced.offsets),
            self.keep(sliced.values),
            self.keep(np.append(bias, self.dtype.type(0))),
            len(sliced.cuts) - 1,
        )
        self.add(self.strips.slices, operands)

    def layout(self, layer: Convolution, view: View) -> Any:
        """A convolution as offsets on planes of this size."""
        from minprune.sparse.kernels.phases import Layout

        size = (view.rows, view.columns)
        pattern = self.weighted(layer)[0]
        return Layout(pattern, layer.window, layer.groups, layer.in_channels, size)

    def convolution(self, layer: Layer, name: str, view: View) -> View:
        """Spread onto padded phases, then one strip product."""
        from minprune.sparse.kernels.conv import frame

        layout = self.layout(cast("Convolution", layer), view)
        at, values = self.spread(layout, view), self.weighted(layer)[1]
        (rows, columns), width = layout.output, layout.phase[1]
        out, lanes = layout.pattern.shape[0], self.lanes
        if lanes > 1:
            made = self.place(out, rows, columns)
            where = frame(layout.rows, rows, columns * lanes, lanes, width * lanes)
        else:  # one strip from the first position to the last, borders included
            length = -(-rows * width // LANE) * LANE
            made = View(self.room(out * length), out, rows, columns, length, width)
            where = frame(layout.rows, 1, length, lanes, 0)
        self.product(layout.rows, values, layer, at, made.at, where)
        return made

    def spread(self, layout: Any, view: View) -> int:
        """Where the phases of the padded input lie; the view itself if it will do."""
        (height, width), (sh, sw) = layout.phase, layout.window.stride
        plain = (sh, sw) == (1, 1) and (height, width) == (view.rows, view.columns)
        if plain and self.is_contiguous(view):
            return view.at
        lanes, channels = self.lanes, view.channels
        plane = height * width * lanes
        at = self.room(sh * sw * channels * plane + width * lanes + SLACK)
        made = View(at, channels, height, width, plane, width * lanes)
        spans = layout.phases(layout.phase, (0, 0))
        for own, theirs in self.phases(layout, spans, made, view):
            self.move(theirs, own)
        return at

    def phases(
        self, layout: Any, spans: Any, packed: View, plane: View
    ) -> list[tuple[View, View]]:
        """Every phase, and where it lies in the plane: views of the same extent."""
        found = []
        (sh, sw), lanes = layout.window.stride, self.lanes
        for phase, own, theirs in spans:
            rows, columns = (side.stop - side.start for side in own)
            first = phase * plane.channels * packed.channel_step
            first += own[0].start * packed.row_step + own[1].start * lanes
            at = theirs[0].start * plane.row_step + theirs[1].start * lanes
            near = replace(packed, at=packed.at + first, rows=rows, columns=columns)
            far = View(
                plane.at + at,
                plane.channels,
                rows,
                columns,
                plane.channel_step,
                plane.row_step * sh,
                lanes * sw,
            )
            found.append((replace(near, channels=plane.channels), far))
        return found

    def relu(self, layer: Layer, name: str, view: View) -> View:
        """Fused into the operation that made the view, unless others read it too."""
        code = RELUS[layer.kind]
        operation, last = self.operations[-1]
        if not view.shared and getattr(last, "y", None) == view.at:
            fused = None
            if operation is self.program.copy:
                operation, fused = self.program.move, last._replace(relu=code)
            elif operation is self.program.move and not last.relu:
                fused = last._replace(relu=code)
            elif code == 1 and operation is self.strips.product:
                fused = last._replace(frame=last.frame._replace(relu=1))
            elif code == 1 and operation in (self.strips.slices, self.block.column):
                fused = last._replace(relu=1)
            if fused is not None:
                self.operations[-1] = (operation, fused)
                return view
        made = self.place(view.channels, view.rows, view.columns)
        self.move(view, made, relu=code)
        return made

    def batch_norm(self, layer: Layer, name: str, view: View) -> View:
        """Running statistics make it a scale and a shift of each channel."""
        mean, variance = layer.buffers["running_mean"], layer.buffers["running_var"]
        scale = layer.params.get("weight", np.ones_like(mean)) / np.sqrt(
            variance + cast("Any", layer).eps
        )
        shift = layer.params.get("bias", np.zeros_like(mean)) - mean * scale
        made = self.place(view.channels, view.rows, view.columns)
        both = self.keep(np.concatenate((scale, shift)))
        self.move(view, made, scale=both)
        return made

    def pool(self, layer: Layer, name: str, view: View) -> View:
        """A window over every plane."""
        pooling = cast("Pooling", layer)
        window = pooling.window
        rows, columns = window.output(layer.kind, view.rows, view.columns)
        corner = window.padding[0][0], window.padding[1][0]
        mean = isinstance(layer, AvgPool)
        return self.windows(
            view, rows, columns, window.kernel, window.stride, corner, mean
        )

    def mean(self, layer: Layer, name: str, view: View) -> View:
        """One window over the whole plane."""
        whole = (view.rows, view.columns)
        return self.windows(view, 1, 1, whole, whole, (0, 0), True)

    def windows(
        self,
        view: View,
        rows: int,
        columns: int,
        kernel: tuple[int, int],
        stride: tuple[int, int],
        corner: tuple[int, int],
        mean: bool,
    ) -> View:
        """One pooling operation."""
        made = self.place(view.channels, rows, columns)
        size = (made.channels, rows, columns, self.lanes)
        steps = (view.at, view.channel_step, view.row_step, made.at)
        window = (*kernel, *stride, *corner, view.rows, view.columns, int(mean))
        self.add(self.program.pool, self.program.Pool(*steps, *size, *window))
        return made

    def flatten(self, layer: Layer, name: str, view: View) -> View:
        """Nothing moves unless there are gaps."""
        view = self.contiguous(view)
        lanes = self.lanes
        return View(view.at, view.size, 1, 1, lanes, lanes, shared=view.shared)

    def same(self, layer: Layer, name: str, view: View) -> View:
        """Nothing happens at inference."""
        return view

    def sequential(self, layer: Layer, name: str, view: View) -> View:
        """One after the other."""
        for child, below in layer.children.items():
            view = self.through(below, join(name, child), view)
        return view

    def residual(self, layer: Layer, name: str, view: View) -> View:
        """The shortcut is added to what the body made."""
        view = shared(view)
        body = self.through(layer.children["body"], join(name, "body"), view)
        around = view
        if "shortcut" in layer.children:
            below = layer.children["shortcut"]
            around = self.through(below, join(name, "shortcut"), view)
        return self.added(body, around)

    def added(self, one: View, other: View) -> View:
        """The sum of two views."""
        made = self.place(one.channels, one.rows, one.columns)
        self.move(one, made)
        self.move(other, made, add=1)
        return made

    def concat(self, layer: Layer, name: str, view: View) -> View:
        """Every branch is copied to its channels."""
        view = shared(view)
        return self.stacked(
            [
                self.through(below, join(name, child), view)
                for child, below in layer.children.items()
            ]
        )

    def stacked(self, parts: list[View]) -> View:
        """The channels of all, one behind the other."""
        made = self.place(
            sum(part.channels for part in parts), parts[0].rows, parts[0].columns
        )
        for part, target in zip(parts, self.channels(made, parts), strict=True):
            self.move(part, target)
        return shared(made)

    def channels(self, whole: View, parts: list[View]) -> list[View]:
        """The channels in a view without gaps that belong to each of its parts."""
        found, at = [], whole.at
        for part in parts:
            found.append(replace(whole, at=at, channels=part.channels))
            at += part.channels * whole.channel_step
        return found


RELUS = {"ReLU": 1, "ReLU6": 6}
"""What `program.Move` calls them."""


def _planes(shape: Shape) -> tuple[int, int, int]:
    """(channels, rows, columns) of a sample; a signal is a plane of one row."""
    if len(shape) == 1:
        return shape[0], 1, 1
    if len(shape) == 2:
        return shape[0], 1, shape[1]
    return shape[0], shape[1], shape[2]


def shared(view: View) -> View:
    """The same place, marked as read by several."""
    return replace(view, shared=True)


def join(above: str, below: str) -> str:
    """Dotted name of a layer in another."""
    return f"{above}.{below}" if above else below
