"""Drawn inputs that the seeded checks, the search and the test vectors have in common.

Evidence is drawn in multiples of 1/1024, which float32 holds exactly: a toolkit that
computes in float32 is given what one that computes in float64 is given.
"""

import inspect
from collections.abc import Callable, Iterable
from math import prod
from typing import Any

import numpy as np

from minprune._check import FloatArray
from minprune.conformance import definition
from minprune.criteria import Card

Rng = np.random.Generator

LINEAR = {"out": 3, "in": 4}
NARROW = {"out": 5, "in": 2}
CONV = {"out": 4, "in": 2, "y": 2, "x": 1, "group": 2, "h": 3, "w": 2}
"""A convolution of two groups, each of two outputs and two input channels."""

COMMON = {"batch": 3, "example": 8, "many": 32, "other": 3, "member": 3}
"""Lengths of axes that are no matter of the layer; `many` examples are more than there
are weights, so that the sum of their outer products has an inverse."""

ROLES = {
    "weight": "weight",
    "dense_weight": "weight",
    "initial_weight": "weight",
    "squared_updates": "+weight",
    "grad": "weight",
    "gate_grad": "weight",
    "grad_by_batch": "batch weight",
    "grad_by_example": "many weight",
    "hessian_grad": "weight",
    "hess_diag": "weight",
    "fisher_diag": "+weight",
    "hessian": "square entry",
    "flow_grad": "+weight",
    "path_grad": "+weight",
    "input_norm": "+column",
    "input_variance": "+column",
    "gram": "square column",
    "kfac_a": "square column",
    "kfac_g": "square out",
    "activation": "example map",
    "activation_grad": "example map",
    "block_input": "example map",
    "block_output": "example map",
    "bn_scale": "out",
    "bn_shift": "out",
    "bn_scale_grad": "out",
    "bn_shift_grad": "out",
    "bn_scale_grad_by_batch": "batch out",
    "bn_shift_grad_by_batch": "batch out",
    "loss_change": "out",
    "block_loss_change": "",
    "coupled_norms": "+member out",
    "next_weight": "other out window",
}
"""What the axes of each piece of evidence stand for; + is above zero, square is
symmetric and positive definite."""


def evidence(
    rng: Rng, needs: Iterable[str], sizes: dict[str, int] | None = None
) -> dict[str, FloatArray]:
    """Evidence of one layer, by name.

    Parameters
    ----------
    rng : Generator
    needs : iterable of str
        Names, as a card of the catalog has them.
    sizes : dict of str to int, optional
        Lengths of the axes, as in `LINEAR` and `CONV`.
    """
    lengths = COMMON | (sizes or LINEAR)
    return {need: _drawn(rng, ROLES[need], lengths) for need in needs}


def sizes_for(card: Card) -> tuple[dict[str, int], ...]:
    """Layers that a criterion can be asked about, linear ones first."""
    return (CONV,) if card.family == "feature_map" else (LINEAR, NARROW, CONV)


OPTIONS: dict[str, Callable[[Rng, FloatArray], Any]] = {
    "damping": lambda rng, weight: 0.01,
    "count": lambda rng, weight: 2,
    "keep": lambda rng, weight: 1,
    "group": lambda rng, weight: 2,
    "block": lambda rng, weight: 2,
    "mask": lambda rng, weight: rng.random(weight.shape) < 0.6,
    "channels": lambda rng, weight: np.arange(weight.shape[1]) % 2 == 0,
}
"""What stands for the options of a solver."""


def question(rng: Rng, card: Card, sizes: dict[str, int]) -> dict[str, Any]:
    """Evidence for a card, and options if it is a solver."""
    given = evidence(rng, card.needs, sizes)
    if card.kind == "score":
        return {"evidence": given}
    takes = inspect.signature(card.function).parameters
    options = {
        name: draw(rng, given["weight"])
        for name, draw in OPTIONS.items()
        if name in takes
    }
    if "channels" in options:
        options["channels"] = np.tile(options["channels"], sizes.get("group", 1))
    if card.name in ("lasso_channels", "thinet", "merge_neurons"):
        options["count"] = 1  # of few channels or neurons
    return {"evidence": given, "options": options}


def decided(rng: Rng, card: Card, sizes: dict[str, int]) -> dict[str, Any]:
    """A question whose answer hinges on nothing that float32 cannot tell."""
    ask = definition.score if card.kind == "score" else definition.solve
    while True:
        case = question(rng, card, sizes)
        try:
            ask(card.name, **case)
        except definition.Undecided:
            continue
        return case


def _drawn(rng: Rng, roles: str, sizes: dict[str, int]) -> FloatArray:
    """One array by the roles of its axes."""
    window = tuple(sizes[axis] for axis in ("y", "x") if axis in sizes)
    weight = (sizes["out"], sizes["in"], *window)
    groups = tuple(sizes[axis] for axis in ("group",) if axis in sizes)
    axes = {
        "weight": weight,
        "window": window,
        "column": (*groups, prod(weight[1:])),
        "entry": (prod(weight),),
        "map": (sizes["out"], *(sizes[axis] for axis in ("h", "w") if axis in sizes)),
    } | {name: (length,) for name, length in sizes.items()}
    kind, _, name = roles.partition(" ")
    if kind == "square":
        shape = axes[name]
        root = rng.integers(-16, 17, (*shape, 2 * shape[-1])) / 16.0
        return root @ np.swapaxes(root, -1, -2)
    shape = tuple(n for role in roles.strip("+").split() for n in axes[role])
    if roles.startswith("+"):
        return rng.integers(64, 2048, shape) / 1024.0
    return rng.integers(-4096, 4097, shape) / 1024.0


def layer(
    rng: Rng, shape: tuple[int, int], batch: int, density: float
) -> dict[str, Any]:
    """A weight, its mask, inputs and a gradient at the outputs, in float32."""
    return {
        "weight": rng.normal(size=shape).astype(np.float32),
        "mask": rng.random(shape) < density,
        "x": rng.normal(size=(batch, shape[1])).astype(np.float32),
        "dy": rng.normal(size=(batch, shape[0])).astype(np.float32),
    }
