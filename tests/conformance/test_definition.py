"""The numbers of the definitions: right to sixty digits, and honest about float32."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from minprune.conformance import cases, definition
from minprune.conformance.definition.exact import (
    Number,
    Undecided,
    exact,
    floats,
    inverse,
    largest,
    lowest_first,
    number,
    precise,
    ratio,
    singular_values,
)

SEEDS = pytest.mark.parametrize("seed", range(5))
DYADIC = st.integers(-4096, 4096).map(lambda n: n / 1024)


@given(st.lists(st.tuples(DYADIC, DYADIC, DYADIC), min_size=1, max_size=8))
def test_float32_strays_no_further_than_the_bound_says(terms):
    """A sum of products and quotients, operation by operation."""
    rough, sharp, fine = np.float32(0), Fraction(0), number(0)
    with precise():
        for a, b, c in terms:
            divisor = 1 + abs(c)
            rough += np.float32(a) * np.float32(b) / np.float32(divisor)
            sharp += Fraction(a) * Fraction(b) / Fraction(divisor)
            fine = fine + number(a) * number(b) / number(divisor)
    assert abs(Fraction(fine.value) - sharp) < Fraction(1, 10**50)
    assert abs(Fraction(float(rough)) - sharp) <= Fraction(fine.off)


@given(st.lists(DYADIC, min_size=1, max_size=8))
def test_roots_stray_no_further_either(values):
    with precise():
        value, off = floats(np.sqrt((exact(np.array(values)) ** 2).sum()))
    rough = np.float32(0)
    for v in values:
        rough += np.float32(v) * np.float32(v)
    assert abs(np.sqrt(rough) - value) <= off + 1e-15 * value  # value is a float64


@SEEDS
def test_an_inverse_is_one(seed):
    root = np.random.default_rng(seed).integers(-8, 9, (5, 10)) / 4.0
    matrix = root @ root.T
    with precise():
        value, off = floats(inverse(exact(matrix)) @ exact(matrix))
    assert_allclose(value, np.eye(5), rtol=0, atol=1e-40)
    assert (off < 1e-3).all()


@SEEDS
@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (4, 4), (1, 3)])
def test_singular_values_are_those_of_numpy(seed, shape):
    matrix = np.random.default_rng(seed).integers(-8, 9, shape) / 4.0
    with precise():
        found = sorted(float(n.value) for n in singular_values(exact(matrix)))
    want = np.sort(np.linalg.svd(matrix, compute_uv=False))
    assert_allclose(found, want, rtol=1e-12, atol=1e-12 * want.max())


def test_what_float32_cannot_tell_apart_is_undecided():
    third, near = (
        Number(Decimal(n), Decimal("1e-7")) for n in ("0.3333", "0.33330005")
    )
    for compare in (
        lambda: third < near,
        lambda: third == near,
        lambda: lowest_first([near, third]),
        lambda: 1 / (third - near),
        lambda: (third - near).sqrt(),
        lambda: (third - near).log(),
    ):
        with pytest.raises(Undecided):
            compare()
    assert largest([third, near]).value == near.value  # its value is known either way


def test_exact_ties_are_decided_by_position():
    assert lowest_first([number(n) for n in (2, 1, 1, 0)]) == [3, 1, 2, 0]


def test_a_share_of_nothing_is_nothing():
    zeros = exact(np.zeros(3))
    assert floats(ratio(zeros, zeros.sum()))[0].tolist() == [0, 0, 0]


@SEEDS
def test_every_piece_of_evidence_is_exact_in_float32(seed):
    for sizes in (cases.LINEAR, cases.NARROW, cases.CONV):
        drawn = cases.evidence(np.random.default_rng(seed), cases.ROLES, sizes)
        for array in drawn.values():
            assert (array.astype(np.float32) == array).all()


def test_ties_of_an_allocation_go_as_the_clause_says():
    """Of 2.5, 2.5 and 5 kept weights the earlier keeps more (A.2)."""
    shapes = {"a": (5, 1), "b": (5, 1), "c": (2, 5)}
    assert definition.allocation("uniform", shapes, 0.5) == {"a": 2, "b": 3, "c": 5}
