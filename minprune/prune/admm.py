"""ADMM: draw the weights towards their own pruned copy, then prune."""

from typing import Unpack

import numpy as np

from minprune._check import AnyArray, FloatArray, number
from minprune.masks.count import Share, share
from minprune.nn.train import Procedure, Run
from minprune.prune.cut import Cut, Options
from minprune.prune.edit import set_masks
from minprune.prune.instead import needs_dense
from minprune.prune.moment import Moment, every, steps_of


class ADMM(Procedure):
    r"""Alternate between training near a pruned copy and choosing that copy.

    Parameters
    ----------
    sparsity : share
        Share removed at the end of the alternation.
    pull : float
        rho: how strongly the weights are drawn to the copy.
    end : int or float
        Moment at which the pruning is made real; the rest of the run is recovery.
    frequency : int or float
        Steps from one new copy to the next.
    **how
        As in `Cut`; the criterion is magnitude, which makes the copy the nearest.

    Notes
    -----
    Minimizing :math:`L(W)` where W has few nonzero entries is split by
    :math:`W = Z`. Training minimizes :math:`L(W) + \frac{\rho}{2}\|W - Z + U\|^2`, and
    every `frequency` steps

    .. math:: Z \leftarrow \Pi(W + U), \qquad U \leftarrow U + W - Z,

    with :math:`\Pi` the projection that keeps the largest magnitudes. When the
    alternation ends, W is projected itself.

    *Departs from NNI's code*, whose penalty is the root of the squared norm.

    References
    ----------
    .. [1] T. Zhang, S. Ye, K. Zhang, J. Tang, W. Wen, M. Fardad and Y. Wang, "A
       systematic DNN weight pruning framework using alternating direction method of
       multipliers", ECCV 2018, eq. (6) to (9). arXiv:1804.03294
    """

    def __init__(
        self,
        *,
        sparsity: Share,
        pull: float = 1e-2,
        end: Moment = 0.6,
        frequency: Moment = 0.05,
        **how: Unpack[Options],
    ) -> None:
        share("ADMM", sparsity)
        self.sparsity, self.pull = sparsity, number("ADMM", "pull", pull)
        self.end_at, self.frequency = end, frequency
        self.cut = Cut("magnitude", **how)
        self.copy: dict[str, FloatArray] = {}
        self.dual: dict[str, FloatArray] = {}

    def begin(self, run: Run) -> None:
        """See `Procedure.begin`."""
        weights = needs_dense("ADMM", run.net)
        self.last = steps_of("ADMM", "end", self.end_at, run)
        self.every = every("ADMM", self.frequency, run)
        for name in self.cut.excluded(list(weights)):
            weights.pop(name, None)
        self.dual = {name: np.zeros_like(weight) for name, weight in weights.items()}
        self.copy = {name: weight.copy() for name, weight in weights.items()}
        self._project(run)

    def after_backward(self, run: Run) -> None:
        """See `Procedure.after_backward`."""
        if run.step < self.last:
            weights = run.net.weights()
            for name, copy in self.copy.items():
                layer, key = run.net.owner("ADMM", name)
                apart = weights[name] - copy + self.dual[name]
                layer.grads[key] = layer.grads[key] + self.pull * apart

    def after_step(self, run: Run) -> None:
        """See `Procedure.after_step`."""
        if run.step == self.last:
            masks = self.cut.masks(run.net, run.data, self.sparsity)
            set_masks(run.net, masks, run.optimizer)
        elif run.step < self.last and run.step % self.every == 0:
            self._project(run)

    def _project(self, run: Run) -> None:
        """A new copy, and the dual variable that adds up what is apart."""
        shifted, weights = run.net.copy(), run.net.weights()
        moved = shifted.weights()
        for name, dual in self.dual.items():
            moved[name] += dual
        masks = self.cut.masks(shifted, run.data, self.sparsity)
        for name in self.copy:
            self.copy[name] = np.where(masks[name], moved[name], 0)
            if run.step:
                self.dual[name] += weights[name] - self.copy[name]

    def state(self) -> dict[str, AnyArray]:
        """See `Procedure.state`."""
        copies = {f"{name}:copy": array.copy() for name, array in self.copy.items()}
        return copies | {f"{n}:dual": array.copy() for n, array in self.dual.items()}

    def restore(self, arrays: dict[str, AnyArray]) -> None:
        """See `Procedure.restore`."""
        self.copy = {name: arrays[f"{name}:copy"].copy() for name in self.copy}
        self.dual = {name: arrays[f"{name}:dual"].copy() for name in self.dual}
