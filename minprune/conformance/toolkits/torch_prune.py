"""torch.nn.utils.prune: unstructured, global and structured masks of PyTorch.

Scores are given as ``importance_scores``, earlier masks by ``custom_from_mask``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn.utils import prune

from minprune.conformance.adapter import Toolkit, Unsupported
from minprune.conformance.toolkits import _torch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minprune._check import BoolArray, FloatArray

DIMENSION = {"row": 0, "filter": 0, "channel": 1}


class Adapter(Toolkit):
    """Conversions only."""

    name = "torch.nn.utils.prune"
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
        if min_keep:
            raise Unsupported("floors")
        layers = {name: _holder(score.shape) for name, score in scores.items()}
        if previous is not None:
            for name, layer in layers.items():
                prune.custom_from_mask(layer, "w", _torch.tensor(previous[name]))
        importance = {name: _torch.tensor(score) for name, score in scores.items()}
        if scope == "network":
            prune.global_unstructured(
                [(layer, "w") for layer in layers.values()],
                prune.L1Unstructured,
                {(layer, "w"): importance[name] for name, layer in layers.items()},
                amount=sparsity,
            )
        else:
            for name, layer in layers.items():
                prune.l1_unstructured(layer, "w", sparsity, importance[name])
        return {
            name: _torch.kept(layer.w_mask, scores[name].shape)
            for name, layer in layers.items()
        }

    def unit_mask(
        self,
        scores: FloatArray,
        unit: str,
        sparsity: float,
        block: tuple[int, int] | None = None,
    ) -> BoolArray:
        """See `Toolkit.unit_mask`."""
        if unit not in DIMENSION:
            raise Unsupported("blocks")
        layer = _holder(scores.shape)
        prune.ln_structured(
            layer, "w", sparsity, 1, DIMENSION[unit], _torch.tensor(scores)
        )
        return _torch.kept(layer.w_mask, scores.shape)

    def forward(self, weight: FloatArray, mask: BoolArray, x: FloatArray) -> FloatArray:
        """See `Toolkit.forward`."""
        out: FloatArray = _torch.forward(_pruned(weight, mask), x)
        return out

    def backward(
        self, weight: FloatArray, mask: BoolArray, x: FloatArray, dy: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """See `Toolkit.backward`."""
        layer = _pruned(weight, mask)
        return _torch.backward(layer, layer.weight_orig, x, dy)

    def store(
        self, weight: FloatArray, mask: BoolArray
    ) -> tuple[FloatArray, BoolArray]:
        """See `Toolkit.store`."""
        saved = _pruned(weight.reshape(len(weight), -1), mask.reshape(len(mask), -1))
        back = _pruned(
            np.zeros_like(array := weight.reshape(len(weight), -1)),
            np.ones(array.shape, np.bool_),
        )
        back.load_state_dict(_torch.restored(saved.state_dict()))
        back(torch.zeros(1, array.shape[1]))  # the hook that applies the mask
        return (
            _torch.array(back.weight).reshape(weight.shape),
            _torch.kept(back.weight_mask, mask.shape),
        )


def _holder(shape: tuple[int, ...]) -> torch.nn.Module:
    """A module with one parameter; its values do not matter beside the scores."""
    layer = torch.nn.Module()
    layer.w = torch.nn.Parameter(torch.ones(shape, dtype=torch.float64))
    return layer


def _pruned(weight: FloatArray, mask: BoolArray) -> torch.nn.Module:
    """A linear layer under a mask."""
    layer: torch.nn.Module = _torch.linear(weight)
    prune.custom_from_mask(layer, "weight", _torch.tensor(mask))
    return layer
