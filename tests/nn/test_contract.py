"""What every layer promises, whatever it computes: types, memory, copies, manifest."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minprune import nn
from minprune.nn.layer import Mode, build

GATE = nn.Sequential(nn.GlobalAvgPool(), nn.Sigmoid())
LAYERS = {
    "Linear": (nn.Linear(4, 3), (4,)),
    "Conv1d": (nn.Conv1d(2, 4, 3, 2, [[1, 0]], 2, 2), (2, 9)),
    "Conv2d": (nn.Conv2d(2, 3, (3, 2), (1, 2), padding=1, bias=False), (2, 5, 6)),
    "MaxPool1d": (nn.MaxPool1d(2), (2, 5)),
    "MaxPool2d": (nn.MaxPool2d(3, 2, 1), (2, 5, 6)),
    "AvgPool1d": (nn.AvgPool1d(2), (2, 5)),
    "AvgPool2d": (nn.AvgPool2d((2, 3), 1), (2, 5, 6)),
    "GlobalAvgPool": (nn.GlobalAvgPool(), (2, 5, 6)),
    "BatchNorm": (nn.BatchNorm(2), (2, 3)),
    "LayerNorm": (nn.LayerNorm((2, 3)), (2, 3)),
    "ReLU": (nn.ReLU(), (2, 3)),
    "ReLU6": (nn.ReLU6(), (2, 3)),
    "LeakyReLU": (nn.LeakyReLU(0.2), (2, 3)),
    "Sigmoid": (nn.Sigmoid(), (2, 3)),
    "Tanh": (nn.Tanh(), (2, 3)),
    "GELU": (nn.GELU(), (2, 3)),
    "Softmax": (nn.Softmax(), (3,)),
    "Flatten": (nn.Flatten(), (2, 3)),
    "Dropout": (nn.Dropout(0.25), (2, 3)),
    "Embedding": (nn.Embedding(1, 3), (4,)),
    "RNN": (nn.RNN(2, 3), (2, 4)),
    "LSTM": (nn.LSTM(2, 3, 2, bidirectional=True), (2, 4)),
    "GRU": (nn.GRU(2, 3, bias=False, last=True), (2, 4)),
    "Sequential": (nn.Sequential(nn.Linear(4, 3), nn.ReLU()), (4,)),
    "Residual": (nn.Residual(nn.Linear(4, 2), nn.Linear(4, 2)), (4,)),
    "Concat": (nn.Concat({"a": nn.Linear(4, 2), "b": nn.ReLU()}), (4,)),
    "Heads": (nn.Heads({"a": nn.Linear(4, 2), "b": nn.Linear(4, 1)}), (4,)),
    "FeatureBoost": (nn.FeatureBoost(nn.Conv1d(2, 3, 2), 1), (2, 5)),
    "SqueezeExcite": (nn.SqueezeExcite(GATE), (2, 3)),
}
ALL = [pytest.param(*LAYERS[kind], id=kind) for kind in LAYERS]


def fresh(layer, dtype=np.float32):
    layer = layer.clone(dtype)
    for name, part in layer.walk():
        part.reset(np.random.default_rng(len(name)))
    return layer


def batch(layer, shape, count, dtype=np.float32):
    x = np.random.default_rng(7).normal(size=(*shape, count)).astype(dtype)
    return np.zeros_like(x) if layer.kind == "Embedding" else x


def gradients(layer):
    return {
        f"{path}.{name}": g
        for path, part in layer.walk()
        for name, g in part.grads.items()
    }


def test_every_dense_kind_is_held_to_the_contract():
    dense = {kind for kind, cls in nn.KINDS.items() if "minprune.nn" in cls.__module__}
    assert dense == set(LAYERS)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("layer", "shape"), ALL)
def test_gives_back_the_type_it_got(layer, shape, dtype):
    layer = fresh(layer, dtype)
    for count in (0, 1, 3):
        y = layer.forward(batch(layer, shape, count, dtype))
        assert y.dtype == dtype
        assert y.shape == (*layer.output_shape(shape), count)
        dx = layer.backward(np.ones_like(y))
        assert dx.dtype == dtype
        assert dx.shape == (*shape, count)
        assert {grad.dtype for grad in gradients(layer).values()} <= {np.dtype(dtype)}


@pytest.mark.parametrize(("layer", "shape"), ALL)
def test_does_not_care_how_its_input_lies_in_memory(layer, shape):
    layer = fresh(layer)
    x = batch(layer, shape, 3)
    y = layer.forward(x)
    dy = np.random.default_rng(1).normal(size=y.shape).astype(np.float32)
    dx, grads = layer.backward(dy), gradients(layer)

    def scattered(array):
        wide = np.zeros(tuple(2 * n for n in array.shape), array.dtype)
        view = wide[tuple(slice(None, None, 2) for _ in array.shape)]
        view[...] = array
        return view

    # Another memory order may take another BLAS path: equal up to a few roundings.
    close = {"rtol": 1e-5, "atol": 1e-6}
    for other in (scattered, np.asfortranarray):
        assert_allclose(layer.forward(other(x)), y, **close)
        assert_allclose(layer.backward(other(dy)), dx, **close)
        for name, grad in gradients(layer).items():
            assert_allclose(grad, grads[name], **close)


@pytest.mark.parametrize(("layer", "shape"), ALL)
def test_leaves_what_it_is_given_alone(layer, shape):
    layer = fresh(layer)
    x = batch(layer, shape, 4)
    x.flags.writeable = False
    mode = Mode(True, np.random.default_rng(0))
    dy = np.ones_like(layer.forward(x, mode))
    dy.flags.writeable = False
    layer.backward(dy)


@pytest.mark.parametrize(("layer", "shape"), ALL)
def test_backward_can_be_asked_twice(layer, shape):
    """Evidence carries several gradients back through one forward pass."""
    layer = fresh(layer)
    y = layer.forward(batch(layer, shape, 2))
    first, grads = layer.backward(np.ones_like(y)), gradients(layer)
    assert_array_equal(layer.backward(np.ones_like(y)), first)
    for name, grad in gradients(layer).items():
        assert_array_equal(grad, grads[name])


@pytest.mark.parametrize(("layer", "shape"), ALL)
def test_to_learn_is_to_go_backward_without_the_input(layer, shape):
    layer = fresh(layer)
    y = layer.forward(batch(layer, shape, 3))
    dy = np.random.default_rng(1).normal(size=y.shape).astype(np.float32)
    layer.backward(dy)
    grads = {name: grad.copy() for name, grad in gradients(layer).items()}
    for _, part in layer.walk():
        part.grads.clear()
    layer.learn(dy)
    learned = gradients(layer)
    assert learned.keys() == grads.keys()
    for name, grad in grads.items():
        assert_array_equal(learned[name], grad)


@pytest.mark.parametrize(("layer", "shape"), ALL)
def test_a_clone_shares_nothing_and_computes_the_same(layer, shape):
    layer = fresh(layer)
    x = batch(layer, shape, 2)
    y = layer.forward(x).copy()
    other = layer.clone()
    for (_, a), (_, b) in zip(layer.walk(), other.walk(), strict=True):
        for group in ("params", "buffers"):
            ours, theirs = getattr(a, group), getattr(b, group)
            assert ours.keys() == theirs.keys()
            assert not any(np.shares_memory(ours[name], theirs[name]) for name in ours)
            for array in theirs.values():
                array += 1
        assert not b.grads
    assert_array_equal(layer.forward(x), y)


@pytest.mark.parametrize(("layer", "shape"), ALL)
def test_is_rebuilt_from_its_manifest(layer, shape):
    net = nn.Network(fresh(layer), shape)
    manifest = json.loads(json.dumps(net.manifest()))
    again = nn.Network.from_state(manifest, net.state())
    assert again.manifest() == net.manifest()
    x = np.moveaxis(batch(layer, shape, 3), -1, 0)
    assert_array_equal(again(x), net(x))


@pytest.mark.parametrize(("layer", "shape"), ALL)
def test_pruned_weights_stay_zero(layer, shape):
    layer = fresh(layer)
    rng = np.random.default_rng(3)
    for _, part in layer.walk():
        for name in part.prunable:
            mask = rng.random(part.params[name].shape) < 0.5
            part.set_mask(name, mask)
            assert_array_equal(part.params[name] != 0, mask)
            part.reset(rng)
            assert_array_equal(part.weights()[name] != 0, mask)
            y = layer.forward(batch(layer, shape, 2))
            layer.backward(np.ones_like(y))
            part.mask_grads()
            assert not part.grads[name][~mask].any()


def test_a_mask_is_bool_and_fits():
    layer = nn.Linear(2, 2)
    with pytest.raises(ValueError, match=r"type float64 and shape \(2, 2\); expected"):
        layer.set_mask("weight", np.ones((2, 2)))
    with pytest.raises(ValueError, match=r"shape \(2,\); expected bool"):
        layer.set_mask("weight", np.ones(2, bool))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Linear(0, 1), "in_features is 0; expected 1 or more"),
        (lambda: nn.Conv2d(3, 4, 3, groups=2), "groups is 2; it must divide"),
        (
            lambda: nn.Conv2d(1, 1, (3, 3, 3)),
            "kernel_size is .* expected a number or 2",
        ),
        (lambda: nn.Conv1d(1, 1, 3, stride=0), "stride is 0; expected 1 or more"),
        (lambda: nn.Conv1d(1, 1, 3, 2, "same"), "'same' with stride 1"),
        (lambda: nn.Conv1d(1, 1, 3, padding="full"), "padding is 'full'"),
        (lambda: nn.MaxPool2d(2, padding=2), "lets a window see padding alone"),
        (lambda: nn.Dropout(1.0), "p is 1.0; expected 0 <= p < 1"),
        (lambda: nn.Linear(10**6, 10**6), "takes 4000000000000 bytes; the limit is"),
        (lambda: nn.GRU(1, 1, 10**9), "num_layers is 1000000000; expected 64 or fewer"),
        (lambda: nn.Concat(), "no branches were given"),
    ],
)
def test_arguments_that_make_no_layer_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        ("Linaer", {}, "no layer kind 'Linaer'; did you mean 'Linear'"),
        ("Linear", {"in_features": 3}, "Linear cannot be built from its manifest"),
        ("Linear", {"in_features": "3", "out_features": 1}, "cannot be built"),
        ("Residual", {}, "Residual cannot be built"),
        ("Sequential", {"depth": 3}, "Sequential cannot be built"),
    ],
)
def test_a_manifest_that_makes_no_layer_is_refused(kind, arguments, message):
    with pytest.raises(ValueError, match=message):
        build(kind, arguments, {})
