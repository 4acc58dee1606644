"""Intel Neural Compressor 2: patterns, criteria and schedules of its pruners.

Scores are given to a pattern, which is made for layers of their shapes, as criteria
give them. What is pruned is zero in the weight, and no mask is saved: loading takes
masks from the zeros.
"""

from __future__ import annotations

import logging
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from neural_compressor import WeightPruningConfig
from neural_compressor.compression.pruner.criteria import CRITERIA
from neural_compressor.compression.pruner.model_slim.weight_slim import (
    LinearCompression,
)
from neural_compressor.compression.pruner.patterns import get_pattern
from neural_compressor.compression.pruner.pruners.basic import PytorchBasicPruner
from neural_compressor.compression.pruner.pruners.sparse_gpt import SparseGPTPruner
from neural_compressor.compression.pruner.utils import process_config

from minprune.conformance.adapter import Toolkit, Unsupported
from minprune.conformance.toolkits import _torch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minprune._check import BoolArray, FloatArray

CURVES = {"linear": "linear", "cubic": "cube", "cosine": "cos", "exponential": "exp"}
SCOPES = {"layer": "local", "network": "global"}
SCORED = {
    "magnitude": ("magnitude", "1x1"),
    "gradient_magnitude": ("gradient", "1x1"),
    "snip": ("snip", "1x1"),
    "l1_norm": ("magnitude", "1xchannel"),
}
UNITS = {"row": "1xchannel", "filter": "1xchannel", "channel": "channelx1"}


