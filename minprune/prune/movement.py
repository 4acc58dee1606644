"""Movement pruning: keep the weights that training moves away from zero."""

from collections.abc import Iterable
from math import inf

import numpy as np

from minprune._check import BoolArray, FloatArray, number, one_of
from minprune.masks._request import Scope
from minprune.masks.count import Share, share
from minprune.masks.schedule import SCHEDULES
from minprune.nn.train import Run
from minprune.prune.gradual import RAMPS
from minprune.prune.instead import Instead, Source, sigmoid
from minprune.prune.moment import Moment, every, steps_of


class Movement(Instead["Scored"]):
    r"""Learn a score for every weight; the highest scores keep theirs.

    Parameters
    ----------
    sparsity : share
        Share removed from the end of the schedule on.
    begin, end, frequency, schedule
        As in `Gradual`: how the sparsity rises. The masks themselves are made anew at
        every step, since scores move at every step.
    scope : {"layer", "network"} or dict
        Whose scores compete; in the paper those of one matrix.
    exclude : iterable of str
        Weights that are trained as they are.

    See Also
    --------
    SoftMovement : A threshold on the scores instead of a count.
    minprune.criteria : `movement`, the score in one formula.

    Notes
    -----
    The network computes with :math:`w' = w \odot M(S)`, M keeping the highest scores.
    The gradient passes M as if it were the identity:

    .. math::

        \frac{\partial L}{\partial S} = \frac{\partial L}{\partial w'} \odot w, \qquad
        \frac{\partial L}{\partial w} = \frac{\partial L}{\partial w'} \odot M.

    So a score grows while its weight moves away from zero. A pruned weight rests, its
    score goes on, and it comes back with the value it had when it scores high enough,
    with nothing remembered by the optimizer. Scores begin at zero; among equal ones the
    lower flat index goes.

    *Departs from the official code*, where a pruned weight has no gradient, but AdamW's
    momentum and weight decay go on moving it.

    References
    ----------
    .. [1] V. Sanh, T. Wolf and A. Rush, "Movement pruning: adaptive sparsity by
       fine-tuning", NeurIPS 2020, Sec. 4. arXiv:2005.07683
    """

    def __init__(
        self,
        *,
        sparsity: Share,
        begin: Moment = 0.0,
        end: Moment = 0.7,
        frequency: Moment = 0.02,
        schedule: str = "cubic",
        scope: Scope = "layer",
        exclude: Iterable[str] = (),
    ) -> None:
        super().__init__(exclude)
        share("Movement", sparsity)
        self.sparsity, self.scope = sparsity, scope
        self.begin_at, self.end_at, self.frequency = begin, end, frequency
        self.name = one_of("Movement", "schedule", schedule, RAMPS)

    def source(self, name: str, weight: FloatArray, alive: BoolArray) -> "Scored":
        """See `Instead.source`."""
        return Scored(weight, alive)

    def begin(self, run: Run) -> None:
        """See `Procedure.begin`."""
        self.schedule = SCHEDULES[self.name](
            self.sparsity,
            begin=steps_of("Movement", "begin", self.begin_at, run),
            end=steps_of("Movement", "end", self.end_at, run),
            frequency=every("Movement", self.frequency, run),
        )
        super().begin(run)
        # What the end cannot have is refused here, not in the middle of the run.
        self.select(self._scores(), self.sparsity, self.scope)

    def update(self, run: Run) -> None:
        """See `Instead.update`."""
        masks = self.select(
            self._scores(),
            self.schedule(run.step),
            self.scope,
            rising=run.step < self.schedule.end,
        )
        for name, source in self.sources.items():
            source.mask = masks[name]

    def _scores(self) -> dict[str, FloatArray]:
        """The score of every weight, as it has been learned so far."""
        return {name: source.thetas["score"] for name, source in self.sources.items()}


class SoftMovement(Instead["Scored"]):
    r"""Learn a score for every weight; those above a threshold keep theirs.

    Parameters
    ----------
    threshold : float
        tau, between 0 and 1: a weight stays while sigmoid(S) is above it.
    penalty : float
        lambda: what the mean of sigmoid(S) over a layer costs, in units of the loss. It
        alone decides how much is pruned.
    initial : float
        S at the beginning; 0 starts at sigmoid(S) = 1/2.
    speed : float
        What a score counts times its trained value: how many times as fast as a weight
        it moves under Adam.
    exclude : iterable of str
        Weights that are trained as they are.

    See Also
    --------
    Movement : An exact count instead of a threshold.

    Notes
    -----
    :math:`M = 1[\sigma(S) > \tau]` and
    :math:`L + \lambda \sum_\ell \mathrm{mean}(\sigma(S_\ell))`.

    *Departs from the official code*, which multiplies by :math:`M` but lets a threshold
    rise over the run; here it is fixed, and `initial` above it keeps everything at
    first.

    References
    ----------
    .. [1] V. Sanh, T. Wolf and A. Rush, "Movement pruning: adaptive sparsity by
       fine-tuning", NeurIPS 2020, Sec. 4.2. arXiv:2005.07683
    """

    def __init__(
        self,
        *,
        threshold: float = 0.1,
        penalty: float = 1.0,
        initial: float = 0.0,
        speed: float = 1.0,
        exclude: Iterable[str] = (),
    ) -> None:
        super().__init__(exclude)
        if not 0 < threshold < 1:
            raise ValueError(
                f"SoftMovement: threshold is {threshold}; expected between 0 and 1, "
                f"since it is compared with a sigmoid"
            )
        if not number("SoftMovement", "speed", speed) > 0:
            raise ValueError(f"SoftMovement: speed is {speed}; expected above 0")
        self.threshold, self.speed = threshold, speed
        self.penalty = number("SoftMovement", "penalty", penalty)
        self.initial = number("SoftMovement", "initial", initial, -inf)

    def source(self, name: str, weight: FloatArray, alive: BoolArray) -> "Scored":
        """See `Instead.source`."""
        scored = Scored(weight, alive, self.speed, self.penalty)
        scored.thetas["score"][...] = self.initial / self.speed
        return scored

    def update(self, run: Run) -> None:
        """See `Instead.update`."""
        for source in self.sources.values():
            gate = sigmoid(source.speed * source.thetas["score"])
            source.mask = source.alive & (gate > self.threshold)


class Scored(Source):
    """A weight behind a mask that its learned score decides."""

    def __init__(
        self,
        weight: FloatArray,
        alive: BoolArray,
        speed: float = 1.0,
        penalty: float = 0.0,
    ) -> None:
        super().__init__(weight, alive)
        self.thetas["score"] = np.zeros_like(weight)
        self.speed, self.penalty = speed, penalty

    def resting(self) -> BoolArray:
        """See `Source.resting`."""
        return ~self.mask

    def pullback(self, grad: FloatArray) -> dict[str, FloatArray]:
        """See `Source.pullback`."""
        slope = grad * self.thetas["weight"]
        if self.penalty:
            gate = sigmoid(self.speed * self.thetas["score"])
            slope = slope + self.penalty / gate.size * gate * (1 - gate)
        return {
            "weight": np.where(self.mask, grad, 0),
            "score": np.where(self.alive, self.speed * slope, 0),
        }
