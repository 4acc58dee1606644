"""Relevance: a gate that closes, what it is on simple losses, edges."""

import numpy as np
import pytest
from hypothesis import given
from numpy.testing import assert_allclose, assert_array_equal

from minprune.criteria.ablation import leave_one_out
from minprune.criteria.relevance import skeletonization
from minprune.criteria.taylor_activation import taylor_gate
from tests.criteria.test_taylor_activation import collected, feature_maps
from tests.oracles import relevance as oracle

CLOSE = {"rtol": 1e-11, "atol": 1e-13}  # atol in nats


@given(feature_maps())
def test_relevance_is_the_slope_in_a_closing_gate(problem):
    got = skeletonization(*collected(*problem))
    assert_allclose(got, oracle.skeletonization(*problem), **CLOSE)


@given(feature_maps())
def test_its_square_is_the_taylor_gate(problem):
    evidence = collected(*problem)
    want = taylor_gate(*evidence)
    assert_allclose(skeletonization(*evidence) ** 2, want, rtol=1e-13)


def test_where_the_loss_is_linear_it_is_what_removal_costs():
    rng = np.random.default_rng(0)
    a, slope = rng.integers(-4, 5, size=(2, 6, 3)).astype(float)
    loss = lambda maps: (maps * slope).sum(axis=1).mean()
    silent = np.stack([loss(a * (np.arange(3) != c)) for c in range(3)])
    want = leave_one_out(silent - loss(a))
    assert_allclose(skeletonization(a, slope), want, atol=1e-14)


def test_harm_is_below_zero_and_silence_is_zero():
    a = np.array([[1.0, 1.0, 0.0]])
    score = skeletonization(a, np.array([[2.0, -2.0, 5.0]]))
    assert_array_equal(score, [-2.0, 2.0, 0.0])
    assert not np.signbit(score[2])


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"skeletonization: .*expected one example"):
        skeletonization(np.ones((0, 2)), np.ones((0, 2)))
    with pytest.raises(ValueError, match=r"activation_grad has shape \(1, 3\)"):
        skeletonization(np.ones((1, 2)), np.ones((1, 3)))
    with pytest.raises(ValueError, match="1 axes; expected 2 or 3 or 4"):
        skeletonization(np.ones(2), np.ones(2))
