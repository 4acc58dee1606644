"""Before training: score and cut in many rounds, without a step in between."""

from collections.abc import Mapping
from typing import Unpack

from minprune._check import AnyArray, FloatArray, positive_int
from minprune.data import Dataset
from minprune.masks import schedule
from minprune.masks.count import Share, share
from minprune.metrics import Count, count
from minprune.nn.network import Network
from minprune.nn.train import Procedure, Run
from minprune.prune.choice import Masks
from minprune.prune.cut import Cut, Options
from minprune.prune.instead import needs_dense


class Rounds(Procedure):
    r"""Cut to the target in many small cuts, each scored on what is left.

    A single cut at high sparsity can take a whole layer, since scores are those of the
    dense network. Scored again and again, a layer that gets thin scores high.

    Parameters
    ----------
    criterion : str
        A name from `minprune.criteria.CATALOG`.
    sparsity : share
        Share removed after the last round; below 1.
    rounds : int
        Number of cuts. The density falls by the same factor in each.
    revive : bool
        Whether a weight that was cut may come back, with the value it had.
    **how
        As in `Cut`: scope, granularity, min_keep, exclude, examples, seed, ...

    See Also
    --------
    iterative_snip, force, synflow : The published ones.

    Notes
    -----
    After round k of K the density is :math:`(1 - s)^{k/K}`. A criterion that asks for
    `dense_weight` is given the weights from before the first cut.

    Examples
    --------
    >>> from minprune import nn
    >>> net = nn.Network(nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 2)), (8,), seed=0)
    >>> Rounds("synflow", sparsity=0.95, rounds=100).run(net).kept
    4
    """

    def __init__(
        self,
        criterion: str,
        *,
        sparsity: Share,
        rounds: int = 100,
        revive: bool = False,
        **how: Unpack[Options],
    ) -> None:
        share("Rounds", sparsity)
        self.rounds = positive_int("Rounds", "rounds", rounds)
        self.schedule = schedule.exponential(sparsity, end=self.rounds)
        self.revive = revive
        self.cut = Cut(criterion, **how)
        if self.cut.fixed:
            raise ValueError("Rounds: granularity 'nm' has one sparsity; use OneShot")

    def run(self, net: Network, data: Dataset | None = None) -> Count:
        """Prune a network in place and count what is left."""
        dense = {
            name: weight.copy() for name, weight in needs_dense("Rounds", net).items()
        }
        before = net.masks()
        given: Mapping[str, Mapping[str, AnyArray]] = {"dense_weight": dense}
        for round in range(1, self.rounds + 1):
            masks = self.cut.masks(
                net,
                data,
                self.schedule(round),
                round=round,
                given=given,
                previous=before if self.revive else None,
                rising=round < self.rounds,
            )
            restore(net, dense, masks)
        return count(net)

    def begin(self, run: Run) -> None:
        """See `Procedure.begin`."""
        self.run(run.net, run.data)


def restore(net: Network, weights: Mapping[str, FloatArray], masks: Masks) -> None:
    """Give a network these weights, where the masks keep them."""
    for name, mask in masks.items():
        layer, key = net.owner("restore", name)
        layer.params[key][...] = weights[name]
        layer.set_mask(key, mask)


def iterative_snip(
    sparsity: Share, *, rounds: int = 100, **how: Unpack[Options]
) -> Rounds:
    """SNIP in rounds: connection sensitivity of what is left [1]_, Sec. 4.

    References
    ----------
    .. [1] P. de Jorge, A. Sanyal, H. Behl, P. Torr, G. Rogez and P. Dokania,
       "Progressive skeletonization: trimming more fat from a network at
       initialization", ICLR 2021. arXiv:2006.09081
    """
    return Rounds("iterative_snip", sparsity=sparsity, rounds=rounds, **how)


def force(sparsity: Share, *, rounds: int = 100, **how: Unpack[Options]) -> Rounds:
    """FORCE: as `iterative_snip`, but what was cut is scored too and may come back.

    The score of a weight that is gone is the product of the value it had and of the
    gradient at zero [1]_, Sec. 4, eq. (6).

    References
    ----------
    .. [1] P. de Jorge, A. Sanyal, H. Behl, P. Torr, G. Rogez and P. Dokania,
       "Progressive skeletonization: trimming more fat from a network at
       initialization", ICLR 2021. arXiv:2006.09081
    """
    return Rounds("force", sparsity=sparsity, rounds=rounds, revive=True, **how)


def synflow(sparsity: Share, *, rounds: int = 100, **how: Unpack[Options]) -> Rounds:
    """SynFlow: synaptic flow in a hundred rounds, without any data [1]_, Algorithm 1.

    References
    ----------
    .. [1] H. Tanaka, D. Kunin, D. Yamins and S. Ganguli, "Pruning neural networks
       without any data by iteratively conserving synaptic flow", NeurIPS 2020.
       arXiv:2006.05467
    """
    return Rounds("synflow", sparsity=sparsity, rounds=rounds, **how)
