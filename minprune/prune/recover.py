"""Training what a pruning has left."""

from typing import Any

from minprune.data import Dataset
from minprune.nn.loss import Distillation, taught
from minprune.nn.network import Network
from minprune.nn.train import train
from minprune.prune.tickets import reinitialized
from minprune.sparse.compress import compress


def recover(
    net: Network,
    data: Dataset,
    epochs: int,
    *,
    sparse: bool = True,
    teacher: Network | None = None,
    scratch: bool = False,
    **training: Any,
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
    teacher : Network, optional
        Learn from this network too, usually the dense one; see `nn.Distillation`, which
        is used unless another `loss` is given.
    scratch : bool
        Draw the weights that are left anew, from `seed`, before they are trained.
    **training
        As in `minprune.nn.train`: optimizer (with its weight decay), rate, batch_size,
        loss, seed, ...; ``augment=nn.FGSM(0.1)`` recovers on adversarial samples too.
        Dropout layers of the network take part as in any training.

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
    >>> net.macs(), small.macs() < 0.2 * net.macs()
    (1184, True)
    """
    start = reinitialized(net, training.get("seed", 0)) if scratch else net
    trained = compress(start) if sparse else start.copy()
    if teacher is not None:
        data = taught(data, teacher)
        training.setdefault("loss", Distillation())
    train(trained, data, epochs=epochs, **training)
    return trained
