"""Torch-Pruning: channels that are taken out of a network.

Scores are those of channels: a score set of any shape is a linear layer with that many
outputs, whose importance is given by a function, as the pruner takes it. Each channel
carries its number as its weight, so that the survivors can be told.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch_pruning as tp

from minprune.conformance.adapter import Toolkit, Unsupported
from minprune.conformance.toolkits import _torch, _torch_networks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minprune._check import BoolArray, FloatArray

IMPORTANCE = {
    "l1_norm": lambda: tp.importance.GroupMagnitudeImportance(
        p=1, group_reduction="first", normalizer=None
    ),
    "l2_norm": lambda: tp.importance.GroupMagnitudeImportance(
        p=2, group_reduction="first", normalizer=None
    ),
    "fpgm": lambda: tp.importance.FPGMImportance(
        group_reduction="first", normalizer=None
    ),
}


class Adapter(Toolkit):
    """Conversions only."""

    name = "Torch-Pruning"
    version = version("torch-pruning")

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
        if previous is not None:
            raise Unsupported("masks: channels that went are no longer there")
        net = _Branches({name: score.size for name, score in scores.items()})
        importance = {net.body[k]: _torch.tensor(s).ravel() for k, s in scores.items()}
        pruner = tp.pruner.BasePruner(
            net,
            torch.ones(1, 1, dtype=torch.float64),
            importance=lambda group: importance[group[0].dep.target.module],
            pruning_ratio=sparsity,
            global_pruning=scope == "network",
            ignored_layers=list(net.head.values()),
        )
        pruner.step()
        masks = {}
        for name, score in scores.items():
            kept = np.zeros(score.size, np.bool_)
            kept[_torch.array(net.body[name].weight).astype(int).ravel()] = True
            masks[name] = kept.reshape(score.shape)
        return masks

    def score(self, criterion: str, evidence: Mapping[str, FloatArray]) -> FloatArray:
        """See `Toolkit.score`."""
        if criterion not in IMPORTANCE:
            raise Unsupported(f"{criterion} of single weights")
        layer = _torch.linear(evidence["weight"])
        group = _groups(torch.nn.Sequential(layer)).get_pruning_group(
            layer, tp.prune_linear_out_channels, list(range(layer.out_features))
        )
        found: FloatArray = _torch.array(IMPORTANCE[criterion]()(group))
        return found

    def shrink(
        self, weights: tuple[FloatArray, ...], removed: tuple[tuple[int, ...], ...]
    ) -> tuple[FloatArray, ...]:
        """See `Toolkit.shrink`."""
        layers = [_torch.linear(weight) for weight in weights]
        parts = [part for layer in layers for part in (layer, torch.nn.ReLU())]
        graph = _groups(torch.nn.Sequential(*parts[:-1]))
        for layer, units in zip(layers, removed, strict=False):
            group = graph.get_pruning_group(
                layer, tp.prune_linear_out_channels, list(units)
            )
            group.prune()
        return tuple(_torch.array(layer.weight) for layer in layers)

    def compact(
        self,
        network: Mapping[str, Any],
        x: FloatArray,
        removed: Mapping[str, list[int]],
    ) -> Mapping[str, Any]:
        """See `Toolkit.compact`."""
        layers: dict[str, Any] = {}
        model = _torch_networks.module(network, layers)
        graph = tp.DependencyGraph().build_dependency(model, _torch.tensor(x))
        for name, units in removed.items():
            layer = layers[name]
            prune = graph.get_pruner_of_module(layer).prune_out_channels
            graph.get_pruning_group(layer, prune, units).prune()
        smaller: Mapping[str, Any] = _torch_networks.written(network, layers)
        return smaller


class _Branches(torch.nn.Module):
    """One input, one layer for each score set, and a head behind each."""

    def __init__(self, sizes: dict[str, int]) -> None:
        super().__init__()
        self.body = torch.nn.ModuleDict()
        self.head = torch.nn.ModuleDict()
        for name, size in sizes.items():
            numbers = np.arange(size, dtype=np.float64).reshape(-1, 1)
            self.body[name] = _torch.linear(numbers)
            self.head[name] = _torch.linear(np.ones((1, size)))

    def forward(self, x: Any) -> Any:
        """The sum over the branches."""
        return sum(self.head[name](layer(x)) for name, layer in self.body.items())


def _groups(model: torch.nn.Sequential) -> Any:
    """The dependency graph of a model."""
    first = model[0]
    example = torch.ones(1, first.in_features, dtype=first.weight.dtype)
    return tp.DependencyGraph().build_dependency(model, example)
