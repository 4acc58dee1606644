"""Chapter R: units really taken out, of an MLP and of networks whose channels are tied.

What is left is evaluated here in float64 and compared with the whole network in which
the removed units, and all that is tied to them, are zero behind their activation. The
two may differ by the rounding of their sums.
"""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from minprune._check import FloatArray
from minprune.conformance import definition, nets, strategies
from minprune.conformance.adapter import Toolkit
from minprune.conformance.registry import Case, check, expect

Rng = np.random.Generator
UNIT = 2.0**-53
"""Roundoff of float64."""


def chains(rng: Rng) -> Iterator[Case]:
    """MLPs without biases, some hidden units to go."""
    for sizes, removed in (((4, 6, 3), ((1, 4),)), ((3, 5, 5, 2), ((0,), (2, 3, 4)))):
        weights = tuple(
            rng.normal(size=(out, into)).astype(np.float32)
            for into, out in pairwise(sizes)
        )
        x = rng.normal(size=(7, sizes[0])).astype(np.float32)
        yield {"weights": weights, "removed": removed, "x": x}


@check("R.1", chains)
def removed_units_leave_the_masked_function(
    toolkit: Toolkit,
    weights: tuple[FloatArray, ...],
    removed: tuple[tuple[int, ...], ...],
    x: FloatArray,
) -> None:
    """Taking units out computes what silencing them computes."""
    small = [np.asarray(weight) for weight in toolkit.shrink(weights, removed)]
    wanted = [
        len(w) - len(gone) for w, gone in zip(weights, (*removed, ()), strict=True)
    ]
    got = [len(weight) for weight in small]
    expect(got == wanted, f"layers have {got} units left, expected {wanted}")
    named = {str(layer): units for layer, units in enumerate(removed)}
    net = definition.mlp(weights)
    _same_function(definition.mlp(small), net, x, named, weights=list(weights))


def _same_function(
    small: Any, net: Any, x: FloatArray, removed: Mapping[str, Any], **case: Any
) -> None:
    """The smaller network computes what the whole one does with these units zero."""
    want = definition.masked(net, x, removed)
    try:
        got = definition.evaluate(small, x)
    except (ValueError, IndexError, KeyError) as why:
        expect(False, f"the parts that came back do not fit: {why}", removed=removed)
    off = np.abs(got - want)
    expect(
        bool((off <= definition.rounding(net, x, UNIT)).all()),
        f"the smaller network computes another function than the masked one: outputs "
        f"of up to {np.abs(want).max():.3g} are off by up to {off.max():.3g}",
        removed=dict(removed),
        **case,
    )


def _leaves(net: Any) -> dict[str, Any]:
    """The layers with weights, by name."""
    if "children" in net:
        return {k: v for child in net["children"] for k, v in _leaves(child).items()}
    return {net["name"]: net} if "weight" in net else {}


def _file(name: str, make: Any) -> None:
    """The check of one network."""

    def drawn(rng: Rng) -> Iterator[Case]:
        for _ in range(2):
            net, x, removed = make(rng)
            yield {"net": net, "x": x, "removed": removed}

    def body(
        toolkit: Toolkit, net: Any, x: FloatArray, removed: dict[str, list[int]]
    ) -> None:
        small = toolkit.compact(net, x, removed)
        want = _leaves(definition.compact(net, x, removed))
        got = _leaves(small)
        for layer in want:
            there = np.shape(got[layer]["weight"]) if layer in got else None
            expect(
                there == want[layer]["weight"].shape,
                f"{name}: the weight of layer {layer!r} is left with shape {there}, "
                f"expected {want[layer]['weight'].shape}",
                removed=removed,
            )
        _same_function(small, net, x, removed)

    body.__name__ = f"removal_{name}"
    body.__doc__ = f"Removal keeps the function: {make.__doc__}"
    check("R.1", drawn, lambda: strategies.networks(name))(body)


for _name, _make in nets.NETS.items():
    _file(_name, _make)
