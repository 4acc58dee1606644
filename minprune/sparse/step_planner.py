"""From layers to the table of a training step.

Each layer is planned forward as for inference, and leaves a note of what its backward
takes; after the loss the notes are worked off in reverse, those of a branch together.
Parameters and running statistics come first in the arena of numbers, before all
constants.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple, cast

import numpy as np

from minprune._check import LANE, AnyArray, FloatArray, IntArray
from minprune.nn.conv import Convolution
from minprune.nn.layer import Layer
from minprune.nn.network import Network
from minprune.sparse.arenas import SLACK, aligned, joined, joined_offsets, keep
from minprune.sparse.base import SparseLayer
from minprune.sparse.csr import CSR, Entries, flat
from minprune.sparse.planner import RELUS, Planner, View, Writer, join, shared
from minprune.sparse.products import Pattern


class Masked(CSR):
    """The pattern of a mask whose weights lie in a dense array."""

    def entries(self) -> Entries:
        """See `CSR.entries`."""
        rows, columns, _ = CSR.entries(self)
        return Entries(rows, columns, flat(rows, columns, self.shape))


Back = Callable[[View], View]
"""From the gradient at what was made to the gradient at what it was made from."""


class Way(NamedTuple):
    """A part of the network that has been planned forward."""

    made: View
    back: Back
    trains: bool
    """Whether it has parameters, or anything before it has."""


class StepPlanner(Planner):
    """The table of one step; see `Planner`."""

    purpose, instead = "training step", "train with nn.train"

    def __init__(self, net: Network, batch: int) -> None:
        from minprune.sparse.kernels import training

        self.training = training
        self.places: dict[tuple[int, str], int] = {}
        self.orders: list[IntArray] = []
        self.products: dict[int, int] = {}
        """Multiply-adds of the operations that are for a range of rows."""
        self.back: list[Back] = []
        self.learning = False
        """Whether anything planned so far is trained: gradients must reach it."""
        self.trained = self.held = 0
        for _, layer in net.root.walk():
            for key, param in layer.params.items():
                self.places[id(layer), key] = self.trained
                self.trained += param.size
        self.held = self.trained
        for _, layer in net.root.walk():
            for key, buffer in layer.buffers.items():
                self.places[id(layer), key] = self.held
                self.held += buffer.size
        self.held += -self.held % LANE
        super().__init__(net, max(batch, 2))  # a single sample is padded like any

    def plan(self, net: Network) -> None:
        """Forward to the logits, and back from the gradient there."""
        way = self.way(net.root, "", self.enter(net))
        self.logits = self.contiguous(way.made)
        self.half = len(self.operations)
        self.delta = self.like(self.logits)
        way.back(self.delta)

    def arrays(self) -> tuple[AnyArray, ...]:
        """The table and all arenas, as `training.step` takes them."""
        from minprune.sparse.kernels.table import write

        offsets = joined_offsets(self.offsets)
        logits, delta = self.logits, self.delta
        at = (self.half, logits.at, delta.at, logits.size, self.lanes)
        numbers = [np.zeros(self.held), *self.numbers]
        return (
            write(self.operations, offsets.dtype, self.dtype),
            np.array(at, np.int64),
            joined(self.cuts, np.int32),
            offsets,
            joined(self.orders, np.int32),
            joined(numbers, self.dtype),
            np.zeros(self.trained, self.dtype),
            np.zeros(self.trained, self.dtype),
            aligned(self.top + SLACK, self.dtype),
        )

    def keep(self, numbers: AnyArray) -> int:
        """A place behind what is trained."""
        return self.held + keep(self.numbers, numbers)

    def like(self, view: View) -> View:
        """Room for as much again, without gaps."""
        return self.place(view.channels, view.rows, view.columns)

    def writers(self) -> dict[str, Writer]:
        """What has a backward here: nothing random."""
        known = super().writers()
        del known["Dropout"]
        return known

    def weighted(self, layer: Layer) -> tuple[Pattern, FloatArray]:
        """See `Planner.weighted`; what a mask has pruned is neither used nor moved."""
        mask = layer.masks.get("weight")
        if isinstance(layer, SparseLayer) or mask is None:
            return super().weighted(layer)
        values = layer.params["weight"].reshape(-1)
        return Masked.from_mask(mask.reshape(len(mask), -1)), values

    def product(
        self, rows: Any, values: FloatArray, layer: Layer, x: int, y: int, where: Any
    ) -> None:
        """See `Planner.product`; weights are multiplied where they are trained."""
        weights = self.places[id(layer), "weight"]
        if rows.order is not None:
            made = self.keep(np.zeros(len(rows.order)))
            order = keep(self.orders, rows.order)
            operands = self.training.Arrange(weights, order, made, len(rows.order))
            self.add(self.training.arrange, operands)
            weights = made
        bias = self.places.get((id(layer), "bias"))
        start = self.keep(np.zeros(rows.outputs)) if bias is None else bias
        cuts, stored = keep(self.cuts, rows.cuts), keep(self.offsets, rows.offsets)
        places = (x, y, cuts, stored, weights, start)
        operands = self.strips.Product(*places, where, 0, rows.outputs)
        self.share(self.strips.product, operands, rows)

    def learn(self, rows: Any, layer: Layer, places: Any, where: Any, on: bool) -> None:
        """Both gradients, or at a first layer its own alone.

        `places` are those of x, dy and dx, the step of x and its row.
        """
        from minprune.sparse.kernels import gradients

        x, dy, dx, x_step, x_row = places
        operands = gradients.Backward(
            x,
            dy,
            dx,
            keep(self.cuts, rows.cuts),
            keep(self.offsets, rows.offsets),
            keep(self.orders, rows.order),
            self.places[id(layer), "weight"],
            x_step,
            x_row,
            where,
            0,
            rows.outputs,
        )
        self.share(gradients.backward if on else gradients.gradient, operands, rows)

    def share(self, operation: Any, operands: Any, rows: Any) -> None:
        """One more row of the table, whose work several threads may share."""
        each = operands.frame.segments * operands.frame.length
        self.products[len(self.operations)] = len(rows.offsets) * each
        self.add(operation, operands)

    def bias(self, layer: Layer, dy: int, rows: int, length: int) -> None:
        """The gradient at a bias, where there is one."""
        place = self.places.get((id(layer), "bias"))
        if place is not None:
            operands = self.training.Bias(dy, rows, length, place)
            self.add(self.training.bias, operands)

    def note(self, go_back: Back, trains: bool = False) -> None:
        """What to do on the way back, unless nothing before is trained."""
        if trains or self.learning:
            self.back.append(go_back)
        self.learning = self.learning or trains

    # Layers.

    def linear(self, layer: Layer, name: str, view: View) -> View:
        """See `Planner.linear`."""
        view, on = self.contiguous(view), self.learning
        made = super().linear(layer, name, view)

        def go_back(delta: View) -> View:
            from minprune.sparse.kernels.linear import LinearProducts, frame

            rows = LinearProducts(self.weighted(layer)[0]).columns.of(self.lanes)
            self.bias(layer, delta.at, made.channels, self.lanes)
            below = self.like(view) if on else delta
            where = frame(rows, self.lanes, self.lanes, self.lanes)
            places = (view.at, delta.at, below.at, 0, self.lanes)
            self.learn(rows, layer, places, where, on)
            return below

        self.note(go_back, trains=True)
        return made

    def convolution(self, layer: Layer, name: str, view: View) -> View:
        """See `Planner.convolution`."""
        view, on = self.contiguous(view), self.learning
        made = super().convolution(layer, name, view)

        def go_back(delta: View) -> View:
            return self.convolution_back(layer, view, delta, on)

        self.note(go_back, trains=True)
        return made

    def convolution_back(self, layer: Layer, x: View, dy: View, on: bool) -> View:
        """Dy goes into margins of zeros; x and dx are taken in phases."""
        from minprune.sparse.kernels.conv import frame

        layout = self.layout(cast("Convolution", layer), x)
        lanes, (height, width) = self.lanes, layout.delta
        framed = self.place(dy.channels, height, width)
        top, left = layout.margin
        inner = framed.at + top * framed.row_step + left * lanes
        self.move(dy, replace(framed, at=inner, rows=dy.rows, columns=dy.columns))
        self.bias(layer, framed.at, dy.channels, height * width * lanes)

        outputs, (rows, columns) = layout.columns.outputs, layout.inside
        phased = layout.window.stride != (1, 1)
        spans = partial(layout.phases, layout.inside, layout.first)
        given = self.place(outputs, rows, columns) if phased else x
        if phased:
            for own, theirs in self.phases(layout, spans(), given, x):
                self.move(theirs, own)
        made = self.like(given) if on else given
        length, near = columns * lanes, framed.at + layout.reach_back * lanes
        where = frame(layout.columns, rows, length, lanes, width * lanes)
        places = (given.at, near, made.at, length, where.y_row)
        self.learn(layout.columns, layer, places, where, on)
        if not (on and phased):
            return made
        below = self.like(x)
        for own, theirs in self.phases(layout, spans(), made, below):
            self.move(own, theirs)
        return below

    def relu(self, layer: Layer, name: str, view: View) -> View:
        """See `Planner.relu`."""
        made = super().relu(layer, name, view)

        def go_back(delta: View) -> View:
            size, code = made.size * self.lanes, RELUS[layer.kind]
            operands = self.training.Mask(made.at, delta.at, size, code)
            self.add(self.training.mask, operands)
            return delta

        self.note(go_back)
        return made

    def windows(self, view: View, *window: Any) -> View:
        """See `Planner.windows`."""
        made = super().windows(view, *window)
        pooled = self.operations[-1][1]

        def go_back(delta: View) -> View:
            below = self.like(view)
            operands = self.training.Unpool(*pooled, delta.at, below.at)
            self.add(self.training.unpool, operands)
            return below

        self.note(go_back)
        return made

    def flatten(self, layer: Layer, name: str, view: View) -> View:
        """See `Planner.flatten`."""
        plane = self.contiguous(view)
        self.note(lambda delta: replace(plane, at=delta.at))
        return super().flatten(layer, name, plane)

    def batch_norm(self, layer: Layer, name: str, view: View) -> View:
        """By the statistics of the batch, which the running ones follow."""
        view = self.contiguous(view)
        made = self.like(view)
        of, kind = cast("Any", layer), self.training
        state = self.keep(np.zeros(2 + 2 * view.channels))
        self.numbers[-1][:2] = of.eps, of.momentum
        scale, shift = (self.places.get((id(layer), k), -1) for k in ("weight", "bias"))
        operands = kind.Norm(
            view.at,
            made.at,
            view.channels,
            view.rows * view.columns,
            self.lanes,
            scale,
            shift,
            state,
            self.places[id(layer), "running_mean"],
        )
        self.add(kind.normalize, operands)

        def go_back(delta: View) -> View:
            self.add(kind.unnormalize, operands._replace(y=delta.at))
            return delta

        self.note(go_back, trains=scale >= 0)
        return made

    # Branches.

    def way(self, layer: Layer, name: str, view: View) -> Way:
        """Plan a part by itself, and how to come back through it."""
        above, on = self.back, self.learning
        notes: list[Back] = []
        self.back = notes
        made = self.through(layer, name, view)
        trains = self.learning
        self.back, self.learning = above, on

        def back(delta: View) -> View:
            for go_back in reversed(notes):
                delta = go_back(delta)
            return delta

        return Way(made, back, trains)

    def residual(self, layer: Layer, name: str, view: View) -> View:
        """See `Planner.residual`; the gradient goes both ways."""
        view = shared(view)
        ways = [
            self.way(below, join(name, child), view)
            for child, below in layer.children.items()
        ]
        if "shortcut" not in layer.children:
            ways.append(Way(view, lambda delta: delta, False))
        self.meet(ways, lambda delta: [self.copied(delta), delta])
        return self.added(*(way.made for way in ways))

    def concat(self, layer: Layer, name: str, view: View) -> View:
        """See `Planner.concat`; every branch has its channels of the gradient."""
        view = shared(view)
        ways = [
            self.way(below, join(name, child), view)
            for child, below in layer.children.items()
        ]
        parts = [way.made for way in ways]
        self.meet(ways, lambda delta: self.channels(delta, parts))
        return self.stacked(parts)

    def meet(self, ways: list[Way], deltas: Callable[[View], list[View]]) -> None:
        """Where branches part on the way forward, their gradients are added.

        `deltas` gives each branch its own, which it may write over.
        """
        on = self.learning

        def go_back(delta: View) -> View:
            pairs = zip(ways, deltas(delta), strict=True)
            below, *others = [way.back(own) for way, own in pairs]
            for other in others if on else ():
                self.move(other, below, add=1)
            return below

        self.note(go_back, trains=any(way.trains for way in ways))

    def copied(self, view: View) -> View:
        """The same once more."""
        made = self.like(view)
        self.move(view, made)
        return made