class Adapter(Toolkit):
    """Conversions only."""

    name = "Neural Compressor"
    version = version("neural-compressor")

    def __init__(self) -> None:
        logging.getLogger("neural_compressor").setLevel(logging.ERROR)

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
            raise Unsupported("floors as counts: a layer has a largest sparsity")
        given = {name: _torch.matrix(score) for name, score in scores.items()}
        pattern = _pattern(given, "1x1", sparsity, pruning_scope=SCOPES[scope])
        if previous is None:
            before = {name: np.ones_like(score, bool) for name, score in given.items()}
        else:
            before = {name: _torch.matrix(mask) for name, mask in previous.items()}
        masks = pattern.get_masks(
            {name: _torch.tensor(score) for name, score in given.items()},
            sparsity,
            {name: _torch.tensor(mask) for name, mask in before.items()},
        )
        return {
            name: _torch.kept(masks[name], score.shape)
            for name, score in scores.items()
        }

    def keep_of_group(
        self, scores: FloatArray, keep: int, group: int, axis: int
    ) -> BoolArray:
        """See `Toolkit.keep_of_group`."""
        if axis != 1:
            raise Unsupported("groups along another axis than the inputs")
        removed = group - keep
        pattern = _pattern({"w": scores}, f"{removed}:{group}", removed / group)
        return _mask(pattern, _torch.tensor(scores), removed / group, scores.shape)

    def unit_mask(
        self,
        scores: FloatArray,
        unit: str,
        sparsity: float,
        block: tuple[int, int] | None = None,
    ) -> BoolArray:
        """See `Toolkit.unit_mask`."""
        given = scores if block is None else _torch.matrix(scores)
        name = UNITS[unit] if block is None else f"{block[0]}x{block[1]}"
        pattern = _pattern({"w": given}, name, sparsity)
        reduced = pattern.reduce_score(_torch.tensor(given), "w")
        return _mask(pattern, reduced, sparsity, scores.shape)

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
        config = _config(
            "1x1",
            final,
            start_step=begin,
            end_step=end,
            pruning_frequency=frequency,
            sparsity_decay_type=CURVES[curve],
        )
        pruner = PytorchBasicPruner(config, _modules({"w": np.ones((1, 1))}))
        pruner.init_sparsity_ratio = initial
        asked = [0.0]

        def note(scores: Any, sparsity: float, masks: Any) -> Any:
            asked.append(float(sparsity))
            return masks

        pruner.pattern.get_masks = note
        for now in range(step + 1):
            pruner.on_step_begin(now)
            pruner.on_after_optimizer_step()
        return asked[-1]

    def score(self, criterion: str, evidence: Mapping[str, FloatArray]) -> FloatArray:
        """See `Toolkit.score`."""
        if criterion not in SCORED:
            raise Unsupported(criterion)
        name, pattern = SCORED[criterion]
        given = evidence.get("weight", evidence.get("grad"))
        if given is None or given.ndim != 2:
            raise Unsupported("scores of a convolution")
        config = _config(pattern, 0.5, end_step=1, criterion_type=name)
        modules = _modules({"w": given})
        if "grad" in evidence:
            modules["w"].weight.grad = _torch.tensor(evidence["grad"])
        asked = CRITERIA[name](modules, config, get_pattern(config, modules))
        asked.on_step_begin()
        asked.on_before_optimizer_step()
        found: FloatArray = _torch.array(asked.scores["w"])
        return found.reshape(-1) if pattern == "1xchannel" else found

    def solve(
        self,
        criterion: str,
        evidence: Mapping[str, FloatArray],
        options: Mapping[str, Any],
    ) -> tuple[BoolArray, FloatArray]:
        """See `Toolkit.solve`."""
        if criterion not in ("sparsegpt", "sparsegpt_n_m"):
            raise Unsupported(criterion)
        weight = evidence["weight"]
        if weight.ndim != 2:
            raise Unsupported("solvers of a convolution")
        if criterion == "sparsegpt":
            name, sparsity = "1x1", options["count"] / weight.size
        else:
            removed = options["group"] - options["keep"]
            name, sparsity = f"{removed}:{options['group']}", removed / options["group"]
        pattern = _pattern({"w": weight}, name, sparsity)
        observed = SparseGPTPruner.SparseGPT(pattern.modules["w"])
        observed.H = _torch.tensor(evidence["gram"].astype(np.float32))
        block = options.get("block", 128)  # its default
        pattern.fasterprune(observed, block, options["damping"])
        found: FloatArray = _torch.array(pattern.modules["w"].weight)
        return found != 0, found

    def forward(self, weight: FloatArray, mask: BoolArray, x: FloatArray) -> FloatArray:
        """See `Toolkit.forward`."""
        out: FloatArray = _torch.forward(_pruned(weight, mask), x)
        return out

    def backward(
        self, weight: FloatArray, mask: BoolArray, x: FloatArray, dy: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """See `Toolkit.backward`."""
        layer = _pruned(weight, mask)
        return _torch.backward(layer, layer.weight, x, dy)

    def store(
        self, weight: FloatArray, mask: BoolArray
    ) -> tuple[FloatArray, BoolArray]:
        """See `Toolkit.store`."""
        read = _torch.restored(_pruned(weight, mask).state_dict())
        back = _pruned(np.zeros_like(weight), np.ones_like(mask))
        back.load_state_dict(read)
        pattern = get_pattern(_config("1x1", 0.5), {"w": back})
        masks = pattern.get_pattern_lock_masks({"w": back})
        return _torch.array(back.weight), _torch.kept(masks["w"], mask.shape)

    def shrink(
        self, weights: tuple[FloatArray, ...], removed: tuple[tuple[int, ...], ...]
    ) -> tuple[FloatArray, ...]:
        """See `Toolkit.shrink`."""
        layers = [_torch.linear(weight) for weight in weights]
        for before, after, units in zip(layers, layers[1:], removed, strict=False):
            kept = torch.ones(after.in_features)
            kept[list(units)] = 0
            LinearCompression(after, [before])(kept, round_value=0)
        return tuple(_torch.array(layer.weight) for layer in layers)


def _modules(weights: Mapping[str, FloatArray]) -> dict[str, Any]:
    """Layers that hold copies of the weights, by name."""
    return {name: _torch.layer(weight) for name, weight in weights.items()}


def _config(pattern: str, sparsity: float, **how: Any) -> Any:
    """A configuration that the toolkit has completed and checked."""
    asked = {"pattern": pattern, "target_sparsity": sparsity, "pruning_scope": "local"}
    kinds = {"pruning_type": "magnitude", "criterion_type": "magnitude"}
    sums = {"criterion_reduce_type": "sum", "end_step": 0}
    asked.update(kinds | sums | how)
    (config,) = process_config(WeightPruningConfig([asked]))
    return config


def _pattern(
    weights: Mapping[str, FloatArray], name: str, sparsity: float, **how: Any
) -> Any:
    """A pattern over layers of the shapes of the weights."""
    return get_pattern(_config(name, sparsity, **how), _modules(weights))


def _mask(
    pattern: Any, scores: Any, sparsity: float, shape: tuple[int, ...]
) -> BoolArray:
    """The mask of one layer, from scores of its weights or blocks."""
    layer = pattern.modules["w"].weight
    before = {"w": torch.ones(layer.shape, dtype=torch.bool)}
    found = pattern.get_masks({"w": scores}, sparsity, before)["w"]
    return _torch.kept(found, shape)


def _pruned(weight: FloatArray, mask: BoolArray) -> Any:
    """A layer after its pruner has put a mask over it."""
    modules = _modules({"w": weight})
    pruner = PytorchBasicPruner(_config("1x1", 0.5), modules)
    pruner.masks = {"w": _torch.tensor(mask)}
    pruner.mask_weights()
    return modules["w"]
