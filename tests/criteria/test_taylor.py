"""Taylor criteria on single weights: gates and removals, then limits, then edges."""

import numpy as np
import pytest
from hypothesis import given
from numpy.testing import assert_allclose, assert_array_equal

from minprune.criteria import taylor as family
from minprune.criteria.fisher import fisher
from tests.criteria.strategies import classifiers, quadratics
from tests.oracles import network
from tests.oracles import taylor as oracle

CLOSE = {"rtol": 1e-12, "atol": 1e-13}  # atol in nats^2


def stacked(losses, w):
    return np.stack([network.slope(loss, w) for loss in losses])


@given(classifiers())
def test_taylor_is_the_squared_slope_in_a_gate(net):
    w, (loss, _) = net
    got = family.taylor(w, network.slope(loss, w))
    assert_allclose(got, oracle.taylor(loss, w), **CLOSE)


@given(classifiers())
def test_taylor_by_batch_squares_every_batch(net):
    w, losses = net
    got = family.taylor_by_batch(w, stacked(losses, w))
    assert_allclose(got, oracle.taylor_by_batch(losses, w), **CLOSE)


@given(quadratics())
def test_second_order_is_what_removal_costs_where_the_loss_is_quadratic(problem):
    weight, hessian, linear = problem
    loss = lambda w: w @ hessian @ w / 2 + linear @ w
    got = family.taylor_second_order(
        weight, hessian @ weight + linear, np.diagonal(hessian)
    )
    assert_array_equal(got, oracle.taylor_second_order(loss, weight))


@given(classifiers())
def test_taylor_fisher_is_made_of_the_slopes_of_every_example(net):
    w, losses = net
    grads = stacked(losses, w)
    got = family.taylor_fisher(w, grads.mean(axis=0), (grads**2).mean(axis=0))
    assert_allclose(got, oracle.taylor_fisher(losses, w), **CLOSE)


@given(quadratics())
def test_with_the_curvature_for_the_fisher_it_is_what_removal_costs(problem):
    """Ma et al. 2023 expand the loss around the weight, so a removal has its sign."""
    weight, hessian, linear = problem
    loss = lambda w: w @ hessian @ w / 2 + linear @ w
    got = family.taylor_fisher(weight, hessian @ weight + linear, np.diagonal(hessian))
    assert_array_equal(got**2, oracle.taylor_second_order(loss, weight))


@given(quadratics())
def test_at_a_minimum_taylor_fisher_is_fisher(problem):
    weight, hessian, _ = problem
    diagonal = np.diagonal(hessian) ** 2
    got = family.taylor_fisher(weight, 0 * weight, diagonal)
    assert_array_equal(got, fisher(weight, diagonal))


@given(quadratics())
def test_without_curvature_second_order_is_first(problem):
    weight, _, grad = problem
    flat = family.taylor_second_order(weight, grad, np.zeros(len(weight)))
    assert_array_equal(flat, family.taylor(weight, grad))


@given(quadratics())
def test_at_a_minimum_second_order_is_the_square_of_optimal_brain_damage(problem):
    weight, hessian, _ = problem
    saliency = np.diagonal(hessian) * weight**2 / 2
    got = family.taylor_second_order(weight, 0 * weight, np.diagonal(hessian))
    assert_array_equal(got, saliency**2)


@given(classifiers())
def test_squaring_by_batch_adds_the_variance_of_the_batches(net):
    w, losses = net
    grads = stacked(losses, w)
    by_batch, after = family.taylor_by_batch(w, grads), family.taylor(w, grads.mean(0))
    assert_allclose(by_batch - after, np.var(w * grads, axis=0), **CLOSE)


@given(classifiers())
def test_one_batch_is_no_batches(net):
    w, (loss, _) = net
    grad = network.slope(loss, w)
    assert_array_equal(family.taylor_by_batch(w, grad[None]), family.taylor(w, grad))


@pytest.mark.parametrize("shape", [(0, 2), (2, 3), (2,), ()])
def test_gradients_that_do_not_fit_the_weight_are_refused(shape):
    with pytest.raises(ValueError, match=r"taylor_by_batch: the gradient of weight by"):
        family.taylor_by_batch(np.ones(2), np.ones(shape))


def test_which_shape_is_wrong_is_said():
    with pytest.raises(ValueError, match=r"taylor: grad has shape \(3,\) but weight"):
        family.taylor(np.ones(2), np.ones(3))
    with pytest.raises(ValueError, match=r"order: hess_diag has shape \(3,\)"):
        family.taylor_second_order(np.ones(2), np.ones(2), np.ones(3))
