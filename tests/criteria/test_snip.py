"""Connection sensitivity: gates, what the variants are to each other, edges."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minprune.criteria import snip as family
from minprune.criteria.taylor import taylor
from tests.criteria.strategies import classifiers, quadratics
from tests.oracles import network
from tests.oracles import snip as oracle

CLOSE = {"rtol": 1e-12, "atol": 1e-13}  # atol in nats


def masks_of(weight, seed):
    return np.random.default_rng(seed).random(weight.shape) < 0.5


@given(classifiers())
def test_snip_is_the_slope_of_the_loss_in_the_gates(net):
    w, (loss, _) = net
    got = family.snip(w, network.slope(loss, w))
    assert_allclose(got, oracle.snip(loss, w), **CLOSE)


@given(classifiers(), st.floats(0, 1))
def test_snip_momentum_fades_what_came_before(net, decay):
    w, losses = net
    steps = [w, 1.5 * w]
    score = None
    for loss, at in zip(losses, steps, strict=True):
        grad = network.slope(loss, at)
        score = family.snip_momentum(at, grad, previous=score, decay=decay)
    assert_allclose(score, oracle.snip_momentum(losses, steps, decay), **CLOSE)


@given(classifiers(), st.integers(0, 99))
def test_iterative_snip_asks_the_network_that_is_left(net, seed):
    w, (loss, _) = net
    mask = masks_of(w, seed)
    left = np.where(mask, w, 0)
    got = family.iterative_snip(left, network.slope(loss, left))
    assert_allclose(got, oracle.iterative_snip(loss, w, mask), **CLOSE)
    assert not got[~mask].any()


@given(classifiers(), st.integers(0, 99))
def test_force_asks_what_a_removed_weight_would_do(net, seed):
    w, (loss, _) = net
    mask = masks_of(w, seed)
    got = family.force(w, network.slope(loss, np.where(mask, w, 0)))
    assert_allclose(got, oracle.force(loss, w, mask), **CLOSE)


@given(classifiers(), st.integers(0, 99))
def test_force_and_iterative_snip_agree_on_what_is_left(net, seed):
    """De Jorge et al. 2021: they differ in the weights that are gone, only there."""
    w, (loss, _) = net
    mask = masks_of(w, seed)
    left = np.where(mask, w, 0)
    grad = network.slope(loss, left)
    kept = family.force(w, grad)[mask]
    assert_array_equal(kept, family.iterative_snip(left, grad)[mask])


@given(quadratics(), st.integers(0, 3))
def test_prospr_sees_through_the_steps_of_training(problem, steps):
    """On a quadratic the derivative through training is a power of a matrix."""
    weight, hessian, linear = problem
    rate = 2.0**-7

    def train(w):
        for _ in range(steps):
            w = w - rate * (hessian @ w + linear)
        return w

    def loss(w):
        return w @ hessian @ w / 2 + linear @ w

    through = np.linalg.matrix_power(np.eye(len(weight)) - rate * hessian, steps)
    at_the_end = hessian @ train(weight) + linear
    got = family.prospr(weight * (through.T @ at_the_end))
    want = oracle.prospr(train, loss, weight)
    assert_allclose(got, want, rtol=1e-12, atol=1e-9)  # terms reach 1e5 and cancel


@given(quadratics())
def test_prospr_without_training_is_snip(problem):
    weight, hessian, linear = problem
    grad = hessian @ weight + linear
    assert_array_equal(family.prospr(weight * grad), family.snip(weight, grad))


@given(classifiers())
def test_snip_is_the_root_of_taylor(net):
    w, (loss, _) = net
    grad = network.slope(loss, w)
    assert_allclose(family.snip(w, grad) ** 2, taylor(w, grad), rtol=1e-15)


@given(classifiers())
def test_what_flows_into_a_relu_unit_flows_out(net):
    """Tanaka et al. 2020, Theorem 1: signed saliency is conserved at hidden units."""
    w1, _ = net
    rng = np.random.default_rng(len(w1))
    w2 = rng.normal(size=(3, len(w1)))
    x, labels = rng.normal(size=(4, w1.shape[1])), rng.integers(3, size=4)
    relu = lambda z: z * (z.real > 0)
    into = w1 * network.slope(lambda w: network.loss(w, w2, x, labels, relu), w1)
    out_of = w2 * network.slope(lambda w: network.loss(w1, w, x, labels, relu), w2)
    assert_allclose(into.sum(axis=1), out_of.sum(axis=0), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["snip", "iterative_snip", "snip_momentum"])
def test_which_shape_is_wrong_is_said(name):
    with pytest.raises(
        ValueError, match=rf"{name}: grad has shape \(3,\) but weight .* \(2,\)"
    ):
        getattr(family, name)(np.ones(2), np.ones(3))


def test_force_says_which_shape_is_wrong():
    with pytest.raises(ValueError, match=r"grad has shape \(3,\) but dense_weight"):
        family.force(np.ones(2), np.ones(3))


def test_a_previous_score_of_another_layer_is_refused():
    with pytest.raises(ValueError, match=r"previous has shape \(3,\) but weight"):
        family.snip_momentum(np.ones(2), np.ones(2), previous=np.ones(3))


@pytest.mark.parametrize("decay", [-0.1, 1.1, float("nan")])
def test_a_decay_is_a_share(decay):
    with pytest.raises(ValueError, match=f"decay is {decay}; expected 0 to 1"):
        family.snip_momentum(np.ones(2), np.ones(2), decay=decay)
