"""Gradients and movements: definitions, then what they are on simple losses, edges."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minprune.criteria import gradient as family
from tests.criteria.strategies import classifiers
from tests.oracles import gradient as oracle
from tests.oracles import network

whole = st.integers(-20, 20).filter(bool)


@given(classifiers())
def test_the_gradient_is_read_without_its_sign(net):
    w, (loss, _) = net
    want = oracle.gradient_magnitude(loss, w)
    assert_allclose(family.gradient_magnitude(network.slope(loss, w)), want)


@given(classifiers())
def test_pruner_zero_places_each_gradient_in_its_layer(net):
    w, losses = net
    grads = np.stack([network.slope(loss, w) for loss in losses])
    want = oracle.pruner_zero(losses, w)
    # A range that cancels to some roundings of a slope multiplies them.
    lengths = np.sqrt((grads**2).sum(axis=0))
    atol = 1e-13 * np.max(w**2) * lengths.max() / max(np.ptp(lengths), 1e-13)
    assert_allclose(family.pruner_zero(w, grads), want, rtol=1e-12, atol=atol)


@given(classifiers(), st.sampled_from([0.25, 2.0, 64.0]))
def test_pruner_zero_does_not_see_the_unit_of_the_loss_nor_examples_seen_twice(net, u):
    w, losses = net
    grads = np.stack([network.slope(loss, w) for loss in losses])
    score = family.pruner_zero(w, grads)
    assert_array_equal(family.pruner_zero(w, u * grads), score)
    again = np.concatenate([grads] * 4)  # four times the squares: exactly twice as long
    assert_allclose(family.pruner_zero(w, again), score, rtol=1e-9, atol=1e-12)


def test_pruner_zero_of_equally_steep_weights_is_zero():
    w, grads = np.array([[1.0, -2.0]]), np.array([[[0.3, -0.3]], [[0.1, 0.1]]])
    assert_array_equal(family.pruner_zero(w, grads), np.zeros((1, 2)))
    assert family.pruner_zero(np.ones((0, 3)), np.ones((2, 0, 3))).shape == (0, 3)


@pytest.mark.parametrize("shape", [(0, 2), (2,), (3, 3)])
def test_pruner_zero_wants_a_gradient_of_every_example(shape):
    with pytest.raises(ValueError, match="pruner_zero: grad_by_example has shape"):
        family.pruner_zero(np.ones(2), np.ones(shape))


@given(classifiers())
def test_movement_adds_up_the_steps_away_from_zero(net):
    w, losses = net
    steps = [w, 0.5 * w]
    score = None
    for loss, at in zip(losses, steps, strict=True):
        score = family.movement(at, network.slope(loss, at), previous=score)
    want = oracle.movement(losses, steps)
    assert_allclose(score, want, rtol=1e-12, atol=1e-13)  # atol in nats


@given(whole, whole, st.integers(1, 5))
def test_descent_moves_a_weight_away_from_zero_where_movement_is_positive(w, g, n):
    score = family.movement(np.array([w]), np.array([g]))
    after = w - 2.0**-n * g
    if abs(2.0**-n * g) < abs(w):  # a step beyond zero grows the other way
        assert np.sign(score) == np.sign(abs(after) - abs(w))


@given(whole, whole, st.integers(-9, 9), st.integers(1, 4))
def test_karnin_extends_what_training_has_gained(start, curvature, center, steps):
    """Gradient descent on c (w - m)^2 / 2 in exact fractions."""
    rate = Fraction(1, 64)
    gradient = lambda w: curvature * (w - center)
    if not gradient(start):
        return
    weight, want = oracle.karnin(gradient, start, rate, steps)
    path, squared = Fraction(start), Fraction(0)
    for _ in range(steps):
        step = -rate * gradient(path)
        path, squared = path + step, squared + step**2
    evidence = [np.array([float(x)]) for x in (weight, start, squared)]
    got = family.karnin(*evidence, rate=float(rate))
    assert got == pytest.approx(float(want), rel=1e-10)  # w - start cancels 4 digits


@given(whole, whole, st.integers(1, 6))
def test_karnin_is_the_loss_itself_on_a_slope(start, slope, steps):
    """Where the gradient is the same all the way, nothing is extrapolated wrongly."""
    rate = 1 / 8
    weight = start - steps * rate * slope
    updates = steps * (rate * slope) ** 2
    score = family.karnin(*(np.array([x]) for x in (weight, start, updates)), rate=rate)
    assert score == pytest.approx(-slope * weight)  # L(0) - L(w)


def test_a_weight_that_came_back_scores_zero():
    one = np.ones(1)
    assert family.karnin(one, one, one) == 0.0


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan")])
def test_a_rate_that_does_not_descend_is_refused(rate):
    with pytest.raises(ValueError, match=rf"rate is {rate}; expected a number above 0"):
        family.karnin(np.ones(1), np.zeros(1), np.ones(1), rate=rate)


def test_which_shape_is_wrong_is_said():
    with pytest.raises(ValueError, match=r"movement: grad has shape \(3,\)"):
        family.movement(np.ones(2), np.ones(3))
    with pytest.raises(ValueError, match=r"movement: previous has shape \(3,\)"):
        family.movement(np.ones(2), np.ones(2), previous=np.ones(3))
    with pytest.raises(ValueError, match=r"karnin: squared_updates has shape \(3,\)"):
        family.karnin(np.ones(2), np.ones(2), np.ones(3))
