"""Batch-norm criteria: gates behind the batch norm, then their relations, edges."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from minprune.criteria import scale as family
from minprune.criteria.taylor_activation import taylor_gate
from tests.oracles import network
from tests.oracles import scale as oracle

CLOSE = {"rtol": 1e-11, "atol": 1e-13}  # atol in nats^2


@st.composite
def batch_norms(draw):
    """Normalized maps, scales, shifts, and two losses of what the batch norm sends."""
    channels, places = draw(st.integers(1, 4)), draw(st.integers(2, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    maps = rng.normal(size=(channels, places))
    centered = maps - maps.mean(axis=1, keepdims=True)
    normed = centered / np.sqrt(np.mean(centered**2, axis=1, keepdims=True))
    scale = rng.choice([-1, 1], channels) * rng.uniform(0.2, 2, channels)
    shift = rng.normal(size=channels)
    readouts = rng.normal(size=(2, 3, channels * places))

    def on(readout):
        def loss(sent):
            z = readout @ np.tanh(sent).ravel()
            return np.log(np.exp(z).sum()) - z[0]

        return loss

    return [on(readout) for readout in readouts], normed, scale, shift


def gradients(loss, normed, scale, shift):
    """Of the loss in the scales and in the shifts."""
    through = lambda s, t: loss(s[:, None] * normed + t[:, None])
    return (
        network.slope(lambda s: through(s, shift), scale),
        network.slope(lambda t: through(scale, t), shift),
    )


@given(batch_norms())
def test_the_scale_is_the_deviation_of_what_is_sent_on(problem):
    _, normed, scale, shift = problem
    got = family.bn_scale_magnitude(scale)
    want = oracle.bn_scale_magnitude(normed, scale, shift)
    assert_allclose(got, want, rtol=1e-12)


@given(batch_norms())
def test_scale_and_shift_are_the_slope_in_one_gate(problem):
    (loss, _), normed, scale, shift = problem
    scale_grad, shift_grad = gradients(loss, normed, scale, shift)
    got = family.taylor_bn(scale, scale_grad, shift, shift_grad)
    assert_allclose(got, oracle.taylor_bn(loss, normed, scale, shift), **CLOSE)


@given(batch_norms())
def test_what_is_executed_leaves_the_shift_behind_the_gate(problem):
    (loss, _), normed, scale, shift = problem
    scale_grad, _ = gradients(loss, normed, scale, shift)
    got = family.taylor_bn_executed(scale, scale_grad)
    assert_allclose(got, oracle.taylor_bn_executed(loss, normed, scale, shift), **CLOSE)


@given(batch_norms())
def test_a_decorated_gate_needs_no_gate(problem):
    losses, normed, scale, shift = problem
    grads = [gradients(loss, normed, scale, shift) for loss in losses]
    scale_grads, shift_grads = map(np.stack, zip(*grads, strict=True))
    got = family.gate_decorator(scale, scale_grads, shift, shift_grads)
    assert_allclose(got, oracle.gate_decorator(losses, normed, scale, shift), **CLOSE)


@given(batch_norms())
def test_with_one_batch_the_decorator_is_the_root_of_taylor(problem):
    (loss, _), normed, scale, shift = problem
    scale_grad, shift_grad = gradients(loss, normed, scale, shift)
    got = family.gate_decorator(scale, scale_grad[None], shift, shift_grad[None])
    want = family.taylor_bn(scale, scale_grad, shift, shift_grad)
    assert_allclose(got**2, want, **CLOSE)


@given(batch_norms())
def test_the_gate_on_the_activations_says_the_same(problem):
    (loss, _), normed, scale, shift = problem
    sent = scale[:, None] * normed + shift[:, None]
    by_activation = taylor_gate(sent[None], network.slope(loss, sent)[None])
    scale_grad, shift_grad = gradients(loss, normed, scale, shift)
    by_scale = family.taylor_bn(scale, scale_grad, shift, shift_grad)
    assert_allclose(by_scale, by_activation, **CLOSE)


@given(batch_norms())
def test_without_shifts_paper_and_code_agree(problem):
    (loss, _), normed, scale, shift = problem
    scale_grad, shift_grad = gradients(loss, normed, scale, 0 * shift)
    paper = family.taylor_bn(scale, scale_grad, 0 * shift, shift_grad)
    assert_allclose(family.taylor_bn_executed(scale, scale_grad), paper, rtol=1e-15)


def test_which_shape_is_wrong_is_said():
    two, three = np.ones(2), np.ones(3)
    with pytest.raises(ValueError, match=r"taylor_bn: bn_shift_grad has shape \(3,\)"):
        family.taylor_bn(two, two, two, three)
    with pytest.raises(ValueError, match=r"executed: bn_scale_grad has shape \(3,\)"):
        family.taylor_bn_executed(two, three)
    with pytest.raises(ValueError, match=r"decorator: bn_shift has shape \(3,\)"):
        family.gate_decorator(two, two[None], three, two[None])
    for bad in (two, np.ones((0, 2)), np.ones((1, 3))):
        with pytest.raises(ValueError, match=r"the gradient of bn_scale by batch has"):
            family.gate_decorator(two, bad, two, two[None])
        with pytest.raises(ValueError, match=r"the gradient of bn_shift by batch has"):
            family.gate_decorator(two, two[None], two, bad)
