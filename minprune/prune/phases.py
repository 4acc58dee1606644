"""AC/DC: compressed and decompressed phases take turns."""

from typing import Unpack

import numpy as np

from minprune._check import AnyArray, positive_int
from minprune.masks.count import Share, share
from minprune.nn.train import Procedure, Run
from minprune.prune.cut import Cut, Options
from minprune.prune.edit import set_masks
from minprune.prune.instead import needs_dense
from minprune.prune.moment import Moment, steps_of


class Phases(Procedure):
    """Train sparse and dense in turns, sparse at last.

    Parameters
    ----------
    criterion : str
        Chooses what stays at the beginning of every compressed phase; magnitude in the
        paper.
    sparsity : share
        Share removed in the compressed phases.
    begin : int or float
        First compressed phase; the network is trained dense until then.
    end : int or float
        Beginning of the last compressed phase, which lasts to the end of the run.
    phases : int
        Number of compressed phases, the last included; between two of them lies a
        decompressed one of the same length.
    **how
        As in `Cut`: scope, granularity, min_keep, exclude, examples, seed, ...

    Notes
    -----
    A compressed phase trains what its mask keeps. When it ends, every weight takes part
    again, pruned ones from zero and with nothing remembered by the optimizer. The two
    networks that come out, the last dense one and the last sparse one, are trained
    together; `dense` holds the weights at the end of the last decompressed phase.

    References
    ----------
    .. [1] A. Peste, E. Iofinova, A. Vladu and D. Alistarh, "AC/DC: alternating
       compressed/decompressed training of deep neural networks", NeurIPS 2021,
       Algorithm 1. arXiv:2106.12379
    """

    def __init__(
        self,
        criterion: str = "magnitude",
        *,
        sparsity: Share,
        begin: Moment = 0.1,
        end: Moment = 0.7,
        phases: int = 4,
        **how: Unpack[Options],
    ) -> None:
        share("Phases", sparsity)
        self.sparsity, self.begin_at, self.end_at = sparsity, begin, end
        self.phases = positive_int("Phases", "phases", phases)
        self.cut = Cut(criterion, **how)

    def begin(self, run: Run) -> None:
        """See `Procedure.begin`."""
        self.dense = {n: w.copy() for n, w in needs_dense("Phases", run.net).items()}
        self.before = run.net.masks()
        first = steps_of("Phases", "begin", self.begin_at, run)
        last = steps_of("Phases", "end", self.end_at, run)
        turns = 2 * (self.phases - 1)
        if last - first < turns:
            raise ValueError(
                f"Phases: {self.phases} phases from step {first} to {last} leave none "
                f"of them a step; the nearest that can be met is end={first + turns}"
            )
        # What cannot be cut is refused here, not in the middle of the run.
        self.cut.masks(run.net, run.data, self.sparsity)
        edges = np.linspace(first, last, turns + 1).astype(int)
        self.compress_at, self.release_at = set(edges[::2]), set(edges[1::2])
        self._turn(run)

    def after_step(self, run: Run) -> None:
        """See `Procedure.after_step`."""
        self._turn(run)

    def _turn(self, run: Run) -> None:
        """Begin a phase, if this is a step for it."""
        if run.step in self.compress_at:
            self.dense = {n: w.copy() for n, w in run.net.weights().items()}
            masks = self.cut.masks(
                run.net, run.data, self.sparsity, round=run.step, previous=self.before
            )
            set_masks(run.net, masks, run.optimizer)
        elif run.step in self.release_at:
            set_masks(run.net, self.before, run.optimizer)

    def state(self) -> dict[str, AnyArray]:
        """See `Procedure.state`."""
        dense = {f"{name}:dense": weight.copy() for name, weight in self.dense.items()}
        return dense | {f"{name}:before": mask for name, mask in self.before.items()}

    def restore(self, arrays: dict[str, AnyArray]) -> None:
        """See `Procedure.restore`."""
        self.dense = {name: arrays[f"{name}:dense"].copy() for name in self.dense}
        self.before = {
            name: arrays[f"{name}:before"].astype(bool) for name in self.dense
        }
