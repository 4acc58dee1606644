"""A share becomes a count: clause M.1, exactly, for every way to write a number."""

import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minprune.masks import apportion, in_proportion, kept, removed, rounded, share
from minprune.masks.count import half_up
from tests.oracles import selection as oracle

THOUSANDTHS = st.integers(0, 1000).map(lambda k: f"{k / 1000:.3f}")


@given(st.integers(0, 10**7), THOUSANDTHS)
def test_the_count_is_the_nearest_whole_number_halves_to_even(size, sparsity):
    assert removed(size, sparsity) == oracle.removed(size, sparsity)


@given(st.integers(0, 10**7), st.integers(0, 100))
def test_every_way_to_write_a_sparsity_counts_alike(size, percent):
    exact = Fraction(percent, 100)
    counts = {
        removed(size, form)
        for form in (
            exact,
            percent / 100,
            str(percent / 100),
            Decimal(percent) / 100,
            np.float64(percent / 100),
            np.float32(percent / 100),
            np.float16(percent / 100),
        )
    }
    assert counts == {removed(size, exact)}


def test_binary_rounding_never_shows():
    """Where ``int(n * s)`` and ``n - int(n * (1 - s))`` go wrong."""
    assert removed(100, 0.29) == 29
    assert removed(100, 0.57) == 57
    assert removed(10, 0.9) == 9
    assert removed(1000, 0.999) == 999


def test_halves_go_to_the_even_neighbor():
    assert [removed(n, 0.5) for n in (1, 3, 5, 7)] == [0, 2, 2, 4]


@given(st.integers(0, 1000), THOUSANDTHS)
def test_removed_and_kept_add_up(size, sparsity):
    assert removed(size, sparsity) + kept(size, sparsity) == size


@given(st.integers(0, 1000), THOUSANDTHS, THOUSANDTHS)
def test_more_sparsity_never_removes_less(size, a, b):
    low, high = sorted((a, b))
    assert removed(size, low) <= removed(size, high)


@pytest.mark.parametrize("size", [0, 1, 2, 1000])
def test_zero_removes_nothing_and_one_removes_all(size):
    assert removed(size, 0) == 0
    assert removed(size, 1) == size


def test_the_empty_and_the_single_weight():
    assert removed(0, 0.9) == 0
    assert removed(1, "0.5") == 0
    assert removed(1, "0.51") == 1


def test_stated_roundings():
    assert rounded(10, "0.25", math.floor) == 2
    assert rounded(10, "0.25", math.ceil) == 3
    assert rounded(10, "0.25", round) == 2
    assert rounded(10, "0.25", half_up) == 3
    assert rounded(10, "0.24", half_up) == 2


@given(st.lists(st.fractions(0, 50, max_denominator=30), min_size=1, max_size=8))
def test_apportioned_counts_keep_the_sum_and_stay_next_to_the_ideal(ideals):
    ideals.append(math.ceil(sum(ideals)) - sum(ideals))  # a whole total
    counts = apportion(ideals)
    assert sum(counts) == sum(ideals)
    assert all(abs(c - i) < 1 for c, i in zip(counts, ideals, strict=True))


@given(st.lists(st.integers(0, 30), min_size=2, max_size=5), st.integers(1, 40))
def test_no_other_rounding_is_nearer(parts, total):
    """Largest remainders minimize the sum of distances (checked by trying a move)."""
    if sum(parts) == 0:
        parts[0] = 1
    ideals = [Fraction(part * total, sum(parts)) for part in parts]
    counts = apportion(ideals)
    distance = lambda cs: sum(abs(c - i) for c, i in zip(cs, ideals, strict=True))
    for giver in range(len(counts)):
        for taker in range(len(counts)):
            moved = list(counts)
            moved[giver] -= 1
            moved[taker] += 1
            assert distance(counts) <= distance(moved)


def test_equal_remainders_go_to_the_lower_index():
    assert apportion([Fraction(1, 2)] * 4) == [1, 1, 0, 0]


@given(
    st.lists(
        st.tuples(st.fractions(0, 9, max_denominator=9), st.integers(0, 20)),
        min_size=1,
        max_size=6,
    ),
    st.data(),
)
def test_shares_in_proportion_stay_within_their_limits(layers, data):
    parts, limits = [part for part, _ in layers], [limit for _, limit in layers]
    most = sum(limit for part, limit in layers if part)
    total = data.draw(st.integers(0, most))
    ideals = in_proportion(parts, limits, total)
    assert sum(ideals) == total
    # By definition there is one c; whoever is below the limit has the largest multiple.
    c = max((i / p for i, p in zip(ideals, parts, strict=True) if p), default=0)
    assert ideals == [min(n, c * p) for n, p in zip(limits, parts, strict=True)]


def test_more_than_the_limits_hold_is_refused():
    with pytest.raises(ValueError, match="nearest that can be met is 5"):
        in_proportion([Fraction(1), Fraction(0)], [5, 7], 6)


def test_nothing_to_apportion():
    assert apportion([]) == []
    assert apportion([Fraction(0), Fraction(3)]) == [0, 3]


@pytest.mark.parametrize("ideals", [[Fraction(1, 2)], [Fraction(-1), Fraction(2)]])
def test_ideals_that_cannot_be_apportioned_are_refused(ideals):
    with pytest.raises(ValueError, match="add up to a whole number"):
        apportion(ideals)


@pytest.mark.parametrize(
    "bad", [-0.1, 1.1, "nan", float("inf"), "half", "", "1/0", "1e-999999999"]
)
def test_what_is_no_share_is_refused_by_value(bad):
    with pytest.raises(ValueError, match=r"removed: sparsity is .*from 0 to 1"):
        removed(10, bad)


@pytest.mark.parametrize("bad", [None, True, [0.5], 1j])
def test_what_is_no_number_is_refused_by_type(bad):
    with pytest.raises(TypeError, match="expected a number from 0 to 1"):
        removed(10, bad)


@pytest.mark.parametrize(("bad", "error"), [(-1, ValueError), (2.0, TypeError)])
def test_a_size_is_a_whole_number(bad, error):
    with pytest.raises(error, match="size is"):
        removed(bad, 0.5)


def test_a_share_keeps_the_callers_name():
    with pytest.raises(ValueError, match=r"^prune: rate is 2;"):
        share("prune", 2, "rate")
