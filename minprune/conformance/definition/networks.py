"""Chapter R: units really taken out of small networks.

A network is a nested dict. Leaves have a `kind` and a `name`: "conv" and "linear" (with
`weight`, perhaps `bias`; a "conv" has `groups` and keeps its places, by zeros around
them), "batch_norm" (`scale`, `shift`, `mean`, `variance`), "relu", "average" (over the
places) and "flatten". Others have `children`: a "sequential", a "residual" (its input
is added to what the children make of it) and a "concat" (of what each child makes).
A leaf whose name has come before is the same layer again.
"""

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from minprune._check import FloatArray

Net = Mapping[str, Any]
Unit = tuple[str, int]
EPSILON = 1e-5
"""Added to the variances of batch norms."""


def shrink(
    weights: Sequence[FloatArray], gone: Sequence[Sequence[int]]
) -> list[FloatArray]:
    """R.1 for an MLP: rows of removed units, and columns that read them, go."""
    out, before = [], list(range(weights[0].shape[1]))
    for weight, units_gone in zip(weights, [*gone, ()], strict=True):
        stays = [unit for unit in range(len(weight)) if unit not in units_gone]
        out.append(weight[np.ix_(stays, before)])
        before = stays
    return out


class Coupling:
    """Which units go together: every unit knows one that speaks for its set."""

    def __init__(self) -> None:
        self._next: dict[Unit, Unit] = {}
        self.read: dict[str, list[Unit]] = {}

    def speaker(self, unit: Unit) -> Unit:
        """The same for all units of a set."""
        while unit in self._next:
            unit = self._next[unit]
        return unit

    def join(self, ones: Sequence[Unit], others: Sequence[Unit]) -> None:
        """Units that stand side by side go together."""
        for one, other in zip(ones, others, strict=True):
            if self.speaker(one) != self.speaker(other):
                self._next[self.speaker(one)] = self.speaker(other)


Leaf = Callable[[Net, FloatArray, list[Unit], list[Unit]], FloatArray]


def walk(
    net: Net,
    x: FloatArray,
    units: list[Unit],
    coupling: Coupling,
    leaf: Leaf,
) -> tuple[FloatArray, list[Unit]]:
    """Send an input and the units it consists of through a network."""
    kind = net["kind"]
    if kind == "concat":
        ways = [walk(child, x, units, coupling, leaf) for child in net["children"]]
        beside = [unit for _, some in ways for unit in some]
        return np.concatenate([y for y, _ in ways], axis=1), beside
    if kind in ("sequential", "residual"):
        y, inside = x, units
        for child in net["children"]:
            y, inside = walk(child, y, inside, coupling, leaf)
        if kind == "residual":
            coupling.join(units, inside)
            y = x + y
        return y, inside
    after = outputs(net, x, units)
    if "weight" in net:
        coupling.join(units, coupling.read.setdefault(net["name"], units))
    return leaf(net, x, units, after), after


def outputs(layer: Net, x: FloatArray, units: list[Unit]) -> list[Unit]:
    """The units that come out of a leaf."""
    if layer["kind"] == "flatten":
        return [unit for unit in units for _ in range(prod(x.shape[2:]))]
    if "weight" not in layer or layer.get("groups", 1) == len(layer["weight"]) > 1:
        return units  # a depthwise convolution keeps its channels apart
    return [(layer["name"], i) for i in range(len(layer["weight"]))]


def respond(layer: Net, x: FloatArray) -> Any:
    """What a leaf computes, in float64; samples first."""
    kind = layer["kind"]
    if kind == "relu":
        return np.maximum(x, 0)
    if kind == "flatten":
        return x.reshape(len(x), -1)
    if kind == "average":
        return x.mean(axis=(2, 3))
    if kind == "batch_norm":
        over = (1, -1) + (1,) * (x.ndim - 2)
        scale = layer["scale"] / np.sqrt(layer["variance"] + EPSILON)
        shift = layer["shift"] - layer["mean"] * scale
        return x * scale.reshape(over) + shift.reshape(over)
    y = x @ layer["weight"].T if kind == "linear" else convolve(layer, x)
    if layer.get("bias") is not None:
        y = y + layer["bias"].reshape((1, -1) + (1,) * (y.ndim - 2))
    return np.asarray(y, np.float64)


