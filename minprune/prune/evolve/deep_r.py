"""Deep R: a weight that would change its sign goes, and another one comes."""

from collections.abc import Iterable

import numpy as np

from minprune._check import AnyArray, FloatArray, number
from minprune._random import stream
from minprune.nn.train import Run
from minprune.prune.evolve.hold import Evolving, draw_free, exchange, follow, positions
from minprune.prune.moment import Moment


class DeepR(Evolving):
    r"""Rewire whatever crosses zero, at every step, to a random place.

    Parameters
    ----------
    pull : float
        The L1 penalty on every stored weight, per unit of learning rate.
    temperature : float
        T: size of the noise; each step adds :math:`\sqrt{2 \eta T}\, N(0, 1)`.
    end : int or float
        Moment from which the pattern stays, and pull and noise end.
    exclude : iterable of str
        Weights whose pattern stays.
    seed : int
        Draws noise, positions and signs.

    Notes
    -----
    Every connection has a sign s that stays and a size :math:`\theta \ge 0`, the weight
    being :math:`s \theta`. After the optimizer's step,

    .. math:: \theta \leftarrow \theta - \eta\,\mathrm{pull} + \sqrt{2 \eta T}\,\nu .

    Where :math:`\theta < 0` the connection goes dormant, and as many others, drawn
    evenly among all that are dormant, come with a random sign and :math:`\theta = 0`.
    The stored number never changes.

    *Departs from the paper*, which has plain gradient descent: any optimizer makes the
    step here, eta being its learning rate at that step; and a dormant connection counts
    as one place, not one for each sign.

    References
    ----------
    .. [1] G. Bellec, D. Kappel, W. Maass and R. Legenstein, "Deep rewiring: training
       very sparse deep networks", ICLR 2018, Algorithm 1. arXiv:1711.05136
    """

    def __init__(
        self,
        *,
        pull: float = 1e-2,
        temperature: float = 1e-6,
        end: Moment = 0.75,
        exclude: Iterable[str] = (),
        seed: int = 0,
    ) -> None:
        super().__init__(1, end, exclude, seed)
        self.pull = number("DeepR", "pull", pull)
        self.temperature = number("DeepR", "temperature", temperature)
        self.signs: dict[str, FloatArray] = {}

    def begin(self, run: Run) -> None:
        """See `Procedure.begin`."""
        super().begin(run)
        self.signs = {}
        for name, layer in self.layers(run.net).items():
            values = layer.params["weight"]
            self.signs[name] = np.where(values < 0, -1, 1).astype(values.dtype)

    def after_step(self, run: Run) -> None:
        """See `Procedure.after_step`."""
        if not self.due(run):
            return
        lr = run.optimizer.lr * run.rate
        for name, layer in self.layers(run.net).items():
            rng = stream(self.seed, "Deep R", name, run.step)
            values, signs = layer.params["weight"], self.signs[name]
            noise = np.sqrt(2 * lr * self.temperature) * rng.standard_normal(len(signs))
            values += signs * (noise - lr * self.pull).astype(values.dtype)
            drop = signs * values < 0
            count = int(drop.sum())
            if not count:
                continue
            size = int(np.prod(layer.logical_shape))
            grow = draw_free(positions(layer)[~drop], size, count, rng)
            moved = exchange(run.optimizer, name, layer, drop, grow)
            came = rng.choice(np.array([-1, 1], signs.dtype), count)
            self.signs[name] = follow(signs, moved, len(signs), came)

    def state(self) -> dict[str, AnyArray]:
        """See `Procedure.state`."""
        return {name: signs.copy() for name, signs in self.signs.items()}

    def restore(self, arrays: dict[str, AnyArray]) -> None:
        """See `Procedure.restore`."""
        self.signs = {name: signs.copy() for name, signs in arrays.items()}
