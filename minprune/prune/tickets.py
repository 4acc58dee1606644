"""Lottery tickets: train, prune, rewind, and again."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Unpack

import numpy as np

from minprune._check import AnyArray, one_of, positive_int
from minprune._random import stream
from minprune.data import Dataset
from minprune.masks.count import Share, share
from minprune.nn.checkpoint import each
from minprune.nn.network import Network
from minprune.nn.rates import Rate, constant
from minprune.nn.train import Epoch, Procedure, Run, train
from minprune.prune.cut import Cut, Options
from minprune.prune.edit import set_masks


@dataclass(frozen=True)
class Ticket:
    """One round: a sparse network before and after its training.

    Attributes
    ----------
    round : int
        0 is the dense network.
    start : Network
        Masked, with the values from which it was trained.
    net : Network
        Trained.
    history : list of Epoch
        Of that training.
    """

    round: int
    start: Network
    net: Network
    history: list[Epoch]


class Tickets:
    r"""Iterative pruning with rewinding.

    Parameters
    ----------
    criterion : str
        Chooses what goes after each training; magnitude in the papers.
    rounds : int
        Rounds of pruning; 0 only trains.
    rate : share
        What a round removes of what a layer has left.
    output_rate : share, optional
        The same for the last layer; half of `rate` when left out.
    rewind : {"weights", "rate"}
        What a round begins with. "weights": the values that the kept weights had after
        `to` epochs, with the learning rate of that moment. "rate": the values they have
        reached, with the learning rate from the beginning.
    to : int
        Epochs of the first training to which weights are rewound. 0 is full rewinding,
        to the initial values.
    **how
        As in `Cut`, without scope and allocation: every layer has its own ladder.

    See Also
    --------
    reinitialized, shuffled : The two networks that a ticket is compared with.

    Notes
    -----
    After round k a layer keeps :math:`(1 - \mathrm{rate})^k` of its original weights,
    rounded once (M.1). Batch-norm statistics are rewound with the weights.

    References
    ----------
    .. [1] J. Frankle and M. Carbin, "The lottery ticket hypothesis: finding sparse,
       trainable neural networks", ICLR 2019, Sec. 2. arXiv:1803.03635
    .. [2] A. Renda, J. Frankle and M. Carbin, "Comparing rewinding and fine-tuning in
       neural network pruning", ICLR 2020, Sec. 2. arXiv:2003.02389
    """

    def __init__(
        self,
        criterion: str = "magnitude",
        *,
        rounds: int,
        rate: Share = "0.2",
        output_rate: Share | None = None,
        rewind: str = "weights",
        to: int = 0,
        **how: Unpack[Options],
    ) -> None:
        self.rounds = positive_int("Tickets", "rounds", rounds, minimum=0)
        self.rate = share("Tickets", rate, "rate")
        self.output_rate = (
            self.rate / 2
            if output_rate is None
            else share("Tickets", output_rate, "output_rate")
        )
        self.rewind = one_of("Tickets", "rewinding", rewind, ("weights", "rate"))
        self.to = positive_int("Tickets", "to", to, minimum=0)
        if how.keys() & {"scope", "allocation"}:
            raise ValueError(
                "Tickets: every layer has its own ladder; leave scope and allocation "
                "out"
            )
        self.cut = Cut(criterion, **({"min_keep": 1} | how | {"scope": "layer"}))

    def sparsities(self, names: list[str], round: int) -> dict[str, Fraction]:
        """What each layer has lost after a round."""
        rates = dict.fromkeys(names, self.rate) | {names[-1]: self.output_rate}
        return {name: 1 - (1 - rate) ** round for name, rate in rates.items()}

    def run(
        self,
        net: Network,
        data: Dataset,
        epochs: int,
        *,
        rate: Rate = constant,
        progress: Callable[[Ticket], Any] | None = None,
        **training: Any,
    ) -> list[Ticket]:
        """Train and prune in rounds; the network itself is not changed.

        Parameters
        ----------
        epochs : int
            Of the first training; at least `to`.
        rate, **training
            As in `minprune.nn.train`; with a checkpoint every round has its own file.
        progress : callable, optional
            Called with each finished ticket.

        Returns
        -------
        tickets : list of Ticket
            One for every round, round 0 the dense training.
        """
        if epochs < self.to:
            raise ValueError(
                f"Tickets: to is epoch {self.to} but the training has {epochs} epochs; "
                f"the nearest that can be met is to={epochs}"
            )
        keep = Keep(self.to)
        start, trained = net.copy(), net.copy()
        procedures = [*training.pop("procedures", ()), keep]
        history = train(
            trained,
            data,
            epochs=epochs,
            rate=rate,
            procedures=procedures,
            **each(training, "round0"),
        )
        tickets = [Ticket(0, start, trained, history)]
        back = self.to if self.rewind == "weights" else 0
        for round in range(1, self.rounds + 1):
            if progress is not None:
                progress(tickets[-1])
            last = tickets[-1].net
            names = list(last.weights())
            masks = self.cut.masks(
                last, data, self.sparsities(names, round), round=round
            )
            start = last.copy()
            if self.rewind == "weights":
                start.restore(keep.kept)
            set_masks(start, masks)
            trained = start.copy()
            history = train(
                trained,
                data,
                epochs=epochs - back,
                rate=_later(rate, back, epochs - back),
                procedures=procedures[:-1],
                **each(training, f"round{round}"),
            )
            tickets.append(Ticket(round, start, trained, history))
        if progress is not None:
            progress(tickets[-1])
        return tickets


class Keep(Procedure):
    """Keeps the network's arrays as they are after a number of epochs."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs
        self.kept: dict[str, AnyArray] = {}

    def begin(self, run: Run) -> None:
        """See `Procedure.begin`."""
        self._look(run)

    def after_step(self, run: Run) -> None:
        """See `Procedure.after_step`."""
        self._look(run)

    def _look(self, run: Run) -> None:
        """Copy everything, if this is the step."""
        if run.step == self.epochs * run.steps_per_epoch:
            self.kept = {name: a.copy() for name, a in run.net.state().items()}

    def state(self) -> dict[str, AnyArray]:
        """See `Procedure.state`."""
        return dict(self.kept)

    def restore(self, arrays: dict[str, AnyArray]) -> None:
        """See `Procedure.restore`."""
        self.kept = dict(arrays)


def _later(rate: Rate, skipped: int, left: int) -> Rate:
    """The rate of a run of which the first epochs are left out."""
    if not skipped:
        return rate

    def shifted(step: int, total: int) -> float:
        before = total * skipped // max(left, 1)
        return rate(step + before, total + before)

    return shifted


def reinitialized(net: Network, seed: int) -> Network:
    """The same masks on weights drawn anew: shows what a ticket's values are worth."""
    other = net.copy()
    for name, layer in other.root.walk():
        layer.reset(stream(seed, "init", name))
    return other


def shuffled(net: Network, dense: Network, seed: int) -> Network:
    """As many weights a layer at random places: shows what a ticket's places are worth.

    Parameters
    ----------
    net : Network
        A ticket; only the number of weights that each layer keeps is used.
    dense : Network
        Where the values are taken from, such as the start of round 0.
    seed : int
        Draws the places.
    """
    other = dense.copy()
    masks = {}
    for name, mask in net.masks().items():
        flat = stream(seed, "shuffle masks", name).permutation(mask.reshape(-1))
        masks[name] = np.ascontiguousarray(flat.reshape(mask.shape))
    other.set_masks(masks)
    return other
