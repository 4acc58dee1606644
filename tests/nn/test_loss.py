"""Losses and penalties against their definitions; gradients by the complex step."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minprune import data, nn
from minprune.nn import regularize
from minprune.nn.layer import EVAL
from tests.nn.drawn import seeds
from tests.oracles import losses as oracle
from tests.oracles.network import slope

samples = st.integers(1, 4)
outputs = st.integers(1, 5)


def compare(loss, definition, output, target):
    """Within a few hundred roundings of terms up to 64 nats, the square of the heat."""
    value, gradient = loss(output, target)
    assert_allclose(value, definition(output.T), rtol=1e-13, atol=1e-13)
    wanted = slope(lambda z: definition(z.T), output)
    assert_allclose(gradient, wanted, rtol=1e-11, atol=1e-13)


@given(outputs, samples, st.sampled_from([0.0, 0.1, 1.0]), seeds)
def test_cross_entropy(classes, count, smoothing, seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=count)
    compare(
        nn.CrossEntropy(smoothing),
        lambda z: oracle.cross_entropy(z, labels, smoothing),
        rng.normal(size=(classes, count)),
        labels,
    )


@given(outputs, samples, seeds)
def test_mean_squared_error(width, count, seed):
    rng = np.random.default_rng(seed)
    target = rng.normal(size=(count, width))
    output = rng.normal(size=(width, count))
    compare(
        nn.mean_squared_error,
        lambda z: oracle.mean_squared_error(z, target),
        output,
        target,
    )


@given(outputs, samples, seeds)
def test_binary_cross_entropy(width, count, seed):
    rng = np.random.default_rng(seed)
    target = rng.integers(2, size=(count, width))
    output = rng.normal(size=(width, count))
    compare(
        nn.binary_cross_entropy,
        lambda z: oracle.binary_cross_entropy(z, target),
        output,
        target,
    )


@given(st.integers(2, 5), samples, st.floats(0.5, 8), st.floats(0, 1), seeds)
def test_distillation(classes, count, temperature, mixing, seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=count)
    target = np.column_stack([labels, rng.normal(size=(count, classes))])
    compare(
        nn.Distillation(temperature, mixing),
        lambda z: oracle.distillation(z, target, temperature, mixing),
        rng.normal(size=(classes, count)),
        target,
    )


def test_distillation_from_oneself_costs_nothing():
    logits = np.random.default_rng(0).normal(size=(4, 3))
    target = np.column_stack([np.zeros(3), logits.T])
    value, gradient = nn.Distillation(mixing=1.0)(logits, target)
    assert_allclose(value, 0, atol=1e-14)
    assert_allclose(gradient, 0, atol=1e-15)


def test_distillation_on_plain_labels_is_cross_entropy():
    logits, labels = np.random.default_rng(0).normal(size=(4, 3)), np.arange(3)
    value, gradient = nn.Distillation()(logits, labels)
    assert value == nn.cross_entropy(logits, labels)[0]
    assert_array_equal(gradient, nn.cross_entropy(logits, labels)[1])


def test_a_taught_data_set_carries_the_teachers_logits():
    x, y = np.random.default_rng(0).normal(size=(30, 4)), np.arange(30) % 3
    plain = data.from_arrays(x, y)
    teacher = nn.models.build("mlp", plain, hidden=(5,), seed=1)
    taught = nn.taught(plain, teacher)
    assert_array_equal(taught.train.y[:, 0], plain.train.y)
    assert_array_equal(taught.train.y[:, 1:], teacher(plain.train.x))
    student = nn.models.build("mlp", plain, hidden=(3,), seed=2)
    history = nn.train(
        student,
        taught,
        epochs=60,
        optimizer=nn.Adam(0.05),
        loss=nn.Distillation(mixing=1),
    )
    assert history[-1].train_loss < history[0].train_loss / 2


def test_tasks_add_up_over_heads():
    rng = np.random.default_rng(0)
    target = np.column_stack([rng.integers(3, size=4), rng.normal(size=4)])
    output = rng.normal(size=(4, 4))
    tasks = nn.Tasks(
        {"kind": slice(0, 3), "size": slice(3, 4)},
        {"kind": nn.cross_entropy, "size": nn.mean_squared_error},
        {"kind": 0, "size": slice(1, 2)},
    )
    value, gradient = tasks(output, target)
    kind = nn.cross_entropy(output[:3], target[:, 0].astype(int))
    size = nn.mean_squared_error(output[3:], target[:, 1:])
    assert value == kind[0] + size[0]
    assert_array_equal(gradient, np.concatenate([kind[1], size[1]]))


@pytest.mark.parametrize(
    ("loss", "target"),
    [
        (nn.cross_entropy, np.zeros(0, int)),
        (nn.mean_squared_error, np.zeros((0, 3))),
        (nn.binary_cross_entropy, np.zeros((0, 3))),
        (nn.Distillation(), np.zeros((0, 4))),
    ],
)
def test_an_empty_batch_costs_nothing(loss, target):
    value, gradient = loss(np.zeros((3, 0)), target)
    assert value == 0
    assert gradient.shape == (3, 0)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, -1], "labels range from -1 to 0; expected 0 to 2"),
        ([0, 3], "labels range from 0 to 3; expected 0 to 2"),
        ([0.0, 1.0], "type float64"),
        ([0], r"shape \(1,\); expected whole numbers of shape \(2,\)"),
        ([[0], [1]], r"shape \(2, 1\)"),
    ],
)
def test_labels_that_name_no_class_are_refused(labels, message):
    """NumPy reads -1 as the last class and one label as everybody's."""
    with pytest.raises(ValueError, match=message):
        nn.cross_entropy(np.zeros((3, 2)), np.array(labels))


