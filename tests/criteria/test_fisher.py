"""Fisher criteria: every example's own slope, then the edges."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minprune.criteria.fisher import empirical_fisher, fisher, fisher_feature_map
from tests.oracles import fisher as oracle
from tests.oracles import network

SEEDS = pytest.mark.parametrize("seed", range(5))


@SEEDS
def test_fisher_is_obd_with_the_information_as_curvature(seed):
    rng = np.random.default_rng(seed)
    weight, information = rng.normal(size=(3, 2)), rng.uniform(0, 3, size=(3, 2))
    got = fisher(weight, information)
    assert_allclose(got, oracle.fisher(weight, information), rtol=1e-15)


def classifier(seed):
    """Two layers, and the loss of each example alone."""
    rng = np.random.default_rng(seed)
    w1, w2 = rng.normal(size=(4, 3)), rng.normal(size=(2, 4))
    x, labels = rng.normal(size=(6, 3)), rng.integers(2, size=6)
    losses = [
        lambda w, n=n: network.loss(w, w2, x[n : n + 1], labels[n : n + 1])
        for n in range(len(x))
    ]
    return w1, w2, x, labels, losses


@SEEDS
def test_empirical_fisher_squares_every_examples_slope(seed):
    w1, _, _, _, losses = classifier(seed)
    grads = np.array([network.slope(loss, w1) for loss in losses])
    got = empirical_fisher(w1, grads)
    assert_allclose(got, oracle.empirical_fisher(losses, w1), rtol=1e-13)


@SEEDS
def test_feature_map_fisher_squares_every_examples_gate(seed):
    w1, w2, x, labels, _ = classifier(seed)
    a = np.tanh(x @ w1.T)

    def loss_of(n, a_n):
        identity = lambda z: z
        return network.loss(a_n, w2, np.eye(1), labels[n : n + 1], identity)

    grad = np.array(
        [network.slope(lambda v, n=n: loss_of(n, v), a[n][:, None]) for n in range(6)]
    )[:, :, 0]
    gated = [lambda gate, n=n: loss_of(n, (gate * a[n])[:, None]) for n in range(6)]

    got = fisher_feature_map(a, grad)
    assert_allclose(got, oracle.fisher_feature_map(gated, 4), rtol=1e-12)


def test_places_of_a_feature_map_share_one_gate():
    """They are summed before the square: opposite pulls cancel inside an example."""
    activation = np.ones((1, 2, 1, 2))
    grad = np.array([[[[1.0, -1.0]], [[1.0, 1.0]]]])
    assert_array_equal(fisher_feature_map(activation, grad), [0.0, 2.0])


def test_gradients_that_cancel_are_felt_example_by_example():
    grads = np.array([[3.0], [-3.0]])
    assert_array_equal(empirical_fisher(np.array([2.0]), grads), [18.0])


@pytest.mark.parametrize("shape", [(0, 2), (3, 3), (), (2,)])
def test_gradients_are_one_array_for_every_example(shape):
    with pytest.raises(ValueError, match="grad_by_example has shape"):
        empirical_fisher(np.ones(2), np.ones(shape))


def test_no_example_is_refused():
    with pytest.raises(ValueError, match="holds no example"):
        fisher_feature_map(np.ones((0, 2)), np.ones((0, 2)))


def test_a_feature_map_needs_an_axis_of_units():
    with pytest.raises(ValueError, match="1 axes; expected 2 or 3 or 4"):
        fisher_feature_map(np.ones(2), np.ones(2))


def test_shapes_that_differ_are_refused():
    with pytest.raises(ValueError, match=r"fisher_diag has shape \(3,\)"):
        fisher(np.ones(2), np.ones(3))
    with pytest.raises(ValueError, match=r"activation_grad has shape \(1, 3\)"):
        fisher_feature_map(np.ones((1, 2)), np.ones((1, 3)))
