"""Gradient preservation: the definition on quadratics, then a network, then edges."""

import numpy as np
import pytest
from hypothesis import given
from numpy.testing import assert_allclose, assert_array_equal

from minprune.criteria import grasp as family
from minprune.criteria.gradient import gradient_magnitude
from tests.criteria.strategies import classifiers, quadratics
from tests.oracles import grasp as oracle
from tests.oracles import network

BY_WEIGHT = ["grasp_official", "grasp_synflow", "grasp_magnitude"]


def parts(problem):
    """A weight, half the squared gradient as a function of it, and H g."""
    weight, hessian, linear = problem
    gradient = lambda w: hessian @ w + linear
    energy = lambda w: np.sum(gradient(w) ** 2) / 2
    return weight, energy, hessian @ gradient(weight)


@pytest.mark.parametrize("name", [*BY_WEIGHT, "gradient_preservation"])
@given(problem=quadratics())
def test_the_score_is_the_slope_of_half_the_squared_gradient(name, problem):
    weight, energy, hessian_grad = parts(problem)
    got = getattr(family, name)(weight, hessian_grad)
    assert_array_equal(got, getattr(oracle, name)(energy, weight))


@given(quadratics())
def test_what_one_weight_adds_to_the_squared_gradient(problem):
    weight, hessian, linear = problem
    loss = lambda w: w @ hessian @ w / 2 + linear @ w
    got = family.grasp_iterative(hessian @ weight + linear)
    assert_array_equal(got, oracle.grasp_iterative(loss, weight))


@given(classifiers())
def test_it_is_the_slope_on_a_network_too(net):
    w, (loss, _) = net
    h = 1e-5
    grad = network.slope(loss, w)
    ahead, behind = network.slope(loss, w + h * grad), network.slope(loss, w - h * grad)
    got = family.grasp_official(w, (ahead - behind) / (2 * h))
    energy = lambda w: np.sum(network.slope(loss, w) ** 2) / 2
    want = np.empty(w.shape)
    for index in np.ndindex(w.shape):
        step = np.zeros(w.shape)
        step[index] = h * w[index]
        want[index] = (energy(w + step) - energy(w - step)) / (2 * h)
    assert_allclose(
        got, want, rtol=1e-5, atol=1e-8
    )  # differences of order h^2 and eps/h


@given(quadratics())
def test_the_two_published_signs_are_one_ranking(problem):
    weight, _, hessian_grad = parts(problem)
    paper = -weight * hessian_grad  # the official code removes its highest
    synflow = weight * hessian_grad  # this one removes its lowest
    assert_array_equal(family.grasp_official(weight, hessian_grad), -paper)
    assert_array_equal(family.grasp_synflow(weight, hessian_grad), synflow)


def test_without_the_sign_it_is_another_ranking():
    weight, hessian_grad = np.ones(2), np.array([-2.0, 1.0])
    assert family.grasp_official(weight, hessian_grad).argmin() == 0
    assert family.grasp_magnitude(weight, hessian_grad).argmin() == 1


@given(quadratics())
def test_a_layer_is_worth_the_sum_of_its_weights(problem):
    weight, _, hessian_grad = parts(problem)
    total = family.grasp_official(weight, hessian_grad).sum()
    assert family.gradient_preservation(weight, hessian_grad) == total


@given(classifiers())
def test_grasp_iterative_ranks_as_the_size_of_the_gradient(net):
    w, (loss, _) = net
    grad = network.slope(loss, w)
    root = np.sqrt(family.grasp_iterative(grad))
    assert_allclose(root, gradient_magnitude(grad), rtol=1e-15)


@pytest.mark.parametrize("name", [*BY_WEIGHT, "gradient_preservation"])
def test_which_shape_is_wrong_is_said(name):
    with pytest.raises(ValueError, match=rf"{name}: hessian_grad has shape \(3,\)"):
        getattr(family, name)(np.ones(2), np.ones(3))
