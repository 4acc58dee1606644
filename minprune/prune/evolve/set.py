"""SET: drop the weights nearest to zero, on both sides, and grow at random."""

from collections.abc import Iterable
from math import floor

import numpy as np

from minprune._check import BoolArray, FloatArray, number
from minprune._random import stream
from minprune.masks import lowest, rounded
from minprune.masks.count import share
from minprune.nn.train import Run
from minprune.prune.evolve.hold import Evolving, draw_free, exchange, positions
from minprune.prune.moment import Moment


class SET(Evolving):
    r"""Exchange the weights nearest to zero for random ones, once an epoch.

    Parameters
    ----------
    fraction : float
        zeta: share that goes, of the positive weights and of the negative ones.
    frequency : int or float, optional
        Steps from one exchange to the next; an epoch when left out.
    end : int or float
        Moment from which the pattern stays; the last epoch always trains what is there.
    spread : float
        Standard deviation of the weights that come.
    exclude : iterable of str
        Weights whose pattern stays.
    seed : int
        Draws positions and values.

    Notes
    -----
    The smallest :math:`\lfloor \zeta n_+ \rfloor` positive and the largest
    :math:`\lfloor \zeta n_- \rfloor` negative weights of a layer go, each sign for
    itself, as published; a stored zero counts as positive. As many come at random
    positions, with values from :math:`N(0, 0.1^2)` and nothing remembered by the
    optimizer. The stored number never changes. A position that has just gone may be
    drawn again.

    *Departs from the official code*, which draws positions with repetition, so that its
    layers lose weights; here positions are drawn without.

    See Also
    --------
    RigL : Grows where the gradient is large.

    References
    ----------
    .. [1] D. Mocanu, E. Mocanu, P. Stone, P. Nguyen, M. Gibescu and A. Liotta,
       "Scalable training of artificial neural networks with adaptive sparse
       connectivity inspired by network science", Nature Communications 9, 2018,
       Algorithm 1. arXiv:1707.04780
    """

    def __init__(
        self,
        *,
        fraction: float = 0.3,
        frequency: Moment | None = None,
        end: Moment = 1.0,
        spread: float = 0.1,
        exclude: Iterable[str] = (),
        seed: int = 0,
    ) -> None:
        super().__init__(frequency, end, exclude, seed)
        share("SET", fraction, "fraction")
        self.fraction, self.spread = fraction, number("SET", "spread", spread)

    def after_step(self, run: Run) -> None:
        """See `Procedure.after_step`."""
        if not self.due(run):
            return
        for name, layer in self.layers(run.net).items():
            drop = nearest_zero(layer.params["weight"], self.fraction)
            rng = stream(self.seed, "SET", name, run.step)
            kept, count = positions(layer)[~drop], int(drop.sum())
            size = int(np.prod(layer.logical_shape))
            grow = draw_free(kept, size, count, rng)
            values = self.spread * rng.standard_normal(count)
            exchange(run.optimizer, name, layer, drop, grow, values)


def nearest_zero(values: FloatArray, fraction: float) -> BoolArray:
    """Which weights go: this share of each sign, those nearest to zero.

    >>> nearest_zero(np.array([0.1, -0.2, 0.3, -0.4, 0.5, -0.6]), 0.4)
    array([ True,  True, False, False, False, False])
    """
    drop = np.zeros(len(values), bool)
    for side in (values >= 0, values < 0):
        size = np.abs(values[side])
        drop[side] = lowest(size, rounded(len(size), fraction, floor))
    return drop
