"""ONNX files become networks that compute the same, or are refused in one line."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings

from minprune import data, nn
from minprune.export import onnx as export
from minprune.nn.foreign_onnx import OPSETS, read_onnx
from minprune.quantize import quantize
from tests.export.networks import networks

INSTALL = "needs the onnx extra: python -m pip install 'minprune[onnx]'"
onnx = pytest.importorskip("onnx", reason=INSTALL)
runtime = pytest.importorskip("onnxruntime", reason=INSTALL)
helper, numpy_helper = onnx.helper, onnx.numpy_helper
RNG = np.random.default_rng(0)


def model(nodes, constants, shape=("N", 4), opset=17):
    """A model file of these nodes, from ``x`` to ``y``."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ())],
        [numpy_helper.from_array(np.asarray(a), name) for name, a in constants.items()],
    )
    imports = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=imports, ir_version=9)


def node(op, inputs, outputs="y", **attributes):
    name = f"the {op}" if outputs == "y" else f"{op} to {outputs}"
    return helper.make_node(
        op, inputs.split(), outputs.split(), name=name, **attributes
    )


def read(file, tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(file.SerializeToString())
    return read_onnx(path)


def reference(file, x):
    """What onnxruntime says."""
    session = runtime.InferenceSession(
        file.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"x": x.astype(np.float32)})[0]


def agree(file, x, tmp_path):
    net = read(file, tmp_path)
    want = reference(file, x).reshape(len(x), *net.output_shape)
    np.testing.assert_allclose(net(x), want, rtol=1e-5, atol=1e-5)
    return net


def f32(*shape):
    return RNG.normal(size=shape).astype(np.float32)


# Out and back.

MODELS = sorted(set(nn.models.MODELS) - {"gru", "lstm"})


@pytest.mark.parametrize("name", MODELS)
def test_a_named_model_comes_back_equal(name, tmp_path):
    ds = data.load("jvowels" if name == "cnn1d" else "digits")
    net = nn.models.build(name, ds, seed=0)
    net.set_masks({key: np.abs(w) > 0.03 for key, w in net.weights().items()})
    path = export.write(net, tmp_path / "net.onnx").path
    back = read_onnx(path)
    x = ds.test.x[:5]
    np.testing.assert_array_equal(back(x), net(x))
    assert back.classes == net.classes
    assert back.input_shape == net.input_shape
    for one, other in zip(back.masks().values(), net.masks().values(), strict=True):
        np.testing.assert_array_equal(one, other)


