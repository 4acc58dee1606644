"""K-FAC criteria: the Kronecker product written out, limits, edges."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minprune.criteria.kronecker import kfac_obd, kfac_obd_f2, kfac_obs
from tests.oracles import kronecker as oracle

SEEDS = pytest.mark.parametrize("seed", range(5))
ROUNDING = {"rtol": 1e-10, "atol": 1e-13}
"""Condition numbers of A and G under 1e2 each."""


def problem(seed, outputs=3, inputs=4):
    rng = np.random.default_rng(seed)
    x, g = rng.normal(size=(30, inputs)), rng.normal(size=(30, outputs))
    return rng.normal(size=(outputs, inputs)), x.T @ x / 30, g.T @ g / 30


@SEEDS
def test_kfac_obd_is_the_rise_under_the_full_kronecker_product(seed):
    given = problem(seed)
    assert_allclose(kfac_obd(*given), oracle.kfac_obd(*given), **ROUNDING)


@SEEDS
def test_the_published_codes_score_squares_before_it_sums(seed):
    given = problem(seed)
    assert_allclose(kfac_obd_f2(*given), oracle.kfac_obd_f2(*given), **ROUNDING)


@SEEDS
def test_kfac_obs_is_the_constrained_minimum_under_the_full_product(seed):
    given = problem(seed)
    got = kfac_obs(*given, damping=0.0)
    assert_allclose(got, oracle.kfac_obs(*given), **ROUNDING)


def test_paper_and_published_code_rank_differently():
    """Opposite weights on equal inputs put out nothing; squares do not see it."""
    weight = np.array([[3.0, -3.0], [1.0, 1.0]])
    moments = np.ones((2, 2)), np.eye(2)
    assert np.argmin(kfac_obd(weight, *moments)) == 0
    assert np.argmin(kfac_obd_f2(weight, *moments)) == 1


@SEEDS
def test_for_uncorrelated_inputs_the_code_is_twice_the_paper(seed):
    weight, a, g = problem(seed)
    a = np.diag(np.diag(a))
    twice = 2 * kfac_obd(weight, a, g)
    assert_allclose(kfac_obd_f2(weight, a, g), twice, rtol=1e-13)


@SEEDS
def test_for_uncorrelated_outputs_no_filter_can_follow(seed):
    weight, a, g = problem(seed)
    g = np.diag(np.diag(g))
    alone = kfac_obd(weight, a, g)
    assert_allclose(kfac_obs(weight, a, g, damping=0.0), alone, rtol=1e-12)


@SEEDS
def test_following_never_costs_more(seed):
    given = problem(seed)
    assert (kfac_obs(*given, damping=0.0) <= kfac_obd(*given) * (1 + 1e-12)).all()


@pytest.mark.parametrize("score", [kfac_obd, kfac_obd_f2, kfac_obs])
def test_a_grouped_convolution_is_its_groups_side_by_side(score):
    rng = np.random.default_rng(0)
    weight, x = rng.normal(size=(4, 2, 1, 2)), rng.normal(size=(2, 30, 4))
    a = np.swapaxes(x, 1, 2) @ x / 30
    _, _, g = problem(0, outputs=4)
    got = score(weight, a, g)
    for k in (slice(0, 2), slice(2, 4)):
        one = score(weight[k].reshape(2, 4), a[k.start // 2], g[k, k])
        assert_array_equal(got[k], one)


def test_output_moments_without_an_inverse_are_refused():
    with pytest.raises(
        ValueError, match=r"kfac_obs: kfac_g with damping 0.0 is not pos"
    ):
        kfac_obs(np.ones((2, 2)), np.eye(2), np.ones((2, 2)), damping=0.0)


@pytest.mark.parametrize("score", [kfac_obd, kfac_obd_f2, kfac_obs])
def test_moments_of_another_layer_are_refused(score):
    with pytest.raises(ValueError, match=r"kfac_g has shape \(3, 3\); expected \(2, 2"):
        score(np.ones((2, 2)), np.eye(2), np.eye(3))
    with pytest.raises(ValueError, match=r"kfac_a has shape \(3, 3\); expected \(2, 2"):
        score(np.ones((2, 2)), np.eye(3), np.eye(2))
