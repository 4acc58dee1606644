"""Random evidence by name, and what each statement in `Holds` means as a test.

`EVIDENCE` says what the axes of every piece of evidence stand for. Everything else
follows from it: shapes, what moves when output units are permuted, what is zeroed when
a unit is. A new piece of evidence is one line there.

The roles of an axis:

========== =========================================================================
out        output units (filters) of the layer
in         input features of the layer; for a convolution input channels of one group
y, x       kernel rows and columns
column     an unfolded input: ``in * y * x`` of them in a group
group      groups of a convolution
example, batch   what evidence is collected over
h, w       places of a feature map
entry      the weights of the layer in flat order
piece      groups of four neighbors among the weights of an output unit
member     layers whose channels must go together
other      the output units of the layer that comes next
========== =========================================================================
"""

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from minprune.criteria import Holds


@dataclass(frozen=True)
class Case:
    """One layer: its kind and the length of every axis."""

    name: str
    weight: tuple[str, ...]
    sizes: dict[str, int]

    @property
    def column(self):
        """The roles of the inputs of a linear layer, or of an unfolded convolution."""
        return ("group", "column") if "y" in self.weight else ("in",)

    @property
    def place(self):
        """The roles of the places of a feature map."""
        return ("h", "w") if "y" in self.weight else ()

    def size(self, role):
        if role == "entry":
            return math.prod(self.size(axis) for axis in self.weight)
        if role == "piece":
            return math.ceil(self.size("entry") / self.size("out") / 4)
        return self.sizes[role]


COMMON = {"member": 3, "example": 5, "batch": 3, "h": 3, "w": 2, "other": 3}
LINEAR = Case("linear", ("out", "in"), COMMON | {"out": 4, "in": 6, "group": 1})
CONV = Case(
    "conv",
    ("out", "in", "y", "x"),
    COMMON | {"out": 4, "in": 4, "y": 2, "x": 3, "group": 1, "column": 24},
)
GROUPED = Case(
    "grouped",
    ("out", "in", "y", "x"),
    COMMON | {"out": 4, "in": 2, "y": 2, "x": 2, "group": 2, "column": 8},
)
VECTOR = Case("vector", ("out",), COMMON | {"out": 7})
CASES = (LINEAR, CONV, GROUPED, VECTOR)


def _normal(shape, rng):
    return rng.normal(size=shape)


def _positive(shape, rng):
    return rng.uniform(0.1, 2.0, shape)


def _semidefinite(shape, rng):
    root = rng.normal(size=(*shape[:-1], 2 * shape[-1]))
    return root @ np.swapaxes(root, -1, -2) / (2 * shape[-1])


@dataclass(frozen=True)
class Evidence:
    """What the properties have to know of one piece of evidence."""

    roles: Callable[[Case], tuple[str, ...]]
    power: int = 0
    """By what power of a it changes under w -> a w with the function left as it is."""
    carries: bool = False
    """Whether it is zero where a weight or a unit is."""
    bare: bool = True
    """Whether a bare vector of weights, without inputs, has it."""
    draw: Callable[..., Any] = _normal


def _weight(case):
    return case.weight


def _out(case):
    return ("out",)


def _out_by_batch(case):
    return ("batch", "out")


def _map(case):
    return ("example", "out", *case.place)


def _square(case):
    return (*case.column, case.column[-1])


