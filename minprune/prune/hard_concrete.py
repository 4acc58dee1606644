"""L0 regularization: gates that are drawn while training and may close for good."""

from collections.abc import Iterable
from math import log

import numpy as np

from minprune._check import BoolArray, FloatArray, number
from minprune._random import stream
from minprune.nn.train import Run
from minprune.prune.instead import Instead, Source, sigmoid

BETA, LOW, HIGH = 2 / 3, -0.1, 1.1
"""Temperature and stretch of the hard concrete distribution, as in the paper."""


class HardConcrete(Instead["Gated"]):
    r"""Train a random gate on every weight, and pay for each that may be open.

    Parameters
    ----------
    penalty : float
        lambda, in units of the loss: what one expected open gate costs, times the
        number of training samples. It alone decides how much is pruned.
    open : float
        Probability, between 0 and 1, that a gate is open at the beginning.
    exclude : iterable of str
        Weights that are trained as they are.
    seed : int
        Draws the gates, by weight and step.

    Notes
    -----
    .. math::

        z = \mathrm{clip}\bigl( \sigma((\log u - \log(1-u) + \log\alpha) / \beta)
            (\zeta - \gamma) + \gamma,\; 0, 1 \bigr), \qquad u \sim U(0, 1)

    with :math:`\beta = 2/3, \gamma = -0.1, \zeta = 1.1`. Training adds
    :math:`\frac{\lambda}{N} \sum \sigma(\log\alpha - \beta \log(-\gamma / \zeta))`, the
    expected number of gates that are not zero. Evaluation uses
    :math:`\hat z = \mathrm{clip}(\sigma(\log\alpha)(\zeta - \gamma) + \gamma, 0, 1)`; a
    weight whose :math:`\hat z` is 0 is pruned. No sparsity is asked for.

    *Departs from the paper*, which puts one gate on a group (an input unit, a filter)
    and draws it anew for each sample of a linear layer: here each weight has its own,
    drawn once a step.

    References
    ----------
    .. [1] C. Louizos, M. Welling and D. Kingma, "Learning sparse neural networks
       through L0 regularization", ICLR 2018, eq. (10) to (13). arXiv:1712.01312
    """

    def __init__(
        self,
        penalty: float = 1.0,
        *,
        open: float = 0.9,
        exclude: Iterable[str] = (),
        seed: int = 0,
    ) -> None:
        super().__init__(exclude)
        if not 0 < open < 1:
            raise ValueError(
                f"HardConcrete: open is {open}; expected a probability between 0 and 1"
            )
        self.penalty = number("HardConcrete", "penalty", penalty)
        self.open, self.seed = open, seed

    def source(self, name: str, weight: FloatArray, alive: BoolArray) -> "Gated":
        """See `Instead.source`."""
        return Gated(weight, alive, log(self.open) - log(1 - self.open))

    def before_step(self, run: Run) -> None:
        """See `Procedure.before_step`."""
        super().before_step(run)
        for name, source in self.sources.items():
            source.price = self.penalty / len(run.data.train)
            source.draw(stream(self.seed, "hard concrete", name, run.step))

    def update(self, run: Run) -> None:
        """See `Instead.update`."""
        for source in self.sources.values():
            source.mask = source.alive & (source.mean_gate() > 0)


class Gated(Source):
    """A weight times a gate of the hard concrete distribution."""

    def __init__(
        self, weight: FloatArray, alive: BoolArray, log_alpha: float, price: float = 0.0
    ) -> None:
        super().__init__(weight, alive)
        self.thetas["log_alpha"] = np.full_like(weight, log_alpha)
        self.price = price
        self.noise = np.zeros_like(weight)

    def draw(self, rng: np.random.Generator) -> None:
        """Logistic noise for the gates of one step."""
        # 1 - u is in (0, 1], so that its logarithm is finite; u = 0 is nudged.
        u = np.maximum(rng.random(self.noise.shape), np.finfo(float).tiny)
        self.noise = (np.log(u) - np.log1p(-u)).astype(self.noise.dtype)

    def gate(self) -> tuple[FloatArray, FloatArray]:
        """The drawn gate z, and its slope in log alpha (zero where it is clipped)."""
        soft = sigmoid((self.noise + self.thetas["log_alpha"]) / BETA)
        wide = soft * (HIGH - LOW) + LOW
        slope = (HIGH - LOW) / BETA * soft * (1 - soft)
        return np.clip(wide, 0, 1), np.where((wide > 0) & (wide < 1), slope, 0)

    def mean_gate(self) -> FloatArray:
        """The gate that evaluation uses."""
        wide = sigmoid(self.thetas["log_alpha"]) * (HIGH - LOW) + LOW
        gate: FloatArray = np.clip(wide, 0, 1)
        return gate

    def effective(self) -> FloatArray:
        """See `Source.effective`."""
        return self.thetas["weight"] * self.gate()[0]

    def pullback(self, grad: FloatArray) -> dict[str, FloatArray]:
        """See `Source.pullback`."""
        gate, slope = self.gate()
        may_open = sigmoid(self.thetas["log_alpha"] - BETA * log(-LOW / HIGH))
        cost = self.price * may_open * (1 - may_open)
        pulled = {
            "weight": grad * gate,
            "log_alpha": grad * self.thetas["weight"] * slope + cost,
        }
        return {key: np.where(self.alive, g, 0) for key, g in pulled.items()}

    def settled(self) -> FloatArray:
        """See `Source.settled`."""
        return np.where(self.mask, self.thetas["weight"] * self.mean_gate(), 0)
