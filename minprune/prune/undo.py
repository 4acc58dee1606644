"""Taking a pruning back, or making it final."""

import os
from pathlib import Path

from minprune.nn.network import Network
from minprune.nn.train import Procedure, Run
from minprune.prune.evolve.hold import hold_sparsely
from minprune.sparse.base import SparseLayer
from minprune.store import load_network, save


class Undo(Procedure):
    """Keep the dense network that a pruning starts from, until it is final.

    Parameters
    ----------
    net : Network, optional
        What is kept. Left out, the network of the run it takes part in, as it is when
        the run begins; put it before the procedures that prune.
    path : str or path, optional
        Keep it in this file; left out, in memory, where it costs what the network does.
        A run leaves a file that is there already as it is: it holds what an earlier one
        began from.

    Raises
    ------
    ValueError
        If the network is held sparsely: it was built sparse, and there is no dense one
        to go back to.

    Notes
    -----
    Every procedure can be undone: what is kept is the whole network, batch-norm
    statistics and masks included.

    Examples
    --------
    >>> from minprune import nn, prune
    >>> net = nn.Network(nn.Sequential(nn.Linear(8, 4)), (8,), seed=0)
    >>> undo = Undo(net)
    >>> prune.OneShot("magnitude", sparsity=0.75).run(net).kept
    8
    >>> undo.undo(net)
    >>> int((net.weights()["0.weight"] != 0).sum())
    32
    """

    def __init__(
        self, net: Network | None = None, *, path: str | os.PathLike[str] | None = None
    ) -> None:
        self.path = None if path is None else Path(path)
        self.kept: Network | None = None
        if net is not None:
            self.keep(net)

    def keep(self, net: Network) -> None:
        """Keep this network as it is now."""
        for name, layer in net.root.walk():
            if isinstance(layer, SparseLayer):
                raise ValueError(
                    f"Undo: layer {name!r} is held sparsely, so there are no dense "
                    f"weights to keep; keep the network before it is made sparse"
                )
        if self.path is None:
            self.kept = net.copy()
        else:
            save(net, self.path)

    def begin(self, run: Run) -> None:
        """See `Procedure.begin`."""
        if self.kept is None and (self.path is None or not self.path.exists()):
            self.keep(run.net)

    def undo(self, net: Network) -> None:
        """Give a network back what was kept, in place; layers become dense again."""
        net.root = self._original().copy().root

    def finalize(self, net: Network) -> Network:
        """Forget what was kept; the network with nothing stored of what is pruned.

        Returns
        -------
        net : Network
            Every layer with a mask holds what it keeps and no zeros for the rest. The
            network that was given is not changed.
        """
        self._original()  # there is something to be final about
        self.kept = None
        if self.path is not None:
            self.path.unlink()
        final = net.copy()
        hold_sparsely(final)
        return final

    def _original(self) -> Network:
        """What was kept."""
        if self.kept is not None:
            return self.kept
        if self.path is None or not self.path.exists():
            raise ValueError(
                "Undo: nothing is kept, or it has been made final; keep(net) comes "
                "before the pruning"
            )
        return load_network(self.path)
