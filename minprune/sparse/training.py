"""A training step as one compiled call.

For every network that has a compiled form and nothing random in it.

The parameters of the network come to lie in the arena of the step: they are the same
arrays under the same names, so that the network can be evaluated, saved and pruned
between steps as ever. After its pattern has been edited, plan anew.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from minprune._check import AnyArray, FloatArray, IntArray
from minprune.nn.loss import CrossEntropy
from minprune.nn.network import Network
from minprune.nn.optim import SGD
from minprune.sparse.step_planner import StepPlanner


class TrainingStep:
    """Forward, loss, backward and update as one call that does not allocate.

    One compiled loop carries it out; where there are threads and an operation is large
    enough to share, they are called one by one. The bits are the same.

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
        from minprune.sparse.kernels import table, training

        self.batch, self.dtype = batch, net.dtype
        self.input_size = int(np.prod(net.input_shape))
        self.classes = net.output_shape[0]
        self.optimizer = optimizer
        planner = StepPlanner(net, batch)
        self._arrays = planner.arrays()
        self._products = planner.products
        self._ends = [len(table.flat(each)) for _, each in planner.operations]
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
        self._share(net, planner)
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
        if self._pays():
            self._in_parts(x.reshape(-1), labels, count)
        else:
            arguments = (x.reshape(-1), labels, self._loss, count, self._rule)
            self._step(*self._arrays, *arguments)
        return float(self._loss[0])

    def _pays(self) -> bool:
        """Whether there are threads, and an operation that is worth sharing."""
        from minprune.sparse.kernels import _jit

        largest = max(self._products.values(), default=0)
        return largest >= _jit.PAYS and _jit.threads() > 1

    def _in_parts(self, x: FloatArray, labels: IntArray, samples: int) -> None:
        """As `kernels.training.step`, with every operation on as many threads as pay.

        A thread is given rows of its own, so that the bits are the same.
        """
        from minprune.sparse.kernels import _jit, table, training

        rows, at, cuts, offsets, order, numbers, gradients, velocity, arena = (
            self._arrays
        )
        held = (cuts, offsets, order, numbers, numbers, gradients, arena)

        def work(row: IntArray, seen: FloatArray, first: int, last: int) -> None:
            mine = row.copy()
            mine[end - 1 : end + 1] = first, last
            table.perform(mine, *held, seen, arena, samples)

        gradients[:] = 0
        for n, row in enumerate(rows):
            if n == at[0]:
                smoothing = self._rule[0]
                self._loss[0] = training.cross_entropy(
                    at, arena, labels, samples, smoothing
                )
            seen, end = x if n == 0 else arena, self._ends[n]
            if n in self._products:
                mine = partial(work, row, seen)
                _jit.share_rows(mine, 0, int(row[end]), self._products[n])
            else:
                table.perform(row, *held, seen, arena, samples)
        training.update(numbers, gradients, velocity, self._rule)

    def _share(self, net: Network, planner: StepPlanner) -> None:
        """Let the network and the optimizer see the arenas under their own names."""
        numbers, _, velocity = self._arrays[5:8]

        def held(of: dict[str, Any], key: str, place: int) -> slice:
            array = of[key]
            span = slice(place, place + array.size)
            numbers[span] = array.reshape(-1)
            of[key] = numbers[span].reshape(array.shape)
            return span

        for name, layer in net.root.walk():
            for key in layer.buffers:
                held(layer.buffers, key, planner.places[id(layer), key])
            for key, param in layer.params.items():
                span = held(layer.params, key, planner.places[id(layer), key])
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
