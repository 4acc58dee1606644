"""What a toolkit shows of itself in order to be checked: NumPy in, NumPy out.

An adapter is the only code a third party writes. It converts arrays on the way in and
on the way out and decides nothing: no rounding, no tie-breaking, no clipping. Whatever
it repairs, the report can no longer see. What its toolkit lacks it leaves as it is
here: every capability raises `Unsupported`, which is counted in the open, never a pass.

This file also runs in the interpreter of the toolkit, beside `worker.py`: it is written
for Python 3.7 and imports nothing of minprune there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from minprune._check import BoolArray, FloatArray


class Unsupported(Exception):
    """Raised by an adapter for what its toolkit lacks."""


class Toolkit:
    """A pruning toolkit, seen through arrays; subclass it and override what there is.

    Attributes
    ----------
    name, version : str
        As the toolkit itself reports them.
    environment : str
        What it runs in, where that is another interpreter.
    """

    name: str = "unnamed"
    version: str = "0"
    environment: str = ""

    def begin(self) -> None:
        """Called before every check; an adapter that keeps state starts afresh."""
        return

    def mask(
        self,
        scores: Mapping[str, FloatArray],
        sparsity: float,
        scope: str,
        min_keep: int | None = None,
        previous: Mapping[str, BoolArray] | None = None,
    ) -> Mapping[str, BoolArray]:
        """Remove the lowest-scoring share; True is kept.

        Parameters
        ----------
        scores : mapping of str to ndarray
            By layer; higher is kept.
        sparsity : float
            Share to remove.
        scope : {"layer", "network"}
            Whose scores compete.
        min_keep : int, optional
            Entries every layer keeps at least; None is the toolkit's own default.
        previous : mapping of str to ndarray of bool, optional
            Masks of an earlier pruning, to be pruned further.
        """
        raise Unsupported("selection by scores")

    def keep_of_group(
        self, scores: FloatArray, keep: int, group: int, axis: int
    ) -> BoolArray:
        """Keep the `keep` highest of every `group` neighbors along an axis."""
        raise Unsupported("keep-of-group patterns")

    def unit_mask(
        self,
        scores: FloatArray,
        unit: str,
        sparsity: float,
        block: tuple[int, int] | None = None,
    ) -> BoolArray:
        """Remove whole rows, filters or blocks, scored by the sum over their weights.

        Parameters
        ----------
        scores : ndarray, shape of the weight
        unit : {"row", "filter", "channel", "block"}
        sparsity : float
            Share of the units.
        block : tuple of int, optional
            Rows and columns of a block.
        """
        raise Unsupported("selection by units")

    def allocate(
        self, method: str, shapes: Mapping[str, tuple[int, ...]], sparsity: float
    ) -> Mapping[str, int]:
        """Weights to remove from each layer, by "uniform", "er" or "erk"."""
        raise Unsupported("allocation")

    def schedule(
        self,
        curve: str,
        step: int,
        final: float,
        begin: int,
        end: int,
        frequency: int,
        initial: float,
    ) -> float:
        """Sparsity at a step, of "linear", "cubic", "cosine" or "exponential"."""
        raise Unsupported("schedules")

    def score(self, criterion: str, evidence: Mapping[str, FloatArray]) -> FloatArray:
        """Score one layer by a criterion of the catalog; the higher is kept."""
        raise Unsupported("scores")

    def solve(
        self,
        criterion: str,
        evidence: Mapping[str, FloatArray],
        options: Mapping[str, Any],
    ) -> tuple[BoolArray, FloatArray]:
        """Prune one layer by a solver of the catalog: the mask, the moved weight.

        Parameters
        ----------
        criterion : str
            Name of the solver.
        evidence : mapping of str to ndarray
            What its card asks for.
        options : mapping
            What it takes beside: ``count``, ``keep`` and ``group``, ``mask``, ...
        """
        raise Unsupported("solvers")

    def forward(self, weight: FloatArray, mask: BoolArray, x: FloatArray) -> FloatArray:
        """(N, in) -> (N, out): a pruned linear layer without bias."""
        raise Unsupported("the forward of a pruned layer")

    def backward(
        self, weight: FloatArray, mask: BoolArray, x: FloatArray, dy: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Gradients at the weight, zero where pruned, and at the input."""
        raise Unsupported("the backward of a pruned layer")

    def store(
        self, weight: FloatArray, mask: BoolArray
    ) -> tuple[FloatArray, BoolArray]:
        """Weight and mask after they went to a file and came back."""
        raise Unsupported("saving and loading a pruned weight")

    def shrink(
        self, weights: tuple[FloatArray, ...], removed: tuple[tuple[int, ...], ...]
    ) -> tuple[FloatArray, ...]:
        """Weights of an MLP without biases, hidden units really taken out.

        Parameters
        ----------
        weights : tuple of ndarray, each (out, in)
            Layers in order; ReLU between them.
        removed : tuple of tuple of int
            Units to take out behind each layer but the last.
        """
        raise Unsupported("structured removal")

    def compact(
        self,
        network: Mapping[str, Any],
        x: FloatArray,
        removed: Mapping[str, list[int]],
    ) -> Mapping[str, Any]:
        """A network without some units and all that is tied to them.

        Parameters
        ----------
        network : mapping
            A nested dict, as `definition.networks` writes networks down.
        x : ndarray
            Inputs, samples first, for toolkits that trace.
        removed : mapping of str to list of int
            Outputs to take out, by the name of the layer that makes them; what is tied
            to them is for the toolkit to find.

        Returns
        -------
        smaller : mapping
            The same nested dict with smaller arrays.
        """
        raise Unsupported("structured removal from networks")
