"""Top-KAST: a sparse forward pass and a less sparse backward pass, always."""

from collections.abc import Iterable

import numpy as np

from minprune._check import BoolArray, FloatArray, number
from minprune.masks._request import Scope
from minprune.masks.count import Share, share
from minprune.nn.train import Run
from minprune.prune.instead import Instead, Source


class TopKAST(Instead["Explored"]):
    r"""Compute with the largest weights; train these and the next largest.

    Parameters
    ----------
    sparsity : share
        Share that the forward pass goes without, at every step.
    backward : share
        Share that is not trained either; at most `sparsity`.
    decay : float
        L2 penalty on the weights that are computed with; those that are only trained
        pay it divided by the density of the forward pass.
    scope : {"layer", "network"} or dict
        Which weights compete; in the paper those of one layer.
    exclude : iterable of str
        Weights that are trained as they are.

    Notes
    -----
    With A the places of the largest magnitudes (density D) and B the larger set
    (density D + M), the network computes with w on A, and the gradient at that point
    moves w on B. The rest is not moved by anything, and the optimizer remembers nothing
    of it. The penalty keeps a newcomer from staying: it has to grow against 1/D times
    the decay. Sets are made anew at every step.

    References
    ----------
    .. [1] S. Jayakumar, R. Pascanu, J. Rae, S. Osindero and E. Elsen, "Top-KAST: top-K
       always sparse training", NeurIPS 2020, Sec. 2. arXiv:2106.03517
    """

    def __init__(
        self,
        *,
        sparsity: Share,
        backward: Share,
        decay: float = 1e-4,
        scope: Scope = "layer",
        exclude: Iterable[str] = (),
    ) -> None:
        super().__init__(exclude)
        high, low = share("TopKAST", sparsity), share("TopKAST", backward, "backward")
        if low > high:
            raise ValueError(
                f"TopKAST: backward is {backward}, sparser than the forward pass "
                f"({sparsity}); what is computed with is trained, so the nearest is "
                f"{sparsity}"
            )
        self.sparsity, self.backward = sparsity, backward
        self.decay, self.scope = number("TopKAST", "decay", decay), scope
        if high == 1:
            raise ValueError(
                "TopKAST: sparsity is 1, so that nothing is computed with; expected "
                "below 1, such as 0.99"
            )
        self.density = float(1 - high)

    def source(self, name: str, weight: FloatArray, alive: BoolArray) -> "Explored":
        """See `Instead.source`."""
        return Explored(weight, alive, self.decay, self.density)

    def update(self, run: Run) -> None:
        """See `Instead.update`."""
        sizes = {
            n: np.abs(source.thetas["weight"]) for n, source in self.sources.items()
        }
        forward = self.select(sizes, self.sparsity, self.scope)
        backward = self.select(sizes, self.backward, self.scope)
        for name, source in self.sources.items():
            source.mask, source.extra["trained"] = forward[name], backward[name]


class Explored(Source):
    """A weight of which a part is computed with and a larger part is trained."""

    def __init__(
        self, weight: FloatArray, alive: BoolArray, decay: float, density: float
    ) -> None:
        super().__init__(weight, alive)
        self.extra["trained"] = alive.copy()
        self.decay, self.density = decay, density

    def resting(self) -> BoolArray:
        """See `Source.resting`."""
        return ~self.extra["trained"]

    def pullback(self, grad: FloatArray) -> dict[str, FloatArray]:
        """See `Source.pullback`."""
        price = np.where(self.mask, self.decay, self.decay / self.density)
        pulled = grad + price.astype(grad.dtype) * self.thetas["weight"]
        return {"weight": np.where(self.extra["trained"], pulled, 0)}
