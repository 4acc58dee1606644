"""Solvers of one quadratic: exact minima, brute-force choices, limits, edges."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minprune.criteria.curvature import obd
from minprune.criteria.solvers import cbs, obs_update, refit
from tests.oracles import solvers as oracle
from tests.oracles.quadratic import minimum

SEEDS = pytest.mark.parametrize("seed", range(6))
ROUNDING = {"rtol": 1e-9, "atol": 1e-11}
"""Condition numbers under 1e3, at most eight eliminations; weights are of order 1."""


def bowl(seed, size=7):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(2 * size, size))
    return rng.normal(size=size), root.T @ root / (2 * size)


@SEEDS
@pytest.mark.parametrize("count", [0, 1, 3, 6, 7])
def test_obs_takes_what_costs_least_and_lands_on_the_exact_minimum(seed, count):
    weight, hessian = bowl(seed)
    mask, moved = obs_update(weight, hessian, count=count, damping=0.0)
    want_mask, want = oracle.obs_update(weight, hessian, count)
    assert_array_equal(mask, want_mask)
    assert_allclose(moved, want, **ROUNDING)


@SEEDS
def test_no_kept_weight_can_lower_the_quadratic_after_obs(seed):
    """The slope H (v - w) is zero in every survivor: Hassibi and Stork's update."""
    weight, hessian = bowl(seed)
    mask, moved = obs_update(weight, hessian, count=4, damping=0.0)
    assert_allclose((hessian @ (moved - weight))[mask], 0.0, atol=1e-12)
    assert_array_equal(moved[~mask], 0.0)


@SEEDS
def test_what_is_gone_is_zero_to_the_last_bit(seed):
    weight, hessian = bowl(seed, size=40)
    mask, moved = obs_update(weight, hessian, count=30)
    assert_array_equal(moved != 0, mask)


@SEEDS
def test_refit_is_least_squares_on_the_inputs_that_are_left(seed):
    rng = np.random.default_rng(seed)
    x, weight = rng.normal(size=(20, 5)), rng.normal(size=(3, 5))
    mask = rng.random(weight.shape) < 0.5
    got_mask, moved = refit(weight, x.T @ x / 20, mask=mask, damping=0.0)
    assert_array_equal(got_mask, mask)
    assert_allclose(moved, oracle.refit(weight, x, mask), **ROUNDING)


@SEEDS
def test_refit_with_damping_pulls_towards_the_old_weight(seed):
    rng = np.random.default_rng(seed)
    x, weight = rng.normal(size=(20, 5)), rng.normal(size=(3, 5))
    gram, mask = x.T @ x / 20, rng.random((3, 5)) < 0.5
    mean = np.trace(gram) / 5
    _, moved = refit(weight, gram, mask=mask, damping=0.3)
    for w, v, keep in zip(weight, moved, mask, strict=True):
        want, _ = minimum(w, gram + 0.3 * mean * np.eye(5), np.flatnonzero(~keep))
        assert_allclose(v, want, **ROUNDING)


@SEEDS
def test_refit_of_the_mask_that_obs_chose_is_where_obs_went(seed):
    weight, hessian = bowl(seed)
    mask, moved = obs_update(weight, hessian, count=3)
    _, again = refit(weight[None], hessian, mask=mask[None])
    assert_allclose(again[0], moved, **ROUNDING)


@SEEDS
@pytest.mark.parametrize("count", [1, 2, 4, 6])
def test_cbs_ends_where_no_swap_helps_and_not_above_where_it_began(seed, count):
    weight, hessian = bowl(seed, size=8)
    mask, moved = cbs(weight, hessian, count=count, damping=0.0)
    gone = np.flatnonzero(~mask)
    assert len(gone) == count
    cost = oracle.joint(weight, hessian, gone)
    for i in gone:
        for j in np.flatnonzero(mask):
            swapped = [j if k == i else k for k in gone]
            assert oracle.joint(weight, hessian, swapped) >= cost - 1e-12
    began = np.argsort(obd(weight, np.diag(hessian)))[:count]
    assert cost <= oracle.joint(weight, hessian, began) + 1e-12
    best = oracle.joint(weight, hessian, oracle.cbs(weight, hessian, count))
    assert cost >= best - 1e-12
    assert_allclose(moved, minimum(weight, hessian, gone)[0], **ROUNDING)


