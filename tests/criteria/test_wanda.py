"""Wanda and RIA: the weight's term, what they come to in the limit, edges."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minprune.criteria.curvature import layer_obs
from minprune.criteria.magnitude import magnitude
from minprune.criteria.relative import relative_importance
from minprune.criteria.wanda import gblm, ria, wanda
from tests.oracles import wanda as oracle

SEEDS = pytest.mark.parametrize("seed", range(5))


@SEEDS
def test_wanda_is_the_typical_size_of_the_weights_term(seed):
    rng = np.random.default_rng(seed)
    weight, x = rng.normal(size=(3, 4)), rng.normal(size=(20, 4))
    got = wanda(weight, np.sqrt(np.mean(x**2, axis=0)))
    assert_allclose(got, oracle.wanda(weight, x), rtol=1e-14)


@SEEDS
@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_ria_is_the_weights_shares_times_its_input(seed, power):
    rng = np.random.default_rng(seed)
    weight, x = rng.normal(size=(3, 4)), rng.normal(size=(20, 4))
    got = ria(weight, np.sqrt(np.mean(x**2, axis=0)), power=power)
    assert_allclose(got, oracle.ria(weight, x, power), rtol=1e-14)


@SEEDS
@pytest.mark.parametrize("strength", [0.0, 1.0, 100.0])
def test_gblm_adds_the_length_of_the_gradients(seed, strength):
    rng = np.random.default_rng(seed)
    weight, x = rng.normal(size=(3, 4)), rng.normal(size=(20, 4))
    grads = rng.normal(size=(6, 3, 4))
    got = gblm(weight, np.sqrt(np.mean(x**2, axis=0)), grads, strength=strength)
    assert_allclose(got, oracle.gblm(weight, x, grads, strength), rtol=1e-14)


@SEEDS
def test_gblm_is_wanda_where_the_loss_is_flat_or_the_gradient_does_not_count(seed):
    rng = np.random.default_rng(seed)
    weight, norm, grads = (
        rng.normal(size=(3, 5)),
        rng.uniform(size=5),
        np.ones((2, 3, 5)),
    )
    assert_array_equal(gblm(weight, norm, 0 * grads), wanda(weight, norm))
    assert_array_equal(gblm(weight, norm, grads, strength=0.0), wanda(weight, norm))


def test_gblm_weighs_the_gradient_a_hundredfold_by_default():
    weight, norm, grads = np.ones((1, 1)), np.zeros(1), np.array([[[3.0]], [[4.0]]])
    assert_array_equal(gblm(weight, norm, grads), [[500.0]])


@pytest.mark.parametrize("strength", [-1.0, np.nan, np.inf])
def test_a_strength_below_zero_is_refused(strength):
    with pytest.raises(ValueError, match=r"gblm: strength is .* expected 0 or more"):
        gblm(np.ones((1, 2)), np.ones(2), np.ones((1, 1, 2)), strength=strength)


@pytest.mark.parametrize("shape", [(0, 4, 2), (4, 2), (3, 2, 4)])
def test_gblm_wants_a_gradient_of_every_example(shape):
    with pytest.raises(ValueError, match="gblm: grad_by_example has shape"):
        gblm(np.ones((4, 2)), np.ones(2), np.ones(shape))


def test_ria_takes_the_square_root_of_the_input_by_default():
    weight, norm = np.ones((1, 2)), np.array([1.0, 9.0])
    assert_allclose(ria(weight, norm), ria(weight, norm, power=0.5), rtol=0)


@SEEDS
def test_wanda_ranks_as_magnitude_for_equal_inputs(seed):
    weight = np.random.default_rng(seed).normal(size=(3, 5))
    order = np.argsort(wanda(weight, np.full(5, 1.7)), axis=None)
    assert_array_equal(order, np.argsort(magnitude(weight), axis=None))


@SEEDS
def test_wanda_squared_and_halved_is_layer_obs_for_uncorrelated_inputs(seed):
    rng = np.random.default_rng(seed)
    weight, norm = rng.normal(size=(3, 5)), rng.uniform(0.5, 2, 5)
    want = layer_obs(weight, np.diag(norm**2), damping=0.0)
    assert_allclose(wanda(weight, norm) ** 2 / 2, want, rtol=1e-13)


@SEEDS
def test_ria_of_power_zero_is_relative_importance(seed):
    rng = np.random.default_rng(seed)
    weight, norm = rng.normal(size=(3, 5)), rng.uniform(0.5, 2, 5)
    assert_allclose(
        ria(weight, norm, power=0.0), relative_importance(weight), rtol=1e-14
    )


@pytest.mark.parametrize("score", [wanda, ria])
def test_a_grouped_convolution_is_its_groups_side_by_side(score):
    rng = np.random.default_rng(0)
    weight, norm = rng.normal(size=(4, 2, 1, 3)), rng.uniform(size=(2, 6))
    got = score(weight, norm)
    for g, k in enumerate((slice(0, 2), slice(2, 4))):
        one = score(weight[k].reshape(2, 6), norm[g])
        assert_array_equal(got[k].reshape(2, 6), one)


def test_rows_and_columns_of_nothing_score_nothing():
    weight = np.array([[0.0, 0.0], [0.0, 2.0]])
    assert_array_equal(ria(weight, np.ones(2)), [[0.0, 0.0], [0.0, 2.0]])


@pytest.mark.parametrize("score", [wanda, ria])
@pytest.mark.parametrize("shape", [(3,), (2, 3), (0, 2), (3, 2)])
def test_inputs_of_another_layer_are_refused(score, shape):
    with pytest.raises(ValueError, match=f"{score.__name__}: input_norm has shape"):
        score(np.ones((4, 2)), np.ones(shape))


@pytest.mark.parametrize("score", [wanda, ria])
def test_a_size_below_zero_is_refused(score):
    with pytest.raises(ValueError, match=r"input_norm is -1\.0 at index \(1,\)"):
        score(np.ones((1, 2)), np.array([1.0, -1.0]))


@pytest.mark.parametrize("power", [-1.0, np.nan])
def test_a_power_below_zero_is_refused(power):
    with pytest.raises(ValueError, match=r"ria: power is .* expected 0 or more"):
        ria(np.ones((1, 2)), np.ones(2), power=power)
