"""A little at a time, while the network is trained."""

from typing import Unpack

from minprune._check import one_of
from minprune.masks.count import Share, share
from minprune.masks.schedule import SCHEDULES, Schedule
from minprune.nn.train import Procedure, Run
from minprune.prune.cut import Cut, Options
from minprune.prune.edit import set_masks
from minprune.prune.moment import Moment, every, steps_of


class Gradual(Procedure):
    """Prune a network in steps along a schedule, and train it in between.

    Parameters
    ----------
    criterion : str
        A name from `minprune.criteria.CATALOG`.
    sparsity : share
        Share removed when the schedule ends, of the original number of weights.
    begin, end : int or float
        First and last moment at which weights go. An int is a number of steps, a float
        a share of the run. What is left of the run after `end` is recovery.
    frequency : int or float
        Steps from one update to the next, or a share of the run (at least one step).
    initial : share
        Sparsity at `begin`.
    schedule : str
        A name from `minprune.masks.SCHEDULES` that goes from `initial` to `sparsity`:
        ``"cubic"`` is Zhu & Gupta's.
    **how
        As in `Cut`: scope, granularity, min_keep, exclude, examples, seed, ...

    Raises
    ------
    ValueError
        Before training: if a share or a name is out of range, or the end comes before
        the beginning or after the last step. The message names the nearest feasible
        value.

    See Also
    --------
    OneShot : All at once.

    Notes
    -----
    At every update the number removed is exact (`minprune.masks`, M.1), and the update
    at `end` always takes place, so the target is always reached. Updates are made after
    the optimizer's step. Masks only shrink: what is gone stays gone.

    *Departs from the paper*, which prunes every layer to the same sparsity: here layers
    compete unless ``scope="layer"``.

    References
    ----------
    .. [1] M. Zhu and S. Gupta, "To prune, or not to prune: exploring the efficacy of
       pruning for model compression", 2017, Sec. 3. arXiv:1710.01878

    Examples
    --------
    >>> import numpy as np
    >>> from minprune import data, nn
    >>> digits = data.load("digits")
    >>> net = nn.models.build("mlp", digits, hidden=(16,), seed=0)
    >>> gradual = Gradual("magnitude", sparsity=0.75)
    >>> _ = nn.train(net, digits, epochs=2, procedures=[gradual])
    >>> float(np.mean(np.concatenate([m.ravel() for m in net.masks().values()])))
    0.25
    """

    def __init__(
        self,
        criterion: str = "magnitude",
        *,
        sparsity: Share,
        begin: Moment = 0.0,
        end: Moment = 0.7,
        frequency: Moment = 0.02,
        initial: Share = 0,
        schedule: str = "cubic",
        **how: Unpack[Options],
    ) -> None:
        share("Gradual", sparsity)
        self.sparsity, self.initial = sparsity, initial
        self.begin_at, self.end_at, self.frequency = begin, end, frequency
        one_of("Gradual", "schedule", schedule, RAMPS)
        self.name = schedule
        self.cut = Cut(criterion, **how)
        if self.cut.fixed:
            raise ValueError(
                "Gradual: granularity 'nm' states one sparsity, which no schedule can "
                "approach; use OneShot, or StraightThrough, which trains such a pattern"
            )

    def plan(self, run: Run) -> Schedule:
        """The schedule in steps of this run."""
        return SCHEDULES[self.name](
            self.sparsity,
            begin=steps_of("Gradual", "begin", self.begin_at, run),
            end=steps_of("Gradual", "end", self.end_at, run),
            frequency=every("Gradual", self.frequency, run),
            initial=self.initial,
        )

    def begin(self, run: Run) -> None:
        """See `Procedure.begin`."""
        self.schedule = self.plan(run)
        # What the end cannot have is refused here, not in the middle of the run.
        self.cut.masks(run.net, run.data, self.sparsity)
        self._update(run)

    def after_step(self, run: Run) -> None:
        """See `Procedure.after_step`."""
        self._update(run)

    def _update(self, run: Run) -> None:
        """Masks at the sparsity of this step, if this is a step for it."""
        if self.schedule.due(run.step):
            sparsity = self.schedule(run.step)
            masks = self.cut.masks(
                run.net,
                run.data,
                sparsity,
                round=run.step,
                rising=run.step < self.schedule.end,
            )
            set_masks(run.net, masks, run.optimizer)


RAMPS = ("linear", "cubic", "cosine", "exponential")
"""The schedules that go from one sparsity to another."""
