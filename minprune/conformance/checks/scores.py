"""Chapter C: what criteria say of given evidence, formula by formula.

Each formula stands here once more, as loops or in exact form, one line a criterion. A
score is compared up to a relative error of 1e-6, since a toolkit may compute in
float32: 2^-24 for each rounding of these formulas, on sums of at most a dozen terms.
"""

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from minprune._check import FloatArray
from minprune.conformance import cases, strategies
from minprune.conformance.adapter import Toolkit
from minprune.conformance.registry import Case, check, expect

CLOSE = 1e-6
Evidence = Mapping[str, FloatArray]
Formula = Callable[..., FloatArray]


def _lamp(weight: FloatArray) -> FloatArray:
    """w^2 over the sum of all squares that are no smaller, ties by position."""
    squares = [float(w) ** 2 for w in weight.ravel()]
    order = sorted(range(len(squares)), key=lambda i: (squares[i], i))
    out = np.zeros(len(squares))
    for place, index in enumerate(order):
        rest = sum(squares[i] for i in order[place:])
        out[index] = squares[index] / rest
    return out.reshape(weight.shape)


def _fpgm(weight: FloatArray) -> FloatArray:
    """Sum of the distances of a filter to all others."""
    filters = weight.reshape(len(weight), -1)
    return np.array(
        [sum(float(np.hypot.reduce(a - b)) for b in filters) for a in filters]
    )


FORMULAS: dict[str, tuple[tuple[str, ...], Formula]] = {
    "magnitude": (("weight",), lambda weight: abs(weight)),
    "l1_norm": (("weight",), lambda weight: np.array([abs(r).sum() for r in weight])),
    "l2_norm": (
        ("weight",),
        lambda weight: np.array([np.hypot.reduce(r.ravel()) for r in weight]),
    ),
    "lamp": (("weight",), _lamp),
    "fpgm": (("weight",), _fpgm),
    "gradient_magnitude": (("grad",), lambda grad: abs(grad)),
    "snip": (("weight", "grad"), lambda weight, grad: abs(weight * grad)),
    "taylor": (("weight", "grad"), lambda weight, grad: (weight * grad) ** 2),
    "obd": (
        ("weight", "hess_diag"),
        lambda weight, hess_diag: hess_diag * weight**2 / 2,
    ),
    "fisher": (
        ("weight", "fisher_diag"),
        lambda weight, fisher_diag: fisher_diag * weight**2 / 2,
    ),
    "wanda": (
        ("weight", "input_norm"),
        lambda weight, input_norm: abs(weight) * input_norm[None, :],
    ),
}


def evidence(rng: np.random.Generator) -> Iterator[Case]:
    """Random evidence of linear layers."""
    for shape in ((2, 3), (4, 6), (1, 1)):
        yield {"given": cases.evidence(rng, shape)}


def _file(name: str, needs: tuple[str, ...], formula: Formula) -> None:
    """One check for one formula of the table."""

    def body(toolkit: Toolkit, given: Evidence) -> None:
        used = {need: given[need] for need in needs}
        want = np.asarray(formula(**used), np.float64)
        got = np.asarray(toolkit.score(name, used), np.float64)
        expect(
            got.shape == want.shape,
            f"{name}: a score of shape {got.shape} came back, expected {want.shape}",
        )
        off = np.abs(got - want) > CLOSE * np.abs(want).max(initial=0.0)
        if off.any():
            at = tuple(int(i) for i in np.argwhere(off)[0])
            expect(
                False,
                f"{name}: the score at {at} is {got[at]:.9g}, by the formula it is "
                f"{want[at]:.9g}",
                **used,
            )

    body.__name__ = f"score_{name}"
    body.__doc__ = f"{name} is its published formula."
    check("C.2", evidence, strategies.evidence)(body)


for _name, (_needs, _formula) in FORMULAS.items():
    _file(_name, _needs, _formula)


@check("C.1", evidence)
def evidence_is_left_alone(toolkit: Toolkit, given: Evidence) -> None:
    """Scoring changes nothing that was given."""
    used = {"weight": given["weight"].copy()}
    toolkit.score("magnitude", used)
    expect(
        bool((used["weight"] == given["weight"]).all()),
        "magnitude changed the weight in place",
    )