@pytest.mark.parametrize("loss", [nn.mean_squared_error, nn.binary_cross_entropy])
@pytest.mark.parametrize("shape", [(2, 1), (1, 3), (3,), (2,), (5, 3), ()])
def test_targets_do_not_broadcast(loss, shape):
    with pytest.raises(ValueError, match=r"expected \(2, 3\), one for each output"):
        loss(np.zeros((3, 2)), np.zeros(shape))


@pytest.mark.parametrize("loss", [nn.mean_squared_error, nn.binary_cross_entropy])
def test_one_output_takes_plain_numbers(loss):
    output, target = np.array([[0.5, -1.0]]), np.array([1.0, 0.0])
    value, gradient = loss(output, target)
    want, slope = loss(output, target[:, None])
    assert value == want
    assert_array_equal(gradient, slope)


@pytest.mark.parametrize("size", [1e3, 1e4])
def test_huge_logits_do_not_overflow(size):
    logits = np.array([[size], [-size]])
    assert_allclose(nn.cross_entropy(logits, np.array([1]))[0], 2 * size)
    value, gradient = nn.binary_cross_entropy(logits, np.array([[0, 1]]))
    assert_allclose(value, size)
    assert_allclose(gradient, [[0.5], [-0.5]])


@pytest.mark.parametrize("name", sorted(oracle.PENALTIES))
@pytest.mark.parametrize("shape", [(4, 3), (2, 2, 3, 3)])
def test_penalties(name, shape):
    weight = np.random.default_rng(0).normal(size=shape)
    value, gradient = getattr(regularize, name)(weight)
    definition = oracle.PENALTIES[name]
    assert_allclose(value, definition(weight), rtol=1e-13)
    assert_allclose(gradient, slope(definition, weight), rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("name", sorted(oracle.PENALTIES))
def test_penalties_of_nothing_pull_nowhere(name):
    value, gradient = getattr(regularize, name)(np.zeros((2, 3)))
    assert value == 0
    assert not gradient.any()


def test_hoyer_square_does_not_change_with_the_scale():
    weight = np.random.default_rng(0).normal(size=(4, 3))
    once, twice = nn.hoyer_square(weight), nn.hoyer_square(2 * weight)
    assert_allclose(twice[0], once[0], rtol=1e-14)
    assert_allclose(nn.hoyer_square(np.ones((3, 4)))[0], 12)


def test_a_penalty_joins_the_gradient_of_the_loss():
    x, y = np.random.default_rng(0).normal(size=(40, 4)), np.arange(40) % 2
    ds = data.from_arrays(x, y)
    sizes = {}
    for strength in (0.0, 0.1):
        net = nn.models.build("mlp", ds, hidden=(8,), seed=0)
        penalty = nn.Penalized(nn.l1, strength, names=["fc1.weight"])
        nn.train(net, ds, epochs=20, optimizer=nn.SGD(0.1), procedures=[penalty])
        sizes[strength] = np.abs(net.weights()["fc1.weight"]).sum()
    assert sizes[0.1] < sizes[0.0] / 2
    with pytest.raises(ValueError, match="no parameter 'fc9'"):
        nn.train(net, ds, epochs=1, procedures=[nn.Penalized(nn.l1, 1.0, ["fc9"])])


def test_fgsm_moves_a_share_of_the_batch_uphill_and_no_further():
    rng = np.random.default_rng(0)
    net = nn.Network(nn.Sequential(nn.Linear(4, 3)), (4,), seed=0).astype(np.float64)
    x, y = rng.normal(size=(4, 6)), rng.integers(3, size=6)
    moved = nn.FGSM(0.25, share=0.5)(net, x, y, nn.cross_entropy, EVAL)
    assert_allclose(np.abs(moved - x)[:, :3], 0.25)
    assert_array_equal(moved[:, 3:], x[:, 3:])
    before = nn.cross_entropy(net.forward(x), y)[0]
    assert nn.cross_entropy(net.forward(moved), y)[0] > before


def test_adversarial_training_learns():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 4))
    ds = data.from_arrays(x, (x[:, 0] > 0).astype(int))
    net = nn.models.build("mlp", ds, hidden=(16,), seed=0)
    history = nn.train(
        net, ds, epochs=15, optimizer=nn.Adam(1e-2), augment=nn.FGSM(0.1)
    )
    assert history[-1].val_score > 0.9
