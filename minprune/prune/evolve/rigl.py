"""RigL: drop the smallest weights, grow where the gradient is largest."""

from collections.abc import Iterable
from math import floor

import numpy as np

from minprune.masks import lowest, rounded
from minprune.masks.count import share
from minprune.nn.train import Run
from minprune.prune.evolve.growth import largest, last_batch
from minprune.prune.evolve.hold import (
    Evolving,
    along_cosine,
    common,
    exchange,
    positions,
)
from minprune.prune.moment import Moment


class RigL(Evolving):
    r"""Exchange small weights for those whose gradient is large.

    Parameters
    ----------
    fraction : float
        alpha: share of a layer's weights that is exchanged at first; it falls along
        half a cosine to 0 at `end`.
    frequency : int or float
        Steps from one exchange to the next.
    end : int or float
        Moment from which the pattern stays.
    exclude : iterable of str
        Weights whose pattern stays.

    Notes
    -----
    At step t, of the n weights that a layer stores,
    :math:`k = \lfloor n \frac{\alpha}{2} (1 + \cos(\pi t / t_{end})) \rfloor` go, those
    of smallest magnitude, and k come where the gradient of the last batch is largest.
    The stored number never changes.

    *May a weight that is just dropped come back?* Yes, as in the official code: it
    competes with those that were not stored, and if its gradient is among the largest
    it keeps its value and what the optimizer remembers of it, as if it had never gone.
    A weight that is new starts at zero with nothing remembered.

    *Departs from the official code* in two ways: the optimizer's step is made before an
    exchange, where there it is left out; and equal magnitudes go by position, where
    there noise decides.

    The gradient of what is not stored is made in blocks of rows and never held.

    References
    ----------
    .. [1] U. Evci, T. Gale, J. Menick, P. Castro and E. Elsen, "Rigging the lottery:
       making all tickets winners", ICML 2020, Algorithm 1. arXiv:1911.11134
    """

    def __init__(
        self,
        *,
        fraction: float = 0.3,
        frequency: Moment = 100,
        end: Moment = 0.75,
        exclude: Iterable[str] = (),
    ) -> None:
        super().__init__(frequency, end, exclude, 0)
        share("RigL", fraction, "fraction")
        self.fraction = fraction

    def after_step(self, run: Run) -> None:
        """See `Procedure.after_step`."""
        if not self.due(run):
            return
        rate = along_cosine(self.fraction, run.step, self.last)
        for name, layer in self.layers(run.net).items():
            size = np.abs(layer.params["weight"])
            drop = lowest(size, rounded(len(size), rate, floor))
            held, gone = positions(layer), np.flatnonzero(drop)
            kept = held[np.flatnonzero(~drop)]
            grow = largest(layer, [last_batch(layer)], kept, len(gone)).positions
            back, again = common(held[gone], grow)
            drop[gone[back]] = False
            grow = np.delete(grow, again)
            exchange(run.optimizer, name, layer, drop, grow)
