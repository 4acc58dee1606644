"""Cuts at a given score: the sources' worked examples, then the edges."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from minprune.masks import above, at_least, at_quantile
from tests.oracles import selection as oracle

SCORES = st.lists(st.sampled_from([-1.0, 0.0, 0.5, 1.0, 2.0]), min_size=1, max_size=9)


@given(SCORES, st.sampled_from([-1.0, 0.25, 0.5, 3.0]))
def test_a_score_equal_to_the_threshold_stays_or_goes(scores, value):
    got = at_least(np.array(scores), value), above(np.array(scores), value)
    assert got[0].tolist() == [score >= value for score in scores]
    assert got[1].tolist() == [score > value for score in scores]


@given(SCORES, st.sampled_from([0, 0.25, 0.5, 0.75, 1]))
def test_a_quantile_is_a_threshold_read_off_the_scores(scores, level):
    # Quarters of halves are exact in binary, so both sides agree to the bit.
    cut = oracle.quantile(scores, level)
    want = [score >= cut for score in scores]
    assert at_quantile(np.array(scores), level).tolist() == want


def test_a_matrix_with_threshold_three():
    weight = np.array([[1, 2], [3, 4]])
    assert_array_equal(at_least(np.abs(weight), 3) * weight, [[0, 0], [3, 4]])


def test_gradients_with_threshold_one():
    weight, grad = np.array([[1, 2], [3, 4]]), np.array([[0.5, -0.5], [1.5, -1.5]])
    assert_array_equal(at_least(np.abs(grad), 1) * weight, [[0, 0], [3, 4]])


def test_importances_with_threshold_a_half():
    importance = np.array([[0.3, 0.6, 0.9], [0.4, 0.7, 0.8]])
    want = [[False, True, True], [False, True, True]]
    assert_array_equal(above(importance, 0.5), want)


def test_each_layer_has_its_threshold_or_all_share_one():
    scores = {"a": np.array([1.0, 2.0]), "b": np.array([1.0, 2.0])}
    got = at_least(scores, {"a": 1, "b": 2})
    assert [mask.sum() for mask in got.values()] == [2, 1]
    assert [mask.sum() for mask in above(scores, 1).values()] == [1, 1]
    got = at_quantile({"a": np.arange(4.0), "b": np.arange(10.0)}, 0.5)
    assert [mask.sum() for mask in got.values()] == [2, 5]


def test_equal_scores_stay_or_go_together():
    assert at_least(np.ones(8), 1).all()
    assert not above(np.zeros(8), 0).any()
    assert at_quantile(np.ones(8), 0.5).all()


def test_the_empty_tensor_and_the_single_weight():
    assert at_least(np.empty((0, 2)), 1).shape == (0, 2)
    assert at_quantile(np.empty(0), 0.5).shape == (0,)
    assert at_quantile(np.array([3.0]), 0.5).tolist() == [True]


def test_a_threshold_may_be_a_fraction():
    assert at_least(np.array([0.25, 0.75]), Fraction(1, 2)).tolist() == [False, True]


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="at_least: scores holds 1 non-finite"):
        at_least(np.array([np.nan]), 1)
    with pytest.raises(ValueError, match="above: value is nan"):
        above(np.ones(2), float("nan"))
    with pytest.raises(ValueError, match="above: value is '1'; expected a finite"):
        above(np.ones(2), "1")
    with pytest.raises(ValueError, match="at_quantile: level is 2"):
        at_quantile(np.ones(2), 2)
    with pytest.raises(ValueError, match="no value for 'a'"):
        above({"a": np.ones(2)}, {"b": 1.0})
