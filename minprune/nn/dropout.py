"""Dropout: units silenced at random while training."""

from typing import Any

import numpy as np

from minprune._check import FloatArray
from minprune.nn.layer import EVAL, Layer, Mode, register


@register("Dropout")
class Dropout(Layer):
    """In training, an entry is zero with probability p and divided by 1 - p otherwise.

    Parameters
    ----------
    p : float
        Probability of silence, 0 <= p < 1.

    Notes
    -----
    The division keeps the mean, so evaluation is the identity ("inverted" dropout).
    Draws come from `Mode.rng`, a stream of the run's seed and step.

    References
    ----------
    .. [1] N. Srivastava et al., "Dropout", JMLR 15 (2014).
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = float(p)
        if not 0 <= self.p < 1:
            raise ValueError(f"Dropout: p is {p}; expected 0 <= p < 1")

    def arguments(self) -> dict[str, Any]:
        """See `Layer.arguments`."""
        return {"p": self.p}

    def forward(self, x: FloatArray, mode: Mode = EVAL) -> FloatArray:
        """Draw who speaks; in evaluation, everybody."""
        self._factor = None
        if not mode.training or self.p == 0:
            return x
        if mode.rng is None:
            raise ValueError(
                "Dropout: training needs random numbers; give Mode(rng=...)"
            )
        speaks = mode.rng.random(x.shape, np.float32) >= self.p
        self._factor = speaks * np.asarray(1 / (1 - self.p), x.dtype)
        return x * self._factor

    def backward(self, dy: FloatArray) -> FloatArray:
        """The same factors again."""
        return dy if self._factor is None else dy * self._factor
