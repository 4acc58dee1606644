"""Soft threshold reparameterization: every layer learns how much of itself to drop."""

from collections.abc import Iterable
from math import inf

import numpy as np

from minprune._check import BoolArray, FloatArray, number
from minprune.nn.train import Run
from minprune.prune.instead import Instead, Source, sigmoid


class SoftThreshold(Instead["Shrunk"]):
    r"""A learned threshold for each layer, subtracted from every magnitude.

    Parameters
    ----------
    initial : float
        s at the beginning; the threshold is sigmoid(s), so -5 gives 0.0067.
    decay : float
        Weight decay on w and on s. It drives s towards 0 and with it the threshold
        towards 1/2: more decay, more sparsity.
    exclude : iterable of str
        Weights that are trained as they are.

    Notes
    -----
    .. math:: w' = \mathrm{sign}(w) \, \max(|w| - \sigma(s), 0)

    .. math::

        \frac{\partial L}{\partial w} = g \odot 1[w' \ne 0], \qquad
        \frac{\partial L}{\partial s} = -\sigma'(s) \sum g \odot \mathrm{sign}(w')

    A weight below the threshold has no gradient; only decay, and a threshold that
    falls, move it relative to the threshold. No sparsity is asked for: the count is
    what comes of `initial` and `decay`.

    References
    ----------
    .. [1] A. Kusupati, V. Ramanujan, R. Somani, M. Wortsman, P. Jain, S. Kakade and
       A. Farhadi, "Soft threshold weight reparameterization for learnable sparsity",
       ICML 2020, eq. (3) to (5). arXiv:2002.03231
    """

    def __init__(
        self,
        initial: float = -5.0,
        *,
        decay: float = 1e-4,
        exclude: Iterable[str] = (),
    ) -> None:
        super().__init__(exclude)
        self.initial = number("SoftThreshold", "initial", initial, -inf)
        self.decay = number("SoftThreshold", "decay", decay)

    def source(self, name: str, weight: FloatArray, alive: BoolArray) -> "Shrunk":
        """See `Instead.source`."""
        return Shrunk(weight, alive, self.initial, self.decay)

    def update(self, run: Run) -> None:
        """See `Instead.update`."""
        for source in self.sources.values():
            source.mask = source.effective() != 0


class Shrunk(Source):
    """A weight whose magnitudes are reduced by sigmoid(s)."""

    def __init__(
        self, weight: FloatArray, alive: BoolArray, initial: float, decay: float
    ) -> None:
        super().__init__(weight, alive)
        self.thetas["s"] = np.full(1, initial, weight.dtype)
        self.decay = decay

    @property
    def cut(self) -> FloatArray:
        """What is subtracted: sigmoid(s), shape (1,)."""
        return sigmoid(self.thetas["s"])

    def effective(self) -> FloatArray:
        """See `Source.effective`."""
        weight = self.thetas["weight"]
        return np.sign(weight) * np.maximum(np.abs(weight) - self.cut, 0)

    def pullback(self, grad: FloatArray) -> dict[str, FloatArray]:
        """See `Source.pullback`."""
        sign, cut = np.sign(self.effective()), self.cut
        slope = -cut * (1 - cut) * (grad * sign).sum()
        return {
            "weight": grad * np.abs(sign) + self.decay * self.thetas["weight"],
            "s": slope.astype(cut.dtype) + self.decay * self.thetas["s"],
        }
