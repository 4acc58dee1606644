"""Edge-popup: choose among random weights, train none of them."""

from collections.abc import Iterable

import numpy as np

from minprune._check import BoolArray, FloatArray
from minprune._random import stream
from minprune.masks._request import Scope
from minprune.masks.count import Share, share
from minprune.nn.train import Run
from minprune.prune.instead import Instead, Source


class EdgePopup(Instead["Chosen"]):
    r"""Train a score for every weight and keep the best; the weights stay as drawn.

    Parameters
    ----------
    sparsity : share
        Share removed, at every step.
    scope : {"layer", "network"} or dict
        Whose scores compete; in the paper those of one layer.
    exclude : iterable of str
        Weights that are trained, as in ordinary training.
    seed : int
        Draws the scores at the beginning.

    Notes
    -----
    The network computes with :math:`w \odot M(|s|)`, M keeping the highest, and the
    gradient passes M as if it were the identity: :math:`\partial L / \partial s = g
    \odot w \odot \mathrm{sign}(s)`. Weights, biases and batch-norm parameters keep the
    values they have when training begins; what comes out is a *supermask* of them.

    Scores are drawn uniformly within one over the root of the fan-in, as the official
    code draws them (Kaiming, a = sqrt 5).

    References
    ----------
    .. [1] V. Ramanujan, M. Wortsman, A. Kembhavi, A. Farhadi and M. Rastegari, "What's
       hidden in a randomly weighted neural network?", CVPR 2020, Sec. 3.
       arXiv:1911.13299
    """

    def __init__(
        self,
        *,
        sparsity: Share = 0.5,
        scope: Scope = "layer",
        exclude: Iterable[str] = (),
        seed: int = 0,
    ) -> None:
        super().__init__(exclude)
        share("EdgePopup", sparsity)
        self.sparsity, self.scope, self.seed = sparsity, scope, seed

    def source(self, name: str, weight: FloatArray, alive: BoolArray) -> "Chosen":
        """See `Instead.source`."""
        bound = 1 / np.sqrt(weight[0].size)
        rng = stream(self.seed, "edge popup", name)
        score = rng.uniform(-bound, bound, weight.shape).astype(weight.dtype)
        return Chosen(weight, alive, score)

    def after_backward(self, run: Run) -> None:
        """See `Procedure.after_backward`."""
        # Without a gradient a parameter is not moved, not even by weight decay.
        for name, layer in run.net.root.walk():
            for key in list(layer.grads):
                weight = f"{name}.{key}" if name else key
                if weight not in self.sources and weight not in self.exclude:
                    del layer.grads[key]

    def update(self, run: Run) -> None:
        """See `Instead.update`."""
        sizes = {n: np.abs(s.thetas["score"]) for n, s in self.sources.items()}
        masks = self.select(sizes, self.sparsity, self.scope)
        for name, source in self.sources.items():
            source.mask = masks[name]


class Chosen(Source):
    """A weight that stays, behind a mask that its trained score decides."""

    def __init__(self, weight: FloatArray, alive: BoolArray, score: FloatArray) -> None:
        super().__init__(weight, alive)
        self.thetas, self.extra = {"score": score}, {"weight": weight.copy()}

    def effective(self) -> FloatArray:
        """See `Source.effective`."""
        return np.where(self.mask, self.extra["weight"], 0)

    def pullback(self, grad: FloatArray) -> dict[str, FloatArray]:
        """See `Source.pullback`."""
        slope = grad * self.extra["weight"] * np.sign(self.thetas["score"])
        return {"score": np.where(self.alive, slope, 0)}
