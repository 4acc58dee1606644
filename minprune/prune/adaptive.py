"""A threshold that rises while the network can bear it."""

from collections.abc import Iterable

import numpy as np

from minprune._check import AnyArray
from minprune.masks import at_least
from minprune.nn.train import Procedure, Run, evaluate
from minprune.prune.edit import set_masks
from minprune.prune.moment import Moment, every, steps_of


class AdaptiveThreshold(Procedure):
    r"""Prune below a threshold that follows the gradient and the validation score.

    Parameters
    ----------
    start : float
        The threshold at the beginning, in standard deviations of a layer's weights.
    rise, fall : float
        Factors by which it goes up (above 1) and down (below 1).
    calm : float
        The relative change of the gradient's length up to which training counts as
        calm. Beyond twice that it counts as upset.
    tolerance : float
        How far the validation score may lie behind the best one seen: a share of right
        answers, or a share of the root mean square error.
    frequency : int or float
        Steps from one look to the next.
    end : int or float
        The last moment at which anything is pruned.
    exclude : iterable of str
        Weights that are not pruned.

    Notes
    -----
    At every look, G is the mean length of the gradient since the last one. If
    :math:`|G - G'| / G'` is at most `calm` and the validation score is within
    `tolerance` of the best, the threshold rises. If the gradient has changed by more
    than twice `calm`, or the score is out of tolerance, it falls. Otherwise it holds.
    Weights below ``threshold * deviation`` of what their layer has left then go; a
    threshold that falls brings none back. No sparsity is asked for.

    No paper states this rule in full; it is the common one of the threshold methods
    that begin with [1]_, with the two signals made explicit.

    References
    ----------
    .. [1] S. Han, J. Pool, J. Tran and W. Dally, "Learning both weights and connections
       for efficient neural networks", NeurIPS 2015, Sec. 3. arXiv:1506.02626
    """

    def __init__(
        self,
        start: float = 0.1,
        *,
        rise: float = 1.2,
        fall: float = 0.8,
        calm: float = 0.2,
        tolerance: float = 0.01,
        frequency: Moment = 0.05,
        end: Moment = 0.7,
        exclude: Iterable[str] = (),
    ) -> None:
        if not (start > 0 and rise > 1 and 0 < fall < 1):
            raise ValueError(
                f"AdaptiveThreshold: start is {start}, rise {rise} and fall {fall}; "
                f"expected start above 0, rise above 1 and fall between 0 and 1"
            )
        self.threshold, self.rise, self.fall = float(start), rise, fall
        self.calm, self.tolerance = calm, tolerance
        self.frequency, self.end_at, self.exclude = frequency, end, tuple(exclude)
        self.length = self.before = 0.0
        self.best = -np.inf

    def begin(self, run: Run) -> None:
        """See `Procedure.begin`."""
        self.every = every("AdaptiveThreshold", self.frequency, run)
        self.last = steps_of("AdaptiveThreshold", "end", self.end_at, run)

    def after_backward(self, run: Run) -> None:
        """See `Procedure.after_backward`."""
        squares = [float(np.vdot(g, g)) for g in run.net.gradients().values()]
        self.length += float(np.sqrt(sum(squares))) / self.every

    def after_step(self, run: Run) -> None:
        """See `Procedure.after_step`."""
        if run.step > self.last or run.step % self.every:
            return
        self.threshold *= self._factor(run)
        self.before, self.length = self.length, 0.0
        masks = {}
        for name, there in run.net.masks().items():
            if name not in self.exclude and there.any():
                size = np.abs(run.net.weights()[name])
                value = self.threshold * float(run.net.weights()[name][there].std())
                masks[name] = there & at_least(size, value)
        set_masks(run.net, masks, run.optimizer)

    def _factor(self, run: Run) -> float:
        """What the threshold is multiplied by at this look."""
        _, score = evaluate(run.net, run.data.val, run.loss)
        # An error is better when lower; its logarithm makes the tolerance a share.
        good = (
            score if run.data.task == "classification" else -np.log(max(score, 1e-300))
        )
        self.best = max(self.best, good)
        steady = good >= self.best - self.tolerance
        change = abs(self.length - self.before) / self.before if self.before else 0.0
        if steady and change <= self.calm:
            return self.rise
        return self.fall if not steady or change > 2 * self.calm else 1.0

    def state(self) -> dict[str, AnyArray]:
        """See `Procedure.state`."""
        return {"at": np.array([self.threshold, self.length, self.before, self.best])}

    def restore(self, arrays: dict[str, AnyArray]) -> None:
        """See `Procedure.restore`."""
        self.threshold, self.length, self.before, self.best = arrays["at"].tolist()
