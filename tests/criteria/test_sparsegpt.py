"""SparseGPT against an inverse at every column, and what it shares with OBC."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minprune.criteria.obc import obc, obc_n_m
from minprune.criteria.solvers import refit
from minprune.criteria.sparsegpt import sparsegpt, sparsegpt_n_m
from tests.oracles import sparsegpt as oracle

SEEDS = pytest.mark.parametrize("seed", range(5))
ROUNDING = {"rtol": 1e-9, "atol": 1e-11}
"""Condition numbers under 1e3, at most eight eliminations; weights are of order 1."""


def problem(seed, outputs=3, inputs=6):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(4 * inputs, inputs)) + rng.normal(size=(4 * inputs, 1))
    return rng.normal(size=(outputs, inputs)), x.T @ x / len(x)


def error(weight, moved, gram):
    """Half the mean squared change of the layer's output."""
    step = moved - weight
    return 0.5 * np.sum((step @ gram) * step)


def magnitude_mask(weight, count):
    mask = np.ones(weight.size, bool)
    mask[np.argsort(np.abs(weight), axis=None, kind="stable")[:count]] = False
    return mask.reshape(weight.shape)


@SEEDS
@pytest.mark.parametrize("block", [1, 2, 4, 128])
@pytest.mark.parametrize("count", [0, 7, 9, 18])
def test_sparsegpt_is_obs_on_the_columns_to_the_right(seed, block, count):
    """The factor's rows against an inverse recomputed at every column."""
    weight, gram = problem(seed)
    mask, moved = sparsegpt(weight, gram, count=count, block=block, damping=0.0)
    want_mask, want = oracle.sparsegpt(weight, gram, count, block)
    assert_array_equal(mask, want_mask)
    assert_allclose(moved, want, **ROUNDING)
    assert (~mask).sum() == count


@SEEDS
@pytest.mark.parametrize(("keep", "group"), [(1, 2), (2, 3), (1, 3), (0, 2), (2, 2)])
def test_sparsegpt_n_m_is_obs_on_the_columns_to_the_right(seed, keep, group):
    weight, gram = problem(seed)
    mask, moved = sparsegpt_n_m(weight, gram, keep=keep, group=group, damping=0.0)
    want_mask, want = oracle.sparsegpt_n_m(weight, gram, keep, group)
    assert_array_equal(mask, want_mask)
    assert_allclose(moved, want, **ROUNDING)


@SEEDS
def test_for_orthogonal_inputs_all_of_them_are_magnitude_pruning(seed):
    weight = np.random.default_rng(seed).normal(size=(4, 6))
    gram = 2.5 * np.eye(6)
    mask = magnitude_mask(weight, 10)
    for solver in (obc, sparsegpt):
        got, moved = solver(weight, gram, count=10)
        assert_array_equal(got, mask)
        assert_allclose(moved, np.where(mask, weight, 0.0), rtol=1e-14)
    best = np.abs(weight).reshape(4, 3, 2)
    pairs = (best == best.max(axis=2, keepdims=True)).reshape(4, 6)
    for solver in (obc_n_m, sparsegpt_n_m):
        got, moved = solver(weight, gram, keep=1, group=2)
        assert_array_equal(got, pairs)
        assert_allclose(moved, np.where(pairs, weight, 0.0), rtol=1e-14)


@SEEDS
def test_moving_only_to_the_right_never_beats_the_refit_of_the_same_mask(seed):
    weight, gram = problem(seed)
    mask, moved = sparsegpt(weight, gram, count=9, damping=0.0)
    _, best = refit(weight, gram, mask=mask, damping=0.0)
    pruned = np.where(mask, weight, 0.0)
    assert error(weight, best, gram) <= error(weight, moved, gram) * (1 + 1e-12)
    assert error(weight, moved, gram) < error(weight, pruned, gram)


