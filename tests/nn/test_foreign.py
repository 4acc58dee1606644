"""Weights from elsewhere: taken as they are named, refused where they do not fit."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minprune import nn
from minprune.files import container
from minprune.nn import foreign
from minprune.sparse import compress

RNG = np.random.default_rng(0)
X = RNG.normal(size=(5, 1, 8, 8)).astype(np.float32)


@pytest.fixture
def net():
    root = nn.Sequential(
        {
            "conv": nn.Conv2d(1, 4, 3),
            "bn": nn.BatchNorm(4),
            "flat": nn.Flatten(),
            "fc": nn.Linear(144, 3),
        }
    )
    return nn.Network(root, (1, 8, 8), seed=0)


def test_a_state_dict_goes_out_and_comes_back(net, tmp_path):
    rng = np.random.default_rng(0)
    net.set_masks({"fc.weight": rng.random((3, 144)) < 0.1})
    small = compress(net)
    path = tmp_path / "weights.safetensors"
    foreign.write_state_dict(small, path, masks=True)
    tensors = foreign.read_state_dict(path)
    mask = tensors.pop("fc.weight_mask")
    assert_array_equal(mask, net.masks()["fc.weight"])
    assert tensors.pop("conv.weight_mask").all()
    tensors["bn.num_batches_tracked"] = np.array(7)
    again = nn.Network(net.root.clone(), (1, 8, 8), seed=9)
    foreign.load_state_dict(again, tensors)
    assert_array_equal(again(X), net(X))
    assert again.masks()["fc.weight"].all()
    again.set_masks({"fc.weight": mask.astype(bool)})
    assert_array_equal(again(X), net(X))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda t: t.pop("fc.bias"),
            r"'fc.bias' is missing, one of 1; the network has",
        ),
        (lambda t: t.update(more=np.zeros(1)), "no place for 'more', one of 1; build"),
        (lambda t: t.update({"fc.bias": np.zeros(4)}), r"fc.bias has shape \(4,\)"),
        (
            lambda t: t.update({"fc.bias": np.full(3, np.nan)}),
            "fc.bias holds 3 non-fin",
        ),
    ],
)
def test_weights_that_do_not_fit_leave_the_network_alone(net, damage, message):
    tensors, before = foreign.state_dict(net), net(X)
    damage(tensors)
    with pytest.raises(ValueError, match=message):
        foreign.load_state_dict(net, tensors)
    assert_array_equal(net(X), before)


def perceptron(activation, out_activation, outputs):
    """What a fitted scikit-learn perceptron holds, and what it computes."""
    rng, sizes = np.random.default_rng(1), [6, 5, 4, outputs]
    pairs = list(pairwise(sizes))
    functions = {
        "relu": lambda z: np.maximum(z, 0),
        "tanh": np.tanh,
        "logistic": lambda z: 1 / (1 + np.exp(-z)),
        "identity": lambda z: z,
    }
    estimator = SimpleNamespace(
        coefs_=[rng.normal(size=pair) for pair in pairs],
        intercepts_=[rng.normal(size=out) for _, out in pairs],
        activation=activation,
        out_activation_=out_activation,
        classes_=np.array(["no", "yes", "maybe"])[: max(outputs, 2)],
    )

    def raw(x):
        for i, (w, b) in enumerate(
            zip(estimator.coefs_, estimator.intercepts_, strict=True)
        ):
            x = x @ w + b
            if i < 2:
                x = functions[activation](x)
        return x

    return estimator, raw


@pytest.mark.parametrize("activation", sorted(foreign.ACTIVATIONS))
def test_a_perceptron_computes_the_same(activation):
    estimator, raw = perceptron(activation, "softmax", 3)
    net = foreign.from_sklearn(estimator)
    x = np.random.default_rng(2).normal(size=(9, 6))
    # Two hidden layers of float32 products of numbers around 1.
    assert_allclose(net(x), raw(x), rtol=1e-4, atol=1e-5)
    assert net.classes == ("no", "yes", "maybe")


@pytest.mark.parametrize("activation", sorted(foreign.ACTIVATIONS))
@pytest.mark.parametrize("classes", [2, 3])
def test_a_fitted_perceptron_of_scikit_learn_computes_the_same(activation, classes):
    neural = pytest.importorskip(
        "sklearn.neural_network", reason="scikit-learn is not installed ([conformance])"
    )
    rng = np.random.default_rng(0)
    x, words = rng.normal(size=(60, 6)), np.array(["no", "yes", "maybe"])
    y = words[np.arange(60) % classes]
    estimator = neural.MLPClassifier(
        hidden_layer_sizes=(5, 4), activation=activation, tol=1, random_state=0
    )
    net = foreign.from_sklearn(estimator.fit(x, y))
    logits = net(x).astype(np.float64)
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    # Two hidden layers of float32 products of numbers around 1.
    assert_allclose(shares, estimator.predict_proba(x), rtol=1e-4, atol=1e-5)
    assert_array_equal(np.array(net.classes)[net.predict(x)], estimator.predict(x))


def test_a_fitted_regressor_of_scikit_learn_computes_the_same():
    neural = pytest.importorskip(
        "sklearn.neural_network", reason="scikit-learn is not installed ([conformance])"
    )
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 6))
    estimator = neural.MLPRegressor(hidden_layer_sizes=(5,), tol=1, random_state=0)
    net = foreign.from_sklearn(estimator.fit(x, x[:, :2]))
    assert net.classes == ()
    assert_allclose(net(x), estimator.predict(x), rtol=1e-4, atol=1e-5)


def test_one_logistic_output_becomes_two_classes():
    estimator, raw = perceptron("relu", "logistic", 1)
    net = foreign.from_sklearn(estimator)
    x = np.random.default_rng(2).normal(size=(50, 6))
    logits = net(x)
    assert logits.shape == (50, 2)
    assert_allclose(logits[:, 1] - logits[:, 0], raw(x)[:, 0], rtol=1e-4, atol=1e-5)
    assert_array_equal(net.predict(x), raw(x)[:, 0] > 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "0 coefs came with 0 intercepts"),
        ({"coefs": [np.ones((2, 1))]}, "1 coefs came with 0 intercepts"),
        (
            {"coefs": [np.ones((2, 3))], "intercepts": [np.ones(2)]},
            r"coefs of shape \(2, 3\) and intercepts of shape \(2,\)",
        ),
        (
            {
                "coefs": [np.ones((2, 3)), np.ones((2, 1))],
                "intercepts": [np.ones(3), np.ones(1)],
            },
            "Linear was given samples of shape",
        ),
        (
            {
                "coefs": [np.ones((2, 1))],
                "intercepts": [np.ones(1)],
                "activation": "rule",
            },
            "no activation 'rule'; did you mean 'relu'",
        ),
    ],
)
def test_arrays_that_make_no_perceptron_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        foreign.from_sklearn(**arguments)


def test_npz_with_and_without_a_manifest(net, tmp_path):
    net.set_masks({"fc.weight": np.random.default_rng(0).random((3, 144)) < 0.5})
    path = tmp_path / "net.npz"
    foreign.write_npz(net, path)
    assert_array_equal(foreign.read_npz(path)(X), net(X))
    np.savez(path, **foreign.state_dict(net))
    plain = nn.Network(net.root.clone(), (1, 8, 8), seed=9)
    assert_array_equal(foreign.read_npz(path, plain)(X), net(X))
    with pytest.raises(ValueError, match=r"net\.npz: there is no entry 'manifest'"):
        foreign.read_npz(path)


@pytest.mark.parametrize("manifest", ["[1]", "{", '{"format": 9}', "[" * 100_000])
def test_a_manifest_that_is_none_is_refused(net, tmp_path, manifest):
    path = tmp_path / "net.npz"
    np.savez(path, manifest=manifest, **net.state())
    with pytest.raises(ValueError, match=r"net\.npz: "):
        foreign.read_npz(path)


def test_a_file_that_is_no_state_dict_is_refused(tmp_path):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"PK\x03\x04 pickled")
    with pytest.raises(ValueError, match=r"weights\.safetensors"):
        foreign.read_state_dict(path)
    container.write(path, {"a": np.zeros(2)})
    assert list(foreign.read_state_dict(path)) == ["a"]
