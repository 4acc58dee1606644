"""A threshold that rises while the network can bear it."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from minprune._check import AnyArray
from minprune.masks import AdaptiveThreshold, at_least
from minprune.nn.train import Procedure, Run, evaluate
from minprune.prune.edit import set_masks
from minprune.prune.moment import Moment, every, steps_of


class Adaptive(Procedure):
    r"""Prune below a threshold that follows the gradient and the validation score.

    Parameters
    ----------
    ramp : minprune.masks.AdaptiveThreshold, optional
        The threshold, in standard deviations of what a layer has left, and the rule by
        which it moves. Left out, it begins at half a deviation.
    frequency : int or float
        Steps from one look to the next.
    end : int or float
        The last moment at which anything is pruned.
    exclude : iterable of str
        Weights that are not pruned.

    Notes
    -----
    At every look the ramp is shown the mean length of the gradient since the last one,
    and the validation score: accuracy, or minus the logarithm of the root mean square
    error, so that its tolerance is a share of the error. Weights below the threshold
    then go; a threshold that falls brings none back. No sparsity is asked for: the
    count is what comes of it.

    Of normally distributed weights 38 % lie within half a deviation of zero. Begun
    there, the perceptron of `minprune.study.digits` ended 20 epochs of this at 70 %
    sparsity, as accurate as before; begun at a tenth, at 13 %.

    See Also
    --------
    minprune.masks.AdaptiveThreshold : The rule itself.
    """

    def __init__(
        self,
        ramp: AdaptiveThreshold | None = None,
        *,
        frequency: Moment = 0.05,
        end: Moment = 0.7,
        exclude: Iterable[str] = (),
    ) -> None:
        self.ramp = self.start = AdaptiveThreshold(0.5) if ramp is None else ramp
        self.frequency, self.end_at, self.exclude = frequency, end, tuple(exclude)
        self.length = 0.0

    def begin(self, run: Run) -> None:
        """See `Procedure.begin`."""
        self.ramp, self.length = self.start, 0.0
        self.every = every("Adaptive", self.frequency, run)
        self.last = steps_of("Adaptive", "end", self.end_at, run)
        for name in self.exclude:
            run.net.owner("Adaptive", name)

    def after_backward(self, run: Run) -> None:
        """See `Procedure.after_backward`."""
        squares = [float(np.vdot(g, g)) for g in run.net.gradients().values()]
        self.length += float(np.sqrt(sum(squares))) / self.every

    def after_step(self, run: Run) -> None:
        """See `Procedure.after_step`."""
        if run.step > self.last or run.step % self.every:
            return
        _, score = evaluate(run.net, run.data.val, run.loss)
        if run.data.task == "regression":
            score = -float(np.log(max(score, np.finfo(float).tiny)))
        self.ramp, self.length = self.ramp.after(self.length, score), 0.0
        masks, weights = {}, run.net.weights()
        for name, there in run.net.masks().items():
            if name not in self.exclude and there.any():
                cut = self.ramp.value * float(weights[name][there].std())
                masks[name] = there & at_least(np.abs(weights[name]), cut)
        set_masks(run.net, masks, run.optimizer)

    def state(self) -> dict[str, AnyArray]:
        """See `Procedure.state`."""
        seen = [self.ramp.norm, self.ramp.best]
        # A number that has not been seen yet is left out, since files hold no NaN.
        known = {f"seen{i}": np.array(x) for i, x in enumerate(seen) if x is not None}
        return known | {"at": np.array([self.ramp.value, self.length])}

    def restore(self, arrays: dict[str, AnyArray]) -> None:
        """See `Procedure.restore`."""
        value, self.length = arrays["at"].tolist()
        norm, best = (
            float(arrays[key]) if key in arrays else None for key in ("seen0", "seen1")
        )
        self.ramp = replace(self.ramp, value=value, norm=norm, best=best)
