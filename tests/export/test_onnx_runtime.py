"""Exported files against the onnx package and onnxruntime, which the extra brings.

Bounds are those of `onnx_bounds`: layer by layer, step by step, on the numbers that
onnxruntime itself handed on. It runs a graph in two ways: as it is written, and after
its optimizations, which fold and fuse operators and put integer kernels in the place of
pairs of Q and DQ.
"""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from minprune import data, nn
from minprune.export import onnx
from minprune.export.onnx import proto
from minprune.nn.layer import KINDS
from minprune.quantize import quantize
from tests.export.networks import networks
from tests.export.onnx_bounds import check_layers, check_scan, check_steps
from tests.export.rounding import FUNCTION, gamma, off
from tests.export.test_onnx import OTHERS, step_names
from tests.quantize import networks as quantized

INSTALL = "needs the onnx extra: python -m pip install 'minprune[onnx]'"
package = pytest.importorskip("onnx", reason=INSTALL)
runtime = pytest.importorskip("onnxruntime", reason=INSTALL)

runtime.set_default_logger_severity(3)
AS_WRITTEN = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
OPTIMIZED = runtime.GraphOptimizationLevel.ORT_ENABLE_ALL
WAYS = pytest.mark.parametrize(
    "way", [AS_WRITTEN, OPTIMIZED], ids=["as written", "optimized"]
)


def checked(model, **options):
    """The exported file, after the checker has read it, shapes and types included."""
    file = package.load_from_string(onnx.encode(model, **options))
    package.checker.check_model(file, full_check=True)
    return file


