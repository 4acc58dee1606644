"""Penalties that prepare a network for pruning, and the cut at the end of them."""

from typing import Unpack

import numpy as np

from minprune._check import AnyArray, BoolArray, number, one_of
from minprune.masks.count import Share, share
from minprune.nn.network import Network
from minprune.nn.norm import BatchNorm
from minprune.nn.regularize import Penalized, Penalty, group_lasso, l1
from minprune.nn.train import Procedure, Run
from minprune.nn.tree import join
from minprune.prune.cut import Cut, Options
from minprune.prune.edit import as_held, set_masks
from minprune.prune.instead import needs_dense
from minprune.prune.moment import Moment, every, steps_of

PENALTIES: dict[str, tuple[Penalty, str]] = {
    "l1": (l1, "magnitude"),
    "group_lasso": (group_lasso, "l2_norm"),
    "slimming": (l1, "bn_scale_magnitude"),
}
"""Each penalty, and the criterion that cuts along it."""


class Regularized(Procedure):
    """Train with a penalty that empties weights, filters or channels; then cut them.

    Parameters
    ----------
    penalty : {"l1", "group_lasso", "slimming"}
        On single weights, on filters as one, or on the scales of batch norms.
    strength : float
        Multiple of the penalty in the loss.
    sparsity : share
        Share of the weights (or filters) that is cut.
    at : int or float
        Moment of the cut: the penalty ends there and recovery begins.
    criterion : str, optional
        What is cut; by default what the penalty drives to zero: magnitude, L2 norm of
        the filter, or batch-norm scale.
    **how
        As in `Cut`: scope, granularity, min_keep, exclude, examples, seed, ...

    Notes
    -----
    The penalties are those of `minprune.nn.regularize`; the group lasso's groups are
    filters. Slimming [3]_ charges the scales of batch norms, not weights.

    References
    ----------
    .. [1] S. Han, J. Pool, J. Tran and W. Dally, "Learning both weights and connections
       for efficient neural networks", NeurIPS 2015, Sec. 3.1. arXiv:1506.02626
    .. [2] W. Wen, C. Wu, Y. Wang, Y. Chen and H. Li, "Learning structured sparsity in
       deep neural networks", NeurIPS 2016, eq. (3). arXiv:1608.03665
    .. [3] Z. Liu, J. Li, Z. Shen, G. Huang, S. Yan and C. Zhang, "Learning efficient
       convolutional networks through network slimming", ICCV 2017, eq. (1).
       arXiv:1708.06519
    """

    def __init__(
        self,
        penalty: str = "l1",
        *,
        strength: float = 1e-4,
        sparsity: Share,
        at: Moment = 0.5,
        criterion: str | None = None,
        **how: Unpack[Options],
    ) -> None:
        self.penalty = one_of("Regularized", "penalty", penalty, PENALTIES)
        share("Regularized", sparsity)
        self.strength = number("Regularized", "strength", strength)
        self.sparsity, self.at = sparsity, at
        self.function, cuts = PENALTIES[penalty]
        self.cut = Cut(cuts if criterion is None else criterion, **how)

    def begin(self, run: Run) -> None:
        """See `Procedure.begin`."""
        self.last = steps_of("Regularized", "at", self.at, run)
        names = None
        if self.penalty == "group_lasso":
            needs_dense("Regularized", run.net)  # stored values have no rows
        if self.penalty == "slimming":
            names = scales(run.net)
            if not names:
                raise ValueError(
                    "Regularized: slimming charges the scales of batch norms, and the "
                    "network has none; choose 'l1' or 'group_lasso'"
                )
        self.charge = Penalized(self.function, self.strength, names)
        # What cannot be cut is refused here, not in the middle of the run.
        self.cut.masks(run.net, run.data, self.sparsity)

    def after_backward(self, run: Run) -> None:
        """See `Procedure.after_backward`."""
        if run.step < self.last:
            self.charge.after_backward(run)

    def after_step(self, run: Run) -> None:
        """See `Procedure.after_step`."""
        if run.step == self.last:
            masks = self.cut.masks(run.net, run.data, self.sparsity)
            set_masks(run.net, masks, run.optimizer)


def scales(net: Network) -> list[str]:
    """The scales of batch norms, by dotted name."""
    return [
        join(name, "weight")
        for name, layer in net.root.walk()
        if isinstance(layer, BatchNorm) and layer.params
    ]


class GrowingPenalty(Procedure):
    r"""Choose what goes, weigh it down ever more, and cut it when it is light.

    Parameters
    ----------
    criterion : str
        Chooses, before the first step, what will go: the L1 norm of a filter in the
        paper.
    sparsity : share
        Share that goes.
    growth : float
        Added to the penalty factor at every update.
    ceiling : float
        The penalty factor does not grow beyond it.
    frequency : int or float
        Steps from one update of the factor to the next.
    at : int or float
        Moment of the cut.
    **how
        As in `Cut`: scope, granularity, min_keep, exclude, examples, seed, ...

    Notes
    -----
    The L2 penalty :math:`\frac{\lambda_t}{2} \|w\|^2` is on the chosen weights only,
    with :math:`\lambda_t = \min(\delta \lfloor t / K \rfloor, \tau)`: GReg-1 there.

    References
    ----------
    .. [1] H. Wang, C. Qin, Y. Zhang and Y. Fu, "Neural pruning via growing
       regularization", ICLR 2021, Algorithm 1 (GReg-1). arXiv:2012.09243
    """

    def __init__(
        self,
        criterion: str = "l1_norm",
        *,
        sparsity: Share,
        growth: float = 1e-2,
        ceiling: float = 1.0,
        frequency: Moment = 0.01,
        at: Moment = 0.6,
        **how: Unpack[Options],
    ) -> None:
        share("GrowingPenalty", sparsity)
        self.growth = number("GrowingPenalty", "growth", growth)
        self.ceiling = number("GrowingPenalty", "ceiling", ceiling)
        self.sparsity, self.frequency, self.at = sparsity, frequency, at
        self.cut = Cut(criterion, **how)
        self.masks: dict[str, BoolArray] = {}

    def begin(self, run: Run) -> None:
        """See `Procedure.begin`."""
        self.last = steps_of("GrowingPenalty", "at", self.at, run)
        self.every = every("GrowingPenalty", self.frequency, run)
        self.masks = self.cut.masks(run.net, run.data, self.sparsity)

    def factor(self, step: int) -> float:
        """The penalty factor of a step."""
        return min(self.growth * (step // self.every), self.ceiling)

    def after_backward(self, run: Run) -> None:
        """See `Procedure.after_backward`."""
        if run.step < self.last:
            weights = run.net.weights()
            for name, mask in self.masks.items():
                layer, key = run.net.owner("GrowingPenalty", name)
                down = self.factor(run.step) * np.where(mask, 0, weights[name])
                layer.grads[key] = layer.grads[key] + as_held(layer, down)

    def after_step(self, run: Run) -> None:
        """See `Procedure.after_step`."""
        if run.step == self.last:
            there = run.net.masks()
            masks = {name: mask & there[name] for name, mask in self.masks.items()}
            set_masks(run.net, masks, run.optimizer)

    def state(self) -> dict[str, AnyArray]:
        """See `Procedure.state`."""
        return dict(self.masks)

    def restore(self, arrays: dict[str, AnyArray]) -> None:
        """See `Procedure.restore`."""
        self.masks = {name: mask.astype(bool) for name, mask in arrays.items()}
