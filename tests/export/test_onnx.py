"""The ONNX writer without any package: bytes read back, and computed, by an oracle.

`test_onnx_runtime` asks the onnx package and onnxruntime the same.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minprune import data, nn
from minprune.export import onnx
from minprune.export.onnx import proto
from minprune.export.onnx.builder import Builder
from minprune.export.onnx.integer import Steps
from minprune.nn.layer import KINDS, Layer, register
from minprune.quantize import quantize
from tests.export.networks import networks
from tests.export.onnx_bounds import check_layers, check_scan, check_steps
from tests.oracles import onnx as oracle
from tests.oracles import protobuf
from tests.quantize import networks as quantized

# The wire format.


@given(st.integers(-(2**63), 2**63 - 1))
def test_a_varint_comes_back(number):
    found, end = protobuf.varint(proto.varint(number), 0)
    assert protobuf.signed(found) == number
    assert end == len(proto.varint(number))


@given(st.text(max_size=300), st.integers(-(2**63), 2**63 - 1))
def test_a_message_comes_back(text, number):
    data = proto.message("OperatorSetIdProto", domain=text, version=number)
    assert protobuf.fields(data) == {1: [text.encode()], 2: [number]}


@pytest.mark.parametrize(
    "value", [3, -1, 0.25, "text", [1, -2, 2**40], []], ids=lambda value: repr(value)
)
def test_an_attribute_comes_back(value):
    assert oracle.attribute(proto.attribute("a", value)) == ("a", value)


@pytest.mark.parametrize("dtype", proto.DATA_TYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 1, 4)])
def test_a_tensor_comes_back(dtype, shape):
    array = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    name, found = oracle.tensor(proto.tensor("w", array.T))
    assert name == "w"
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array.T)


# float32: the graph computes what the network computes.


def computed(model, x, lengths=None):
    """Every value of the exported graph on samples, by the oracle."""
    file = oracle.read(onnx.encode(model, lengths=lengths is not None))
    feeds = {"input": np.asarray(x, np.float32)}
    if lengths is not None:
        feeds["lengths"] = np.asarray(lengths, np.int32)
    return oracle.run(file, **feeds)


def agree(net, x, lengths=None):
    """The graph and the network, both in float64.

    Constants of both are the same float32 numbers, but for eps, slopes and the like.
    """
    x = np.asarray(x, np.float32)
    want = net.astype(np.float64)(x, lengths)
    found = computed(net, x, lengths)["output"]
    size = np.abs(want).max(initial=0)
    np.testing.assert_allclose(found, want, rtol=1e-6, atol=1e-6 * size)


MODELS = (
    *("mlp", "lenet5", "small_cnn", "inception_small", "autoencoder", "multi_head"),
    *("cnn1d", "gru", "lstm"),
)


@pytest.mark.parametrize("name", MODELS)
def test_a_named_model_is_written_as_it_computes(name):
    sequence = name in ("cnn1d", "gru", "lstm")
    ds = data.load("jvowels" if sequence else "digits")
    net = nn.models.build(name, ds, seed=0)
    net.set_masks({key: np.abs(w) > 0.03 for key, w in net.weights().items()})
    agree(net, ds.test.x[:3])


@settings(max_examples=settings.default.max_examples // 2)  # the oracle is slow
@given(networks())
def test_a_drawn_network_is_written_as_it_computes(drawn):
    net, x = drawn
    agree(net, x)


OTHERS = {
    "LayerNorm": (nn.LayerNorm([3, 4]), (3, 4)),
    "LayerNorm without scale": (nn.LayerNorm(5, affine=False), (5,)),
    "another slope": (nn.LeakyReLU(0.3), (3,)),
    "Softmax at every position": (nn.Softmax(), (3, 4)),
    "one after the other": (nn.Sequential(), (3,)),
    "output, a name that is taken": (nn.Sequential({"output": nn.ReLU()}), (3,)),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_the_drawn_networks_leave_out(name):
    root, shape = OTHERS[name]
    rng = np.random.default_rng(0)
    for param in root.params.values():
        param[...] = rng.normal(size=param.shape)
    agree(nn.Network(root, shape, scale=2, offset=1), rng.normal(size=(4, *shape)))


def test_symbols_are_looked_up():
    net = nn.Network(nn.Sequential(nn.Embedding(9, 4), nn.Flatten()), (6,), seed=0)
    agree(net, np.random.default_rng(0).integers(0, 9, (5, 6)))


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_recurrent_layers_with_and_without_lengths(kind, bias, last):
    layer = KINDS[kind](3, 4, num_layers=2, bias=bias, bidirectional=True, last=last)
    net = nn.Network(layer, (3, 6), seed=0)
    x = np.random.default_rng(0).normal(size=(5, 3, 6))
    agree(net, x)
    agree(net, x, np.array([1, 6, 3, 5, 9]))  # beyond the end is full


def test_the_bounds_hold_for_the_oracle_in_float32():
    """`onnx_bounds` is put to use here too, where no run time is installed."""
    net, x = quantized.drawn("convolutional")
    file = oracle.read(onnx.encode(net))
    check_layers(net, oracle.run(file, np.float32, input=x))
    layer = nn.GRU(3, 4)
    net = nn.Network(layer, (3, 9), seed=0)
    x = np.random.default_rng(0).normal(size=(5, 3, 9)).astype(np.float32)
    y = oracle.run(oracle.read(onnx.encode(net)), np.float32, input=x)["output"]
    check_scan(layer, x, y)
    wrong = y.copy()
    wrong[2, 1, 5] += 1e-4
    with pytest.raises(AssertionError, match="step 5 of GRU"):
        check_scan(layer, x, wrong)


# int8.


def step_names(small):
    """The name of each quantized value of an exported graph."""
    return Steps(Builder(small.input_shape), small).values


@pytest.mark.parametrize("by_row", [False, True])
@pytest.mark.parametrize("name", quantized.NETWORKS)
def test_the_int8_graph_has_the_levels_of_the_integers(name, by_row):
    net, x = quantized.drawn(name)
    small = quantize(net, x, linear_by_row=by_row)
    x = np.concatenate([x[:8], 100 * x[:2], -100 * x[:2]])
    file = oracle.read(onnx.encode(small))
    values = oracle.run(file, np.float32, input=x)
    differ, count = check_steps(small, step_names(small), values)
    assert differ <= count / 100  # of these networks; the bound is in check_steps


def test_the_comparison_of_levels_can_fail():
    net, x = quantized.drawn("signal")
    small = quantize(net, x)
    values = oracle.run(oracle.read(onnx.encode(small)), np.float32, input=x)
    name = step_names(small)[small.graph.steps[0].y]
    values[name] = np.minimum(values[name].astype(int) + 1, 255)
    with pytest.raises(AssertionError):
        check_steps(small, step_names(small), values)


def test_a_layer_that_is_pruned_away_keeps_its_bias():
    net = nn.Network(nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2)), (4,), seed=0)
    net.set_masks({"0.weight": np.zeros((3, 4), bool)})
    x = np.ones((3, 4), np.float32)
    small = quantize(net, x)
    file = oracle.read(onnx.encode(small))
    values = oracle.run(file, np.float32, input=x)
    check_steps(small, step_names(small), values)
    np.testing.assert_allclose(values["output"], net(x), atol=0.02)


# The file.


def test_the_file_says_what_it_is():
    net = nn.Network(
        nn.Sequential(nn.Conv1d(2, 3, 3), nn.Flatten(), nn.Linear(9, 2)),
        (2, 5),
        classes=("no", "jes"),
        seed=0,
    )
    file = oracle.read(onnx.encode(net))
    assert (file.ir_version, file.opsets) == (onnx.IR_VERSION, {"": onnx.OPSET})
    assert file.metadata == {"minprune.classes": '["no", "jes"]'}
    assert file.inputs == {"input": (np.float32, ["N", 2, 5])}
    assert file.outputs == {"output": (np.float32, ["N", 2])}
    assert [one.op for one in file.nodes] == ["Conv", "Flatten", "Gemm", "Identity"]
    assert set(file.constants) == {"0.weight", "0.bias", "2.weight", "2.bias"}


def test_equal_models_give_equal_bytes(tmp_path):
    small = [quantize(*quantized.drawn("convolutional")) for _ in "12"]
    assert onnx.encode(small[0]) == onnx.encode(small[1])
    written = onnx.write(small[0], tmp_path / "net.onnx")
    data = written.path.read_bytes()
    assert data == onnx.encode(small[1])
    assert (written.bytes, written.dtype) == (len(data), "int8")


@register("TestOnly")
class TestOnly(Layer):
    """A kind that no exporter knows."""

    __test__ = False

    def forward(self, x, mode=None):
        return x


KINDS.pop("TestOnly")


def test_a_layer_without_onnx_is_refused_by_name_before_anything_is_written(tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(b"as it was")
    net = nn.Network(nn.Sequential({"a": nn.Linear(3, 2), "b": TestOnly()}), (3,))
    with pytest.raises(ValueError, match="layer b is a TestOnly, which has no ONNX"):
        onnx.write(net, path)
    assert path.read_bytes() == b"as it was"
    assert list(tmp_path.iterdir()) == [path]


def test_lengths_that_nobody_would_read_are_refused():
    net = nn.Network(nn.Linear(3, 2), (3,))
    with pytest.raises(ValueError, match="no layer is recurrent"):
        onnx.encode(net, lengths=True)


def test_a_file_that_no_reader_would_take_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx, "LIMIT", 100)
    with pytest.raises(ValueError, match=r"the file would take \d+ bytes"):
        onnx.write(nn.Network(nn.Linear(30, 2), (30,)), tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())
