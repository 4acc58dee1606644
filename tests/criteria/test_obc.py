"""OBC against brute force, against OBS, and at the minimum of its mask."""

from itertools import combinations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minprune.criteria.obc import obc, obc_n_m
from minprune.criteria.solvers import obs_update, refit
from tests.oracles import obc as oracle
from tests.oracles.quadratic import minimum

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


@SEEDS
@pytest.mark.parametrize("count", [0, 1, 5, 11, 17, 18])
def test_obc_takes_the_cheapest_weight_of_the_layer_every_time(seed, count):
    weight, gram = problem(seed)
    mask, moved = obc(weight, gram, count=count, damping=0.0)
    want_mask, want = oracle.obc(weight, gram, count)
    assert_array_equal(mask, want_mask)
    assert_allclose(moved, want, **ROUNDING)


@SEEDS
def test_obc_removes_one_weight_or_all_but_one_optimally(seed):
    """One step is optimal; more need not be, and are never better than the best set."""
    weight, gram = problem(seed, outputs=1)
    for count in (1, 3):
        _, moved = obc(weight, gram, count=count, damping=0.0)
        sets = combinations(range(6), count)
        best = min(minimum(weight[0], gram, gone)[1] for gone in sets)
        got = error(weight, moved, gram)
        assert got >= best * (1 - 1e-12)
        if count == 1:
            assert_allclose(got, best, rtol=1e-11)


@SEEDS
def test_obc_of_one_row_is_obs(seed):
    weight, gram = problem(seed, outputs=1)
    mask, moved = obc(weight, gram, count=4)
    want_mask, want = obs_update(weight, gram, count=4)
    assert_array_equal(mask, want_mask)
    assert_allclose(moved, want, **ROUNDING)


@SEEDS
@pytest.mark.parametrize(("keep", "group"), [(1, 2), (2, 3), (1, 3), (0, 2), (2, 2)])
def test_obc_n_m_takes_the_cheapest_weight_that_its_group_can_spare(seed, keep, group):
    weight, gram = problem(seed)
    mask, moved = obc_n_m(weight, gram, keep=keep, group=group, damping=0.0)
    want_mask, want = oracle.obc_n_m(weight, gram, keep, group)
    assert_array_equal(mask, want_mask)
    assert_allclose(moved, want, **ROUNDING)


@SEEDS
def test_obc_is_at_the_minimum_of_its_mask(seed):
    weight, gram = problem(seed)
    mask, moved = obc(weight, gram, count=9)
    assert_allclose(moved, refit(weight, gram, mask=mask)[1], **ROUNDING)
