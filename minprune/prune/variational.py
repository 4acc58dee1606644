"""Sparse variational dropout: a weight whose noise drowns it is pruned."""

from collections.abc import Iterable
from math import inf

import numpy as np

from minprune._check import BoolArray, FloatArray, number
from minprune._random import stream
from minprune.masks.count import share
from minprune.nn.train import Run
from minprune.prune.instead import Instead, Source, sigmoid

K1, K2, K3 = 0.63576, 1.87320, 1.48695
"""The paper's fit of the divergence between the posterior and the prior."""


class VariationalDropout(Instead["Noisy"]):
    r"""Learn how noisy every weight may be; prune those that are mostly noise.

    Parameters
    ----------
    threshold : float
        A weight goes when its log alpha is above this; 3 means that the noise is about
        4.5 times the weight.
    strength : float
        Multiple of the divergence in the loss; 1 is the paper's.
    warmup : float
        Share of the run over which that multiple rises from 0.
    initial : float
        log of the noise's variance at the beginning.
    exclude : iterable of str
        Weights that are trained as they are.
    seed : int
        Draws the noise, by weight and step.

    Notes
    -----
    Each weight is :math:`w = \theta + \sigma \epsilon, \epsilon \sim N(0, 1)`, and
    :math:`\log \alpha = \log \sigma^2 - \log \theta^2`. The loss is the mean
    cross-entropy plus :math:`\frac{1}{N} \sum D(\log \alpha)`, N training samples, with

    .. math::

        -D(a) \approx k_1 \sigma(k_2 + k_3 a) - \tfrac12 \log(1 + e^{-a}) - k_1 .

    Evaluation uses :math:`\theta`, zero where :math:`\log \alpha` is above the
    threshold. No sparsity is asked for.

    *Departs from the paper*, which draws the noise of the *outputs* for every sample
    (local reparameterization): here the weight is drawn once a step, which has the same
    mean and more variance.

    References
    ----------
    .. [1] D. Molchanov, A. Ashukha and D. Vetrov, "Variational dropout sparsifies deep
       neural networks", ICML 2017, eq. (11), (14). arXiv:1701.05369
    """

    def __init__(
        self,
        *,
        threshold: float = 3.0,
        strength: float = 1.0,
        warmup: float = 0.3,
        initial: float = -10.0,
        exclude: Iterable[str] = (),
        seed: int = 0,
    ) -> None:
        super().__init__(exclude)
        caller = "VariationalDropout"
        share(caller, warmup, "warmup")
        self.threshold = number(caller, "threshold", threshold, -inf)
        self.strength = number(caller, "strength", strength)
        self.initial = number(caller, "initial", initial, -inf)
        self.warmup, self.seed = warmup, seed

    def source(self, name: str, weight: FloatArray, alive: BoolArray) -> "Noisy":
        """See `Instead.source`."""
        return Noisy(weight, alive, self.initial)

    def before_step(self, run: Run) -> None:
        """See `Procedure.before_step`."""
        super().before_step(run)
        ramp = min(1.0, (run.step + 1) / max(1.0, self.warmup * run.steps))
        for name, source in self.sources.items():
            source.price = self.strength * ramp / len(run.data.train)
            source.draw(stream(self.seed, "variational dropout", name, run.step))

    def update(self, run: Run) -> None:
        """See `Instead.update`."""
        for source in self.sources.values():
            source.mask = source.alive & (source.log_alpha() <= self.threshold)


class Noisy(Source):
    """A weight with Gaussian noise of a learned size."""

    def __init__(
        self, weight: FloatArray, alive: BoolArray, log_variance: float
    ) -> None:
        super().__init__(weight, alive)
        self.thetas["log_variance"] = np.full_like(weight, log_variance)
        self.price = 0.0
        self.noise = np.zeros_like(weight)

    def draw(self, rng: np.random.Generator) -> None:
        """Noise for one step."""
        self.noise = rng.standard_normal(self.noise.shape).astype(self.noise.dtype)

    def log_alpha(self) -> FloatArray:
        """Variance of the noise over the squared weight, as a logarithm."""
        # The smallest normal number stands for a weight of zero: all noise.
        size = np.maximum(self.thetas["weight"] ** 2, np.finfo(self.noise.dtype).tiny)
        alpha: FloatArray = self.thetas["log_variance"] - np.log(size)
        return alpha

    def deviation(self) -> FloatArray:
        """sigma, zero where pruned before."""
        sigma: FloatArray = np.exp(0.5 * self.thetas["log_variance"])
        return np.where(self.alive, sigma, 0)

    def effective(self) -> FloatArray:
        """See `Source.effective`."""
        return self.thetas["weight"] + self.deviation() * self.noise

    def settled(self) -> FloatArray:
        """See `Source.settled`."""
        return np.where(self.mask, self.thetas["weight"], 0)

    def pullback(self, grad: FloatArray) -> dict[str, FloatArray]:
        """See `Source.pullback`."""
        alpha, weight = self.log_alpha(), self.thetas["weight"]
        slope = self.price * divergence_slope(alpha)
        nonzero = np.where(weight == 0, 1, weight)
        pulled = {
            # log alpha falls by 2 / theta; at zero the divergence has no slope to use.
            "weight": grad - np.where(weight == 0, 0, 2 * slope / nonzero),
            "log_variance": 0.5 * grad * self.deviation() * self.noise + slope,
        }
        return {key: np.where(self.alive, g, 0) for key, g in pulled.items()}


def divergence(log_alpha: FloatArray) -> FloatArray:
    """D(log alpha), 0 for pure noise (large log alpha).

    >>> divergence(np.array([-8.0, 0.0, 100.0])).round(3)
    array([4.636, 0.431, 0.   ])
    """
    closeness = K1 * sigmoid(K2 + K3 * log_alpha)
    distance: FloatArray = K1 - closeness + 0.5 * np.logaddexp(0, -log_alpha)
    return distance


def divergence_slope(log_alpha: FloatArray) -> FloatArray:
    """The derivative of `divergence`."""
    gate = sigmoid(K2 + K3 * log_alpha)
    return -K1 * K3 * gate * (1 - gate) - 0.5 * sigmoid(-log_alpha)
