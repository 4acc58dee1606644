"""SparseML: mask creators and gradual magnitude pruning of `sparseml.pytorch`.

Scores are given as weights to masks without a scorer, which rank weights as they are.
Epochs of its schedules are steps here, one update of the optimizer each.
"""

from __future__ import annotations

import io
import itertools
import os
import tempfile
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import torch

from minprune.conformance.adapter import Toolkit, Unsupported
from minprune.conformance.toolkits import _torch, _torch_networks

os.environ.setdefault("NM_DISABLE_ANALYTICS", "true")  # importing it reports home
os.environ.setdefault("NM_TEST_MODE", "true")  # its logs go into the folder it runs in
os.environ.setdefault("NM_TEST_LOG_DIR", tempfile.gettempdir())

from sparseml.onnx.optim import get_param_structured_pruning_group_dependencies
from sparseml.pytorch.sparsification.modifier_thinning import (
    compress_strucure_pruned_module,
)
from sparseml.pytorch.sparsification.pruning import (
    BlockMaskCreator,
    GMPruningModifier,
    MagnitudePruningParamsScorer,
    ModuleParamPruningMask,
    NMPruningMaskCreator,
    RigLPruningParamsScorer,
    StructuredPruningMaskCreator,
    UnstructuredPruningMaskCreator,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from minprune._check import BoolArray, FloatArray

STRUCTURE = {"row": "filter", "filter": "filter", "channel": "channel"}
STRATEGY = {
    "uniform": "uniform",
    "er": "erdos_renyi",
    "erk": "erdos_renyi_kernel",
}


class Adapter(Toolkit):
    """Conversions only."""

    name = "SparseML"
    version = version("sparseml")

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
        masks = ModuleParamPruningMask(
            [_holder(score) for score in scores.values()],
            UnstructuredPruningMaskCreator(),
            scorer=None,
            global_sparsity=scope == "network",
        )
        masks.enabled = True
        if previous is not None:
            masks.set_param_masks([_as_mask(previous[n], s) for n, s in scores.items()])
        masks.update_param_masks(sparsity)
        return {
            name: _torch.kept(mask, score.shape)
            for mask, (name, score) in zip(
                masks.param_masks, scores.items(), strict=True
            )
        }

    def keep_of_group(
        self, scores: FloatArray, keep: int, group: int, axis: int
    ) -> BoolArray:
        """See `Toolkit.keep_of_group`."""
        if axis != 1:
            raise Unsupported("groups along another axis than the inputs")
        if (scores < 0).any():
            raise Unsupported("negative scores: absolute values of weights are ranked")
        return _created(NMPruningMaskCreator(keep, group), scores, 1 - keep / group)

    def unit_mask(
        self,
        scores: FloatArray,
        unit: str,
        sparsity: float,
        block: tuple[int, int] | None = None,
    ) -> BoolArray:
        """See `Toolkit.unit_mask`."""
        if block is None:
            creator = StructuredPruningMaskCreator(STRUCTURE[unit], "mean")
            return _created(creator, scores, sparsity)
        creator = BlockMaskCreator(list(block), "mean")
        return _created(creator, _torch.matrix(scores), sparsity).reshape(scores.shape)

    def allocate(
        self, method: str, shapes: Mapping[str, tuple[int, ...]], sparsity: float
    ) -> Mapping[str, int]:
        """See `Toolkit.allocate`."""
        weights = [torch.nn.Parameter(torch.rand(*shape)) for shape in shapes.values()]
        scorer = RigLPruningParamsScorer(weights, sparsity, STRATEGY[method])
        ratios = [float(ratio) for ratio in scorer.get_sparsity_distribution()]
        creator = UnstructuredPruningMaskCreator()
        masks = creator.create_sparsity_masks([w.data for w in weights], ratios)
        return {
            name: int((mask == 0).sum())
            for name, mask in zip(shapes, masks, strict=True)
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
        if curve not in ("linear", "cubic"):
            raise Unsupported(f"a {curve} schedule")
        model = torch.nn.Sequential(_torch.layer(np.ones((1, 1))))
        modifier = _modifier(
            init_sparsity=float(initial),
            final_sparsity=float(final),
            start_epoch=float(begin),
            end_epoch=float(end),
            update_frequency=float(frequency),
            inter_func=curve,
        )
        modifier.initialize(model)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
        for epoch in range(step + 1):
            if modifier.update_ready(float(epoch), 1):
                modifier.scheduled_update(model, optimizer, float(epoch), 1)
        applied = modifier.applied_sparsity
        return 0.0 if applied is None else float(applied[0])

    def score(self, criterion: str, evidence: Mapping[str, FloatArray]) -> FloatArray:
        """See `Toolkit.score`."""
        if criterion != "magnitude":
            raise Unsupported(criterion)
        scorer = MagnitudePruningParamsScorer([_holder(evidence["weight"]).weight])
        found: FloatArray = _torch.array(scorer.score_parameters()[0])
        return found

    def forward(self, weight: FloatArray, mask: BoolArray, x: FloatArray) -> FloatArray:
        """See `Toolkit.forward`."""
        model, _ = _pruned(weight, mask)
        out: FloatArray = _torch.forward(model, x)
        return out

    def backward(
        self, weight: FloatArray, mask: BoolArray, x: FloatArray, dy: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """See `Toolkit.backward`."""
        model, _ = _pruned(weight, mask)
        return _torch.backward(model, model[0].weight, x, dy)

    def store(
        self, weight: FloatArray, mask: BoolArray
    ) -> tuple[FloatArray, BoolArray]:
        """See `Toolkit.store`."""
        model, modifier = _pruned(weight, mask)
        state = {"model": model.state_dict(), "masks": dict(modifier.state_dict())}
        read = _torch.restored(state)
        back, other = _pruned(np.zeros_like(weight), np.ones_like(mask))
        back.load_state_dict(read["model"])
        other.load_state_dict(read["masks"])
        (found,) = other.module_masks.param_masks
        return _torch.array(back[0].weight), _torch.kept(found, mask.shape)

    def compact(
        self,
        network: Mapping[str, Any],
        x: FloatArray,
        removed: Mapping[str, list[int]],
    ) -> Mapping[str, Any]:
        """See `Toolkit.compact`."""
        layers: dict[str, Any] = {}
        model = _torch_networks.module(network, layers)
        tied = _tied(model, x)
        weights = dict(model.named_parameters())
        filters = {id(layers[name].weight): gone for name, gone in removed.items()}
        with torch.no_grad():
            for group in tied:  # masks are shared by a group
                members = [weights[name] for name in group.split(",")]
                for weight, other in itertools.product(members, repeat=2):
                    if len(weight) == len(other):
                        weight[filters.get(id(other), [])] = 0
        compress_strucure_pruned_module(model, tied, "filter")
        smaller: Mapping[str, Any] = _torch_networks.written(network, layers)
        return smaller


def _tied(model: Any, x: FloatArray) -> Any:
    """What must lose the same filters, and what reads them, by the exported graph."""
    file = io.BytesIO()
    torch.onnx.export(
        model,
        (_torch.tensor(x),),
        file,
        dynamo=False,
        do_constant_folding=False,
        training=torch.onnx.TrainingMode.PRESERVE,
    )
    graph = onnx.load_model_from_string(file.getvalue())
    return get_param_structured_pruning_group_dependencies(graph, "filter")


def _holder(weight: FloatArray) -> Any:
    """A module with one parameter, a copy of the weight."""
    layer = torch.nn.Module()
    layer.weight = torch.nn.Parameter(_torch.tensor(weight))
    return layer


def _as_mask(mask: BoolArray, like: FloatArray) -> Any:
    """A mask of zeros and ones in the type of the weight."""
    return _torch.tensor(mask.astype(like.dtype))


def _created(creator: Any, scores: FloatArray, sparsity: float) -> BoolArray:
    """The mask that a mask creator makes of one layer."""
    given: Sequence[Any] = [_torch.tensor(scores)]
    (mask,) = creator.create_sparsity_masks(given, sparsity)
    found: BoolArray = _torch.array(mask) != 0
    return found


def _modifier(**frame: Any) -> Any:
    """Gradual magnitude pruning of every layer."""
    return GMPruningModifier(params="__ALL_PRUNABLE__", leave_enabled=True, **frame)


def _pruned(weight: FloatArray, mask: BoolArray) -> tuple[Any, Any]:
    """A model of one layer, and the modifier that holds the mask over it."""
    model = torch.nn.Sequential(_torch.layer(weight))
    modifier = _modifier(
        init_sparsity=0.0,
        final_sparsity=0.5,
        start_epoch=0.0,
        end_epoch=1.0,
        update_frequency=1.0,
    )
    modifier.initialize(model)
    modifier.module_masks.enabled = True
    modifier.module_masks.set_param_masks([_as_mask(mask, weight)])
    return model, modifier
