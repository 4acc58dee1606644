"""Chapter F: a masked layer forward and backward.

Results are compared within twice gamma_n |a||b|, the bound for a sum of n products in
any order (Higham 2002, Sec. 3.1), with the unit roundoff of the type that came back.
"""

from collections.abc import Iterator

import numpy as np

from minprune._check import AnyArray, BoolArray, FloatArray
from minprune.conformance import cases, strategies
from minprune.conformance.adapter import Toolkit
from minprune.conformance.registry import Case, check, expect

Rng = np.random.Generator


def layers(rng: Rng) -> Iterator[Case]:
    """Sparse, dense, empty, with empty rows and columns."""
    for density in (0.0, 0.2, 0.5, 1.0):
        yield cases.layer(rng, (5, 7), 4, density)
    yield cases.layer(rng, (1, 1), 1, 1.0)
    case = cases.layer(rng, (4, 6), 3, 0.5)
    case["mask"][1] = False
    case["mask"][:, 2] = False
    yield case


def _close(
    got: AnyArray, left: AnyArray, right: AnyArray, what: str, case: Case
) -> None:
    """`got` is the product left @ right, up to rounding."""
    got = np.asarray(got)
    exact = left.astype(np.float64) @ right.astype(np.float64)
    expect(
        got.shape == exact.shape,
        f"{what} has shape {got.shape}, expected {exact.shape}",
        **case,
    )
    terms = left.shape[1] + 1
    unit = np.finfo(got.dtype if got.dtype.kind == "f" else np.float64).eps / 2
    size = np.abs(left.astype(np.float64)) @ np.abs(right.astype(np.float64))
    off = np.abs(got - exact) > 2 * terms * unit / (1 - terms * unit) * size
    if off.any():
        at = tuple(int(i) for i in np.argwhere(off)[0])
        expect(
            False,
            f"{what} at {at} is {got[at]:.9g}, expected {exact[at]:.9g}, further apart "
            f"than rounding can bring them",
            **case,
        )


@check("F.1", layers, strategies.layers)
def forward_uses_kept_weights_only(
    toolkit: Toolkit, weight: FloatArray, mask: BoolArray, x: FloatArray, dy: FloatArray
) -> None:
    """Y = x (W * mask)'."""
    got = toolkit.forward(weight, mask, x)
    case = {"weight": weight, "mask": mask, "x": x}
    _close(got, x, (weight * mask).T, "the output", case)


@check("F.2", layers, strategies.layers)
def weight_gradients_are_zero_where_pruned(
    toolkit: Toolkit, weight: FloatArray, mask: BoolArray, x: FloatArray, dy: FloatArray
) -> None:
    """What is pruned is not trained."""
    gradient, _ = toolkit.backward(weight, mask, x, dy)
    expect(
        not np.asarray(gradient)[~mask].any(),
        "a pruned weight has a gradient",
        mask=mask,
    )


@check("F.2", layers, strategies.layers)
def weight_gradients_are_right_where_kept(
    toolkit: Toolkit, weight: FloatArray, mask: BoolArray, x: FloatArray, dy: FloatArray
) -> None:
    """DW = dy' x at the kept weights."""
    gradient, _ = toolkit.backward(weight, mask, x, dy)
    kept = np.where(mask, gradient, (dy.T.astype(np.float64) @ x).astype(np.float32))
    case = {"mask": mask, "x": x, "dy": dy}
    _close(kept, dy.T, x, "the weight's gradient", case)


@check("F.3", layers, strategies.layers)
def input_gradients_use_kept_weights_only(
    toolkit: Toolkit, weight: FloatArray, mask: BoolArray, x: FloatArray, dy: FloatArray
) -> None:
    """Dx = dy (W * mask)."""
    _, got = toolkit.backward(weight, mask, x, dy)
    case = {"weight": weight, "mask": mask, "dy": dy}
    _close(got, dy, weight * mask, "the input's gradient", case)


@check("F.4", layers)
def arguments_are_left_alone(
    toolkit: Toolkit, weight: FloatArray, mask: BoolArray, x: FloatArray, dy: FloatArray
) -> None:
    """Computing changes nothing that was given."""
    before = [array.copy() for array in (weight, mask, x, dy)]
    toolkit.forward(weight, mask, x)
    toolkit.backward(weight, mask, x, dy)
    for old, new in zip(before, (weight, mask, x, dy), strict=True):
        expect(bool((old == new).all()), "an argument was changed in place")
