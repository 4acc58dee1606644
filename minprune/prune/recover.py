"""Training what a pruning has left."""

from typing import Any

from minprune.data import Dataset
from minprune.nn.network import Network
from minprune.nn.train import train
from minprune.sparse.compress import compress


def recover(
    net: Network, data: Dataset, epochs: int, *, sparse: bool = True, **training: Any
) -> Network:
    """Train the weights that a pruning has left, and no others.

    Parameters
    ----------
    net : Network
        Pruned; it is not changed.
    data : Dataset
        Trained on its training split.
    epochs : int
        Passes over it.
    sparse : bool
        Hold the pruned layers sparsely while they are trained, so that a step costs in
        proportion to what is stored; see `minprune.sparse.compress` for which do.
    **training
        As in `minprune.nn.train`: optimizer, rate, batch_size, loss, seed, ...

    Returns
    -------
    net : Network
        Trained; the masks are those of `net`.

    Examples
    --------
    >>> from minprune import data, nn, prune
    >>> digits = data.load("digits")
    >>> net = nn.models.build("mlp", digits, hidden=(16,), seed=0)
    >>> prune.OneShot("magnitude", sparsity=0.9).run(net).kept
    118
    >>> small = recover(net, digits, epochs=1)
    >>> small.macs(), net.macs()
    (118, 1184)
    """
    trained = compress(net) if sparse else net.copy()
    train(trained, data, epochs=epochs, **training)
    return trained
