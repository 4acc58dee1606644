"""A training step as one compiled call, for networks of linear layers and ReLU.

The parameters of the network come to lie in the arena of the step: they are the same
arrays under the same names, so that the network can be evaluated, saved and pruned
between steps as ever. After its pattern has been edited, plan anew.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from minprune._check import LANE, AnyArray, IntArray
from minprune.nn.layer import Layer
from minprune.nn.loss import CrossEntropy
from minprune.nn.network import Network
from minprune.nn.optim import SGD
from minprune.sparse.arenas import SLACK, aligned, joined, joined_offsets, keep
from minprune.sparse.base import SparseLayer
from minprune.sparse.csr import CSR
from minprune.sparse.products import Pattern


class TrainingStep:
    """Forward, loss, backward and update as one call that does not allocate.

    Attributes
    ----------
    batch : int
        Most samples of one step.
    memory_bytes : int
        All that a step needs: parameters, gradients, velocity, activations and indices.
    """

    def __init__(
        self, net: Network, batch: int, loss: CrossEntropy, optimizer: SGD
    ) -> None:
        from minprune.sparse.kernels import training

        self.batch, self.dtype = batch, net.dtype
        self.input_size = int(np.prod(net.input_shape))
        self.classes = net.output_shape[0]
        self.optimizer = optimizer
        builder = _Builder(net, batch)
        self._arrays = builder.arrays()
        self._step: Callable[..., None] = training.step
        self._loss = np.zeros(1)
        self._rule = np.array(
            [
                loss.smoothing,
                optimizer.lr,
                optimizer.momentum,
                optimizer.weight_decay,
                optimizer.nesterov,
            ]
        )
        self._share(net, builder)
        self.memory_bytes = sum(array.nbytes for array in self._arrays)

    def __call__(self, x: AnyArray, labels: IntArray, rate: float = 1.0) -> float:
        """One step on raw samples, batch first.

        Parameters
        ----------
        x : ndarray, shape (N, ...)
            No more than `batch` samples.
        labels : ndarray of int, shape (N,)
            The right class of each.
        rate : float
            Multiple of the optimizer's learning rate.

        Returns
        -------
        loss : float
            Mean loss before the step, in nats.
        """
        x = np.require(x, self.dtype, ["C", "ALIGNED", "WRITEABLE"])
        labels = np.require(labels, np.int64, ["C", "ALIGNED", "WRITEABLE"])
        count = len(x)
        if x.size != count * self.input_size or not 0 < count <= self.batch:
            raise ValueError(
                f"TrainingStep: samples came in shape {x.shape}; expected 1 to "
                f"{self.batch} of {self.input_size} numbers each"
            )
        if labels.shape != (count,) or labels.min() < 0 or labels.max() >= self.classes:
            raise ValueError(
                f"TrainingStep: labels came in shape {labels.shape}, from "
                f"{labels.min(initial=0)} to {labels.max(initial=0)}; expected "
                f"({count},), from 0 to {self.classes - 1}"
            )
        self._rule[1] = self.optimizer.lr * rate
        self.optimizer.steps += 1
        arguments = (x.reshape(-1), labels, self._loss, count, self._rule)
        self._step(*self._arrays, *arguments)
        return float(self._loss[0])

    def _share(self, net: Network, builder: "_Builder") -> None:
        """Let the network and the optimizer see the arenas under their own names."""
        trained, _, velocity = self._arrays[5:8]
        for name, layer in net.root.walk():
            for key, param in layer.params.items():
                start = builder.places[id(layer), key]
                span = slice(start, start + param.size)
                trained[span] = param.reshape(-1)
                layer.params[key] = trained[span].reshape(param.shape)
                if self.optimizer.momentum:
                    full = f"{name}.{key}" if name else key
                    slots = self.optimizer.slots.setdefault(full, {})
                    if "velocity" in slots:
                        velocity[span] = slots["velocity"].reshape(-1)
                    slots["velocity"] = velocity[span].reshape(param.shape)


def plan_step(net: Network, batch: int, loss: Any, optimizer: Any) -> TrainingStep:
    """The training step of a network, or ValueError if it has none."""
    if not isinstance(loss, CrossEntropy) or type(optimizer) is not SGD:
        raise ValueError(
            f"compile: a training step is compiled for CrossEntropy and SGD; came "
            f"{type(loss).__name__} and {type(optimizer).__name__}; train with nn.train"
        )
    return TrainingStep(net, batch, loss, optimizer)


class _Builder:
    """The table of one step."""

    def __init__(self, net: Network, batch: int) -> None:
        from minprune.sparse.kernels import training

        self.ops = training
        self.lanes = -(-batch // LANE) * LANE
        self.dtype = net.dtype
        self.operations: list[Any] = []
        self.cuts: list[IntArray] = []
        self.offsets: list[IntArray] = []
        self.orders: list[IntArray] = []
        self.top = self.trained = 0
        self.places: dict[tuple[int, str], int] = {}

        layers = _chain(net.root, "")
        size = int(np.prod(net.input_shape))
        widest = max([size, *(_outputs(layer) for layer, _ in layers)])
        scale, offset = (
            np.broadcast_to(a, net.input_shape).reshape(-1)
            for a in (net.scale, net.offset)
        )
        # Zeros first: what sums without a bias start from.
        self.constants = [np.zeros(widest), scale, offset]
        seen = self.room(size)
        self.operations.append(self.ops.Enter(seen, size, self.lanes, widest))
        passed = []
        for layer, relu in layers:
            made = self.room(_outputs(layer))
            passed.append(
                (layer, relu, seen, made, *self.forward(layer, relu, seen, made))
            )
            seen = made
        below = self.room(_outputs(layers[-1][0]))
        classes = _outputs(layers[-1][0])
        self.operations.append(self.ops.Loss(seen, below, classes, self.lanes))
        for index in reversed(range(len(passed))):
            below = self.backward(*passed[index], below, first=index == 0)

    def room(self, rows: int) -> int:
        """Room for an activation."""
        start = self.top
        self.top += rows * self.lanes
        return start

    def train(self, layer: Layer, key: str) -> int:
        """A place among what is trained; -1 for what the layer lacks."""
        if key not in layer.params:
            return -1
        start = self.trained
        self.places[id(layer), key] = start
        self.trained += layer.params[key].size
        return start

    def rows(self, rows: Any) -> tuple[int, int, int, int]:
        """Places of cuts, offsets and order of a product, and how many are stored."""
        order = -1 if rows.order is None else keep(self.orders, rows.order)
        cuts = keep(self.cuts, rows.cuts)
        return cuts, keep(self.offsets, rows.offsets), len(rows.offsets), order

    def forward(
        self, layer: Layer, relu: bool, seen: int, made: int
    ) -> tuple[Any, int, int]:
        """One product; the layouts, and where weight and bias are trained."""
        from minprune.sparse.kernels.linear import LinearProducts, frame

        layouts = LinearProducts(_pattern(layer))
        values, bias = self.train(layer, "weight"), self.train(layer, "bias")
        rows = layouts.rows.of(self.lanes)
        where = frame(rows, self.lanes, self.lanes, self.lanes, relu)
        self.operations.append(
            self.ops.Product(seen, made, *self.rows(rows), values, bias, where)
        )
        return layouts, values, bias

    def backward(
        self,
        layer: Layer,
        relu: bool,
        seen: int,
        made: int,
        layouts: Any,
        values: int,
        bias: int,
        delta: int,
        first: bool,
    ) -> int:
        """Gradients of one layer; where the gradient at its input lies."""
        from minprune.sparse.kernels.linear import frame

        lanes, rows = self.lanes, layouts.rows.of(self.lanes)
        outputs, inputs = layouts.pattern.shape
        if relu:
            self.operations.append(self.ops.Mask(made, delta, outputs * lanes))
        where = frame(rows, lanes, lanes, lanes)
        self.operations.append(
            self.ops.Gradient(seen, delta, *self.rows(rows), values, where)
        )
        if bias >= 0:
            self.operations.append(self.ops.Bias(delta, outputs, lanes, bias))
        if first:
            return -1
        below, columns = self.room(inputs), layouts.columns.of(lanes)
        where = frame(columns, lanes, lanes, lanes)
        self.operations.append(
            self.ops.Product(delta, below, *self.rows(columns), values, -1, where)
        )
        return below

    def arrays(self) -> tuple[AnyArray, ...]:
        """Table, indices, constants, then trained, gradients, velocity, activations."""
        from minprune.sparse.kernels.program import write

        return (
            write(self.operations),
            joined(self.cuts, np.int32),
            joined_offsets(self.offsets),
            joined(self.orders, np.int32),
            joined(self.constants, self.dtype),
            *(aligned(self.trained, self.dtype) for _ in range(3)),
            aligned(self.top + SLACK, self.dtype),
        )


def _chain(layer: Layer, name: str) -> list[tuple[Layer, bool]]:
    """The linear layers in order, each with whether a ReLU follows."""
    found: list[tuple[Layer, bool]] = []
    if layer.kind == "Sequential":
        for child, below in layer.children.items():
            if below.kind == "ReLU" and found and not found[-1][1]:
                found[-1] = (found[-1][0], True)
            else:
                found += _chain(below, f"{name}.{child}" if name else child)
    elif layer.kind in ("Linear", "SparseLinear"):
        found.append((layer, False))
    elif layer.kind != "Flatten":
        raise ValueError(
            f"compile: layer {name or 'root'} is a {layer.kind}; a training step is "
            f"compiled for linear layers, each with or without a ReLU behind it; train "
            f"with nn.train"
        )
    return found


def _pattern(layer: Layer) -> Pattern:
    """What a layer stores; a dense one, every weight."""
    if isinstance(layer, SparseLayer):
        return layer.pattern
    return CSR.from_mask(np.ones(layer.params["weight"].shape, bool))


def _outputs(layer: Layer) -> int:
    """Rows of the weight."""
    return _pattern(layer).shape[0]