@pytest.mark.parametrize("solver", [obc, sparsegpt])
def test_blocks_and_groups_share_the_count_exactly(solver):
    """Two groups of a convolution, every count there is."""
    rng = np.random.default_rng(0)
    weight, x = rng.normal(size=(4, 2, 1, 2)), rng.normal(size=(2, 30, 4))
    gram = np.swapaxes(x, 1, 2) @ x / 30
    for count in range(17):
        mask, moved = solver(weight, gram, count=count)
        assert (~mask).sum() == count
        assert_array_equal(moved[~mask], 0.0)


@pytest.mark.parametrize("solver", [obc_n_m, sparsegpt_n_m])
def test_groups_run_along_the_input_channels_at_each_place(solver):
    rng = np.random.default_rng(0)
    weight, x = rng.normal(size=(3, 4, 2, 3)), rng.normal(size=(99, 24))
    mask, _ = solver(weight, x.T @ x / 99, keep=1, group=2)
    assert_array_equal(mask.reshape(3, 2, 2, 6).sum(axis=2), 1)


@pytest.mark.parametrize("solver", [obc_n_m, sparsegpt_n_m])
def test_a_convolution_is_the_linear_layer_of_its_channels_last_columns(solver):
    rng = np.random.default_rng(1)
    weight, x = rng.normal(size=(3, 4, 1, 2)), rng.normal(size=(50, 8))
    gram = x.T @ x / 50
    last = np.arange(8).reshape(4, 2).T.ravel()
    mask, moved = solver(weight, gram, keep=1, group=4)
    flat = weight.reshape(3, 8)[:, last]
    want_mask, want = solver(flat, gram[np.ix_(last, last)], keep=1, group=4)
    assert_array_equal(mask.reshape(3, 8)[:, last], want_mask)
    assert_allclose(moved.reshape(3, 8)[:, last], want, **ROUNDING)


@pytest.mark.parametrize("solver", [obc, sparsegpt])
def test_a_dead_input_is_spent_first(solver):
    weight = np.array([[9.0, 1.0], [9.0, 2.0]])
    mask, moved = solver(weight, np.diag([0.0, 1.0]), count=2)
    assert_array_equal(mask, [[False, True], [False, True]])
    assert_array_equal(moved, [[0.0, 1.0], [0.0, 2.0]])


@pytest.mark.parametrize("solver", [obc, sparsegpt])
def test_equal_weights_go_from_the_front(solver):
    mask, _ = solver(np.ones((2, 3)), np.eye(3), count=2)
    assert_array_equal(mask.ravel(), [False, False, True, True, True, True])


@pytest.mark.parametrize("solver", [obc_n_m, sparsegpt_n_m])
def test_the_front_of_an_equal_group_goes(solver):
    mask, _ = solver(np.ones((1, 4)), np.eye(4), keep=1, group=4)
    assert_array_equal(mask, [[False, False, False, True]])


@pytest.mark.parametrize("solver", [obc, sparsegpt])
def test_a_count_that_is_no_count_is_refused(solver):
    with pytest.raises(ValueError, match="count is 3 but there are 2 to remove"):
        solver(np.ones((1, 2)), np.eye(2), count=3)
    with pytest.raises(TypeError, match=r"count is 0.5; expected a whole number"):
        solver(np.ones((1, 2)), np.eye(2), count=0.5)


@pytest.mark.parametrize("solver", [obc_n_m, sparsegpt_n_m])
@pytest.mark.parametrize(("keep", "group"), [(1, 3), (3, 2), (1, 8)])
def test_groups_that_do_not_fit_are_refused(solver, keep, group):
    with pytest.raises(ValueError, match=f"keep={keep} of group={group} does not fit"):
        solver(np.ones((1, 4)), np.eye(4), keep=keep, group=group)


def test_a_block_of_none_is_refused():
    with pytest.raises(ValueError, match="block is 0; expected 1 or more"):
        sparsegpt(np.ones((1, 2)), np.eye(2), count=1, block=0)


@pytest.mark.parametrize("solver", [obc, sparsegpt])
def test_a_singular_gram_matrix_without_damping_is_refused(solver):
    with pytest.raises(ValueError, match=r"gram with damping 0.0 is not positive"):
        solver(np.ones((1, 2)), np.ones((2, 2)), count=1, damping=0.0)