@settings(max_examples=settings.default.max_examples // 2)
@given(drawn=networks())
def test_a_drawn_network_comes_back_equal(tmp_path_factory, drawn):
    net, x = drawn
    path = export.write(net, tmp_path_factory.mktemp("net") / "net.onnx").path
    back = read_onnx(path)
    # Sparse layers sum in another order than the dense ones that come back.
    want = net(np.asarray(x, np.float32))
    size = np.abs(want).max(initial=1)
    np.testing.assert_allclose(
        back(x.astype(np.float32)), want, rtol=1e-4, atol=1e-4 * size
    )


def test_names_come_back_without_dots(tmp_path):
    net = nn.models.build("resnet20", data.load("digits"), seed=0)
    back = read_onnx(export.write(net, tmp_path / "net.onnx").path)
    assert "layer1_0_block.body.layer1_0_block_body_conv1.weight" in back.weights()
    flat = nn.models.build("mlp", data.load("digits"), seed=0)
    back = read_onnx(export.write(flat, tmp_path / "net.onnx").path)
    assert list(back.weights()) == list(flat.weights())


# What other exporters write, against onnxruntime.


def test_a_product_and_a_sum_are_a_linear_layer(tmp_path):
    constants = {"w": f32(4, 3), "b": f32(3)}
    nodes = [node("MatMul", "x w", "h"), node("Add", "b h")]
    net = agree(model(nodes, constants), f32(5, 4), tmp_path)
    assert [layer.kind for layer in net.layers().values()] == ["Sequential", "Linear"]


def test_gemm_with_its_factors(tmp_path):
    constants = {"w": f32(4, 3), "b": f32(1, 3)}
    nodes = [node("Gemm", "x w b", alpha=0.5, beta=2.0)]
    agree(model(nodes, constants), f32(5, 4), tmp_path)


def test_constants_behind_the_input_are_preprocessing(tmp_path):
    constants = {
        "mean": f32(1, 2, 1, 1),
        "std": np.float32([[[2.0]], [[3.0]]]),
        "w": f32(3, 2, 2, 2),
    }
    nodes = [
        node("Sub", "x mean", "a"),
        node("Div", "a std", "b"),
        node("Conv", "b w", "c"),
        node("Relu", "c"),
    ]
    net = agree(model(nodes, constants, ("N", 2, 5, 4)), f32(3, 2, 5, 4), tmp_path)
    assert net.scale.shape == (2, 1, 1)
    np.testing.assert_allclose(net.scale.ravel(), [1 / 2, 1 / 3])


def test_flat_samples_that_become_images_are_images(tmp_path):
    constants = {"shape": np.array([-1, 1, 4, 3]), "w": f32(2, 1, 3, 3)}
    nodes = [node("Reshape", "x shape", "a"), node("Conv", "a w")]
    net = agree(model(nodes, constants, ("N", 12)), f32(3, 12), tmp_path)
    assert net.input_shape == (1, 4, 3)
    constants = {"axes": np.array([1]), "w": f32(2, 1, 3)}
    nodes = [node("Unsqueeze", "x axes", "a"), node("Conv", "a w")]
    net = agree(model(nodes, constants, ("N", 12)), f32(3, 12), tmp_path)
    assert net.input_shape == (1, 12)


@pytest.mark.parametrize("auto_pad", ["SAME_UPPER", "SAME_LOWER", "VALID"])
@pytest.mark.parametrize("stride", [1, 2])
def test_padding_that_is_left_to_the_reader(auto_pad, stride, tmp_path):
    nodes = [
        node("Conv", "x w", "a", auto_pad=auto_pad, strides=[stride, 1]),
        node(
            "MaxPool", "a", auto_pad=auto_pad, kernel_shape=[2, 2], strides=[stride] * 2
        ),
    ]
    agree(
        model(nodes, {"w": f32(2, 1, 4, 2)}, ("N", 1, 9, 8)), f32(3, 1, 9, 8), tmp_path
    )


def test_a_constant_node_is_a_constant(tmp_path):
    value = numpy_helper.from_array(f32(4, 3))
    nodes = [
        helper.make_node("Constant", [], ["w"], value=value),
        node("MatMul", "x w"),
    ]
    agree(model(nodes, {}), f32(2, 4), tmp_path)


def test_clips_are_activations(tmp_path):
    zero, six = np.float32(0), np.float32(6)
    for nodes, kind in (
        ([node("Clip", "x zero six")], "ReLU6"),
        ([node("Clip", "x zero")], "ReLU"),
    ):
        file = model(nodes, {"zero": zero, "six": six})
        assert agree(file, 9 * f32(5, 4), tmp_path).layers()["the Clip"].kind == kind


def test_a_mean_over_positions_is_a_global_pool(tmp_path):
    for nodes in (
        [node("GlobalAveragePool", "x", "a"), node("Flatten", "a")],
        [node("ReduceMean", "x", axes=[2, 3], keepdims=0)],
        [node("ReduceMean", "x", "a", axes=[-1, -2]), node("Reshape", "a flat")],
        [node("GlobalAveragePool", "x", "a"), node("Squeeze", "a last")],
    ):
        constants = {"flat": np.array([-1, 3]), "last": np.array([2, 3])}
        net = agree(model(nodes, constants, ("N", 3, 4, 5)), f32(2, 3, 4, 5), tmp_path)
        kinds = [layer.kind for layer in net.layers().values()]
        assert kinds == ["Sequential", "GlobalAvgPool"]


def test_a_gate_of_convolutions(tmp_path):
    """As torchvision writes squeeze-and-excitation: planes of one position."""
    constants = {"w": f32(2, 3, 1, 1), "v": f32(3, 2, 1, 1)}
    nodes = [
        node("Relu", "x", "h"),
        node("GlobalAveragePool", "h", "a"),
        node("Conv", "a w", "b"),
        node("Relu", "b", "c"),
        node("Conv", "c v", "d"),
        node("Sigmoid", "d", "g"),
        node("Mul", "g h"),
    ]
    agree(model(nodes, constants, ("N", 3, 4, 5)), f32(2, 3, 4, 5), tmp_path)


def test_branches_within_branches(tmp_path):
    constants = {"w": f32(3, 3, 3, 3), "v": f32(3, 3, 1, 1)}
    same = {"auto_pad": "SAME_UPPER"}
    nodes = [
        node("Conv", "x w", "a", **same),
        node("Relu", "a", "b"),
        node("Conv", "b w", "c", **same),
        node("Add", "c b", "d"),  # inside
        node("Conv", "x v", "e"),
        node("Concat", "d e x", "f", axis=1),
        node("Dropout", "f", "g"),
        node("Add", "g f"),
    ]
    agree(model(nodes, constants, ("N", 3, 4, 5)), f32(2, 3, 4, 5), tmp_path)


def test_a_global_pool_that_two_nodes_read(tmp_path):
    nodes = [
        node("GlobalAveragePool", "x", "a"),
        node("Flatten", "a", "b"),
        node("Conv", "a w", "c"),
        node("Flatten", "c", "d"),
        node("Concat", "b d", axis=1),
    ]
    constants = {"w": f32(2, 3, 1, 1)}
    agree(model(nodes, constants, ("N", 3, 4, 5)), f32(2, 3, 4, 5), tmp_path)


def test_norms_with_an_epsilon_of_their_own(tmp_path):
    numbers = {name: f32(3) for name in ("scale", "shift", "mean")}
    nodes = [
        node("BatchNormalization", "x scale shift mean var", "a", epsilon=0.1),
        node("LayerNormalization", "a scale shift", axis=1, epsilon=0.2),
    ]
    constants = numbers | {"var": np.abs(f32(3))}
    agree(model(nodes, constants, ("N", 3)), f32(5, 3), tmp_path)


def test_other_precisions_are_rounded_to_float32(tmp_path):
    constants = {"w": f32(4, 3).astype(np.float16)}
    file = model([node("MatMul", "x w")], constants)
    net = read(file, tmp_path)
    assert net.weights()["the MatMul.weight"].dtype == np.float32


# What is refused.

W, IMAGE = f32(4, 3), (1, 3, 4, 5)
REFUSED = {
    "an operator": ([node("Sin", "x")], {}, (1, 4), "node 'the Sin': Sin has no layer"),
    "the product of branches": (
        [node("Relu", "x", "a"), node("Tanh", "x", "b"), node("Mul", "a b")],
        {},
        (1, 4),
        "expected channels and a gate",
    ),
    "a sum of other shapes": (
        [node("MatMul", "x w", "a"), node("Add", "a x")],
        {"w": W},
        (1, 4),
        r"adds samples of shapes \(3,\) and \(4,\)",
    ),
    "features added across positions": (
        [node("Relu", "x", "a"), node("Mul", "a c")],
        {"c": np.float32(2)},
        IMAGE,
        "right behind the input",
    ),
    "a bias for one of two readers": (
        [
            node("MatMul", "x w", "a"),
            node("Add", "a b", "c"),
            node("Relu", "a", "d"),
            node("Add", "c d"),
        ],
        {"w": W, "b": f32(3)},
        (1, 4),
        "an Add behind a layer without bias",
    ),
    "flattening the batch": (
        [node("Flatten", "x", axis=0)],
        {},
        (1, 4),
        "begins at axis 0",
    ),
    "features with axes added, computed with": (
        [node("Relu", "x", "a"), node("Unsqueeze", "a s", "b"), node("Tanh", "b")],
        {"s": np.array([2, 3])},
        (1, 4),
        "reads features with axes added",
    ),
    "features with axes added, gated": (
        [
            node("Relu", "x", "a"),
            node("Unsqueeze", "a s", "b"),
            node("Sigmoid", "a", "c"),
            node("Unsqueeze", "c s", "d"),
            node("Mul", "b d"),
        ],
        {"s": np.array([2, 3])},
        (1, 4),
        "expected channels and a gate",
    ),
    "a mean without its border": (
        [node("AveragePool", "x", kernel_shape=[2, 2], pads=[1, 1, 1, 1])],
        {},
        IMAGE,
        "leaves the border out",
    ),
    "windows rounded up": (
        [node("MaxPool", "x", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)],
        {},
        IMAGE,
        "rounds the number of windows up",
    ),
    "softmax along a row": ([node("Softmax", "x")], {}, IMAGE, "is along axis -1"),
    "a reshape that mixes": (
        [node("Relu", "x", "a"), node("Reshape", "a s")],
        {"s": np.array([1, 5, 4, 3])},
        IMAGE,
        "expected all in one row",
    ),
    "a weight that does not fit": (
        [node("MatMul", "x w")],
        {"w": f32(5, 3)},
        (1, 4),
        "a weight for 5 features",
    ),
    "a weight that is no number": (
        [node("MatMul", "x w")],
        {"w": np.full((4, 3), np.nan, np.float32)},
        (1, 4),
        "non-finite",
    ),
    "an input of unknown size": (
        [node("Relu", "x")],
        {},
        ("N", 3, "H", "W"),
        "each of a known size",
    ),
    "a window past all memory": (
        [
            node("Relu", "x", "a"),
            node("MaxPool", "a", kernel_shape=[2**40] * 2, pads=[2**39] * 4),
        ],
        {},
        IMAGE,
        "pads samples to",
    ),
    "a huge plane": (
        [node("Conv", "x w", pads=[2**40] * 4)],
        {"w": f32(1, 3, 1, 1)},
        IMAGE,
        "pads samples to",
    ),
    "an answer past all memory": (
        [node("Conv", "x w", pads=[2**13] * 4)],
        {"w": f32(40, 3, 1, 1)},
        IMAGE,
        "would give samples of shape",
    ),
    "branches that do not nest": (
        [
            node("Relu", "x", "a"),
            node("Tanh", "x", "b"),
            node("Sigmoid", "a", "c"),
            node("Add", "c b", "d"),
            node("Gelu", "a", "e"),
            node("Add", "e d"),
        ],
        {},
        (1, 4),
        "is read by branches that do not nest",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_has_no_layer_is_refused_by_name(what, tmp_path):
    nodes, constants, shape, says = REFUSED[what]
    with pytest.raises(ValueError, match=says) as refused:
        read(model(nodes, constants, shape, opset=20), tmp_path)
    assert "\n" not in str(refused.value)


def good():
    return model([node("MatMul", "x w")], {"w": W})


def external(file):
    tensor = file.graph.initializer[0]
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights.bin")


def external_constant(file):
    value = numpy_helper.from_array(W)
    file.graph.ClearField("initializer")
    file.graph.node.insert(0, helper.make_node("Constant", [], ["w"], value=value))
    tensor = file.graph.node[0].attribute[0].t
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights.bin")


def huge(file):
    file.graph.initializer[0].dims[0] = 2**50


def negative(file):
    file.graph.initializer[0].dims[0] = -4


def unknown_domain(file):
    file.graph.node[0].domain = "com.example"
    file.opset_import.append(helper.make_opsetid("com.example", 1))


def old(file):
    file.opset_import[0].version = 9


def new(file):
    file.opset_import[0].version = OPSETS[-1] + 1


def no_graph(file):
    file.ClearField("graph")


def two_outputs(file):
    file.graph.output.append(file.graph.output[0])
    file.graph.output[1].name = "w"


def no_maker(file):
    file.graph.output[0].name = "z"


def sparse(file):
    one = file.graph.sparse_initializer.add()
    one.values.CopyFrom(numpy_helper.from_array(np.float32([1]), "s"))
    one.indices.CopyFrom(numpy_helper.from_array(np.array([0])))
    one.dims.extend([2])


DAMAGE = {
    external: "lies in another file",
    external_constant: "lies in another file|checker says",
    huge: "'w' has the shape|checker says",
    negative: "'w' has the shape|checker says",
    unknown_domain: "domain 'com.example'",
    old: "of version 9; versions 13 to",
    new: f"of version {OPSETS[-1] + 1}; versions 13 to",
    no_graph: "holds no graph",
    two_outputs: "1 inputs and 2 outputs|checker says",
    no_maker: "no node makes the output 'z'|checker says",
    sparse: "sparse constants",
}


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: damage.__name__)
def test_a_file_that_is_not_in_order_is_refused_in_one_line(damage, tmp_path):
    file = good()
    damage(file)
    with pytest.raises(ValueError, match=DAMAGE[damage]) as refused:
        read(file, tmp_path)
    assert "\n" not in str(refused.value)
    assert "net.onnx" in str(refused.value)


def message(path):
    """What the reader says of a file, in one line, or the weights it found."""
    try:
        return read_onnx(path).weights()
    except ValueError as why:
        return str(why)


def test_every_cut_of_a_file_is_refused_or_equal(tmp_path):
    whole = good().SerializeToString()
    want = read(good(), tmp_path).weights()
    path = tmp_path / "cut.onnx"
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        found = message(path)
        if isinstance(found, str):
            assert "\n" not in found
        else:
            np.testing.assert_array_equal(list(found.values()), list(want.values()))


def test_flipped_bytes_end_in_a_network_or_in_one_line(tmp_path):
    rng, whole = np.random.default_rng(0), good().SerializeToString()
    path = tmp_path / "flipped.onnx"
    for _ in range(300 * max(1, settings.default.max_examples // 50)):
        damaged = bytearray(whole)
        for at in rng.integers(len(whole), size=rng.integers(1, 4)):
            damaged[at] = rng.integers(256)
        path.write_bytes(damaged)
        assert "\n" not in message(path)


def test_a_recurrent_layer_is_refused_by_name(tmp_path):
    net = nn.models.build("gru", data.load("jvowels"), seed=0)
    path = export.write(net, tmp_path / "net.onnx").path
    with pytest.raises(ValueError, match="Transpose has no layer here"):
        read_onnx(path)


def test_a_quantized_file_is_refused(tmp_path):
    net = nn.Network(nn.Linear(3, 2), (3,), seed=0)
    path = export.write(quantize(net, f32(5, 3)), tmp_path / "net.onnx").path
    with pytest.raises(ValueError, match="it is quantized; read the file"):
        read_onnx(path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"nothere.onnx cannot be read: .* check"
    ):
        read_onnx(tmp_path / "nothere.onnx")


# PyTorch's exporter, where it is installed.


def test_what_pytorch_exports_comes_in_equal(tmp_path):
    torch = pytest.importorskip("torch", reason="needs torch")
    t = torch.nn

    class Block(t.Module):
        def __init__(self):
            super().__init__()
            self.conv = t.Conv2d(8, 8, 3, padding=1)
            self.act = t.LeakyReLU(0.1)

        def forward(self, x):
            return self.act(self.conv(x)) + x

    torch.manual_seed(0)
    networks = {
        (1, 12, 12): t.Sequential(
            *(t.Conv2d(1, 8, 3, stride=2, bias=False), t.BatchNorm2d(8), t.ReLU6()),
            *(Block(), t.MaxPool2d(2), t.Conv2d(8, 4, 1, groups=2), t.Hardtanh(0, 6)),
            *(t.AdaptiveAvgPool2d(1), t.Flatten(), t.Linear(4, 3), t.Softmax(1)),
        ),
        (20,): t.Sequential(
            *(
                t.Linear(20, 16),
                t.Tanh(),
                t.LayerNorm(16),
                t.Linear(16, 8),
                t.Sigmoid(),
            ),
            *(t.Dropout(0.5), t.Linear(8, 2, bias=False)),
        ),
        (3, 16): t.Sequential(
            *(
                t.Conv1d(3, 6, 5, padding="same", dilation=2),
                t.BatchNorm1d(6),
                t.ReLU(),
            ),
            *(t.AvgPool1d(2), t.Flatten(), t.Linear(48, 4), t.BatchNorm1d(4)),
        ),
    }
    for shape, module in networks.items():
        for layer in module.modules():
            if isinstance(layer, t.BatchNorm1d | t.BatchNorm2d):
                layer.running_mean.normal_()
                layer.running_var.uniform_(0.5, 2)
        module.eval()
        x = torch.randn(5, *shape)
        path = tmp_path / "torch.onnx"
        with warnings.catch_warnings():  # the newer exporter needs one package more
            warnings.simplefilter("ignore", DeprecationWarning)
            torch.onnx.export(module, x[:1], str(path), dynamo=False, opset_version=17)
        net = read_onnx(path)
        with torch.no_grad():
            want = module(x).numpy()
        np.testing.assert_allclose(net(x.numpy()), want, rtol=1e-5, atol=1e-5)
