"""What selecting can mean: a count, a rule for ties, and what a sparsity refers to."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from minprune._check import BoolArray, FloatArray
from minprune._random import stream
from minprune.masks import _request
from minprune.masks.count import RULES, Share, share
from minprune.masks.select import lowest

Ties = Literal["split", "drawn", "removed", "kept"]
Refers = Literal["original", "remaining", "once"]

TIES: dict[Ties, str] = {
    "split": "as many of them go as the count asks, in a fixed order",
    "drawn": "as many of them go as the count asks, drawn at random",
    "removed": "all of them go, beyond the count",
    "kept": "all of them stay, short of the count",
}
"""What happens to scores that are equal at the cut."""

REFERS: dict[Refers, str] = {
    "original": "sparsity is of the original size",
    "remaining": "sparsity is of what remains, so that it compounds",
    "once": "the cut is made once",
}
"""What a sparsity refers to when something is already gone."""


@dataclass(frozen=True, slots=True)
class Profile:
    """The selection contract of one toolkit.

    Attributes
    ----------
    name : str
        Key in `PROFILES`.
    toolkit : str
        Whose contract it is, in words.
    rule : str
        How many go: a key of `minprune.masks.count.RULES`.
    ties : {"split", "drawn", "removed", "kept"}
        What happens to scores that are equal at the cut; see `TIES`.
    refers : {"original", "remaining", "once"}
        What a sparsity refers to when something is gone; see `REFERS`.
    spares_first : bool
        Whether, when at most one would stay, the first stays and nothing else.
    """

    name: str
    toolkit: str
    rule: str
    ties: Ties
    refers: Refers
    spares_first: bool = False

    def count(self, size: int, sparsity: Share) -> int:
        """How many of `size` different scores go; NoAnswer where the toolkit fails."""
        exact = share(self.name, sparsity)
        if size == 0:
            return 0
        gone = RULES[self.rule](size, float(exact))
        return size - 1 if self.spares_first and gone == size else gone

    def asked(self, size: int, gone: int, sparsity: Share) -> int:
        """How many of `size` different scores are gone after, if `gone` were before."""
        if self.refers == "remaining":
            return gone + self.count(size - gone, sparsity)
        return max(self.count(size, sparsity), gone)

    def mask(
        self,
        scores: FloatArray,
        sparsity: Share,
        *,
        previous: BoolArray | None = None,
        seed: int = 0,
    ) -> BoolArray:
        """The mask this toolkit would make of one array of scores.

        Parameters
        ----------
        scores : ndarray of float
            Higher is kept. Real and finite.
        sparsity : share
            As the toolkit is asked; counted in its own arithmetic.
        previous : ndarray of bool, optional
            What is still there. What is gone stays gone.
        seed : int
            For ties that are drawn at random.

        Returns
        -------
        mask : ndarray of bool, same shape as `scores`
            True where kept. Where only the count is promised and the order of equal
            scores is left to a library, the lower flat index goes first.

        Raises
        ------
        NoAnswer
            If the toolkit fails at this size and sparsity.
        ValueError
            If a score is not finite, or something is gone already and the cut is made
            once.
        """
        arrays = _request.arrays(self.name, scores)
        given = arrays[_request.ALONE]
        there = _request.previous(self.name, arrays, previous)[_request.ALONE]
        at = np.flatnonzero(there)
        gone = given.size - at.size
        if gone and self.refers == "once":
            raise ValueError(
                f"{self.name}: {gone} of {given.size} are already gone, but this cut "
                f"is made once; expected whole scores"
            )
        count = self.asked(given.size, gone, sparsity) - gone
        mask = there.reshape(-1).copy()
        mask[at] = ~self._goes(given.reshape(-1)[at], count, seed)
        if self.spares_first and np.count_nonzero(mask) <= 1:
            mask[:] = np.arange(mask.size) == 0
        return mask.reshape(given.shape)

    def _goes(self, scores: FloatArray, count: int, seed: int) -> BoolArray:
        """Where scores go when `count` different ones would."""
        split = lowest(scores, count)
        if not 0 < count < scores.size:
            return split
        cut = scores[split].max()
        if self.ties == "removed":
            return np.asarray(scores <= cut)
        if self.ties == "kept":
            return np.asarray(scores < scores[~split].min())
        if self.ties == "drawn":
            equal = np.flatnonzero(scores == cut)
            draw = stream(seed, "ties", self.name).permutation(equal)
            split[equal] = False
            split[draw[: count - np.count_nonzero(split)]] = True
        return split