def convolve(layer: Net, x: FloatArray) -> FloatArray:
    """A convolution that keeps its places, group by group."""
    weight, groups = layer["weight"].astype(np.float64), layer.get("groups", 1)
    high, wide = weight.shape[2:]
    sides = ((high // 2,) * 2, (wide // 2,) * 2)
    padded = np.pad(x, ((0, 0), (0, 0), *sides))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (high, wide), (2, 3))
    reads = np.split(windows, groups, axis=1)
    parts = [
        np.einsum("nchwij,ocij->nohw", window, filters)
        for window, filters in zip(reads, np.split(weight, groups), strict=True)
    ]
    return np.concatenate(parts, axis=1)


def inputs(x: FloatArray) -> list[Unit]:
    """The units of an input."""
    return [("", i) for i in range(x.shape[1])]


def gone_with(net: Net, x: FloatArray, removed: Mapping[str, Sequence[int]]) -> Any:
    """Whether a unit goes when some are removed, as a function."""
    coupling, one = Coupling(), x[:1]
    walk(net, one, inputs(x), coupling, lambda layer, x, *units: respond(layer, x))
    first = {coupling.speaker((n, i)) for n, some in removed.items() for i in some}
    return lambda unit: coupling.speaker(unit) in first


def masked(net: Net, x: FloatArray, removed: Mapping[str, Sequence[int]]) -> FloatArray:
    """R.1: what the network computes with these units zero wherever they appear."""
    gone = gone_with(net, x, removed)

    def leaf(layer: Net, x: FloatArray, units: list[Unit], after: list[Unit]) -> Any:
        y = respond(layer, x)
        y[:, [gone(unit) for unit in after]] = 0
        return y

    return walk(net, x, inputs(x), Coupling(), leaf)[0]


def evaluate(net: Net, x: FloatArray) -> FloatArray:
    """What a network computes."""
    return masked(net, x, {})


def compact(net: Net, x: FloatArray, removed: Mapping[str, Sequence[int]]) -> Net:
    """The network without these units and those that go with them."""
    gone, smaller = gone_with(net, x, removed), {}

    def leaf(layer: Net, x: FloatArray, units: list[Unit], after: list[Unit]) -> Any:
        smaller[layer["name"]] = without(layer, gone, units, after)
        return respond(layer, x)

    walk(net, x[:1], inputs(x), Coupling(), leaf)

    def rebuilt(part: Net) -> Net:
        if "children" not in part:
            return smaller[part["name"]]
        return {**part, "children": [rebuilt(child) for child in part["children"]]}

    return rebuilt(net)


def without(layer: Net, gone: Any, units: list[Unit], after: list[Unit]) -> Net:
    """A leaf without the rows of gone outputs and the columns of gone inputs."""
    rows = [i for i, unit in enumerate(after) if not gone(unit)]
    names = ("weight", "bias", "scale", "shift", "mean", "variance")
    found = {name: layer[name][rows] for name in names if layer.get(name) is not None}
    groups = layer.get("groups", 1)
    if groups == len(layer.get("weight", ())) > 1:
        return {**layer, **found, "groups": len(rows)}
    if "weight" in layer:
        inside = layer["weight"].shape[1]
        columns = [
            [c for c in range(inside) if not gone(units[g * inside + c])]
            for g in range(groups)
        ]
        of_row = [columns[row // (len(after) // groups)] for row in rows]
        lines = zip(found["weight"], of_row, strict=True)
        found["weight"] = np.array([weight[c] for weight, c in lines])
    return {**layer, **found}


def mlp(weights: Sequence[FloatArray]) -> Net:
    """Linear layers without biases, named by their place, ReLU between them."""
    parts: list[Net] = []
    for number, weight in enumerate(weights):
        parts.append({"kind": "linear", "name": str(number), "weight": weight})
        parts.append({"kind": "relu", "name": f"relu {number}"})
    return {"kind": "sequential", "children": parts[:-1]}


def rounding(net: Net, x: FloatArray, unit: float = 2.0**-24) -> FloatArray:
    """How far two computations of a network may lie apart, output by output.

    Twice n u times what the network of absolute values makes of the input's; n adds up
    the lengths of the sums on the way, u is the roundoff of the type (Higham 2002,
    Sec. 3.1 and 3.5).
    """
    terms = 0

    def leaf(layer: Net, x: FloatArray, units: list[Unit], after: list[Unit]) -> Any:
        nonlocal terms
        terms += prod(layer["weight"].shape[1:]) + 1 if "weight" in layer else 6
        terms += prod(x.shape[2:]) if layer["kind"] == "average" else 0
        return respond(_magnitudes(layer), x)

    top = walk(net, np.abs(x).astype(np.float64), inputs(x), Coupling(), leaf)[0]
    return 2 * terms * unit * top


def _magnitudes(layer: Net) -> Net:
    """The same leaf with all its numbers as large as they are."""
    names = ("weight", "bias", "scale", "shift")
    found = {n: np.abs(layer[n]) for n in names if layer.get(n) is not None}
    if "mean" in layer:
        found["mean"] = -np.abs(layer["mean"])
    return {**layer, **found}
