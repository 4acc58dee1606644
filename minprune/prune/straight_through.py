"""SR-STE: a pattern of groups from the first step on, trained straight through."""

from collections.abc import Iterable

import numpy as np

from minprune._check import BoolArray, FloatArray, number
from minprune.masks.nm import keep_of_group
from minprune.nn.train import Run
from minprune.prune.instead import Instead, Source


class StraightThrough(Instead["Refined"]):
    r"""Compute with `keep` of every `group` weights, and train all of them.

    Parameters
    ----------
    keep, group : int
        How many stay of how many weights that follow each other along the input axis.
        Where groups do not divide it, the rest stays.
    decay : float
        lambda: how strongly pruned weights are drawn to zero.
    exclude : iterable of str
        Weights that are trained as they are.

    Notes
    -----
    With m the mask of the largest magnitudes of each group, made anew at every step,
    the network computes with :math:`m \odot w`, and

    .. math:: w \leftarrow w - \eta \bigl( g + \lambda (1 - m) \odot w \bigr),

    g the gradient at :math:`m \odot w`. Without the second term (:math:`\lambda = 0`)
    this is the plain straight-through estimator; the term makes masks settle.

    References
    ----------
    .. [1] A. Zhou, Y. Ma, J. Zhu, J. Liu, Z. Zhang, K. Yuan, W. Sun and H. Li,
       "Learning N:M fine-grained structured sparse neural networks from scratch", ICLR
       2021, eq. (8). arXiv:2102.04010
    """

    def __init__(
        self,
        *,
        keep: int = 2,
        group: int = 4,
        decay: float = 2e-4,
        exclude: Iterable[str] = (),
    ) -> None:
        super().__init__(exclude)
        self.keep, self.group = keep, group
        self.decay = number("StraightThrough", "decay", decay)
        _pattern(np.zeros((1, max(group, 1))), keep, group)

    def source(self, name: str, weight: FloatArray, alive: BoolArray) -> "Refined":
        """See `Instead.source`."""
        return Refined(weight, alive, self.decay)

    def update(self, run: Run) -> None:
        """See `Instead.update`."""
        for source in self.sources.values():
            # What was pruned before is zero and so goes first.
            size = np.abs(source.thetas["weight"])
            source.mask = _pattern(size, self.keep, self.group) & source.alive


class Refined(Source):
    """A masked weight whose pruned entries are trained, and drawn to zero."""

    def __init__(self, weight: FloatArray, alive: BoolArray, decay: float) -> None:
        super().__init__(weight, alive)
        self.decay = decay

    def pullback(self, grad: FloatArray) -> dict[str, FloatArray]:
        """See `Source.pullback`."""
        drawn = self.decay * np.where(self.mask, 0, self.thetas["weight"])
        return {"weight": np.where(self.alive, grad + drawn, 0)}


def _pattern(size: FloatArray, keep: int, group: int) -> BoolArray:
    """The largest `keep` of every `group` along the input axis."""
    return keep_of_group(size, keep=keep, group=group, axis=1, remainder="keep")
