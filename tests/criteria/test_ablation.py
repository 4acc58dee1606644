"""The leave-one-out oracle against networks built without the unit."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minprune.criteria.ablation import leave_one_out, leave_one_out_abs
from minprune.criteria.curvature import obd
from tests.oracles import ablation as oracle
from tests.oracles import network

SEEDS = pytest.mark.parametrize("seed", range(5))


def classifier(seed):
    rng = np.random.default_rng(seed)
    x, labels = rng.normal(size=(8, 3)), rng.integers(2, size=8)
    return rng.normal(size=(5, 3)), rng.normal(size=(2, 5)), x, labels


def gated(w1, w2, x, labels):
    """Change of the loss when a unit's weights are zeroed in place (tanh(0) = 0)."""
    change = np.empty(len(w1))
    for c in range(len(w1)):
        silent = w1.copy()
        silent[c] = 0.0
        change[c] = network.loss(silent, w2, x, labels) - network.loss(
            w1, w2, x, labels
        )
    return change


@SEEDS
def test_silencing_a_unit_scores_as_the_network_without_it(seed):
    net = classifier(seed)
    rise = gated(*net)
    assert_allclose(leave_one_out(rise), oracle.leave_one_out(*net), atol=1e-14)  # nats
    size = leave_one_out_abs(rise)
    assert_allclose(size, oracle.leave_one_out_abs(*net), atol=1e-14)


@SEEDS
def test_in_a_separable_bowl_obd_is_the_oracle(seed):
    rng = np.random.default_rng(seed)
    w, h = rng.normal(size=6), rng.uniform(0.5, 2, 6)
    bowl = lambda v: 0.5 * np.sum(h * (v - w) ** 2)
    rise = np.array([bowl(np.where(np.arange(6) == i, 0.0, w)) for i in range(6)])
    assert_allclose(leave_one_out(rise), obd(w, h), rtol=1e-13)


def test_a_unit_that_does_harm_goes_first_by_one_and_last_by_the_other():
    rise = np.array([0.1, -0.5, 0.2])
    assert np.argmin(leave_one_out(rise)) == 1
    assert np.argmax(leave_one_out_abs(rise)) == 1


def test_the_score_is_a_copy():
    rise = np.ones(2)
    leave_one_out(rise)[0] = 7.0
    assert_array_equal(rise, [1.0, 1.0])
