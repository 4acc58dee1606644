"""Channel solvers: least squares on the inputs, exact paths, limits, edges."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minprune.criteria.reconstruction import (
    feature_reconstruction,
    lasso_channels,
    thinet,
)
from tests.oracles import reconstruction as oracle

SEEDS = pytest.mark.parametrize("seed", range(8))
SHAPES = pytest.mark.parametrize("shape", [(3, 6), (2, 5, 1, 2)])
ROUNDING = {"rtol": 1e-8, "atol": 1e-10}
"""Condition numbers under 1e3 for the inputs, squared for the parts."""

TINY = 1e-14
"""Damping that changes no digit asked for but is not zero."""


def problem(seed, shape=(3, 6), examples=40):
    rng = np.random.default_rng(seed)
    columns = int(np.prod(shape[1:]))
    x = rng.normal(size=(examples, columns)) + rng.normal(size=(examples, 1))
    return rng.normal(size=shape), x, x.T @ x / examples


def spread(channels, weight):
    shape = (1, -1) + (1,) * (weight.ndim - 2)
    return np.broadcast_to(channels.reshape(shape), weight.shape)


@SEEDS
@SHAPES
def test_reconstruction_is_least_squares_on_the_channels_left(seed, shape):
    weight, x, gram = problem(seed, shape)
    channels = np.arange(shape[1]) % 3 != seed % 3
    mask, moved = feature_reconstruction(weight, gram, channels=channels, damping=TINY)
    want = oracle.feature_reconstruction(weight, x, channels)
    assert_array_equal(mask, spread(channels, weight))
    assert_allclose(moved, want, **ROUNDING)


@SEEDS
@SHAPES
@pytest.mark.parametrize("count", [1, 2, 4])
def test_thinet_takes_what_is_missed_least_and_rescales_the_rest(seed, shape, count):
    weight, x, gram = problem(seed, shape)
    mask, moved = thinet(weight, gram, count=count, damping=TINY)
    channels, factor = oracle.thinet(weight, x, count)
    assert_array_equal(mask, spread(channels, weight))
    assert_allclose(moved, weight * spread(factor, weight), **ROUNDING)


@SEEDS
@SHAPES
@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_lasso_keeps_the_channels_on_the_exact_path(seed, shape, count):
    weight, x, gram = problem(seed, shape)
    mask, moved = lasso_channels(weight, gram, count=count, damping=TINY)
    channels = oracle.lasso_channels(weight, x, shape[1] - count)
    assert_array_equal(mask, spread(channels, weight))
    want = oracle.feature_reconstruction(weight, x, channels)
    assert_allclose(moved, want, **ROUNDING)


@SEEDS
def test_channels_that_others_add_up_to_cost_nothing(seed):
    rng = np.random.default_rng(seed)
    basis, weight = rng.normal(size=(30, 3)), rng.normal(size=(4, 5))
    x = np.column_stack([basis, basis @ rng.normal(size=(3, 2))])
    channels = np.array([True, True, True, False, False])
    _, moved = feature_reconstruction(
        weight, x.T @ x / 30, channels=channels, damping=1e-12
    )
    assert_allclose(x @ moved.T, x @ weight.T, rtol=1e-7, atol=1e-7)


@SEEDS
def test_for_uncorrelated_channels_both_choose_the_weakest_part(seed):
    rng = np.random.default_rng(seed)
    weight, power = rng.normal(size=(3, 6)), rng.uniform(0.5, 2, 6)
    weakest = np.argsort((weight**2).sum(axis=0) * power)[:2]
    want = ~np.isin(np.arange(6), weakest)
    for solver in (lasso_channels, thinet):
        mask, moved = solver(weight, np.diag(power), count=2)
        assert_array_equal(mask, spread(want, weight))
        assert_allclose(moved, np.where(mask, weight, 0.0), rtol=1e-12)


@pytest.mark.parametrize("solver", [lasso_channels, thinet])
@pytest.mark.parametrize("count", range(5))
def test_groups_of_a_convolution_share_the_count(solver, count):
    rng = np.random.default_rng(0)
    weight, x = rng.normal(size=(4, 2, 1, 2)), rng.normal(size=(2, 30, 4))
    mask, moved = solver(weight, np.swapaxes(x, 1, 2) @ x / 30, count=count)
    by_channel = np.concatenate([mask[:2].any(axis=(0, 2, 3)), mask[2:].any((0, 2, 3))])
    assert (~by_channel).sum() == count
    assert_array_equal(mask[:2], np.broadcast_to(mask[:1, :, :1, :1], (2, 2, 1, 2)))
    assert_array_equal(moved[~mask], 0.0)


def test_a_grouped_reconstruction_is_its_groups_side_by_side():
    rng = np.random.default_rng(0)
    weight, x = rng.normal(size=(4, 2, 1, 2)), rng.normal(size=(2, 30, 4))
    gram, channels = np.swapaxes(x, 1, 2) @ x / 30, np.array([True, False, False, True])
    _, moved = feature_reconstruction(weight, gram, channels=channels)
    for g, k in enumerate((slice(0, 2), slice(2, 4))):
        keep = channels[2 * g : 2 * g + 2]
        _, one = feature_reconstruction(weight[k], gram[g], channels=keep)
        assert_array_equal(moved[k], one)


@pytest.mark.parametrize("solver", [lasso_channels, thinet])
def test_a_channel_that_adds_nothing_goes_first(solver):
    weight, _, gram = problem(0, (2, 3))
    weight[:, 1] = 0.0
    for count in (0, 1):
        mask, moved = solver(weight, gram, count=count, damping=0.0)
        want = np.array([True, count == 0, True])
        assert_array_equal(mask, spread(want, weight))
        assert_allclose(moved, weight, **ROUNDING)


@SEEDS
def test_a_channel_that_adds_nothing_changes_nothing_for_the_others(seed):
    weight, _, gram = problem(seed)
    wider = np.pad(weight, ((0, 0), (0, 1)))
    _, moved = thinet(wider, np.pad(gram, (0, 1)), count=3)
    assert_allclose(moved[:, :6], thinet(weight, gram, count=2)[1], **ROUNDING)


@pytest.mark.parametrize("solver", [lasso_channels, thinet])
def test_none_or_all_may_go(solver):
    weight, _, gram = problem(0)
    mask, moved = solver(weight, gram, count=0)
    assert mask.all()
    assert_allclose(moved, weight, rtol=1e-12)
    mask, moved = solver(weight, gram, count=6)
    assert not mask.any()
    assert_array_equal(moved, np.zeros_like(weight))


def test_of_channels_that_leave_together_the_first_go():
    mask, _ = lasso_channels(np.ones((1, 4)), np.eye(4), count=2)
    assert_array_equal(mask, [[False, False, True, True]])


@pytest.mark.parametrize("solver", [lasso_channels, thinet])
def test_a_count_that_is_no_count_is_refused(solver):
    with pytest.raises(ValueError, match="count is 3 but there are 2 to remove"):
        solver(np.ones((1, 2)), np.eye(2), count=3)
    with pytest.raises(TypeError, match=r"count is 0.5; expected a whole number"):
        solver(np.ones((1, 2)), np.eye(2), count=0.5)


def test_channels_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"channels has shape \(3,\); expected \(2,\)"):
        feature_reconstruction(np.ones((1, 2)), np.eye(2), channels=np.ones(3, bool))
    with pytest.raises(TypeError, match="channels is of type float64; expected bool"):
        feature_reconstruction(np.ones((1, 2)), np.eye(2), channels=np.ones(2))
