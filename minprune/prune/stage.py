"""One step of a plan, and units that it may take out first."""

from collections.abc import Sequence
from dataclasses import dataclass

from minprune import structure
from minprune.data import Dataset
from minprune.masks.count import Share
from minprune.nn.network import Network
from minprune.nn.train import Procedure
from minprune.prune.channels import Channels


@dataclass(frozen=True)
class Remove:
    """Whole units that are taken out: which, and what share of them."""

    channels: Channels
    sparsity: Share

    def run(self, net: Network, data: Dataset | None) -> Network:
        """The smaller network; the one given is not changed."""
        chosen = self.channels.choice(net, data, self.sparsity)
        return structure.remove(net, chosen.removal)


@dataclass(frozen=True)
class Stage:
    """One step of a plan: take units out, hold sparsely, train with procedures.

    Parameters
    ----------
    name : str
        For the record.
    remove : Remove, optional
        Units to take out first.
    procedures : sequence of Procedure
        What prunes in this stage, in this order.
    epochs : int
        Of training. With 0 the procedures only do what they do at the beginning of a
        run.
    sparse : bool
        Hold pruned layers sparsely from here on; see `minprune.sparse.compress`.
    """

    name: str
    remove: Remove | None = None
    procedures: Sequence[Procedure] = ()
    epochs: int = 0
    sparse: bool = False
