"""Random evidence by name, and what each statement in `Holds` means as a test.

`ROLES` says what the axes of every piece of evidence stand for. Everything else follows
from it: shapes, what moves when output units are permuted, what is zeroed when a unit
is. A new piece of evidence is a line in `ROLES`, one in `UNITS` and, where plain normal
numbers will not do, one in `DRAW`.

The roles of an axis:

========== =========================================================================
out        output units (filters) of the layer
in         input features of the layer; for a convolution input channels of one group
y, x       kernel rows and columns
column     an unfolded input: ``in * y * x`` of them in a group
group      groups of a convolution
example, batch   what evidence is collected over
h, w       places of a feature map
other      an axis of another layer: its outputs, or the entries of its weights
========== =========================================================================
"""

import inspect
from dataclasses import dataclass

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
        return ("h", "w") if "y" in self.weight else ()


COMMON = {"example": 5, "batch": 3, "h": 3, "w": 2, "other": 3}
LINEAR = Case("linear", ("out", "in"), COMMON | {"out": 4, "in": 6, "group": 1})
CONV = Case(
    "conv",
    ("out", "in", "y", "x"),
    COMMON | {"out": 4, "in": 3, "y": 2, "x": 3, "group": 1, "column": 18},
)
GROUPED = Case(
    "grouped",
    ("out", "in", "y", "x"),
    COMMON | {"out": 4, "in": 2, "y": 2, "x": 2, "group": 2, "column": 8},
)
VECTOR = Case("vector", ("out",), COMMON | {"out": 7})
CASES = (LINEAR, CONV, GROUPED, VECTOR)

WEIGHT_LIKE = (
    "weight dense_weight initial_weight squared_updates grad gate_grad flow_grad "
    "path_grad hessian_grad hess_diag fisher_diag"
).split()
CHANNEL_LIKE = "bn_scale bn_shift bn_scale_grad bn_shift_grad".split()

ROLES = (
    dict.fromkeys(WEIGHT_LIKE, lambda case: case.weight)
    | dict.fromkeys(CHANNEL_LIKE, lambda case: ("out",))
    | {
        "grad_by_batch": lambda case: ("batch", *case.weight),
        "grad_by_example": lambda case: ("example", *case.weight),
        "bn_scale_grad_by_batch": lambda case: ("batch", "out"),
        "activation": lambda case: ("example", "out", *case.place),
        "activation_grad": lambda case: ("example", "out", *case.place),
        "output": lambda case: ("example", "out", *case.place),
        "input_norm": lambda case: case.column,
        "gram": lambda case: (*case.column, case.column[-1]),
        "output_gram": lambda case: ("out", "out"),
        "kfac_a": lambda case: (*case.column, case.column[-1]),
        "kfac_g": lambda case: ("out", "out"),
        "next_weight": lambda case: ("other", "out", *case.weight[2:]),
        "loss_change": lambda case: ("out",),
    }
)

UNITS = {
    "weight": dict.fromkeys(
        "weight dense_weight initial_weight bn_scale bn_shift next_weight".split(), 1
    )
    | {"squared_updates": 2},
    "loss": dict.fromkeys(
        "grad grad_by_batch grad_by_example gate_grad bn_scale_grad bn_shift_grad "
        "bn_scale_grad_by_batch flow_grad path_grad".split(),
        -1,
    )
    | {"hess_diag": -2, "fisher_diag": -2, "hessian_grad": -3},
}
"""By what power of a the evidence changes under w -> a w at an unchanged function."""

PER_LAYER = {"input_norm", "gram", "kfac_a", "kfac_g", "output_gram", "next_weight"}
"""Evidence that only a layer with inputs and outputs has, so not a bare vector."""


def _positive(shape, rng):
    return rng.uniform(0.1, 2.0, shape)


def _semidefinite(shape, rng):
    root = rng.normal(size=(*shape[:-1], 2 * shape[-1]))
    return root @ np.swapaxes(root, -1, -2) / (2 * shape[-1])


DRAW = (
    dict.fromkeys("input_norm fisher_diag flow_grad path_grad".split(), _positive)
    | {"squared_updates": _positive}
    | dict.fromkeys("gram output_gram kfac_a kfac_g".split(), _semidefinite)
)


