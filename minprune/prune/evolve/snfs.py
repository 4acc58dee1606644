"""SNFS: weights move to the layers, and the places, where momentum is large."""

from collections import deque
from collections.abc import Iterable
from fractions import Fraction
from math import ceil

import numpy as np

from minprune._check import AnyArray, positive_int
from minprune.masks import apportion, in_proportion, lowest, rounded
from minprune.masks.count import share
from minprune.nn.train import Run
from minprune.prune.evolve.growth import Batch, largest, last_batch
from minprune.prune.evolve.hold import Evolving, along_cosine, exchange, positions
from minprune.prune.moment import Moment


class SNFS(Evolving):
    r"""Drop the smallest weights of every layer; share the room out by momentum.

    Parameters
    ----------
    fraction : float
        Share of a layer's weights that goes at first; it falls along half a cosine.
    frequency : int or float, optional
        Steps from one exchange to the next; an epoch when left out.
    end : int or float
        Moment from which the pattern stays.
    momentum : float
        Decay of the running mean of gradients.
    memory : int
        How many batches before an exchange that mean is made of.
    exclude : iterable of str
        Weights whose pattern stays.

    Notes
    -----
    With m the running mean of the gradient, the :math:`\lceil p n \rceil` smallest
    weights of every layer go; a layer gets new ones in proportion to the mean of |m|
    over the weights it has stored; they come where |m| is largest. The total stored
    never changes; that of a layer does. What comes starts at zero with nothing
    remembered by the optimizer; a weight that has just gone may come back so.

    *Departs from the paper*, which keeps a dense momentum for every layer. Here m is
    made from the last `memory` batches only, as a weighted sum of products of inputs
    and output gradients, in blocks of rows, and is never held: with momentum 0.9 and 20
    batches 12 % of its weight is missing. In the official code m is the optimizer's own
    momentum, with which new weights go on, and one that comes back at once keeps its
    value.

    References
    ----------
    .. [1] T. Dettmers and L. Zettlemoyer, "Sparse networks from scratch: faster
       training without losing performance", 2019, Algorithm 1. arXiv:1907.04840
    """

    def __init__(
        self,
        *,
        fraction: float = 0.5,
        frequency: Moment | None = None,
        end: Moment = 0.75,
        momentum: float = 0.9,
        memory: int = 20,
        exclude: Iterable[str] = (),
    ) -> None:
        super().__init__(frequency, end, exclude, 0)
        share("SNFS", fraction, "fraction")
        share("SNFS", momentum, "momentum")
        self.fraction, self.momentum = fraction, momentum
        self.memory = positive_int("SNFS", "memory", memory)
        self.seen: dict[str, deque[Batch]] = {}

    def begin(self, run: Run) -> None:
        """See `Procedure.begin`."""
        super().begin(run)
        self.seen = {}

    def after_step(self, run: Run) -> None:
        """See `Procedure.after_step`."""
        layers = self.layers(run.net)
        if run.step < self.last and -run.step % self.every < self.memory:
            for name, layer in layers.items():
                recent = self.seen.setdefault(name, deque(maxlen=self.memory))
                batch = last_batch(layer)
                recent.append(Batch(1.0, batch.x.copy(), batch.dy.copy()))
        if not self.due(run):
            return
        rate = along_cosine(self.fraction, run.step, self.last)
        drops, parts, limits = {}, [], []
        for name, layer in layers.items():
            size = np.abs(layer.params["weight"])
            drops[name] = lowest(size, rounded(len(size), rate, ceil))
            mean = largest(layer, self._mean(name), positions(layer), 0).stored_mean
            # A layer without any momentum still takes part, if only barely.
            parts.append(Fraction(max(mean, np.finfo(float).tiny)))
            kept = len(size) - int(drops[name].sum())
            limits.append(int(np.prod(layer.logical_shape)) - kept)
        total = sum(int(drop.sum()) for drop in drops.values())
        counts = apportion(in_proportion(parts, limits, total))
        for (name, layer), count in zip(layers.items(), counts, strict=True):
            kept_at = positions(layer)[~drops[name]]
            grow = largest(layer, self._mean(name), kept_at, count).positions
            exchange(run.optimizer, name, layer, drops[name], grow)

    def _mean(self, name: str) -> list[Batch]:
        """The batches of the running mean, each with its weight."""
        recent = self.seen[name]
        ages = range(len(recent) - 1, -1, -1)
        return [
            batch._replace(weight=(1 - self.momentum) * self.momentum**age)
            for batch, age in zip(recent, ages, strict=True)
        ]

    def state(self) -> dict[str, AnyArray]:
        """See `Procedure.state`."""
        return {
            f"{name}:{at}:{key}": array.copy()
            for name, recent in self.seen.items()
            for at, batch in enumerate(recent)
            for key, array in (("x", batch.x), ("dy", batch.dy))
        }

    def restore(self, arrays: dict[str, AnyArray]) -> None:
        """See `Procedure.restore`."""
        self.seen = {}
        keys = sorted({key.rpartition(":")[0] for key in arrays}, key=_by_age)
        for key in keys:
            name = key.rpartition(":")[0]
            recent = self.seen.setdefault(name, deque(maxlen=self.memory))
            recent.append(Batch(1.0, arrays[f"{key}:x"], arrays[f"{key}:dy"]))


def _by_age(key: str) -> tuple[str, int]:
    """Order of remembered batches: by weight, the oldest first."""
    name, _, at = key.rpartition(":")
    return name, int(at)
