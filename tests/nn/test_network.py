"""The network: its door, its names, its stored form."""

import copy

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from minprune import nn


@pytest.fixture
def net():
    root = nn.Sequential(
        {
            "conv": nn.Conv2d(1, 2, 3),
            "bn": nn.BatchNorm(2),
            "block": nn.Residual(nn.Sequential(nn.Conv2d(2, 2, 3, padding=1))),
            "flatten": nn.Flatten(),
            "fc": nn.Linear(8, 3),
        }
    )
    return nn.Network(
        root, (1, 4, 4), classes=("a", "b", "c"), scale=0.5, offset=-1.0, seed=3
    )


X = np.random.default_rng(0).integers(0, 9, (5, 1, 4, 4)).astype(np.uint8)


def test_raw_samples_are_scaled_and_turned_at_the_door(net):
    inside = net.enter(X)
    assert inside.dtype == np.float32
    assert_array_equal(inside, np.moveaxis(X * np.float32(0.5) - 1, 0, -1))


def test_a_batch_is_its_samples(net):
    whole = net(X)
    assert whole.shape == (5, 3)
    for i in range(5):
        np.testing.assert_allclose(net(X[i : i + 1])[0], whole[i], rtol=1e-5, atol=1e-6)
    assert_array_equal(net(X, batch_size=2).shape, (5, 3))
    assert_array_equal(net.predict(X), whole.argmax(axis=1))


def test_an_empty_batch_has_no_answers(net):
    assert net(X[:0]).shape == (0, 3)
    assert net.predict(X[:0]).shape == (0,)


def test_a_flat_sample_is_taken_as_the_image_it_is(net):
    assert_array_equal(net(X.reshape(5, 16)), net(X))


@pytest.mark.parametrize(
    "x", [np.zeros((2, 15)), np.zeros((4, 4)), np.float32(1), np.array([["a"] * 16])]
)
def test_what_is_no_batch_of_samples_is_refused(net, x):
    with pytest.raises(ValueError, match=r"expected numbers of shape \(N, 1, 4, 4\)"):
        net(x)


def test_names_are_dotted_and_arrays_are_the_layers_own(net):
    assert list(net.weights()) == ["conv.weight", "block.body.0.weight", "fc.weight"]
    assert list(net.layers()) == [
        "", "conv", "bn", "block", "block.body", "block.body.0", "flatten", "fc",
    ]  # fmt: skip
    net.parameters()["fc.bias"][0] = 7
    assert net.layers()["fc"].params["bias"][0] == 7


def test_a_layer_starts_the_same_whatever_stands_around_it():
    deep = nn.Network(
        nn.Sequential({"x": nn.Linear(4, 4), "fc": nn.Linear(4, 2)}), (4,), seed=1
    )
    flat = nn.Network(nn.Sequential({"fc": nn.Linear(4, 2)}), (4,), seed=1)
    assert_array_equal(deep.weights()["fc.weight"], flat.weights()["fc.weight"])
    other = nn.Network(nn.Sequential({"fc": nn.Linear(4, 2)}), (4,), seed=2)
    assert (other.weights()["fc.weight"] != flat.weights()["fc.weight"]).any()


def test_masks_prune_and_are_counted(net):
    mask = np.arange(24).reshape(3, 8) % 3 == 0
    net.set_masks({"fc.weight": mask})
    assert_array_equal(net.masks()["fc.weight"], mask)
    assert net.masks()["conv.weight"].all()
    assert not net.weights()["fc.weight"][~mask].any()
    with pytest.raises(ValueError, match=r"no weight 'fc.bias'; did you mean"):
        net.set_masks({"fc.bias": mask})


def test_copies_are_apart_and_types_are_kept(net):
    double = net.astype(np.float64)
    assert double.dtype == np.float64
    assert net.dtype == np.float32
    other = net.copy()
    other.parameters()["fc.weight"][:] = 0
    assert net.parameters()["fc.weight"].any()
    assert_array_equal(net.copy()(X), net(X))


def test_state_and_manifest_make_the_same_network(net):
    net.set_masks({"fc.weight": np.random.default_rng(0).random((3, 8)) < 0.3})
    again = nn.Network.from_state(net.manifest(), net.state())
    assert again.classes == ("a", "b", "c")
    assert_array_equal(again(X), net(X))
    for name, mask in net.masks().items():
        assert_array_equal(again.masks()[name], mask)


