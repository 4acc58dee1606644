"""Curvature criteria: what really taking the weight out costs, limits, edges."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minprune.criteria.curvature import hessian_trace, layer_obs, obd, obs
from tests.oracles import curvature as oracle

ROUNDING = {"rtol": 1e-10, "atol": 1e-13}
"""The matrices below have a condition number under 1e3: 1e3 * 2^-52 with room."""

SEEDS = pytest.mark.parametrize("seed", range(5))


def problem(seed, outputs=3, inputs=4, examples=20):
    """A weight, the inputs it sees and their Gram matrix."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(examples, inputs)) @ rng.normal(size=(inputs, inputs))
    x += rng.normal(size=x.shape)
    return rng.normal(size=(outputs, inputs)), x, x.T @ x / examples


def hessian_of(weight, gram):
    """The Hessian of a layer's squared error: one copy of the Gram matrix a row."""
    return np.kron(np.eye(len(weight)), gram)


@SEEDS
def test_obd_is_the_rise_of_a_separable_bowl(seed):
    rng = np.random.default_rng(seed)
    weight, hess_diag = rng.normal(size=(2, 3, 2))
    assert_allclose(obd(weight, hess_diag), oracle.obd(weight, hess_diag), rtol=1e-15)


@pytest.mark.parametrize("shape", [(3,), (3, 4), (2, 3, 2, 2)])
def test_hessian_trace_is_the_cost_of_a_weight_wherever_it_stands(shape):
    rng = np.random.default_rng(0)
    weight, hess_diag = rng.normal(size=(2, *shape))
    want = oracle.hessian_trace(weight, hess_diag)
    assert_allclose(hessian_trace(weight, hess_diag), want, rtol=1e-14)


@SEEDS
def test_equal_curvature_makes_the_trace_the_sum_of_obd(seed):
    rng = np.random.default_rng(seed)
    weight, curvature = rng.normal(size=(4, 3, 2)), rng.normal(size=(4, 1, 1))
    hess_diag = np.broadcast_to(curvature, weight.shape)
    want = obd(weight, hess_diag).sum(axis=(1, 2))
    assert_allclose(hessian_trace(weight, hess_diag), want, rtol=1e-14)


@SEEDS
def test_the_trace_does_not_see_how_a_filter_is_turned(seed):
    rng = np.random.default_rng(seed)
    weight, root = rng.normal(size=(1, 5)), rng.normal(size=(5, 5))
    turn = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    hessian = root @ root.T
    turned = hessian_trace(weight @ turn, np.diag(turn.T @ hessian @ turn)[None])
    assert_allclose(hessian_trace(weight, np.diag(hessian)[None]), turned, rtol=1e-13)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0)])
def test_filters_without_weights_cost_nothing(shape):
    none = np.zeros(shape)
    assert_array_equal(hessian_trace(none, none), np.zeros(shape[0]))


@SEEDS
def test_obs_is_the_constrained_minimum_of_the_bowl(seed):
    weight, _, gram = problem(seed)
    hessian = hessian_of(weight, gram)
    got = obs(weight, hessian, damping=0.0)
    assert_allclose(got, oracle.obs(weight, hessian), **ROUNDING)


@SEEDS
def test_damping_adds_its_share_of_the_mean_diagonal(seed):
    weight, _, gram = problem(seed)
    lifted = gram + 0.25 * np.mean(np.diag(gram)) * np.eye(len(gram))
    got = layer_obs(weight, gram, damping=0.25)
    assert_allclose(got, layer_obs(weight, lifted, damping=0.0), **ROUNDING)


@SEEDS
def test_layer_obs_is_the_error_of_the_best_fit_on_the_other_inputs(seed):
    weight, x, gram = problem(seed)
    got = layer_obs(weight, gram, damping=0.0)
    assert_allclose(got, oracle.layer_obs(weight, x), **ROUNDING)


@SEEDS
def test_obs_is_obd_for_a_diagonal_hessian(seed):
    rng = np.random.default_rng(seed)
    weight, h = rng.normal(size=5), rng.uniform(0.5, 2, 5)
    assert_allclose(obs(weight, np.diag(h), damping=0.0), obd(weight, h), rtol=1e-14)


