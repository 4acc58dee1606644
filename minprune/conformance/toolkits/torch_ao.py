"""torch.ao.pruning: WeightNormSparsifier and CubicSL of PyTorch.

The sparsifier takes a function for its norm, here the identity, so that scores are
ranked as they are. It knows linear layers: other shapes are given as matrices of rows.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.ao.pruning import CubicSL, WeightNormSparsifier

from minprune.conformance.adapter import Toolkit, Unsupported
from minprune.conformance.toolkits import _torch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minprune._check import BoolArray, FloatArray


class Adapter(Toolkit):
    """Conversions only."""

    name = "torch.ao.pruning"
    version = str(torch.__version__)

    def mask(
        self,
        scores: Mapping[str, FloatArray],
        sparsity: float,
        scope: str,
        min_keep: int | None = None,
        previous: Mapping[str, BoolArray] | None = None,
    ) -> Mapping[str, BoolArray]:
        """See `Toolkit.mask`."""
        if scope != "layer":
            raise Unsupported("network scope")
        if min_keep:
            raise Unsupported("floors")
        return {
            name: _mask(
                score,
                (1, 1),
                sparsity_level=sparsity,
                previous=None if previous is None else previous[name],
            )
            for name, score in scores.items()
        }

    def keep_of_group(
        self, scores: FloatArray, keep: int, group: int, axis: int
    ) -> BoolArray:
        """See `Toolkit.keep_of_group`."""
        if scores.ndim != 2:
            raise Unsupported("groups of a convolution")
        block = (group, 1) if axis == 0 else (1, group)
        return _mask(scores, block, sparsity_level=1.0, zeros_per_block=group - keep)

    def unit_mask(
        self,
        scores: FloatArray,
        unit: str,
        sparsity: float,
        block: tuple[int, int] | None = None,
    ) -> BoolArray:
        """See `Toolkit.unit_mask`."""
        rows, columns = _torch.matrix(scores).shape
        if unit == "channel":
            if scores.ndim != 2:
                raise Unsupported("channels of a convolution")
            block = (rows, 1)
        return _mask(scores, block or (1, columns), sparsity_level=sparsity)

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
        """See `Toolkit.schedule`."""
        if curve != "cubic":
            raise Unsupported(f"a {curve} schedule")
        sparsifier = WeightNormSparsifier(sparsity_level=final)
        model = torch.nn.Sequential(torch.nn.Linear(1, 1, bias=False))
        sparsifier.prepare(model, [{"tensor_fqn": "0.weight"}])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of its own calling order
            CubicSL(
                sparsifier,
                init_sl=initial,
                init_t=begin,
                delta_t=frequency,
                total_t=(end - begin) / frequency,
                initially_zero=True,
                last_epoch=step - 1,
            )
        return float(sparsifier.groups[0]["sparsity_level"])

    def forward(self, weight: FloatArray, mask: BoolArray, x: FloatArray) -> FloatArray:
        """See `Toolkit.forward`."""
        model, _, _ = _pruned(weight, mask)
        out: FloatArray = _torch.forward(model, x)
        return out

    def backward(
        self, weight: FloatArray, mask: BoolArray, x: FloatArray, dy: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """See `Toolkit.backward`."""
        model, parts, _ = _pruned(weight, mask)
        return _torch.backward(model, parts.original, x, dy)

    def store(
        self, weight: FloatArray, mask: BoolArray
    ) -> tuple[FloatArray, BoolArray]:
        """See `Toolkit.store`."""
        flat, flags = _torch.matrix(weight), _torch.matrix(mask)
        model, _, sparsifier = _pruned(flat, flags)
        masks = sparsifier.state_dict()
        masks["state"] = dict(masks["state"])  # safe loading refuses a defaultdict
        read = _torch.restored({"model": model.state_dict(), "masks": masks})
        back, parts, other = _pruned(np.zeros_like(flat), np.ones_like(flags))
        # The model's own state leaves out the masks, and strict loading asks for them.
        back.load_state_dict(read["model"], strict=False)
        other.load_state_dict(read["masks"])
        return (
            _torch.array(back[0].weight).reshape(weight.shape),
            _torch.kept(parts[0].mask, mask.shape),
        )


def _prepared(
    weight: FloatArray, sparsifier: WeightNormSparsifier
) -> tuple[torch.nn.Sequential, Any]:
    """A model of one linear layer, and the parametrization that has its mask."""
    model = torch.nn.Sequential(_torch.linear(weight))
    sparsifier.prepare(model, [{"tensor_fqn": "0.weight"}])
    return model, model[0].parametrizations.weight


def _mask(
    scores: FloatArray,
    block: tuple[int, int],
    previous: BoolArray | None = None,
    **levels: Any,
) -> BoolArray:
    """The mask of one step of the sparsifier."""
    sparsifier = WeightNormSparsifier(
        sparse_block_shape=block, norm=lambda weight: weight, **levels
    )
    _, parts = _prepared(_torch.matrix(scores), sparsifier)
    if previous is not None:
        parts[0].mask.copy_(_torch.tensor(_torch.matrix(previous)))
    sparsifier.step()
    return _torch.kept(parts[0].mask, scores.shape)


def _pruned(weight: FloatArray, mask: BoolArray) -> tuple[Any, Any, Any]:
    """A model of one layer under a mask, its parametrization and its sparsifier."""
    sparsifier = WeightNormSparsifier()
    model, parts = _prepared(weight, sparsifier)
    parts[0].mask.copy_(_torch.tensor(mask))
    return model, parts, sparsifier
