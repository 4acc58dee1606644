"""NNI 3: level, norm, FPGM and Taylor pruners, and the two that schedule them.

NNI ranks the absolute values of weights: scores are given as weights. Schedules count
the steps of an optimizer; here the task that NNI would run after each is called.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from nni.compression.pruning import (
    AGPPruner,
    FPGMPruner,
    L1NormPruner,
    L2NormPruner,
    LevelPruner,
    LinearPruner,
    TaylorPruner,
)
from nni.compression.utils import Evaluator

from minprune.conformance.adapter import Toolkit, Unsupported
from minprune.conformance.toolkits import _torch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from minprune._check import BoolArray, FloatArray

CURVES = {"linear": LinearPruner, "cubic": AGPPruner}
NORMS = {
    "magnitude": LevelPruner,
    "l1_norm": L1NormPruner,
    "l2_norm": L2NormPruner,
    "fpgm": FPGMPruner,
}
WEIGHTS = ("magnitude", "taylor")  # scored one by one, all others by the filter
UNITS = {"row": "out_channel", "filter": "out_channel", "channel": "in_channel"}


class Adapter(Toolkit):
    """Conversions only."""

    name = "NNI"
    version = version("nni")

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
            raise Unsupported("floors as counts: a layer has a largest ratio")
        _magnitudes(*scores.values())
        model = _layers({name: _torch.matrix(score) for name, score in scores.items()})
        how = {"global_group_id": "all"} if scope == "network" else {}
        pruner = LevelPruner(model, [_config(sparsity, **how)])
        if previous is not None:
            given = {
                name: {"weight": _torch.tensor(_torch.matrix(mask).astype(float))}
                for name, mask in previous.items()
            }
            pruner.update_masks(given)
        _, masks = pruner.compress()
        return {
            name: _torch.kept(masks[name]["weight"], score.shape)
            for name, score in scores.items()
        }

    def unit_mask(
        self,
        scores: FloatArray,
        unit: str,
        sparsity: float,
        block: tuple[int, int] | None = None,
    ) -> BoolArray:
        """See `Toolkit.unit_mask`."""
        _magnitudes(scores)
        if block is None:
            model = _layers({"w": scores})
            granularity: Any = UNITS[unit]
        else:
            model = _layers({"w": _torch.matrix(scores)})
            granularity = list(block)
        pruner = L1NormPruner(model, [_config(sparsity, granularity=granularity)])
        _, masks = pruner.compress()
        return _torch.kept(masks["w"]["weight"], scores.shape)

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
        if curve not in CURVES:
            raise Unsupported(f"a {curve} schedule")
        if begin or initial:
            raise Unsupported("schedules that begin later, or above 0")
        if end % frequency:
            raise Unsupported("spans that are no whole number of updates")
        evaluator = _Evaluator()
        model = _layers({"w": np.ones((1, 1))})
        pruner = LevelPruner(model, [_config(float(final))], evaluator)
        scheduled = CURVES[curve](pruner, frequency, end // frequency)
        scheduled._fuse_preprocess(evaluator)
        for _ in range(step):
            evaluator.step()
        return float(pruner._target_spaces["w"]["weight"].sparse_ratio)

    def score(self, criterion: str, evidence: Mapping[str, FloatArray]) -> FloatArray:
        """See `Toolkit.score`."""
        if criterion != "taylor" and criterion not in NORMS:
            raise Unsupported(criterion)
        model = _layers({"w": evidence["weight"]})
        if criterion == "taylor":
            evaluator = _Evaluator()
            single = _config(0.5, granularity=[1, 1])
            pruner = TaylorPruner(model, [single], evaluator, 1)
            pruner._register_hooks(evaluator)
            weight = pruner._target_spaces["w"]["weight"].target
            weight.backward(_torch.tensor(evidence["grad"]))
        else:
            pruner = NORMS[criterion](model, [_config(0.5)])
        metric = pruner._calculate_metrics(pruner._collect_data())["w"]["weight"]
        found: FloatArray = _torch.array(metric)
        return found if criterion in WEIGHTS else found.reshape(-1)

    def forward(self, weight: FloatArray, mask: BoolArray, x: FloatArray) -> FloatArray:
        """See `Toolkit.forward`."""
        _, layer = _pruned(weight, mask)
        out: FloatArray = _torch.forward(layer, x)
        return out

    def backward(
        self, weight: FloatArray, mask: BoolArray, x: FloatArray, dy: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """See `Toolkit.backward`."""
        _, layer = _pruned(weight, mask)
        return _torch.backward(layer, layer._nni_wrapper.weight, x, dy)

    def store(
        self, weight: FloatArray, mask: BoolArray
    ) -> tuple[FloatArray, BoolArray]:
        """See `Toolkit.store`."""
        flat, flags = _torch.matrix(weight), _torch.matrix(mask)
        pruner, _ = _pruned(flat, flags)
        read = _torch.restored(pruner.bound_model.state_dict())
        back, layer = _pruned(np.zeros_like(flat), np.ones_like(flags))
        back.bound_model.load_state_dict(read)
        layer(torch.zeros(1, flat.shape[1]))  # the forward pass applies the mask
        return (
            _torch.array(layer.weight).reshape(weight.shape),
            _torch.kept(back.get_masks()["w"]["weight"], mask.shape),
        )


class _Evaluator(Evaluator):
    """No training: what NNI would run after a step of the optimizer."""

    _initialization_complete = True

    def __init__(self) -> None:
        self._after: list[Callable[[], None]] = []

    def patch_optimizer_step(
        self,
        before_step_tasks: list[Callable[[], None]],
        after_step_tasks: list[Callable[[], None]],
    ) -> None:
        """Called by pruners: tasks for every step."""
        self._after += after_step_tasks

    def register_hooks(self, hooks: list[Any]) -> None:
        """Called by pruners: gradients that they want to see."""
        for hook in hooks:
            hook.register()

    def step(self) -> None:
        """One step of the optimizer that would be."""
        for task in self._after:
            task()


def _layers(weights: Mapping[str, FloatArray]) -> Any:
    """Layers that hold copies of the weights, by name."""
    made = {name: _torch.layer(weight) for name, weight in weights.items()}
    return torch.nn.ModuleDict(made)


def _config(sparsity: float, **how: Any) -> dict[str, Any]:
    """What to prune of a model, and how."""
    return {"op_types": ["Linear", "Conv2d"], "sparse_ratio": sparsity, **how}


def _magnitudes(*scores: FloatArray) -> None:
    """Refuse what cannot be given as weights."""
    if any((score < 0).any() for score in scores):
        raise Unsupported("negative scores: absolute values of weights are ranked")


def _pruned(weight: FloatArray, mask: BoolArray) -> tuple[Any, Any]:
    """A pruner whose model is one linear layer under a mask, and that layer."""
    model = _layers({"w": weight})
    pruner = LevelPruner(model, [_config(0.5)])
    pruner.update_masks({"w": {"weight": _torch.tensor(mask.astype(weight.dtype))}})
    return pruner, model["w"]