@SEEDS
def test_obs_is_never_above_obd(seed):
    """The other weights may help; they need not."""
    weight, _, gram = problem(seed)
    hessian = hessian_of(weight, gram)
    apart = obd(weight.ravel(), np.diag(hessian))
    assert (obs(weight.ravel(), hessian, damping=0.0) <= apart * (1 + 1e-12)).all()


@SEEDS
def test_obd_of_an_isotropic_hessian_ranks_as_magnitude(seed):
    weight = np.random.default_rng(seed).normal(size=20)
    got = obd(weight, np.full(20, 3.7))
    assert_array_equal(np.argsort(got), np.argsort(np.abs(weight)))


@SEEDS
def test_layer_obs_is_obs_of_the_layers_squared_error(seed):
    weight, _, gram = problem(seed)
    whole = obs(weight, hessian_of(weight, gram), damping=0.0)
    assert_allclose(layer_obs(weight, gram, damping=0.0), whole, **ROUNDING)


def test_a_grouped_convolution_is_its_groups_side_by_side():
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(4, 2, 1, 2))
    x = rng.normal(size=(2, 30, 4))
    gram = np.swapaxes(x, 1, 2) @ x / 30
    got = layer_obs(weight, gram)
    for g in range(2):
        one = layer_obs(weight[2 * g : 2 * g + 2].reshape(2, 4), gram[g])
        assert_array_equal(got[2 * g : 2 * g + 2].reshape(2, 4), one)


def test_a_weight_on_an_input_that_is_never_on_is_free():
    gram = np.diag([4.0, 0.0])  # a square, so that its root is exact
    assert_array_equal(layer_obs(np.ones((1, 2)), gram, damping=0.0), [[2.0, 0.0]])


@SEEDS
def test_inputs_that_are_never_on_change_nothing_for_the_others(seed):
    """Not even through the damping, which is a share of the living inputs' mean."""
    weight, _, gram = problem(seed)
    padded = np.pad(gram, (0, 2))
    got = layer_obs(np.pad(weight, ((0, 0), (0, 2)), constant_values=9.0), padded)
    assert_allclose(got[:, :4], layer_obs(weight, gram), **ROUNDING)
    assert_array_equal(got[:, 4:], 0.0)


def test_a_layer_that_never_saw_anything_scores_nothing():
    got = layer_obs(np.ones((2, 3)), np.zeros((3, 3)))
    assert_array_equal(got, np.zeros((2, 3)))


def test_obd_is_negative_where_the_loss_bends_down():
    assert_array_equal(obd(np.array([1.0]), np.array([-2.0])), [-1.0])


def test_a_hessian_without_an_inverse_is_refused_with_the_remedy():
    with pytest.raises(
        ValueError, match=r"obs: hessian with damping 0.0 is not positive"
    ):
        obs(np.ones(2), np.ones((2, 2)), damping=0.0)
    assert np.isfinite(obs(np.ones(2), np.ones((2, 2)))).all()


def test_an_indefinite_hessian_is_refused():
    with pytest.raises(ValueError, match="not positive definite"):
        obs(np.ones(2), np.diag([1.0, -1.0]))


@pytest.mark.parametrize("damping", [-0.1, np.nan, np.inf])
def test_damping_below_zero_is_refused(damping):
    with pytest.raises(ValueError, match=r"obs: damping is .* expected 0 or more"):
        obs(np.ones(2), np.eye(2), damping=damping)


def test_a_hessian_of_another_size_is_refused():
    with pytest.raises(
        ValueError, match=r"hessian has shape \(3, 3\); expected \(2, 2"
    ):
        obs(np.ones(2), np.eye(3))


def test_a_matrix_that_is_not_symmetric_is_refused():
    with pytest.raises(ValueError, match=r"gram is not symmetric .* by up to 1"):
        layer_obs(np.ones((1, 2)), np.array([[2.0, 1.0], [0.0, 2.0]]))


def test_groups_that_do_not_divide_the_outputs_are_refused():
    with pytest.raises(ValueError, match="2 groups, which do not divide the 3 outputs"):
        layer_obs(np.ones((3, 2)), np.stack([np.eye(2)] * 2))


def test_shapes_that_differ_are_refused():
    with pytest.raises(ValueError, match=r"hess_diag has shape \(3,\)"):
        obd(np.ones(2), np.ones(3))