def shape_of(roles, case):
    return tuple(case.sizes[role] for role in roles)


def cases_of(card):
    """The layers this criterion can be asked about."""
    return [c for c in CASES if c is not VECTOR or not PER_LAYER & set(card.needs)]


def evidence(card, case, rng):
    """Random evidence of one layer, by name."""
    given = {}
    for name in card.needs:
        shape = shape_of(ROLES[name](case), case)
        draw = DRAW.get(name, lambda shape, rng: rng.normal(size=shape))
        given[name] = draw(shape, rng)
    return given


def outcome(card, given):
    """The score, or what a solver returns, as a tuple of arrays."""
    parameters = inspect.signature(card.function).parameters
    options = {"rng": np.random.default_rng(9)} if "rng" in parameters else {}
    got = card.function(**given, **options)
    return got if isinstance(got, tuple) else (got,)


def score_roles(card, case):
    """What the axes of the score stand for."""
    if card.kind == "solver":
        return case.weight
    return {
        "weight": case.weight,
        "any": case.weight,
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
    """Equal but for the rounding of sums of under a hundred terms in another order."""
    scale = np.abs(want).max(initial=0.0)
    assert_allclose(got, want, rtol=1e-11, atol=1e-13 * scale)


def _permuted(card, case, rng, orders):
    given = evidence(card, case, rng)
    there = {name: moved(a, ROLES[name](case), orders) for name, a in given.items()}
    for got, want in zip(outcome(card, there), outcome(card, given), strict=True):
        _equal_up_to_order(got, moved(want, score_roles(card, case), orders))


def _replaced(card, case, rng, change):
    """Outcomes before and after `change(name, array)` on every piece of evidence."""
    given = evidence(card, case, rng)
    changed = {name: change(name, array) for name, array in given.items()}
    return outcome(card, given), outcome(card, changed)


def non_negative(card, case, rng):
    assert (outcome(card, evidence(card, case, rng))[0] >= 0).all()


def zero_at_zero(card, case, rng):
    """Whatever carries the unit's values (weights, scales, activations) is zero."""
    carriers = set(UNITS["weight"]) - {"next_weight"} | {"activation", "output"}
    roles = score_roles(card, case)
    at = {role: int(rng.integers(case.sizes[role])) for role in roles}

    def change(name, array):
        if name not in carriers:
            return array
        array, place = array.copy(), [slice(None)] * array.ndim
        for axis, role in enumerate(ROLES[name](case)):
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
    signs = {}

    def change(name, array):
        if UNITS["weight"].get(name) != 1:
            return array
        sign = signs.setdefault(array.shape, rng.choice([-1.0, 1.0], array.shape))
        return array * sign

    before, after = _replaced(card, case, rng, change)
    for got, want in zip(after, before, strict=True):
        assert_array_equal(got, want)


def _doubled(name, array):
    return array * 2.0 ** UNITS["weight"].get(name, 0)


def scales_with_weight(card, case, rng):
    """Doubling is exact in binary, so equal scores stay equal and no order changes."""
    (before, *_), (after, *_) = _replaced(card, case, rng, _doubled)
    ranks = [np.argsort(score, axis=None, kind="stable") for score in (before, after)]
    assert_array_equal(*ranks)


def scale_invariant(card, case, rng):
    (before, *_), (after, *_) = _replaced(card, case, rng, _doubled)
    assert_array_equal(after, before)


def rescales(card, case, rng):
    a = 2.0 ** rng.integers(-6, 7)  # a power of two, so that the rescaling is exact
    powers = UNITS["weight"] | UNITS["loss"]

    def change(name, array):
        return array * a ** powers.get(name, 0)

    (before, *_), (after, *_) = _replaced(card, case, rng, change)
    assert_array_equal(after, before)


def batch_order(card, case, rng):
    orders = {role: rng.permutation(case.sizes[role]) for role in ("example", "batch")}
    _permuted(card, case, rng, orders)


def data_free(card, case, rng):
    assert set(card.needs) <= set(UNITS["weight"]) | {"coupled_weights"}
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
