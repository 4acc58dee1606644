"""minprune itself, the first adapter."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from minprune import masks, nn, sparse, store, structure
from minprune._check import BoolArray, FloatArray
from minprune._version import __version__
from minprune.conformance.adapter import Toolkit, Unsupported
from minprune.conformance.toolkits import _written
from minprune.criteria import CATALOG


class Adapter(Toolkit):
    """Conversions only, as in any adapter."""

    name = "minprune"
    version = __version__

    def mask(
        self,
        scores: Mapping[str, FloatArray],
        sparsity: float,
        scope: str,
        min_keep: int | None = None,
        previous: Mapping[str, BoolArray] | None = None,
    ) -> Mapping[str, BoolArray]:
        """See `Toolkit.mask`."""
        return masks.select(
            dict(scores),
            sparsity=sparsity,
            scope="network" if scope == "network" else "layer",
            min_keep=min_keep,
            previous=previous,
        )

    def keep_of_group(
        self, scores: FloatArray, keep: int, group: int, axis: int
    ) -> BoolArray:
        """See `Toolkit.keep_of_group`."""
        return masks.keep_of_group(scores, keep=keep, group=group, axis=axis)

    def unit_mask(
        self,
        scores: FloatArray,
        unit: str,
        sparsity: float,
        block: tuple[int, int] | None = None,
    ) -> BoolArray:
        """See `Toolkit.unit_mask`."""
        if unit == "block" and block is not None:
            units = masks.units.blocks(scores.shape, block)
        elif unit == "channel":
            units = masks.units.channels(scores.shape)
        else:
            units = masks.units.rows(scores.shape)
        kept = masks.select(units.sum(scores), sparsity=sparsity)
        return units.expand(kept)

    def allocate(
        self, method: str, shapes: Mapping[str, tuple[int, ...]], sparsity: float
    ) -> Mapping[str, int]:
        """See `Toolkit.allocate`."""
        found: Mapping[str, int] = getattr(masks.allocate, method)(shapes, sparsity)
        return found

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
        made = masks.SCHEDULES[curve](
            final, begin=begin, end=end, frequency=frequency, initial=initial
        )
        return float(made(step))

    def score(self, criterion: str, evidence: Mapping[str, FloatArray]) -> FloatArray:
        """See `Toolkit.score`."""
        score: FloatArray = CATALOG[criterion].function(**evidence)
        return score

    def solve(
        self,
        criterion: str,
        evidence: Mapping[str, FloatArray],
        options: Mapping[str, Any],
    ) -> tuple[BoolArray, FloatArray]:
        """See `Toolkit.solve`."""
        mask, weight = CATALOG[criterion].function(**evidence, **options)
        return mask, weight

    def forward(self, weight: FloatArray, mask: BoolArray, x: FloatArray) -> FloatArray:
        """See `Toolkit.forward`."""
        return self._layer(weight, mask).forward(np.ascontiguousarray(x.T)).T

    def backward(
        self, weight: FloatArray, mask: BoolArray, x: FloatArray, dy: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """See `Toolkit.backward`."""
        layer = self._layer(weight, mask)
        layer.forward(np.ascontiguousarray(x.T))
        dx = layer.backward(np.ascontiguousarray(dy.T)).T
        gradient = np.zeros_like(weight)
        gradient[mask] = layer.grads["weight"]
        return gradient, dx

    def store(
        self, weight: FloatArray, mask: BoolArray
    ) -> tuple[FloatArray, BoolArray]:
        """See `Toolkit.store`."""
        out, into, *kernel = weight.shape
        layer: nn.Layer = (
            nn.Conv2d(into, out, kernel, bias=False)
            if kernel
            else nn.Linear(into, out, bias=False)
        )
        layer.params["weight"][...] = weight
        layer.set_mask("weight", mask)
        net = nn.Network(nn.Sequential(layer), weight.shape[1:])
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "net.safetensors"
            store.save(net, path)
            back = store.load_network(path)
        return back.weights()["0.weight"], back.masks()["0.weight"]

    def shrink(
        self, weights: tuple[FloatArray, ...], removed: tuple[tuple[int, ...], ...]
    ) -> tuple[FloatArray, ...]:
        """See `Toolkit.shrink`."""
        layers: list[nn.Layer] = []
        for weight in weights:
            layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
            layer.params["weight"] = weight.copy()
            layers += [layer, nn.ReLU()]
        net = nn.Network(nn.Sequential(*layers[:-1]), weights[0].shape[1:])
        gone = {f"{2 * i}": list(units) for i, units in enumerate(removed)}
        return tuple(structure.remove(net, gone).weights().values())

    def compact(
        self,
        network: Mapping[str, Any],
        x: FloatArray,
        removed: Mapping[str, list[int]],
    ) -> Mapping[str, Any]:
        """See `Toolkit.compact`."""
        names = [leaf["name"] for leaf in _written.leaves(network)]
        if len(set(names)) < len(names):
            raise Unsupported("a layer that is used twice")
        net = nn.Network(_layer_of(network), x.shape[1:])
        spaces = structure.find_spaces(net)
        gone = [
            axis.numbers[removed[_last(axis.layer)]]
            for axis in spaces.axes
            if axis.role == "makes" and _last(axis.layer) in removed
        ]
        units = np.concatenate(gone)
        places = {
            name: np.flatnonzero(np.isin(space.units, units))
            for name, space in spaces.free().items()
        }
        smaller = structure.remove(net, places, spaces)
        found = {
            _last(name): {**layer.params, **layer.buffers}
            for name, layer in smaller.layers().items()
        }
        answer: Mapping[str, Any] = _written.rewritten(network, found)
        return answer

    @staticmethod
    def _layer(weight: FloatArray, mask: BoolArray) -> sparse.SparseLinear:
        """The pruned layer in compressed rows."""
        dense = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
        dense.params["weight"] = weight.copy()
        dense.set_mask("weight", mask)
        return sparse.SparseLinear.from_dense(dense)


def _last(path: str) -> str:
    """The last part of a dotted name."""
    return path.rpartition(".")[2]


def _layer_of(part: Mapping[str, Any]) -> nn.Layer:
    """What is written down, as a layer."""
    if "children" in part:
        named = {
            child.get("name", str(i)): _layer_of(child)
            for i, child in enumerate(part["children"])
        }
        if part["kind"] == "concat":
            return nn.Concat(named)
        inside = nn.Sequential(named)
        return nn.Residual(inside) if part["kind"] == "residual" else inside
    layer = _leaf(part)
    for name, array in _written.arrays(part).items():
        held = layer.params if name in layer.params else layer.buffers
        held[name][...] = array
    return layer


def _leaf(part: Mapping[str, Any]) -> nn.Layer:
    """One layer, its arrays still to be filled."""
    kind = part["kind"]
    if kind == "conv":
        out, into, *kernel = part["weight"].shape
        groups, half = part["groups"], [side // 2 for side in kernel]
        return nn.Conv2d(into * groups, out, kernel, padding=half, groups=groups)
    if kind == "linear":
        return nn.Linear(part["weight"].shape[1], len(part["weight"]))
    if kind == "batch_norm":
        return nn.BatchNorm(len(part["scale"]))
    plain: dict[str, nn.Layer] = {
        "relu": nn.ReLU(),
        "average": nn.GlobalAvgPool(),
        "flatten": nn.Flatten(),
    }
    return plain[kind]