EVIDENCE = {
    "weight": Evidence(_weight, 1, carries=True),
    "dense_weight": Evidence(_weight, 1, carries=True),
    "initial_weight": Evidence(_weight, 1, carries=True),
    "squared_updates": Evidence(_weight, 2, draw=_positive),
    "grad": Evidence(_weight, -1),
    "gate_grad": Evidence(_weight),
    "grad_by_batch": Evidence(lambda case: ("batch", *case.weight), -1),
    "grad_by_example": Evidence(lambda case: ("example", *case.weight), -1),
    "hessian_grad": Evidence(_weight, -3),
    "hess_diag": Evidence(_weight, -2),
    "fisher_diag": Evidence(_weight, -2, draw=_positive),
    "hessian": Evidence(lambda case: ("entry", "entry"), -2, draw=_semidefinite),
    "flow_grad": Evidence(_weight, -1, draw=_positive),
    "path_grad": Evidence(_weight, -2, draw=_positive),
    "input_norm": Evidence(lambda case: case.column, bare=False, draw=_positive),
    "input_variance": Evidence(lambda case: case.column, bare=False, draw=_positive),
    "gram": Evidence(_square, bare=False, draw=_semidefinite),
    "output_gram": Evidence(
        lambda case: ("out", "out"), bare=False, draw=_semidefinite
    ),
    "kfac_a": Evidence(_square, bare=False, draw=_semidefinite),
    "kfac_g": Evidence(lambda case: ("out", "out"), bare=False, draw=_semidefinite),
    "activation": Evidence(_map, carries=True),
    "activation_grad": Evidence(_map),
    "output": Evidence(_map, carries=True),
    "bn_scale": Evidence(_out, 1, carries=True),
    "bn_shift": Evidence(_out, 1, carries=True),
    "bn_scale_grad": Evidence(_out, -1),
    "bn_shift_grad": Evidence(_out, -1),
    "bn_scale_grad_by_batch": Evidence(_out_by_batch, -1),
    "bn_shift_grad_by_batch": Evidence(_out_by_batch, -1),
    "loss_change": Evidence(_out),
    "block_loss_change": Evidence(lambda case: ()),
    "block_input": Evidence(_map, carries=True),
    "block_output": Evidence(_map, carries=True),
    "coupled_norms": Evidence(
        lambda case: ("member", "out"), 2, carries=True, draw=_positive
    ),
    "next_weight": Evidence(
        lambda case: ("other", "out", *case.weight[2:]), bare=False
    ),
}


DEGREES = {
    "weight": 1,
    "dense_weight": 1,
    "initial_weight": 1,
    "squared_updates": 2,
    "bn_scale": 1,
    "bn_shift": 1,
    "coupled_norms": 2,
    "next_weight": 1,
}
"""How many weights are multiplied with each other in an entry of the evidence."""

PARAMETERS = {
    "weight",
    "bn_scale",
    "bn_shift",
    "next_weight",
    "coupled_norms",
    "flow_grad",
    "path_grad",
}
"""Evidence that a network alone gives, without any data."""


def shape_of(roles, case):
    """Lengths of the axes that stand for `roles`."""
    return tuple(case.size(role) for role in roles)


def cases_of(card):
    """The layers this criterion can be asked about."""
    bare = all(EVIDENCE[name].bare for name in card.needs)
    bare = bare and card.granularity != "channel"
    return [case for case in CASES if bare or case is not VECTOR]


def evidence(card, case, rng):
    """Random evidence of one layer, by name."""
    given = {}
    for name in card.needs:
        what = EVIDENCE[name]
        given[name] = what.draw(shape_of(what.roles(case), case), rng)
    return given


def _groups(given):
    return len(given["gram"]) if given["gram"].ndim == 3 else 1


OPTIONS = {
    "rng": lambda given: np.random.default_rng(9),
    "count": lambda given: 3,
    "keep": lambda given: 1,
    "group": lambda given: 2,
    "mask": lambda given: np.abs(given["weight"]) > 0.5,
    "channels": lambda given: np.arange(given["weight"].shape[1] * _groups(given)) > 0,
}
"""What stands in for the options without a default."""


def outcome(card, given):
    """The score, or what a solver returns, as a tuple of arrays."""
    required = [
        parameter.name
        for parameter in inspect.signature(card.function).parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY
        and parameter.default is parameter.empty
    ]
    got = card.function(**given, **{name: OPTIONS[name](given) for name in required})
    return got if isinstance(got, tuple) else (got,)


def score_roles(card, case):
    """What the axes of the score stand for."""
    if card.kind == "solver":
        return case.weight
    return {
        "weight": case.weight,
        "any": case.weight,
        "group": ("out", "piece"),
        "filter": ("out",),
        "row": ("out",),
        "channel": ("in",),
        "layer": (),
    }[card.granularity]


def moved(array, roles, orders):
    """`array` with every axis of a permuted role put into the new order."""
    for axis, role in enumerate(roles):
        if role in orders:
            array = np.take(array, orders[role], axis=axis)
    return array


def _equal_up_to_order(got, want):
    """Equal but for the rounding of sums that run in another order.

    Criteria that invert a nearly singular matrix twice multiply it by the condition of
    that matrix, which is up to 1e6 here.
    """
    scale = np.abs(want).max(initial=0.0)
    assert_allclose(got, want, rtol=1e-9, atol=1e-12 * scale)


def _permuted(card, case, rng, orders):
    flat = np.arange(case.size("entry")).reshape(shape_of(case.weight, case))
    orders = orders | {"entry": moved(flat, case.weight, orders).ravel()}
    given = evidence(card, case, rng)
    there = {
        name: moved(a, EVIDENCE[name].roles(case), orders) for name, a in given.items()
    }
    for got, want in zip(outcome(card, there), outcome(card, given), strict=True):
        _equal_up_to_order(got, moved(want, score_roles(card, case), orders))


