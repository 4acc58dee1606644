"""Everything at once."""

from typing import Unpack

from minprune.data import Dataset
from minprune.masks.count import Share, share
from minprune.metrics import Count, count
from minprune.nn.network import Network
from minprune.nn.train import Procedure, Run
from minprune.prune.cut import Cut, Options
from minprune.prune.edit import set_masks


class OneShot(Procedure):
    """Score once, remove the lowest, all in one step.

    Parameters
    ----------
    criterion : str
        A name from `minprune.criteria.CATALOG`.
    sparsity : share, optional
        Share to remove of the original number of weights (or units), what is already
        gone included. Needed unless the granularity is "nm", which states its own.
    **how
        As in `Cut`: scope, granularity, min_keep, exclude, examples, seed, ...

    See Also
    --------
    Gradual : The same in many small steps, while the network is trained.

    Notes
    -----
    In `minprune.nn.train` it acts before the first step; what stays is then trained.

    Examples
    --------
    >>> import numpy as np
    >>> from minprune import nn
    >>> net = nn.Network(nn.Sequential(nn.Linear(2, 2)), (2,), seed=0)
    >>> net.parameters()["0.weight"][:] = [[1, -3], [2, 0]]
    >>> OneShot("magnitude", sparsity=0.5).run(net).kept
    2
    >>> net.weights()["0.weight"]
    array([[ 0., -3.],
           [ 2.,  0.]], dtype=float32)
    """

    def __init__(
        self,
        criterion: str = "magnitude",
        *,
        sparsity: Share | None = None,
        **how: Unpack[Options],
    ) -> None:
        self.cut = Cut(criterion, **how)
        self.sparsity = sparsity
        if sparsity is not None:
            share("OneShot", sparsity)
        if (sparsity is None) != self.cut.fixed:
            raise ValueError(
                f"OneShot: granularity is {self.cut.granularity!r} and sparsity is "
                f"{sparsity}; 'nm' takes its sparsity from keep and group, all others "
                f"need one"
            )

    def run(self, net: Network, data: Dataset | None = None) -> Count:
        """Prune a network in place.

        Parameters
        ----------
        net : Network
            Pruned in place.
        data : Dataset, optional
            For criteria that look at more than weights.

        Returns
        -------
        count : Count
            What is left, layer by layer; see `minprune.metrics.count`.
        """
        set_masks(net, self.cut.masks(net, data, self.sparsity))
        return count(net)

    def begin(self, run: Run) -> None:
        """See `Procedure.begin`."""
        masks = self.cut.masks(run.net, run.data, self.sparsity)
        set_masks(run.net, masks, run.optimizer)