def test_cbs_finds_the_best_set_where_weights_cancel():
    """Checked against all sets; the lowest OBD scores miss it in some of the draws."""
    missed = 0
    for seed in range(20):
        weight, hessian = bowl(seed, size=8)
        mask, _ = cbs(weight, hessian, count=3, damping=0.0)
        best = oracle.cbs(weight, hessian, 3)
        assert tuple(np.flatnonzero(~mask)) == best
        missed += set(best) != set(np.argsort(obd(weight, np.diag(hessian)))[:3])
    assert missed > 0


@SEEDS
def test_for_a_diagonal_hessian_all_choices_are_obds_and_nothing_moves(seed):
    rng = np.random.default_rng(seed)
    weight, h = rng.normal(size=9), rng.uniform(0.5, 2, 9)
    lowest = np.argsort(obd(weight, h))[:4]
    for solver in (obs_update, cbs):
        mask, moved = solver(weight, np.diag(h), count=4, damping=0.0)
        assert_array_equal(np.sort(lowest), np.flatnonzero(~mask))
        assert_allclose(moved, np.where(mask, weight, 0.0), rtol=1e-14)


def test_equal_weights_go_from_the_front():
    for solver in (obs_update, cbs):
        mask, _ = solver(np.ones((2, 2)), np.eye(4), count=3)
        assert_array_equal(mask, [[False, False], [False, True]])


def test_refit_keeps_an_unpruned_layer_but_for_dead_inputs():
    weight = np.array([[1.0, 2.0]])
    _, moved = refit(weight, np.diag([1.0, 0.0]), mask=np.ones((1, 2), bool))
    assert_array_equal(moved, [[1.0, 0.0]])


def test_refit_of_a_grouped_convolution_is_its_groups_side_by_side():
    rng = np.random.default_rng(0)
    weight, x = rng.normal(size=(4, 2, 1, 2)), rng.normal(size=(2, 30, 4))
    gram, mask = np.swapaxes(x, 1, 2) @ x / 30, rng.random((4, 2, 1, 2)) < 0.5
    _, moved = refit(weight, gram, mask=mask)
    for g, k in enumerate((slice(0, 2), slice(2, 4))):
        flat = mask[k].reshape(2, 4)
        _, one = refit(weight[k].reshape(2, 4), gram[g], mask=flat)
        assert_array_equal(moved[k].reshape(2, 4), one)


@pytest.mark.parametrize("solver", [obs_update, cbs])
def test_a_count_that_is_no_count_is_refused(solver):
    name = solver.__name__
    with pytest.raises(
        ValueError, match=f"{name}: count is 3 but there are 2 to remove"
    ):
        solver(np.ones(2), np.eye(2), count=3)
    with pytest.raises(ValueError, match=f"{name}: count is -1; expected 0 or more"):
        solver(np.ones(2), np.eye(2), count=-1)
    with pytest.raises(
        TypeError, match=f"{name}: count is 0.5; expected a whole number"
    ):
        solver(np.ones(2), np.eye(2), count=0.5)


@pytest.mark.parametrize("solver", [obs_update, cbs])
def test_a_hessian_that_does_not_fit_is_refused(solver):
    with pytest.raises(
        ValueError, match=r"hessian has shape \(3, 3\); expected \(2, 2"
    ):
        solver(np.ones(2), np.eye(3), count=1)
    with pytest.raises(ValueError, match="not positive definite"):
        solver(np.ones(2), -np.eye(2), count=1)


def test_a_mask_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"refit: mask has shape \(2,\) but weight"):
        refit(np.ones((1, 2)), np.eye(2), mask=np.ones(2, bool))
    with pytest.raises(TypeError, match="mask is of type float64; expected bool"):
        refit(np.ones((1, 2)), np.eye(2), mask=np.ones((1, 2)))