def answer(file, way, **feeds):
    """Every named output of the graph, and the inputs."""
    options = runtime.SessionOptions()
    options.graph_optimization_level = way
    options.intra_op_num_threads = 1
    session = runtime.InferenceSession(
        file.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    return feeds | dict(zip(names, session.run(names, feeds), strict=True))


def shown(model, names, x, way):
    """Values of the graph besides the answer, by making outputs of them."""
    file = checked(model)
    for name in names:
        file.graph.output.append(package.ValueInfoProto(name=name))
    return answer(file, way, input=np.asarray(x, np.float32))


def layers(net, x, way):
    """What stands between the layers, all of it."""
    nodes = checked(net).graph.node
    names = {name for node in nodes for name in node.output} - {"", "output"}
    return shown(net, sorted(names), x, way)


def steps(small, x, way):
    """The quantized values, nothing between: pairs of Q and DQ can still be fused."""
    names = step_names(small)
    return names, shown(small, names.values(), x, way)


# The bytes.


def test_every_field_number_is_that_of_onnx():
    for kind, numbers in proto.FIELDS.items():
        descriptor = package.ModelProto.DESCRIPTOR.file.pool.FindMessageTypeByName(
            f"onnx.{kind}"
        )
        for name, number in numbers.items():
            assert descriptor.fields_by_name[name].number == number


def test_every_type_number_is_that_of_onnx():
    for name, number in proto.DATA_TYPES.items():
        assert package.helper.tensor_dtype_to_np_dtype(number) == name
    for field, number in proto.ATTRIBUTE_TYPES.items():
        named = {"f": "FLOAT", "i": "INT", "s": "STRING", "ints": "INTS"}[field]
        assert package.AttributeProto.AttributeType.Value(named) == number


def test_the_package_writes_the_same_bytes_again():
    for model in (quantized.drawn("signal")[0], quantize(*quantized.drawn("signal"))):
        data = onnx.encode(model)
        again = package.load_from_string(data).SerializeToString(deterministic=True)
        assert again == data


# float32.


def built(name):
    ds = data.load("jvowels" if name in ("cnn1d", "gru", "lstm") else "digits")
    net = nn.models.build(name, ds, seed=0)
    net.set_masks({key: np.abs(w) > 0.03 for key, w in net.weights().items()})
    return net, ds.test.x[:16]


@WAYS
@pytest.mark.parametrize("name", sorted(nn.models.MODELS))
def test_every_layer_of_a_named_model_answers_within_its_rounding(name, way):
    net, x = built(name)
    check_layers(net, layers(net, x, way))


@pytest.mark.parametrize("name", sorted(nn.models.MODELS))
def test_a_named_model_is_as_near_after_optimizations(name):
    net, x = built(name)
    x = np.asarray(x, np.float32)
    want = net.astype(np.float64)(x)
    found = answer(checked(net), OPTIMIZED, input=x)["output"]
    np.testing.assert_allclose(found, want, rtol=0, atol=1e-5 * np.abs(want).max())


@WAYS
@given(networks())
@settings(max_examples=settings.default.max_examples // 2)
def test_every_layer_of_a_drawn_network_answers_within_its_rounding(way, drawn):
    net, x = drawn
    check_layers(net, layers(net, x, way))


@given(networks())
@settings(max_examples=settings.default.max_examples // 2)
def test_a_drawn_network_is_within_the_bound_after_optimizations(drawn):
    """The bound carried through all layers; twice, for products that were folded."""
    net, x = drawn
    x = np.asarray(x, np.float32)
    want, bound = off(net, x)
    found = answer(checked(net), OPTIMIZED, input=x)["output"]
    assert (np.abs(found - want) <= 2 * bound + 1e-30).all()


@WAYS
@pytest.mark.parametrize("name", OTHERS)
def test_what_the_drawn_networks_leave_out(name, way):
    root, shape = OTHERS[name]
    rng = np.random.default_rng(0)
    net = nn.Network(root, shape, scale=2, offset=1)
    check_layers(net, layers(net, rng.normal(size=(4, *shape)), way))


@WAYS
def test_symbols_are_looked_up(way):
    net = nn.Network(nn.Sequential(nn.Embedding(9, 4), nn.Flatten()), (6,), seed=0)
    x = np.random.default_rng(0).integers(0, 9, (5, 6))
    check_layers(net, layers(net, x, way))


@pytest.mark.parametrize("kind", ["Tanh", "Sigmoid", "GELU"])
def test_smooth_functions_are_as_exact_as_the_bounds_suppose(kind):
    """Over 200,001 numbers: `rounding.FUNCTION` holds for onnxruntime as for NumPy."""
    x = np.linspace(-20, 20, 200_001, dtype=np.float32)[:, None]
    net = nn.Network(KINDS[kind](), (1,))
    found = answer(checked(net), OPTIMIZED, input=x)["output"]
    want = net.astype(np.float64)(x)
    size = np.abs(x) if kind == "GELU" else 1.0
    assert (np.abs(found - want) <= (FUNCTION + gamma(5)) * size).all()


@WAYS
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_every_step_of_a_recurrent_layer_is_within_its_rounding(
    kind, bidirectional, way
):
    layer = KINDS[kind](5, 8, bidirectional=bidirectional)
    net = nn.Network(layer, (5, 30), seed=0)
    x = np.random.default_rng(0).normal(size=(6, 5, 30)).astype(np.float32)
    found = answer(checked(net), way, input=x)["output"]
    check_scan(layer, x, found)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_levels_directions_and_lengths_of_recurrent_layers(kind, bias):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(5, 3, 7)).astype(np.float32)
    lengths = np.array([1, 7, 3, 5, 9])  # beyond the end is full
    arguments = {"num_layers": 2, "bidirectional": True, "bias": bias}
    steps = nn.Network(KINDS[kind](3, 4, **arguments), (3, 7), seed=0)
    feeds = {"input": x, "lengths": lengths.astype(np.int32)}
    found = answer(checked(steps, lengths=True), OPTIMIZED, **feeds)["output"]
    # Weights below 1 / sqrt(4): what one step is off by does not grow over seven.
    want = steps.astype(np.float64)(x, lengths)
    np.testing.assert_allclose(found, want, atol=100 * FUNCTION)
    last = KINDS[kind](3, 4, **arguments, last=True)
    last.params.update(steps.root.params)
    net = nn.Network(last, (3, 7))
    ends = answer(checked(net, lengths=True), OPTIMIZED, **feeds)["output"]
    at = np.minimum(lengths, 7) - 1
    np.testing.assert_array_equal(ends[:, :4], found[range(5), :4, at])
    np.testing.assert_array_equal(ends[:, 4:], found[:, 4:, 0])


@pytest.mark.parametrize("name", ["small_cnn", "resnet20", "cnn1d", "gru"])
def test_the_batch_is_free(name):
    net, x = built(name)
    x = np.asarray(x, np.float32)
    file = checked(net)
    together = answer(file, OPTIMIZED, input=x)["output"]
    alone = answer(file, OPTIMIZED, input=x[:1])["output"]
    np.testing.assert_allclose(alone, together[:1], rtol=1e-4, atol=1e-6)
    if name != "gru":  # onnxruntime 1.32 ends the process on an empty batch of GRU
        none = answer(file, OPTIMIZED, input=x[:0])["output"]
        assert none.shape == (0, *net.output_shape)


# int8.


@WAYS
@pytest.mark.parametrize("by_row", [False, True])
@pytest.mark.parametrize("name", quantized.NETWORKS)
def test_every_step_has_the_levels_of_the_integers(name, by_row, way):
    net, x = quantized.drawn(name)
    small = quantize(net, x, linear_by_row=by_row)
    x = np.concatenate([x, 100 * x[:2], -100 * x[:2]])
    differ, count = check_steps(small, *steps(small, x, way))
    assert differ <= count / 100  # of these networks; the bound is in check_steps


def large():
    """Weights and inputs so large that pairs of their products pass 16 bits."""
    wide = nn.Conv2d(8, 4, 3, padding=1)
    front = nn.Conv2d(4, 8, 1, bias=False), nn.ReLU(), wide, nn.ReLU()
    behind = nn.Flatten(), nn.Linear(144, 20), nn.ReLU(), nn.Linear(20, 3)
    net = nn.Network(nn.Sequential(*front, *behind), (4, 6, 6), seed=0)
    for name in ("0", "2", "5"):
        net.layers()[name].params["weight"][...] = 1
    return net, np.random.default_rng(0).uniform(0.5, 1, (8, 4, 6, 6))


@WAYS
def test_large_products_do_not_saturate(way):
    """With int8 weights they do, on x86 without VNNI, by up to half the levels."""
    net, x = large()
    small = quantize(net, x)
    found = answer(checked(small), way, input=np.asarray(x, np.float32))["output"]
    one = small.levels[small.graph.output].scale
    np.testing.assert_allclose(found, small(x.astype(np.float32)), atol=2 * one)


@WAYS
@pytest.mark.parametrize(
    "name", ["mlp", "small_cnn", "resnet20", "inception_small", "cnn1d"]
)
def test_a_named_model_in_int8_answers_as_its_emulation(name, way):
    net, x = built(name)
    small = quantize(net, x)
    differ, count = check_steps(small, *steps(small, x, way))
    assert differ <= count / 100
    np.testing.assert_array_equal(
        steps(small, x, way)[1]["output"],
        answer(checked(small), way, input=np.asarray(x, np.float32))["output"],
    )


# The plainest use.


def test_the_program_in_the_documentation_prints_the_classes(
    tmp_path, monkeypatch, capsys
):
    text = (Path(__file__).parents[2] / "docs" / "onnx.md").read_text()
    example = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]
    ds = data.load("digits")
    net = nn.models.build("mlp", ds, seed=0)
    monkeypatch.chdir(tmp_path)
    onnx.write(net, "net.onnx")
    exec(compile(example, "docs/onnx.md", "exec"), {})
    assert capsys.readouterr().out == f"{net.predict(ds.test.x[:10])}\n"
