"""llm-compressor: magnitude pruning with masks, N:M groups by Wanda, and SparseGPT.

It ranks the absolute values of weights: scores are given as weights. Magnitude pruning
keeps masks while it trains, and what was pruned before is zero in the weight. Wanda
keeps none: its inputs are 1 here, so that it ranks weights alone.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from llmcompressor.core import Event, EventType, State
from llmcompressor.modifiers.pruning import (
    MagnitudePruningModifier,
    WandaPruningModifier,
)
from llmcompressor.modifiers.pruning.sparsegpt.sgpt_sparsify import sparsify_weight
from loguru import logger

from minprune.conformance.adapter import Toolkit, Unsupported
from minprune.conformance.toolkits import _torch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minprune._check import BoolArray, FloatArray

STEP = (
    EventType.BATCH_START,
    EventType.OPTIM_PRE_STEP,
    EventType.OPTIM_POST_STEP,
    EventType.BATCH_END,
)
STRUCTURE = {"row": "filter", "filter": "filter", "channel": "channel"}


class Adapter(Toolkit):
    """Conversions only."""

    name = "llm-compressor"
    version = version("llmcompressor")

    def __init__(self) -> None:
        logger.remove()

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
            raise Unsupported("network scope: not implemented, it says")
        if min_keep:
            raise Unsupported("floors")
        left = {
            name: score if previous is None else np.where(previous[name], score, 0)
            for name, score in scores.items()
        }
        return {
            name: _created(_torch.matrix(score), sparsity).reshape(score.shape)
            for name, score in left.items()
        }

    def keep_of_group(
        self, scores: FloatArray, keep: int, group: int, axis: int
    ) -> BoolArray:
        """See `Toolkit.keep_of_group`."""
        if axis != 1:
            raise Unsupported("groups along another axis than the inputs")
        if (scores < 0).any():
            raise Unsupported("negative scores: absolute values of weights are ranked")
        if not scores.all():
            raise Unsupported("scores of zero: there is no mask beside the weight")
        layer, removed = _torch.layer(scores), group - keep
        modifier = WandaPruningModifier(
            sparsity=removed / group, mask_structure=f"{removed}:{group}"
        )
        modifier._target_layers = {"w": layer}
        modifier.on_calibration_start(State(), None)
        window = scores.shape[2:]
        layer(torch.ones(1, scores.shape[1], *window, dtype=layer.weight.dtype))
        modifier.compress_modules()
        found: BoolArray = _torch.array(layer.weight) != 0
        return found

    def unit_mask(
        self,
        scores: FloatArray,
        unit: str,
        sparsity: float,
        block: tuple[int, int] | None = None,
    ) -> BoolArray:
        """See `Toolkit.unit_mask`."""
        if block is None:
            return _created(scores, sparsity, STRUCTURE[unit])
        structure = f"block_{block[0]},{block[1]}"
        return _created(_torch.matrix(scores), sparsity, structure).reshape(
            scores.shape
        )

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
        if curve not in ("linear", "cubic"):
            raise Unsupported(f"a {curve} schedule")
        state = State(model=torch.nn.Sequential(_torch.layer(np.ones((1, 1)))))
        modifier = _modifier(
            start=begin,
            end=end,
            update=frequency,
            init_sparsity=initial,
            final_sparsity=final,
            update_scheduler=curve,
        )
        modifier.initialize(state)
        for now in range(step + 1):
            for kind in STEP:
                event = Event(type_=kind, steps_per_epoch=1, global_step=now)
                modifier.update_event(state, event)
        return float(modifier.current_sparsity_ or 0.0)

    def solve(
        self,
        criterion: str,
        evidence: Mapping[str, FloatArray],
        options: Mapping[str, Any],
    ) -> tuple[BoolArray, FloatArray]:
        """See `Toolkit.solve`."""
        if criterion not in ("sparsegpt", "sparsegpt_n_m"):
            raise Unsupported(criterion)
        weight, gram = evidence["weight"], evidence["gram"]
        if weight.ndim != 2:
            raise Unsupported("solvers of a convolution")
        group = options.get("group", 0)
        layer = _torch.layer(weight)
        with torch.no_grad():
            _, moved = sparsify_weight(
                layer,
                {layer: _torch.tensor(gram.astype(np.float32))},
                sparsity=options.get("count", 0) / weight.size,
                prune_n=group - options.get("keep", 0),
                prune_m=group,
                block_size=options.get("block", 128),  # its default
                dampening_frac=options["damping"],
                preserve_sparsity_mask=False,
            )
        found: FloatArray = _torch.array(moved)
        return found != 0, found

    def forward(self, weight: FloatArray, mask: BoolArray, x: FloatArray) -> FloatArray:
        """See `Toolkit.forward`."""
        model, _ = _pruned(weight, mask)
        out: FloatArray = _torch.forward(model, x)
        return out

    def backward(
        self, weight: FloatArray, mask: BoolArray, x: FloatArray, dy: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """See `Toolkit.backward`."""
        model, modifier = _pruned(weight, mask)
        _, dx = _torch.backward(model, model[0].weight, x, dy)
        modifier.apply_mask_gradient("0")  # as before a step of the optimizer
        return _torch.array(model[0].weight.grad), dx

    def store(
        self, weight: FloatArray, mask: BoolArray
    ) -> tuple[FloatArray, BoolArray]:
        """See `Toolkit.store`."""
        model, _ = _pruned(weight, mask)
        read = _torch.restored(model.state_dict())
        back, _ = _pruned(np.zeros_like(weight), np.ones_like(mask))
        back.load_state_dict(read)
        return _torch.array(back[0].weight), _torch.array(back[0].mask)


def _modifier(**how: Any) -> Any:
    """Magnitude pruning of all layers."""
    return MagnitudePruningModifier(targets=["Linear", "Conv2d"], **how)


def _created(
    scores: FloatArray, sparsity: float, structure: str = "unstructured"
) -> BoolArray:
    """The mask when pruning starts."""
    if (scores < 0).any():
        raise Unsupported("negative scores: absolute values of weights are ranked")
    model = torch.nn.Sequential(_torch.layer(scores))
    levels = {"init_sparsity": sparsity, "final_sparsity": sparsity}
    modifier = _modifier(start=0, end=1, mask_structure=structure, **levels)
    modifier.initialize(State(model=model))
    found: BoolArray = _torch.array(model[0].mask)
    return found


def _pruned(weight: FloatArray, mask: BoolArray) -> tuple[Any, Any]:
    """A model of one layer under a mask that is saved with it, and its modifier."""
    model = torch.nn.Sequential(_torch.layer(weight))
    modifier = _modifier(start=0, end=1, init_sparsity=0.0, final_sparsity=0.0)
    modifier.initialize(State(model=model), save_masks=True)
    modifier.update_mask("0", _torch.tensor(mask))
    modifier.apply_mask_weight("0")  # as after a step of the optimizer
    return model, modifier
