"""A network as one compiled call: `compile` plans it, `Plan` runs it.

A plan is a table of operations over a few arenas, carried out by one compiled loop:
`planner` writes the table, `kernels.table` runs it. Weights are copied: a plan is of
the network as it was.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, overload

import numpy as np

from minprune._check import AnyArray, FloatArray, positive_int
from minprune.nn.network import Network
from minprune.sparse.planner import Planner
from minprune.sparse.products import numba_is_there
from minprune.sparse.training import TrainingStep, plan_step

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
        from minprune.sparse.kernels import table

        self.batch, self.dtype = batch, net.dtype
        self.input_size = int(np.prod(net.input_shape))
        self.output_shape = net.output_shape
        run: Callable[..., None] = table.run
        arrays = Planner(net, batch).arrays()
        self._run = partial(run, *arrays)
        self._out = np.zeros((batch, *net.output_shape), self.dtype)
        self._full = (self._out, self._out.reshape(-1))
        self._shape = (batch, *net.input_shape)
        self.operations = len(arrays[0])
        self.memory_bytes = sum(a.nbytes for a in (*arrays, self._out))

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
        ready = isinstance(x, np.ndarray) and x.dtype == self.dtype and x.flags.carray
        if ready and out is None and x.shape == self._shape:  # nothing left to check
            made, written = self._full
            self._run(x.reshape(-1), written, self.batch)
            return made
        if not ready:
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
            self._run(flat, written, count)
            return out
        size = written.size // max(count, 1)
        for first in range(0, count, self.batch):
            samples = min(self.batch, count - first)
            self._run(flat[first * self.input_size :], written[first * size :], samples)
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
        With it and `optimizer`, a training step is planned: for all that inference
        is planned for, except dropout. The network's parameters are trained where
        they are.
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
    (3, 2190)
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
