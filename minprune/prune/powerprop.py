"""Powerpropagation: training that makes large weights larger."""

from collections.abc import Iterable

import numpy as np

from minprune._check import BoolArray, FloatArray, number
from minprune.nn.network import Network
from minprune.nn.train import Run
from minprune.prune.instead import Instead, Source


class Powerpropagation(Instead["Powered"]):
    r"""Train a root of each weight, so that small weights move little.

    Prunes nothing by itself: put a `Gradual` or a `OneShot` beside it. What they prune
    stays pruned here.

    Parameters
    ----------
    alpha : float
        The power, 1 or more; 1 is ordinary training.
    exclude : iterable of str
        Weights that are trained as they are.

    Notes
    -----
    .. math:: w = \theta |\theta|^{\alpha - 1}, \qquad
        \frac{\partial L}{\partial \theta}
            = \alpha |\theta|^{\alpha - 1} \frac{\partial L}{\partial w}.

    :math:`\theta` starts at the root that gives the network's own weights. The update
    of a weight is proportional to a power of its size: the rich get richer, and more of
    the distribution ends near zero, where magnitude prunes it.

    References
    ----------
    .. [1] J. Schwarz, S. Jayakumar, R. Pascanu, P. Latham and Y. Teh,
       "Powerpropagation: a sparsity inducing weight reparameterisation", NeurIPS 2021,
       Sec. 2. arXiv:2110.00296
    """

    def __init__(self, alpha: float = 2.0, *, exclude: Iterable[str] = ()) -> None:
        super().__init__(exclude)
        self.alpha = number("Powerpropagation", "alpha", alpha, 1)

    def source(self, name: str, weight: FloatArray, alive: BoolArray) -> "Powered":
        """See `Instead.source`."""
        return Powered(weight, alive, self.alpha)

    def before_step(self, run: Run) -> None:
        """See `Procedure.before_step`."""
        # Masks stay where they are: what others have pruned is pruned here too.
        self._follow(run.net)

    def after_step(self, run: Run) -> None:
        """See `Procedure.after_step`."""
        self._follow(run.net)
        self.show(run.net)

    def end(self, run: Run) -> None:
        """See `Procedure.end`."""
        self._follow(run.net)
        super().end(run)

    def _follow(self, net: Network) -> None:
        """Take over the masks that the network has now."""
        masks = net.masks()
        for name, source in self.sources.items():
            source.mask = masks[name]
            source.thetas["weight"][~source.mask] = 0


class Powered(Source):
    """A weight that is a power of what is trained, signs kept."""

    def __init__(self, weight: FloatArray, alive: BoolArray, alpha: float) -> None:
        super().__init__(weight, alive)
        self.alpha = alpha
        root = np.sign(weight) * np.abs(weight) ** (1 / alpha)
        self.thetas = {"weight": root.astype(weight.dtype)}

    def effective(self) -> FloatArray:
        """See `Source.effective`."""
        theta = self.thetas["weight"]
        weight: FloatArray = theta * np.abs(theta) ** (self.alpha - 1)
        return weight

    def pullback(self, grad: FloatArray) -> dict[str, FloatArray]:
        """See `Source.pullback`."""
        slope = self.alpha * np.abs(self.thetas["weight"]) ** (self.alpha - 1)
        return {"weight": np.where(self.mask, grad * slope, 0)}
