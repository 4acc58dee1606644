"""Metrics: their definitions, then the edges."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minprune import metrics
from minprune.data import load
from minprune.nn import (
    BatchNorm,
    Conv2d,
    Flatten,
    GlobalAvgPool,
    Linear,
    MaxPool2d,
    Network,
    ReLU,
    Residual,
    Sequential,
    Sigmoid,
    cross_entropy,
    models,
)
from tests.oracles import metrics as oracle

labels = st.lists(st.integers(0, 3), min_size=1, max_size=30).map(np.array)


@given(labels, st.randoms())
def test_accuracy_is_right_answers_over_answers(truth, random):
    guess = np.array([random.randrange(4) for _ in truth])
    assert metrics.accuracy(guess, truth) == float(oracle.accuracy(guess, truth))


@given(labels, st.randoms())
def test_class_accuracies_weighted_by_class_size_give_the_accuracy(truth, random):
    guess = np.array([random.randrange(4) for _ in truth])
    by_class = np.array(metrics.class_accuracy(guess, truth, 4))
    sizes = np.bincount(truth, minlength=4)
    assert np.isnan(by_class[sizes == 0]).all()
    mean = by_class[sizes > 0] @ sizes[sizes > 0] / len(truth)
    # Two roundings a class, of numbers up to 1.
    assert mean == pytest.approx(metrics.accuracy(guess, truth), abs=1e-14)


def test_no_samples_are_no_mistakes():
    none = np.array([], int)
    assert metrics.accuracy(none, none) == 1.0


def test_root_mean_square_error_of_a_constant_offset_is_the_offset():
    x = np.arange(6.0).reshape(3, 2)
    assert metrics.root_mean_square_error(x + 2, x) == 2.0


def test_quality_of_untrained_logits_of_zero_is_the_entropy_of_a_guess():
    data = load("digits")
    net = Network(Sequential(Flatten(), Linear(64, 10)), (1, 8, 8))
    found = metrics.quality(net, data.test, cross_entropy)
    assert found.loss == pytest.approx(math.log(10), rel=1e-6)  # float32 logits
    assert found.accuracy == (data.test.y == 0).mean()
    assert found.rmse is None


@pytest.mark.parametrize(
    ("dense", "pruned", "ratio"),
    [(0.2, 0.4, 0.5), (0.4, 0.2, 2.0), (0, 0, 1.0), (0, 1, 0.0), (1, 0, math.inf)],
)
def test_recovery_is_dense_over_pruned_and_zero_losses_are_defined(
    dense, pruned, ratio
):
    assert metrics.recovery(dense, pruned) == ratio


@pytest.mark.parametrize("bad", [-0.1, math.nan])
def test_recovery_refuses_what_is_no_loss(bad):
    with pytest.raises(ValueError, match="pruned_loss is"):
        metrics.recovery(0.1, bad)


@given(
    st.integers(3, 9),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(0, 2),
    st.integers(1, 2),
)
def test_multiply_adds_of_a_convolution_are_one_a_weight_a_position(
    size, kernel, stride, padding, dilation
):
    layer = Conv2d(2, 3, kernel, stride, padding, dilation)
    if size + 2 * padding < (kernel - 1) * dilation + 1:
        return
    net = Network(Sequential(layer), (2, size, size), seed=0)
    mask = np.random.default_rng(size).random(layer.params["weight"].shape) < 0.5
    net.set_masks({"0.weight": mask})
    found = metrics.count(net)
    geometry = (2, size, size), mask.shape
    rest = stride, padding, dilation
    assert found.macs_needed == oracle.conv_macs(*geometry, int(mask.sum()), *rest)
    assert found.macs_executed == oracle.conv_macs(*geometry, mask.size, *rest)


def test_counts_of_lenet_300_100_on_mnist_shapes_are_the_published_ones():
    """266,200 weights and as many multiply-adds (Han et al. 2015)."""
    net = Network(models.lenet_300_100((1, 28, 28), 10), (1, 28, 28), seed=0)
    found = metrics.count(net)
    assert (found.weights, found.macs_executed) == (266_200, 266_200)
    assert [layer.weights for layer in found.layers] == [235_200, 30_000, 1_000]


def test_bytes_count_indices_and_every_array():
    net = Network(Sequential(Linear(300, 4)), (300,), seed=0)
    mask = np.zeros((4, 300), bool)
    mask[1, 7] = mask[3, 299] = True
    net.set_masks({"0.weight": mask})
    (layer,) = metrics.count(net).layers
    # Five row pointers in a byte each, two indices in two bytes, two float32 values,
    # four float32 biases.
    assert layer.file_bytes == 5 + 2 * 2 + 2 * 4 + 4 * 4
    assert layer.resident_bytes == 4 * 300 * 4 + 4 * 4


def test_energy_grows_with_work_and_with_what_must_be_read():
    dense = Network(Sequential(Linear(8, 8)), (8,), seed=0)
    count = metrics.count(dense)
    found = metrics.energy(count)
    # 64 products and sums; 64 operands of 32 bits; 64 + 8 floats and the door's two.
    assert found.arithmetic == pytest.approx(64 * 4.6e-6)
    assert found.activations == pytest.approx(64 * 5e-6)
    assert found.weights == pytest.approx((64 + 8 + 2) * 4 / 8 * 1300e-6)
    assert found.total == found.arithmetic + found.activations + found.weights


@given(st.integers(0, 2**32 - 1), st.permutations(range(12)))
def test_any_order_of_summation_stays_within_the_bound(seed, order):
    rng = np.random.default_rng(seed)
    net = Network(Sequential(Linear(12, 3, bias=False)), (12,))
    net.parameters()["0.weight"][...] = rng.normal(size=(3, 12)) * 10.0 ** rng.integers(
        -3, 4, (3, 12)
    )
    x = rng.normal(size=(1, 12)).astype(np.float32)
    other = oracle.product_in_order(net.parameters()["0.weight"], x[0], order)
    found = metrics.agreement(net(x), np.array([other]), metrics.rounding_bound(net, x))
    assert found.agree


@given(st.integers(0, 2**32 - 1))
def test_float32_and_float64_agree_within_the_bound_on_a_deep_network(seed):
    rng = np.random.default_rng(seed)
    body = Sequential(Conv2d(4, 4, 3, padding=1), BatchNorm(4), ReLU())
    root = Sequential(
        Conv2d(2, 4, 3, padding=1),
        Residual(body),
        MaxPool2d(2),
        GlobalAvgPool(),
        Linear(4, 3),
    )
    net = Network(root, (2, 6, 6), seed=int(seed % 1000))
    norm = body.children["1"]
    norm.buffers["running_mean"][...] = rng.normal(size=4)
    norm.buffers["running_var"][...] = rng.random(4)
    x = rng.normal(size=(3, 2, 6, 6))
    bound = metrics.rounding_bound(net, x)
    wide = net.astype(np.float64)(x)
    found = metrics.agreement(net(x), wide, bound)
    assert found.agree
    off = wide + 3 * bound
    assert not metrics.agreement(net(x), off, bound).agree


def test_a_layer_without_a_derived_bound_is_named():
    net = Network(Sequential(Linear(2, 2), Sigmoid()), (2,), seed=0)
    with pytest.raises(ValueError, match="layer 1 is a Sigmoid"):
        metrics.rounding_bound(net, np.ones((1, 2)))


def test_health_tells_empty_dead_and_unread():
    net = Network(Sequential(Linear(3, 2), Linear(2, 2)), (3,), seed=0)
    net.set_masks({"1.weight": np.zeros((2, 2), bool)})
    first, second = metrics.health(net)
    assert (first.empty, first.dead_outputs, first.unread_inputs) == (False, 0, 0)
    assert (second.empty, second.dead_outputs, second.unread_inputs) == (True, 2, 2)
    net.parameters()["0.weight"][0, 0] = np.nan
    assert not metrics.health(net)[0].finite


def test_medians_time_every_call_and_keep_their_order():
    calls = {"slow": lambda: sum(range(20_000)), "fast": lambda: None}
    found = metrics.medians(calls, seconds=0.02, rounds=2)
    assert list(found) == ["slow", "fast"]
    assert found["slow"] > found["fast"] > 0
