"""Taylor criteria on activations: gates in loops, then what cancels where, edges."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minprune.criteria import taylor_activation as family
from minprune.criteria.taylor_filter import taylor_filter
from tests.oracles import network
from tests.oracles import taylor_activation as oracle

THREE = ["taylor_activation", "taylor_activation_nvlabs", "taylor_activation_jacobgil"]
GATES = ["taylor_gate", "taylor_gate_by_example"]
CLOSE = {"rtol": 1e-11, "atol": 1e-13}  # atol in nats^2, or in shares


@st.composite
def feature_maps(draw, places=None):
    """Maps of some examples, and each example's loss as a function of its maps."""
    examples, channels = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    places = places or draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    readout = rng.normal(size=(3, channels * places))
    maps = [rng.normal(size=(channels, places)) for _ in range(examples)]

    def on(label):
        def loss(a):
            z = readout @ np.tanh(a).ravel()
            return np.log(np.exp(z).sum()) - z[label]

        return loss

    return [on(label) for label in rng.integers(3, size=examples)], maps


def collected(losses, maps):
    """The evidence: activations and the gradient of each example's own loss."""
    grads = [network.slope(loss, a) for loss, a in zip(losses, maps, strict=True)]
    return np.stack(maps), np.stack(grads)


@pytest.mark.parametrize("name", THREE + GATES)
@given(problem=feature_maps())
def test_the_score_is_made_of_slopes_in_gates(name, problem):
    got = getattr(family, name)(*collected(*problem))
    assert_allclose(got, getattr(oracle, name)(*problem), **CLOSE)


@pytest.mark.parametrize("name", THREE + GATES)
@given(problem=feature_maps(places=4))
def test_places_are_counted_the_same_in_a_row_and_in_a_square(name, problem):
    a, g = collected(*problem)
    square = (*a.shape[:2], 2, 2)
    got = getattr(family, name)(a.reshape(square), g.reshape(square))
    assert_array_equal(got, getattr(family, name)(a, g))


@pytest.mark.parametrize("name", THREE)
@given(problem=feature_maps())
def test_a_layer_has_length_one(name, problem):
    score = getattr(family, name)(*collected(*problem))
    assert np.sum(score**2) == pytest.approx(1)


@given(feature_maps(places=1))
def test_with_one_place_the_paper_and_nvlabs_agree(problem):
    evidence = collected(*problem)
    want = family.taylor_activation_nvlabs(*evidence)
    assert_allclose(family.taylor_activation(*evidence), want, **CLOSE)


@given(feature_maps())
def test_with_one_example_the_paper_and_jacobgil_agree(problem):
    a, g = (x[:1] for x in collected(*problem))
    want = family.taylor_activation_jacobgil(a, g)
    assert_allclose(family.taylor_activation(a, g), want, **CLOSE)


def test_the_three_codes_disagree_about_which_channel_goes_first():
    """A channel whose examples cancel, one whose places cancel, one that is small."""
    grad = np.array([[[4.0, 4.0], [3.0, -3.0], [1.0, 1.0]]] * 2)
    grad[1, 0] *= -1
    first = lambda name: int(getattr(family, name)(np.ones((2, 3, 2)), grad).argmin())
    assert first("taylor_activation") == 1
    assert first("taylor_activation_nvlabs") == 2
    grad[:, 1] = 9.0
    assert first("taylor_activation_jacobgil") == 0
    assert first("taylor_activation") == 2


@given(feature_maps())
def test_squaring_every_example_adds_their_variance(problem):
    a, g = collected(*problem)
    of_example = (a * g).reshape(*a.shape[:2], -1).sum(axis=2)
    more = family.taylor_gate_by_example(a, g) - family.taylor_gate(a, g)
    assert_allclose(more, np.var(of_example, axis=0), **CLOSE)


@given(st.integers(0, 2**32 - 1))
def test_behind_a_linear_layer_a_gate_is_worth_its_filter(seed):
    """Molchanov et al. 2019, Sec. 3.3: sum of a da over examples is sum of w g."""
    rng = np.random.default_rng(seed)
    w1, w2 = rng.normal(size=(3, 4)), rng.normal(size=(2, 3))
    x, labels = rng.normal(size=(5, 4)), rng.integers(2, size=5)
    identity = lambda z: z
    loss = lambda w: network.loss(w, w2, x, labels, identity)
    tail = lambda a: network.loss(np.eye(3), w2, a, labels, identity)
    a = x @ w1.T
    by_gate = family.taylor_gate(a, len(x) * network.slope(tail, a))
    by_filter = taylor_filter(w1, network.slope(loss, w1))
    assert_allclose(by_gate, by_filter, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("name", THREE)
def test_a_layer_that_does_not_matter_scores_zero(name):
    score = getattr(family, name)(np.ones((2, 3)), np.zeros((2, 3)))
    assert_array_equal(score, np.zeros(3))


@pytest.mark.parametrize("name", THREE + GATES)
def test_maps_that_cannot_be_averaged_are_refused(name):
    function = getattr(family, name)
    with pytest.raises(ValueError, match=rf"{name}: activation has shape \(0, 3\)"):
        function(np.ones((0, 3)), np.ones((0, 3)))
    with pytest.raises(ValueError, match=rf"{name}: activation_grad has shape"):
        function(np.ones((2, 3)), np.ones((3, 2)))
    with pytest.raises(ValueError, match=rf"{name}: activation .* 1 axes"):
        function(np.ones(3), np.ones(3))
