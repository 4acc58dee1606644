"""NNCF: magnitude pruning, local and global, and its exponential schedule.

NNCF ranks the absolute values of weights: scores are given as weights.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import nncf
import nncf.torch
import numpy as np
import torch
from nncf.torch.function_hook.pruning.magnitude.algo import get_pruned_modules
from nncf.torch.function_hook.pruning.scheduler_fns import exponential_ratio_scheduler

from minprune.conformance.adapter import Toolkit, Unsupported
from minprune.conformance.toolkits import _torch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minprune._check import BoolArray, FloatArray

MODE = {
    "layer": nncf.PruneMode.UNSTRUCTURED_MAGNITUDE_LOCAL,
    "network": nncf.PruneMode.UNSTRUCTURED_MAGNITUDE_GLOBAL,
}


class Adapter(Toolkit):
    """Conversions only."""

    name = "NNCF"
    version = str(nncf.__version__)

    def __init__(self) -> None:
        logging.getLogger("nncf").setLevel(logging.ERROR)

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
        if any((score < 0).any() for score in scores.values()):
            raise Unsupported("negative scores: absolute values of weights are ranked")
        if previous is not None:
            raise Unsupported("masks to begin with")
        weights = {name: _torch.matrix(score) for name, score in scores.items()}
        model = _pruned(weights, MODE[scope], sparsity)
        masks = {
            key: hook.binary_mask for key, hook in get_pruned_modules(model).items()
        }
        return {
            name: _torch.kept(masks[f"layers.{name}.weight"], score.shape)
            for name, score in scores.items()
        }

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
        if curve != "exponential":
            raise Unsupported(f"a {curve} schedule")
        if begin or frequency != 1:
            raise Unsupported("schedules that begin later or hold between steps")
        return float(
            exponential_ratio_scheduler(
                step, initial_ratio=initial, target_ratio=final, target_epoch=end
            )
        )

    def forward(self, weight: FloatArray, mask: BoolArray, x: FloatArray) -> FloatArray:
        """See `Toolkit.forward`."""
        model = _masked(weight, mask)
        out: FloatArray = _torch.forward(lambda given: model({"w": given}), x)
        return out

    def backward(
        self, weight: FloatArray, mask: BoolArray, x: FloatArray, dy: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """See `Toolkit.backward`."""
        model = _masked(weight, mask)
        layer = model.layers["w"]
        return _torch.backward(lambda given: model({"w": given}), layer.weight, x, dy)

    def store(
        self, weight: FloatArray, mask: BoolArray
    ) -> tuple[FloatArray, BoolArray]:
        """See `Toolkit.store`."""
        flat = _torch.matrix(weight)
        saved = _masked(flat, _torch.matrix(mask))
        read = _torch.restored(
            {"config": nncf.torch.get_config(saved), "state": saved.state_dict()}
        )
        fresh = _Layers({"w": np.zeros_like(flat)})
        back = nncf.torch.load_from_config(fresh, read["config"])
        back.load_state_dict(read["state"])
        (hook,) = get_pruned_modules(back).values()
        return (
            _torch.array(hook(back.layers["w"].weight)).reshape(weight.shape),
            _torch.kept(hook.binary_mask, mask.shape),
        )


class _Layers(torch.nn.Module):
    """Linear layers beside each other, each with an input of its own."""

    def __init__(self, weights: Mapping[str, FloatArray]) -> None:
        super().__init__()
        made = {name: _torch.linear(weight) for name, weight in weights.items()}
        self.layers = torch.nn.ModuleDict(made)

    def forward(self, x: dict[str, Any]) -> Any:
        """The outputs behind each other."""
        return torch.cat([layer(x[name]) for name, layer in self.layers.items()], 1)


def _pruned(weights: Mapping[str, FloatArray], mode: Any, ratio: float) -> Any:
    """The layers after `nncf.prune`."""
    model = _Layers(weights)
    return nncf.prune(model, mode, ratio=ratio, examples_inputs=_example(model))


def _example(model: _Layers) -> tuple[dict[str, Any]]:
    """Inputs to trace the layers with."""
    ones = {
        name: torch.ones(1, layer.in_features, dtype=layer.weight.dtype)
        for name, layer in model.layers.items()
    }
    return (ones,)


def _masked(weight: FloatArray, mask: BoolArray) -> Any:
    """One layer with the mask given to the hook of NNCF."""
    model = _pruned({"w": weight}, MODE["layer"], 0.5)
    (hook,) = get_pruned_modules(model).values()
    hook.binary_mask.copy_(_torch.tensor(mask))
    return model
