"""Prune, recover, look, and go on or back off: until a floor or a budget is met."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Unpack

from minprune import store
from minprune._check import number, positive_int
from minprune.data import Dataset
from minprune.masks.count import Share, share
from minprune.metrics import count
from minprune.nn.checkpoint import each
from minprune.nn.network import Network
from minprune.nn.train import default_loss, evaluate
from minprune.prune.cut import Cut, Options
from minprune.prune.edit import set_masks
from minprune.prune.recover import recover
from minprune.sparse.compress import compress

FEWEST = Fraction(1, 200)
"""Below this share of what is left a step is not worth another recovery."""


@dataclass(frozen=True)
class Attempt:
    """One turn of the loop.

    Attributes
    ----------
    asked : float
        Sparsity asked for.
    sparsity, bytes, macs
        What came of it: share removed, bytes of the file, multiply-adds executed on one
        sample, in the form that `minprune.sparse.compress` chooses.
    score : float
        On the validation split after recovery: accuracy, or root mean square error.
    kept : bool
        Whether the loop went on from it; if not, it backed off.
    """

    asked: float
    sparsity: float
    bytes: int
    macs: int
    score: float
    kept: bool


@dataclass(frozen=True)
class Reached:
    """What the loop has come to.

    Attributes
    ----------
    net : Network
        The sparsest that held the floor, or the first that met the budgets.
    met : bool
        Whether every budget is met, and the floor held.
    dense_score : float
        On the validation split before pruning.
    attempts : list of Attempt
    """

    net: Network
    met: bool
    dense_score: float
    attempts: list[Attempt]


class Until:
    """Prune in turns of cutting and recovering, as far as a floor and budgets say.

    Parameters
    ----------
    criterion : str
        A name from `minprune.criteria.CATALOG`.
    max_drop : float, optional
        How far the validation score may fall below the dense network's: percentage
        points of accuracy, or per cent of the root mean square error.
    floor : float, optional
        The same as a score: a share of right answers at least, or an error at most.
    max_bytes, max_macs : int, optional
        Budgets: bytes of the file that `minprune.save` writes, and multiply-adds
        executed on one sample.
    step : share
        What the first turn removes of what is left. A turn that falls below the floor
        is taken back and the step is halved.
    turns : int
        Turns at most.
    **how
        As in `Cut`: scope, granularity, min_keep, exclude, examples, seed, ...

    Raises
    ------
    ValueError
        If neither a floor nor a budget is given.

    Notes
    -----
    With budgets the loop ends at the first network that meets them; the last cut goes
    no further than needed. With a floor alone it ends when the step has become too
    small to matter, at the sparsest network found.

    Examples
    --------
    >>> from minprune import data, nn
    >>> digits = data.load("digits")
    >>> net = nn.models.build("mlp", digits, hidden=(16,), seed=0)
    >>> _ = nn.train(net, digits, epochs=3)
    >>> reached = Until(max_macs=600).run(net, digits, epochs=1)
    >>> reached.met, reached.attempts[-1].macs <= 600
    (True, True)
    """

    def __init__(
        self,
        criterion: str = "magnitude",
        *,
        max_drop: float | None = None,
        floor: float | None = None,
        max_bytes: int | None = None,
        max_macs: int | None = None,
        step: Share = 0.4,
        turns: int = 20,
        **how: Unpack[Options],
    ) -> None:
        if all(limit is None for limit in (max_drop, floor, max_bytes, max_macs)):
            raise ValueError(
                "Until: there is nothing to prune until; expected max_drop or floor, "
                "max_bytes or max_macs"
            )
        if max_drop is not None and (floor is not None or not max_drop >= 0):
            raise ValueError(
                f"Until: max_drop is {max_drop} and floor is {floor}; expected one of "
                f"them, a drop of 0 or more"
            )
        if floor is not None:
            number("Until", "floor", floor)
        self.max_drop, self.floor = max_drop, floor
        self.budget = {"bytes": max_bytes, "macs": max_macs}
        for name, limit in self.budget.items():
            if limit is not None:
                positive_int("Until", f"max_{name}", limit)
        self.step = share("Until", step, "step")
        self.turns = positive_int("Until", "turns", turns)
        self.cut = Cut(criterion, **how)
        if self.cut.fixed:
            raise ValueError("Until: granularity 'nm' has one sparsity; use OneShot")

    def run(
        self,
        net: Network,
        data: Dataset,
        epochs: int,
        *,
        progress: Callable[[Attempt], Any] | None = None,
        **training: Any,
    ) -> Reached:
        """Run the loop; the network itself is not changed.

        Parameters
        ----------
        net : Network
            Trained.
        epochs : int
            Of each recovery.
        progress : callable, optional
            Called with each finished attempt.
        **training
            As in `minprune.nn.train`, for the recoveries; with a checkpoint every turn
            has its own file.

        Raises
        ------
        ValueError
            Before anything is pruned: if the floor is above what the dense network
            reaches, or a budget below what is left with the fewest weights; with the
            nearest feasible value.
        """
        sense = 1 if data.task == "classification" else -1
        dense = self._score(net, data)
        floor = self._floor(dense, sense)
        goal = self._goal(net, data)  # refuses a budget that cannot be met
        best, gone, step = net, _sparsity(net), self.step
        attempts: list[Attempt] = []
        while len(attempts) < self.turns and step >= FEWEST:
            if any(self.budget.values()) and self._fits(best):
                break
            if best is not net:  # recovery has changed which weights go where
                goal = self._goal(best, data)
            asked = min(gone + (1 - gone) * step, goal)
            if asked == gone:
                break
            candidate = best.copy()
            set_masks(candidate, self.cut.masks(candidate, data, asked, rising=True))
            own = each(training, f"turn{len(attempts) + 1}")
            candidate = recover(candidate, data, epochs, **own)
            score = self._score(candidate, data)
            holds = floor is None or sense * score >= sense * floor
            small = compress(candidate)
            attempts.append(
                Attempt(
                    float(asked),
                    count(small).sparsity,
                    store.size(small),
                    small.macs(),
                    score,
                    holds,
                )
            )
            if progress is not None:
                progress(attempts[-1])
            if holds:
                best, gone = candidate, asked
            else:
                step /= 2
        return Reached(best, self._fits(best), dense, attempts)

    def _score(self, net: Network, data: Dataset) -> float:
        """Accuracy or error on the validation split."""
        return evaluate(net, data.val, default_loss(data))[1]

    def _floor(self, dense: float, sense: int) -> float | None:
        """The worst score allowed."""
        if self.max_drop is not None:
            part = self.max_drop / 100
            return dense - part if sense > 0 else dense * (1 + part)
        if self.floor is not None and sense * self.floor > sense * dense:
            raise ValueError(
                f"Until: the floor is {self.floor} on the validation split but the "
                f"dense network reaches {dense:.6g}; the nearest that can be met is "
                f"floor={dense:.6g}"
            )
        return self.floor

    def _fits(self, net: Network) -> bool:
        """Whether every budget is met."""
        small = compress(net)
        needed = {"bytes": store.size(small), "macs": small.macs()}
        return all(
            limit is None or needed[name] <= limit
            for name, limit in self.budget.items()
        )

    def _goal(self, net: Network, data: Dataset) -> Fraction:
        """The least sparsity, to a thousandth, at which the budgets are met."""
        scores = self.cut.scores(net, data)

        def cut(thousandths: int) -> Network:
            trial, asked = net.copy(), Fraction(thousandths, 1000)
            masks = self.cut.masks(trial, data, asked, scores=scores, rising=True)
            set_masks(trial, masks)
            return trial

        most = self._most(cut)
        if not any(self.budget.values()):
            return Fraction(most, 1000)
        sparsest = cut(most)
        if not self._fits(sparsest):
            small = compress(sparsest)
            raise ValueError(
                f"Until: the budget ({self._limits()}) cannot be met: with the fewest "
                f"weights that may stay, the network takes {store.size(small)} bytes "
                f"and {small.macs()} multiply-adds; these are the nearest"
            )
        low, high = -1, most
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self._fits(cut(middle)) else (middle, high)
        return Fraction(high, 1000)

    def _most(self, cut: Callable[[int], Network]) -> int:
        """The highest sparsity, in thousandths, that the floors of layers allow."""
        low, high = 0, 1001
        while high - low > 1:
            middle = (low + high) // 2
            try:
                cut(middle)
                low = middle
            except ValueError:
                high = middle
        return low

    def _limits(self) -> str:
        words = {"bytes": "bytes", "macs": "multiply-adds"}
        given = {n: limit for n, limit in self.budget.items() if limit is not None}
        return ", ".join(f"{limit} {words[name]}" for name, limit in given.items())


def _sparsity(net: Network) -> Fraction:
    """Share that is gone already, exactly."""
    masks = net.masks().values()
    size = sum(mask.size for mask in masks)
    kept = sum(int(mask.sum()) for mask in masks)
    return Fraction(size - kept, size) if size else Fraction(0)