def test_restore_lifts_a_mask_that_the_state_does_not_have(net):
    state = {name: array.copy() for name, array in net.state().items()}
    wanted = net(X)
    net.set_masks({"fc.weight": np.zeros((3, 8), bool)})
    net.restore(state)
    assert_array_equal(net(X), wanted)
    assert net.masks()["fc.weight"].all()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda m, t: m.update(format=2), "has format 2; .* reads format 1"),
        (lambda m, t: m.pop("root"), "lacks or garbles 'root'"),
        (lambda m, t: m.update(root=[]), "lacks or garbles"),
        (
            lambda m, t: m.update(input_shape=[1, 3, 3]),
            r"layer 4 \(fc\): Linear was given samples of shape \(2,\)",
        ),
        (lambda m, t: m.update(input_shape="ab"), "lacks or garbles"),
        (lambda m, t: m["root"].update(kind="Sequel"), "did you mean 'Sequential'"),
        (
            lambda m, t: m["root"]["children"][0]["args"].update(padding=[[1, 2]]),
            r"padding is \[\[1, 2\]\]; expected \(before, after\) for each of 2 axes",
        ),
        (
            lambda m, t: m["root"]["children"][0]["args"].update(kernel_size=None),
            "kernel_size is None",
        ),
        (lambda m, t: m["root"]["children"][0].update(name="fc"), "share a name"),
        (lambda m, t: t.pop("fc.bias"), "layer fc: .*bias"),
        (lambda m, t: t.update({"fc.weight": np.zeros((3, 9))}), "layer fc: .*shape"),
        (lambda m, t: t.update(more=np.zeros(3)), "read by no layer, .* 'more'"),
        (
            lambda m, t: t.update({"fc.weight.bits": np.zeros(1, np.uint8)}),
            "read by no layer, .* 'fc.weight.bits'",
        ),
        (lambda m, t: t.pop("preprocess.scale"), "lacks or garbles 'preprocess.scale'"),
    ],
)
def test_a_damaged_file_is_refused_with_the_place(net, damage, message):
    manifest, state = copy.deepcopy(net.manifest()), dict(net.state())
    damage(manifest, state)
    with pytest.raises(ValueError, match=message):
        nn.Network.from_state(manifest, state)


@pytest.mark.parametrize(
    "scale", [np.ones(3), np.ones((2, 4, 4)), np.ones((1, 1, 4, 4))]
)
def test_a_scale_that_fits_no_sample_is_refused(scale):
    with pytest.raises(ValueError, match="scale has shape"):
        nn.Network(nn.Flatten(), (1, 4, 4), scale=scale)


def test_a_scale_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="offset holds 1 non-finite"):
        nn.Network(nn.Flatten(), (4,), offset=float("nan"))


@pytest.mark.parametrize("shape", [4, None, "4"])
def test_an_input_shape_is_a_tuple(shape):
    with pytest.raises(TypeError, match=r"input_shape is .*expected a tuple"):
        nn.Network(nn.Linear(4, 3), shape)


@pytest.mark.parametrize("size", [0, -1])
def test_a_batch_has_one_sample_or_more(net, size):
    with pytest.raises(ValueError, match=f"batch_size is {size}; expected 1 or more"):
        net(X, batch_size=size)


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ([5], r"shape \(1,\); expected whole numbers of shape \(2,\)"),
        ([5, 3, 2], r"shape \(3,\); expected"),
        ([5.0, 3.0], "type float64"),
        ([-1, 3], "a length is -1; expected 0 or more"),
    ],
)
def test_lengths_are_those_of_the_samples(lengths, message):
    """A single length would broadcast, and a negative one read as an empty sequence."""
    net = nn.Network(nn.GRU(3, 2, last=True), (3, 5), seed=0)
    with pytest.raises(ValueError, match=message):
        net(np.zeros((2, 3, 5)), lengths=np.array(lengths))


def test_lengths_of_nothing_and_of_everything_are_lengths():
    net = nn.Network(nn.GRU(3, 2, last=True), (3, 5), seed=0)
    x = np.random.default_rng(0).normal(size=(2, 3, 5))
    assert_array_equal(net(x, lengths=[0, 5])[0], 0)
    assert_array_equal(net(x, lengths=[0, 5])[1], net(x)[1])
    assert_array_equal(net(x, lengths=[5, 9]), net(x))
    assert net(x[:0], lengths=[]).shape == (0, 2)


@pytest.mark.parametrize("layer", [nn.Linear(4, 4), nn.ReLU()])
def test_one_layer_does_not_stand_in_two_places(layer):
    with pytest.raises(ValueError, match=r"'0' and '1\.body' are one (Linear|ReLU)"):
        nn.Network(nn.Sequential(layer, nn.Residual(layer)), (4,))


def test_a_network_is_not_made_integer_by_a_cast(net):
    with pytest.raises(ValueError, match=r"dtype is int8; .* minprune\.quantize"):
        net.astype(np.int8)


def test_bytes_and_multiply_adds_by_hand(net):
    weights = 2 * 9 + 2 * 2 * 9 + 3 * 8
    others = 2 + 4 + 4 + 2 + 3 + 1 + 1  # biases, batch norm, scale and offset
    assert net.bytes() == 4 * (weights + others)
    assert net.macs() == 18 * 4 + 36 * 4 + 24
