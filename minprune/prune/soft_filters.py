"""Soft filter pruning: filters are zeroed every epoch and may grow back."""

from typing import Unpack

from minprune._check import AnyArray
from minprune.masks.count import Share, share
from minprune.nn.train import Procedure, Run
from minprune.prune.cut import Cut, Options
from minprune.prune.instead import needs_dense


class SoftFilters(Procedure):
    """Set the weakest filters to zero after every epoch, and go on training them.

    Parameters
    ----------
    criterion : str
        What makes a filter strong: its L2 norm in the paper.
    sparsity : share
        Share of the filters that is zero after every epoch, and in the end gone.
    **how
        As in `Cut`: scope ("layer" in the paper), granularity, exclude, ...

    Notes
    -----
    While an epoch runs nothing is masked: a filter that was zeroed gets gradients like
    any other and competes again. After the last epoch the masks stay.

    *Departs from the paper*, whose rule zeroes ``int(n (1 - rate))`` filters counted
    from the kept rate: here the number is the nearest whole one (M.1).

    References
    ----------
    .. [1] Y. He, G. Kang, X. Dong, Y. Fu and Y. Yang, "Soft filter pruning for
       accelerating deep convolutional neural networks", IJCAI 2018, Algorithm 1.
       arXiv:1808.06866
    """

    def __init__(
        self, criterion: str = "l2_norm", *, sparsity: Share, **how: Unpack[Options]
    ) -> None:
        share("SoftFilters", sparsity)
        self.sparsity = sparsity
        self.cut = Cut(criterion, **({"scope": "layer"} | how))

    def begin(self, run: Run) -> None:
        """See `Procedure.begin`."""
        needs_dense("SoftFilters", run.net)
        self.before = run.net.masks()
        # What cannot be zeroed is refused here, not after the first epoch.
        self.cut.masks(run.net, run.data, self.sparsity)

    def before_step(self, run: Run) -> None:
        """See `Procedure.before_step`."""
        if run.step % run.steps_per_epoch == 0:
            run.net.set_masks(self.before)

    def end_epoch(self, run: Run) -> None:
        """See `Procedure.end_epoch`."""
        masks = self.cut.masks(
            run.net, run.data, self.sparsity, round=run.epoch, previous=self.before
        )
        run.net.set_masks(masks)

    def state(self) -> dict[str, AnyArray]:
        """See `Procedure.state`."""
        return dict(self.before)

    def restore(self, arrays: dict[str, AnyArray]) -> None:
        """See `Procedure.restore`."""
        self.before = {name: mask.astype(bool) for name, mask in arrays.items()}
