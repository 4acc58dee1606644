"""Shares of size: exact arithmetic, then theorems, then the edges."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from numpy.testing import assert_allclose, assert_array_equal

from minprune.criteria import relative as family
from minprune.criteria.magnitude import magnitude
from tests.criteria.strategies import weights
from tests.oracles import relative as oracle

CRITERIA = ["normalized_magnitude", "relative_importance", "lamp"]


@pytest.mark.parametrize("name", CRITERIA)
@given(weight=weights())
def test_the_score_is_what_exact_arithmetic_gives(name, weight):
    got = getattr(family, name)(weight)
    # Sums of under 300 terms, then at most a root and two divisions.
    assert_allclose(got, getattr(oracle, name)(weight), rtol=1e-13)


@given(weights())
def test_lamp_ranks_a_layer_as_magnitude_does_ties_included(weight):
    by_lamp = np.argsort(family.lamp(weight), axis=None, kind="stable")
    by_size = np.argsort(magnitude(weight), axis=None, kind="stable")
    assert_array_equal(by_lamp, by_size)


@given(weights().filter(np.any))
def test_lamp_gives_the_largest_weight_exactly_one_and_nothing_more(weight):
    score = family.lamp(weight)
    assert score.max() == 1.0
    assert (score == 1.0).sum() == 1


def test_lamp_keeps_the_tail_of_a_large_layer():
    """Subtracting float32 sums from the total gives 0.15 to 0.22 for the top weight."""
    weight = np.random.default_rng(0).normal(size=200_000).astype(np.float32)
    score = family.lamp(weight)
    order = np.argsort(np.abs(weight), kind="stable")
    second, top = (Fraction(float(weight[i])) ** 2 for i in order[-2:])
    assert score[order[-1]] == 1.0
    assert score[order[-2]] == pytest.approx(float(second / (second + top)), rel=1e-15)


@given(weights().filter(np.any))
def test_normalized_magnitude_has_length_one(weight):
    assert np.sum(family.normalized_magnitude(weight) ** 2) == pytest.approx(1)


@given(weights().filter(np.any))
def test_relative_importance_hands_every_live_row_and_column_one_share(weight):
    """The shares of each row sum to 1, those of each column too."""
    units = len(weight)
    size = np.abs(weight).reshape(units, -1)
    live = np.any(size, axis=1).sum() + np.any(size, axis=0).sum()
    assert family.relative_importance(weight).sum() == pytest.approx(live)


@pytest.mark.parametrize("name", CRITERIA)
@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0)])
def test_an_empty_layer_has_an_empty_score(name, shape):
    score = getattr(family, name)(np.zeros(shape))
    assert score.shape == shape
    assert not score.any()


@pytest.mark.parametrize("name", CRITERIA)
def test_a_layer_of_zeros_scores_zero(name):
    assert not getattr(family, name)(np.zeros((2, 3))).any()
