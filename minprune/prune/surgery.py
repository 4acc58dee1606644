"""Dynamic network surgery: what was cut wrongly is spliced back."""

from collections.abc import Iterable
from math import inf

import numpy as np

from minprune._check import AnyArray, BoolArray, FloatArray, number
from minprune._random import stream
from minprune.nn.train import Run
from minprune.prune.instead import Instead, Source
from minprune.prune.moment import Moment, steps_of


class Surgery(Instead[Source]):
    r"""Prune below one threshold, bring back above another, and train everything.

    A pruned weight goes on learning behind its mask. If it grows past the upper
    threshold, it is spliced back with the value it has reached.

    Parameters
    ----------
    quality : float
        c: how many standard deviations above the mean magnitude the thresholds lie.
        It alone decides how much is pruned.
    decay : float
        gamma: how fast masks are made more rarely; 0 makes them at every step.
    power : float
        The exponent of that.
    stop : int or float
        Moment from which the masks stay as they are and the rest of the run recovers.
    exclude : iterable of str
        Weights that are not pruned.
    seed : int
        Draws the steps at which masks are made.

    See Also
    --------
    SoftFilters : Pruned filters that go on learning, with an exact count.

    Notes
    -----
    With :math:`\mu, \sigma` the mean and the (population) standard deviation of
    :math:`|w|` over the nonzero weights of the layer at the beginning, and
    :math:`t = \max(\mu + c\sigma, 0)`, a step makes the mask with probability
    :math:`(1 + \gamma i)^{-p}`:

    .. math::

        T_{ij} = \begin{cases} 0 & |w_{ij}| \le 0.9\,t \\
                               1 & |w_{ij}| > 1.1\,t \\
                               T_{ij} & \text{otherwise.} \end{cases}

    The gradient is taken at the masked weight :math:`T \odot w` and moves all of w. The
    count is what comes of it: no sparsity is asked for.

    *Departs from the official code*, which pools the biases into mean and deviation
    and prunes them too; here biases stay.

    References
    ----------
    .. [1] Y. Guo, A. Yao and Y. Chen, "Dynamic network surgery for efficient DNNs",
       NeurIPS 2016, eq. (2), (3) and Algorithm 1. arXiv:1608.04493
    """

    def __init__(
        self,
        quality: float = 1.0,
        *,
        decay: float = 1e-4,
        power: float = 1.0,
        stop: Moment = 0.7,
        exclude: Iterable[str] = (),
        seed: int = 0,
    ) -> None:
        super().__init__(exclude)
        self.quality = number("Surgery", "quality", quality, -inf)
        self.decay = number("Surgery", "decay", decay)
        self.power = number("Surgery", "power", power)
        self.stop, self.seed = stop, seed
        self.thresholds: dict[str, float] = {}

    def source(self, name: str, weight: FloatArray, alive: BoolArray) -> Source:
        """See `Instead.source`."""
        return Source(weight, alive)

    def begin(self, run: Run) -> None:
        """See `Procedure.begin`."""
        self.stop_at = steps_of("Surgery", "stop", self.stop, run)
        self.thresholds = {
            name: threshold(weight, self.quality)
            for name, weight in run.net.weights().items()
        }
        super().begin(run)

    def update(self, run: Run) -> None:
        """See `Instead.update`."""
        if run.step >= self.stop_at:
            return
        chance = (1 + self.decay * run.step) ** -self.power
        for name, source in self.sources.items():
            if stream(self.seed, "surgery", name, run.step).random() < chance:
                size, at = np.abs(source.thetas["weight"]), self.thresholds[name]
                source.mask &= size > 0.9 * at
                source.mask |= (size > 1.1 * at) & source.alive

    def state(self) -> dict[str, AnyArray]:
        """See `Procedure.state`."""
        at = {f"{name}:at": np.array(t) for name, t in self.thresholds.items()}
        return super().state() | at

    def restore(self, arrays: dict[str, AnyArray]) -> None:
        """See `Procedure.restore`."""
        super().restore(arrays)
        self.thresholds = {n: float(arrays[f"{n}:at"]) for n in self.thresholds}


def threshold(weight: FloatArray, quality: float) -> float:
    """max(mean + quality * deviation, 0) of the magnitudes that are not zero.

    >>> threshold(np.array([1.0, -3.0, 0.0]), 0.5)
    2.5
    """
    size = np.abs(weight[weight != 0]).astype(np.float64)
    return max(float(size.mean() + quality * size.std()), 0.0) if size.size else 0.0
