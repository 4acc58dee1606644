"""torchao: WandaSparsifier and mask_creator.

Wanda multiplies weights by the norms of inputs. Here every input is seen once and is
1, so that its scores are the absolute values of the given ones.
"""

from __future__ import annotations

import warnings
from importlib.metadata import version
from typing import TYPE_CHECKING

import torch
from torchao.sparsity import WandaSparsifier
from torchao.sparsity.utils import mask_creator

from minprune.conformance.adapter import Toolkit, Unsupported
from minprune.conformance.toolkits import _torch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minprune._check import BoolArray, FloatArray


class Adapter(Toolkit):
    """Conversions only."""

    name = "torchao"
    version = version("torchao")

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
        if any((score < 0).any() for score in scores.values()):
            raise Unsupported("negative scores: absolute values of weights are ranked")
        return {
            name: _wanda(score, sparsity, None if previous is None else previous[name])
            for name, score in scores.items()
        }

    def keep_of_group(
        self, scores: FloatArray, keep: int, group: int, axis: int
    ) -> BoolArray:
        """See `Toolkit.keep_of_group`."""
        if axis != scores.ndim - 1:
            raise Unsupported("groups along another axis than the last")
        if (scores < 0).any():
            raise Unsupported("negative scores: absolute values of weights are ranked")
        found = mask_creator(_torch.tensor(scores), N=keep, M=group)
        return _torch.kept(found, scores.shape)


def _wanda(
    scores: FloatArray, sparsity: float, previous: BoolArray | None
) -> BoolArray:
    """The mask of one step of the sparsifier."""
    weight = _torch.matrix(scores)
    sparsifier = WandaSparsifier(sparsity_level=sparsity)
    model = torch.nn.Sequential(_torch.linear(weight))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of deprecated quantization
        sparsifier.prepare(model, [{"tensor_fqn": "0.weight"}])
    mask = model[0].parametrizations.weight[0].mask
    if previous is not None:
        mask.copy_(_torch.tensor(_torch.matrix(previous)))
    model(torch.ones(1, weight.shape[1], dtype=model[0].weight.dtype))
    sparsifier.step()
    return _torch.kept(mask, scores.shape)
