"""FLAP: an input really replaced by its mean, limits, edges."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minprune.criteria.fluctuation import flap
from minprune.criteria.wanda import wanda
from tests.oracles import fluctuation as oracle

SEEDS = pytest.mark.parametrize("seed", range(5))


@SEEDS
def test_flap_is_what_an_input_does_beyond_its_mean(seed):
    rng = np.random.default_rng(seed)
    weight, x = rng.normal(size=(3, 4)), 2 + rng.normal(size=(20, 4))
    assert_allclose(flap(weight, x.var(axis=0)), oracle.flap(weight, x), rtol=1e-12)


@SEEDS
def test_inputs_without_a_mean_have_wandas_squares(seed):
    rng = np.random.default_rng(seed)
    weight, x = rng.normal(size=(3, 4)), rng.normal(size=(20, 4))
    x = np.concatenate([x, -x])
    want = (wanda(weight, np.sqrt(np.mean(x**2, axis=0))) ** 2).sum(axis=0)
    assert_allclose(flap(weight, x.var(axis=0)), want, rtol=1e-12)


def test_places_of_a_kernel_are_added_up():
    rng = np.random.default_rng(0)
    weight, variance = rng.normal(size=(4, 3, 2, 2)), rng.uniform(size=12)
    flat = flap(weight.reshape(4, 12), variance)
    assert_allclose(flap(weight, variance), flat.reshape(3, 4).sum(axis=1), rtol=1e-14)


def test_a_channel_of_every_group_is_one_entry():
    rng = np.random.default_rng(0)
    weight, variance = rng.normal(size=(4, 2, 3)), rng.uniform(size=(2, 6))
    each = [flap(weight[2 * g : 2 * g + 2], variance[g]) for g in range(2)]
    assert_allclose(flap(weight, variance), sum(each), rtol=1e-14)


def test_what_never_changes_scores_zero():
    assert_array_equal(flap(np.ones((2, 2)), np.array([0.0, 1.0])), [0.0, 2.0])


@pytest.mark.parametrize("shape", [(3,), (2, 3), (0, 2), (3, 2)])
def test_variances_of_another_layer_are_refused(shape):
    with pytest.raises(ValueError, match="flap: input_variance has shape"):
        flap(np.ones((4, 2)), np.ones(shape))


def test_a_variance_below_zero_is_refused():
    with pytest.raises(ValueError, match=r"input_variance is -1\.0 at index \(1,\)"):
        flap(np.ones((1, 2)), np.array([1.0, -1.0]))