def _replaced(card, case, rng, change):
    """Outcomes before and after `change(name, array)` on every piece of evidence.

    A promise about evidence that is not asked for would be kept by anything.
    """
    given = evidence(card, case, rng)
    changed = {name: change(name, array) for name, array in given.items()}
    assert any(np.any(changed[name] != array) for name, array in given.items())
    return outcome(card, given), outcome(card, changed)


def non_negative(card, case, rng):
    assert (outcome(card, evidence(card, case, rng))[0] >= 0).all()


def zero_at_zero(card, case, rng):
    """Whatever carries the unit's values (weights, scales, activations) is zero."""
    roles = score_roles(card, case)
    at = {role: int(rng.integers(case.size(role))) for role in roles}

    def change(name, array):
        if not EVIDENCE[name].carries:
            return array
        array, place = array.copy(), [slice(None)] * array.ndim
        for axis, role in enumerate(EVIDENCE[name].roles(case)):
            if role in at:
                place[axis] = at[role]
        array[tuple(place)] = 0.0
        return array

    _, (score,) = _replaced(card, case, rng, change)
    assert score[tuple(at[role] for role in roles)] == 0.0


def permutes_out(card, case, rng):
    """Units change places inside their group; a group stays where it is."""
    groups, units = case.sizes.get("group", 1), case.sizes["out"]
    order = np.arange(units).reshape(groups, -1)
    _permuted(card, case, rng, {"out": rng.permuted(order, axis=1).ravel()})


def permutes_in(card, case, rng):
    if "in" not in case.sizes:
        return
    order = rng.permutation(case.sizes["in"])
    window = case.sizes.get("y", 1) * case.sizes.get("x", 1)
    columns = (order[:, None] * window + np.arange(window)).ravel()
    _permuted(card, case, rng, {"in": order, "column": columns})


def sign_free(card, case, rng):
    """The sign of the first weight, and of half of the others."""
    signs = {}

    def change(name, array):
        if DEGREES.get(name) != 1:
            return array
        if array.shape not in signs:  # scale and shift are one gate: they flip together
            signs[array.shape] = rng.choice([-1.0, 1.0], array.shape)
            signs[array.shape].flat[0] = -1.0
        return array * signs[array.shape]

    before, after = _replaced(card, case, rng, change)
    for got, want in zip(after, before, strict=True):
        assert_array_equal(got, want)


def _doubled(name, array):
    return array * 2.0 ** DEGREES.get(name, 0)


def scales_with_weight(card, case, rng):
    """Doubling is exact in binary, so equal scores stay equal and no order changes."""
    (before, *_), (after, *_) = _replaced(card, case, rng, _doubled)
    ranks = [np.argsort(score, axis=None, kind="stable") for score in (before, after)]
    assert_array_equal(*ranks)


def scale_invariant(card, case, rng):
    (before, *_), (after, *_) = _replaced(card, case, rng, _doubled)
    assert_array_equal(after, before)


def rescales(card, case, rng):
    a = 2.0 ** (rng.integers(1, 7) * rng.choice([-1, 1]))  # a power of two: exact

    def change(name, array):
        return array * a ** EVIDENCE[name].power

    (before, *_), (after, *_) = _replaced(card, case, rng, change)
    assert_array_equal(after, before)


def batch_order(card, case, rng):
    asked = {role for name in card.needs for role in EVIDENCE[name].roles(case)}
    assert asked & {"example", "batch"}
    orders = {role: rng.permutation(case.sizes[role]) for role in ("example", "batch")}
    _permuted(card, case, rng, orders)


def data_free(card, case, rng):
    assert set(card.needs) <= PARAMETERS
    assert card.batch == "no data"


PROPERTIES = {
    Holds.NON_NEGATIVE: non_negative,
    Holds.ZERO_AT_ZERO: zero_at_zero,
    Holds.PERMUTES_OUT: permutes_out,
    Holds.PERMUTES_IN: permutes_in,
    Holds.SIGN_FREE: sign_free,
    Holds.SCALES_WITH_WEIGHT: scales_with_weight,
    Holds.SCALE_INVARIANT: scale_invariant,
    Holds.RESCALES: rescales,
    Holds.BATCH_ORDER: batch_order,
    Holds.DATA_FREE: data_free,
}
