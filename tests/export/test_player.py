"""The NumPy player: the engine's answers, from one file, trusting none it reads."""

import ast
import json
import os
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minprune
from minprune import data, nn
from minprune.export import player, tiny
from minprune.files import container, read, write
from minprune.prune.gating import boosted
from minprune.sparse import compress
from tests.export.networks import (
    ACTIVATIONS,
    SEEDS,
    affine,
    fill,
    mask_in_blocks,
    networks,
    pools,
)
from tests.export.rounding import UNIT, off
from tests.files.mutations import damaged

SOURCE = Path(player.__file__)
THOROUGH = os.environ.get("MINPRUNE_PROFILE") == "thorough"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("models")


def pruned(kind, name="digits", density=0.1):
    """A drawn network for a shipped data set, and the set."""
    ds = data.load(name)
    net = nn.models.build(kind, ds, seed=0)
    rng = np.random.default_rng(0)
    net.set_masks({k: rng.random(w.shape) < density for k, w in net.weights().items()})
    return net, ds


# The engine's answers.


@given(drawn=networks(), densify=st.sampled_from([None, True, False]))
def test_the_player_agrees_with_the_engine_to_the_rounding_bound(
    folder, drawn, densify
):
    net, x = drawn
    minprune.save(net, folder / "drawn")
    exact, error = off(net, x)
    found = player.load(folder / "drawn", densify)(x)
    assert found.dtype == np.float32
    assert found.shape == exact.shape
    assert (np.abs(found - exact) <= error + np.abs(exact) * UNIT).all()


@pytest.mark.parametrize("play", [player.load, tiny.load])
@given(
    shape=st.sampled_from([(2, 7), (2, 5, 6)]),
    data=st.data(),
    seed=SEEDS,
)
def test_windows_see_what_the_engine_says_they_see(folder, play, shape, data, seed):
    layer, rng = data.draw(affine(shape) | pools(shape)), np.random.default_rng(seed)
    fill(layer, rng)
    net, x = nn.Network(layer, shape), rng.normal(size=(2, *shape)) - 1
    minprune.save(net, folder / "window")
    model = play(folder / "window")
    found = np.array([model(sample) for sample in x]).reshape(net(x).shape)
    exact, error = off(net, x)
    assert (np.abs(found - exact) <= error + np.abs(exact) * UNIT).all()


@pytest.mark.parametrize("play", [player.load, tiny.load])
@pytest.mark.parametrize("padding", ["same", 2, [2, 1], [[2, 2], [1, 1]]])
@pytest.mark.parametrize("size", [(5, 3), (4, 2)])
def test_padding_may_be_said_in_four_ways(tmp_path, play, padding, size):
    conv = nn.Conv2d(1, 2, size, padding=padding)
    net = nn.Network(conv, (1, 6, 5), seed=0)
    minprune.save(net, tmp_path / "m")
    tensors, metadata = read(tmp_path / "m")
    manifest = json.loads(metadata["minprune"])
    manifest["root"]["args"]["padding"] = padding
    write(tmp_path / "m", tensors, {"minprune": json.dumps(manifest)})
    x = np.random.default_rng(0).normal(size=(1, 6, 5))
    found = np.array(play(tmp_path / "m")(x)).reshape(net(x[None]).shape)
    np.testing.assert_allclose(found, net(x[None]), rtol=0, atol=1e-5)


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("block", [None, (1, 1), (3, 2)])
def test_stored_entries_of_a_grouped_convolution_see_their_own_group(
    folder, groups, block
):
    rng = np.random.default_rng(groups)
    conv = nn.Conv1d(4, 8, 3, groups=groups)
    shape = conv.params["weight"].shape
    fill(conv, rng)
    conv.set_mask("weight", mask_in_blocks(rng, shape, 0.4, block or (1, 1)))
    if block is not None:
        conv = minprune.sparse.SparseConv1d.from_dense(conv, "bsr", block)
    net, x = nn.Network(conv, (4, 9)), rng.normal(size=(5, 4, 9))
    minprune.save(net, folder / "groups")
    model = player.load(folder / "groups", densify=False)
    assert "sparse" in model.summary()
    exact, error = off(net, x)
    assert (np.abs(model(x) - exact) <= error + np.abs(exact) * UNIT).all()


def test_the_bound_is_small_enough_to_mean_something():
    net, ds = pruned("small_cnn")
    exact, error = off(net, ds.test.x[:50])
    assert (error / np.ptp(exact)).max() < 1e-4


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_agree_far_from_zero_too(folder, activation):
    net = nn.Network(nn.Sequential(activation()), (2,))
    x = np.linspace(-120, 120, 1000, dtype="f4").reshape(-1, 2)
    minprune.save(net, folder / "f")
    np.testing.assert_allclose(
        player.load(folder / "f")(x), net(x), rtol=2e-6, atol=1e-7
    )


@st.composite
def recurrent(draw):
    """A recurrent layer with drawn options, some weights masked."""
    kind = draw(st.sampled_from([nn.RNN, nn.LSTM, nn.GRU]))
    layer = kind(
        draw(st.integers(1, 3)),
        draw(st.integers(1, 4)),
        num_layers=draw(st.integers(1, 2)),
        bias=draw(st.booleans()),
        bidirectional=draw(st.booleans()),
        last=draw(st.booleans()),
    )
    rng = np.random.default_rng(draw(SEEDS))
    fill(layer, rng)
    for name in draw(st.sets(st.sampled_from(layer.prunable))):
        layer.set_mask(name, rng.random(layer.params[name].shape) < 0.5)
    return layer


@given(
    layer=recurrent(),
    batch=st.integers(0, 3),
    steps=st.integers(1, 6),
    padded=st.booleans(),
    densify=st.booleans(),
)
def test_sequences_agree_in_doubles(folder, layer, batch, steps, padded, densify):
    net = nn.Network(layer, (layer.input_size, steps)).astype(np.float64)
    minprune.save(net, folder / "sequence")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(batch, *net.input_shape))
    lengths = rng.integers(0, steps + 1, batch) if padded else None
    # States lie within one, and six steps of gates amplify a rounding by far less
    # than the four digits left here.
    np.testing.assert_allclose(
        player.load(folder / "sequence", densify)(x, lengths),
        net(x, lengths),
        rtol=0,
        atol=1e-12,
    )


@given(
    shape=st.lists(st.integers(1, 5), min_size=1, max_size=3),
    affine=st.booleans(),
    seed=SEEDS,
)
def test_layer_norm_agrees_in_doubles(folder, shape, affine, seed):
    rng = np.random.default_rng(seed)
    size = int(np.prod(shape))
    norm, out = nn.LayerNorm(shape, affine=affine), nn.Linear(size, 2)
    net = nn.Network(nn.Sequential(norm, nn.Flatten(), out), tuple(shape))
    for layer in (norm, out):
        fill(layer, rng)
    net = net.astype(np.float64)
    minprune.save(net, folder / "norm")
    x = rng.normal(size=(4, *shape))
    # Of a single entry only a rounding over the root of eps is left: 3e-14.
    np.testing.assert_allclose(
        player.load(folder / "norm")(x), net(x), rtol=1e-11, atol=1e-11
    )


def test_symbols_are_looked_up(folder):
    layers = nn.Sequential(nn.Embedding(5, 3), nn.GRU(3, 4, last=True), nn.Linear(4, 2))
    net = nn.Network(layers, (6,), seed=0)
    minprune.save(net, folder / "symbols")
    model, x = player.load(folder / "symbols"), np.arange(12).reshape(2, 6) % 5
    np.testing.assert_allclose(model(x), net(x), rtol=0, atol=1e-6)
    for wrong in (5, -1, 0.5, np.nan):
        with pytest.raises(ValueError, match="symbols are to be whole numbers from 0"):
            model(np.full((1, 6), wrong))


@pytest.mark.parametrize("kind", sorted(nn.models.MODELS))
def test_every_model_plays(folder, kind):
    """By name, on shipped data that it takes; float32 logits to about three digits."""
    for name in ("digits", "jvowels"):
        ds = data.load(name)
        try:
            net = nn.models.build(kind, ds, seed=0)
        except ValueError:
            continue
        minprune.save(net, folder / "model")
        x, lengths = ds.test.x[:4], ds.test.lengths
        lengths = None if lengths is None else lengths[:4]
        want = net(x, lengths)
        np.testing.assert_allclose(
            player.load(folder / "model")(x, lengths),
            want,
            rtol=0,
            atol=1e-4 * np.abs(want).max(),
        )
        return
    pytest.fail(f"{kind} takes neither digits nor jvowels")


def test_doubles_stay_doubles(folder):
    net, ds = pruned("lenet_300_100")
    net = net.astype(np.float64)
    minprune.save(net, folder / "f8")
    found = player.load(folder / "f8")(ds.test.x)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, net(ds.test.x), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("sparse", [False, True])
def test_channels_chosen_for_each_sample_are_those_of_the_engine(folder, sparse):
    net, ds = pruned("small_cnn", density=0.5)
    net = boosted(net, "conv2", 0.5)
    net = compress(net) if sparse else net
    minprune.save(net, folder / "boosted")
    x = ds.test.x[:40]
    want = net.astype(np.float64)(x)
    # A choice between predictions that lie a rounding apart may fall either way.
    close = np.isclose(player.load(folder / "boosted")(x), want, rtol=1e-4, atol=1e-4)
    assert close.all(axis=1).sum() >= 38


@pytest.mark.parametrize("kind", ["lenet_300_100", "small_cnn"])
def test_raw_samples_get_the_same_class(folder, kind):
    net, ds = pruned(kind)
    minprune.save(net, folder / kind)
    model = player.load(folder / kind)
    assert model.classes == net.classes
    np.testing.assert_array_equal(model.predict(ds.test.x), net.predict(ds.test.x))


def test_samples_may_come_alone_flat_as_lists_or_not_at_all(folder):
    net, ds = pruned("cnn1d", "watch")
    minprune.save(net, folder / "watch")
    model, x = player.load(folder / "watch"), ds.test.x[:3]
    assert model(x[0]).shape == (1, len(net.classes))
    np.testing.assert_array_equal(model(x[0]), model(x[:1]))
    np.testing.assert_array_equal(model(x.reshape(3, -1)), model(x))
    np.testing.assert_array_equal(model(x.tolist()), model(x))
    assert model(x[:0]).shape == (0, len(net.classes))
    assert model.predict(x[:0]).shape == (0,)


@pytest.mark.parametrize(
    "x", [np.zeros((3, 7)), np.zeros(()), np.array(["a"]), np.zeros((2, 64), complex)]
)
def test_what_is_no_sample_is_refused(folder, x):
    minprune.save(pruned("lenet_300_100")[0], folder / "f")
    with pytest.raises(ValueError, match=r"expected numbers of shape \(N, 1, 8, 8\)"):
        player.load(folder / "f")(x)


def test_the_samples_are_left_alone(folder):
    net, ds = pruned("small_cnn")
    minprune.save(net, folder / "f")
    x = ds.test.x.copy()
    x.flags.writeable = False
    player.load(folder / "f")(x)


def test_a_long_batch_takes_bounded_memory(folder):
    net, ds = pruned("small_cnn")
    minprune.save(net, folder / "f")
    x = np.tile(ds.test.x, (4, 1, 1, 1))
    for densify in (True, False):
        model = player.load(folder / "f", densify)
        tracemalloc.start()
        model(x)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        # The answer, and a batch between its layers: in, padded, out, and patches.
        assert peak < len(x) * 10 * 4 + 3 * player.WORK_BYTES + 4 * player.SCRATCH_BYTES


# Dense or sparse, and why.


def test_the_summary_says_what_is_stored_and_how_it_runs(folder):
    net, _ = pruned("lenet_300_100")
    minprune.save(net, folder / "f")
    table = [
        line.split("  ") for line in player.load(folder / "f").summary().split("\n")
    ]
    rows = [[cell.strip() for cell in line if cell.strip()] for line in table]
    assert rows[0][:5] == ["layer", "kind", "output", "weights", "sparsity"]
    assert rows[1] == ["flatten", "Flatten", "64"]
    kept = net.masks()["fc1.weight"].mean()
    assert rows[2][:3] == ["fc1", "Linear", "300"]
    assert rows[2][3:6] == ["19200", f"{100 * (1 - kept):.1f} %", "bitmask"]
    assert rows[2][6:] == ["dense", "too small or too full to gain"]


def test_a_layer_runs_as_asked_for(folder):
    minprune.save(pruned("lenet_300_100")[0], folder / "f")
    for densify, runs in [(True, "dense"), (False, "sparse")]:
        summary = player.load(folder / "f", densify).summary()
        assert summary.count(f"{runs}  as asked for") == 3


def test_a_large_sparse_layer_is_timed_both_ways_and_the_faster_is_kept(
    folder, monkeypatch
):
    rng = np.random.default_rng(0)
    net = nn.Network(nn.Sequential(nn.Linear(512, 256)), (512,), seed=0)
    net.set_masks({"0.weight": rng.random((256, 512)) < 0.02})
    minprune.save(net, folder / "f")
    for seconds, runs in [([2e-5, 1e-5], "dense"), ([1e-5, 2e-5], "sparse")]:
        given = iter(seconds)  # sparse is timed first
        monkeypatch.setattr(player.Weight, "_seconds", lambda w, x, g=given: next(g))
        summary = player.load(folder / "f").summary()
        assert f"{runs}  " in summary
        assert "measured: dense " in summary


# One file, and NumPy alone.


def test_only_numpy_and_the_standard_library_are_imported():
    tree = ast.parse(SOURCE.read_text())
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            imported.add(node.module.partition(".")[0])
    assert imported - set(sys.stdlib_module_names) == {"numpy"}


def test_the_syntax_is_that_of_python_3_8():
    ast.parse(SOURCE.read_text(), feature_version=(3, 8))


ALONE = """
import sys

class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"minprune", "scipy", "numba", "llvmlite"}:
            raise ImportError(name + " is not on this device")

sys.meta_path.insert(0, Nothing())
sys.path.insert(0, sys.argv[1])
import numpy as np
import player

model = player.load(sys.argv[1] + "/model.safetensors")
np.save(sys.argv[1] + "/y.npy", model(np.load(sys.argv[1] + "/x.npy")))
print(sorted({"minprune", "scipy", "numba"} & set(sys.modules)), player.__file__)
"""


def test_the_file_works_by_itself(tmp_path):
    net, ds = pruned("small_cnn")
    minprune.save(net, tmp_path / "model.safetensors")
    (tmp_path / "player.py").write_bytes(SOURCE.read_bytes())
    np.save(tmp_path / "x.npy", ds.test.x)
    command = [sys.executable, "-I", "-W", "error", "-c", ALONE, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"[] {tmp_path / 'player.py'}"
    exact, error = off(net, ds.test.x)
    assert (np.abs(np.load(tmp_path / "y.npy") - exact) <= error + 1e-7).all()


def test_importing_it_from_the_package_brings_neither_scipy_nor_numba():
    program = (
        "import sys; from minprune.export import player; "
        "print(sorted({'scipy', 'numba', 'minprune.nn'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", program]
    assert subprocess.check_output(command, text=True) == "[]\n"


# No belief in what is read.


def tampered(path, change):
    """A good file with its manifest, and perhaps its arrays, changed by a function."""
    minprune.save(pruned("small_cnn")[0], path)
    tensors, metadata = read(path)
    manifest = json.loads(metadata["minprune"])
    change(manifest, tensors)
    write(path, tensors, {"minprune": json.dumps(manifest)})


def layer_of(manifest, name):
    return next(c for c in manifest["root"]["children"] if c["name"] == name)


def nested(manifest, tensors):
    for _ in range(100):
        manifest["root"] = {
            "kind": "Sequential",
            "name": "",
            "args": {},
            "children": [manifest["root"] | {"name": "a"}],
        }


CHANGES = {
    "manifest format: it is 2; this player reads formats up to 1; use a newer player": (
        lambda m, t: m.update(format=2)
    ),
    "manifest format: it is '1'": lambda m, t: m.update(format="1"),
    r"manifest input_shape: it is \[0\]": lambda m, t: m.update(input_shape=[0]),
    "manifest input_shape: .* too large": (
        lambda m, t: m.update(input_shape=[2**20, 2**20])
    ),
    "manifest classes: it is 3": lambda m, t: m.update(classes=3),
    "layer root: the manifest has None": lambda m, t: m.pop("root"),
    "layer 'conv1': its kind is 'Sorcery'; known: .*; use a player that knows it": (
        lambda m, t: layer_of(m, "conv1").update(kind="Sorcery")
    ),
    "layer 'conv1': a Conv2d has no use for 'speed'": (
        lambda m, t: layer_of(m, "conv1")["args"].update(speed=9)
    ),
    "layer 'relu1': a ReLU has no use for 'x'": (
        lambda m, t: layer_of(m, "relu1")["children"].append({"name": "x"})
    ),
    "layer 'conv1': in_channels is True; expected a whole number, 1 or more": (
        lambda m, t: layer_of(m, "conv1")["args"].update(in_channels=True)
    ),
    r"layer 'conv1': stride is \[0, 1\]; expected whole numbers for 2 axes": (
        lambda m, t: layer_of(m, "conv1")["args"].update(stride=[0, 1])
    ),
    "layer 'conv1': padding is .* expected before and after for each axis": (
        lambda m, t: layer_of(m, "conv1")["args"].update(padding=[[1, 1], [1]])
    ),
    "layer 'conv1': padding is 'same' with a stride other than 1": (
        lambda m, t: layer_of(m, "conv1")["args"].update(padding="same", stride=2)
    ),
    "layer 'conv1': one sample takes .* numbers, over the limit of": (
        lambda m, t: layer_of(m, "conv1")["args"].update(padding=2**30)
    ),
    "layer 'conv2': groups is 3; it must divide": (
        lambda m, t: layer_of(m, "conv2")["args"].update(groups=3)
    ),
    r"layer 'pool': it is given samples of shape .* that holds a window": (
        lambda m, t: layer_of(m, "pool")["args"].update(kernel_size=99)
    ),
    "layer 'pool': padding .* lets a window of 2 see padding alone": (
        lambda m, t: layer_of(m, "pool")["args"].update(padding=2)
    ),
    "layer 'fc1': it is given samples of shape": (
        lambda m, t: layer_of(m, "pool")["args"].update(kernel_size=4, stride=4)
    ),
    "layer root: its children need names that differ": (
        lambda m, t: layer_of(m, "conv1").update(name="conv2")
    ),
    "'extra': it belongs to no layer": lambda m, t: t.update(extra=np.zeros(3)),
    "'fc1.weight.bits': it belongs to no layer": (
        lambda m, t: t.update({"fc1.weight": np.zeros((64, 512))})
    ),
    "fc1.bias: it is missing from the file": lambda m, t: t.pop("fc1.bias"),
    r"fc1.bias: its shape is \(3,\); the layer expects \(64,\)": (
        lambda m, t: t.update({"fc1.bias": np.zeros(3)})
    ),
    "fc1.bias: it holds a number that is not finite": (
        lambda m, t: t["fc1.bias"].fill(np.nan)
    ),
    "preprocess.scale: its shape is": (
        lambda m, t: t.update({"preprocess.scale": np.ones((1, 3, 1))})
    ),
    "chains are nested deeper than": nested,
}


@pytest.mark.parametrize("fault", CHANGES)
def test_a_forged_file_is_refused_in_one_line(tmp_path, fault):
    tampered(tmp_path / "m", CHANGES[fault])
    with pytest.raises(ValueError, match=fault) as e:
        player.load(tmp_path / "m")
    assert str(e.value).startswith(f"{tmp_path / 'm'}: ")
    assert "\n" not in str(e.value)


def test_a_negative_variance_is_refused(tmp_path):
    net = nn.Network(nn.BatchNorm(2), (2,))
    net.root.buffers["running_var"][1] = -1
    minprune.save(net, tmp_path / "m")
    for play in (player.load, tiny.load):
        with pytest.raises(ValueError, match="a running variance plus eps is not posi"):
            play(tmp_path / "m")


def test_a_file_without_a_manifest_is_refused(tmp_path):
    write(tmp_path / "m", {"w": np.ones(3)})
    with pytest.raises(ValueError, match="__metadata__: it has no entry 'minprune'"):
        player.load(tmp_path / "m")


def test_a_sparse_weight_cannot_claim_any_size(tmp_path):
    """Three stored numbers that claim to be eight gigabytes."""
    args = {"in_features": 2**30, "out_features": 2, "bias": False}
    root = {"kind": "Linear", "name": "", "args": args, "children": []}
    manifest = {"format": 1, "input_shape": [3], "classes": [], "root": root}
    tensors = {f"preprocess.{n}": np.ones(1, "f4") for n in ("scale", "offset")}
    tensors |= {"weight.indptr": np.array([0, 0, 1], "u1")}
    tensors |= {"weight.indices": np.array([1], "u1")}
    tensors |= {"weight.values": np.ones(1, "f4")}
    write(tmp_path / "m", tensors, {"minprune": json.dumps(manifest)})
    with pytest.raises(ValueError, match=r"weight: its shape .* needs more than"):
        player.load(tmp_path / "m")


def mixed(path):
    """A small network with a chain of most kinds of layers, and every stored form."""
    rng = np.random.default_rng(0)
    conv = nn.Conv2d(2, 4, 3, padding=1, groups=2)
    conv.set_mask("weight", rng.random((4, 1, 3, 3)) < 0.5)
    wide = nn.Linear(8, 40)
    wide.set_mask("weight", mask_in_blocks(rng, (40, 8), 0.05, (2, 3)))
    body = minprune.sparse.SparseLinear.from_dense(wide, "bsr", (2, 3))
    net = nn.Network(
        nn.Sequential(
            conv,
            nn.BatchNorm(4),
            nn.Residual(nn.Conv2d(4, 4, 1)),
            nn.Concat(nn.ReLU(), nn.LeakyReLU()),
            nn.MaxPool2d(2),
            nn.GlobalAvgPool(),
            body,
            nn.Linear(40, 3),
        ),
        (2, 4, 4),
        classes=("a", "b", "c"),
    )
    minprune.save(net, path)


def verdict(reader, path):
    """What a reader returns, and the message of its refusal."""
    try:
        return reader(path), None
    except ValueError as why:
        return None, str(why)


def test_damaged_files_are_read_right_or_refused_in_words(tmp_path):
    """What the player takes, the engine takes too, and both compute the same."""
    path = tmp_path / "m"
    mixed(path)
    x = np.random.default_rng(1).normal(size=(3, 2, 4, 4))
    count, refused, slowest, peak = 20_000 if THOROUGH else 600, 0, 0.0, 0
    tracemalloc.start()
    for content in damaged(path, count, seed=1):
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()  # what earlier rounds still hold
        start = time.process_time()
        model, message = verdict(player.load, path)
        slowest = max(slowest, time.process_time() - start)
        peak = max(peak, tracemalloc.get_traced_memory()[1] - before)
        if message is not None:
            refused += 1
            assert message.startswith(f"{path}: "), content
            assert "\n" not in message, content
            continue
        net = minprune.load(path)
        largest = max(np.abs(p).max(initial=0) for p in net.parameters().values())
        if model.input_shape == (2, 4, 4) and largest < 1e6:  # nothing will overflow
            exact, error = off(net, x)
            assert (np.abs(model(x) - exact) <= error + np.abs(exact) * UNIT).all()
    tracemalloc.stop()
    assert 0.5 * count < refused < count
    assert peak < 2**23  # bytes, to load; the file has 5,000
    assert slowest < 2.0  # seconds of the processor


def test_both_readers_of_the_container_give_the_same_verdict(tmp_path):
    path = tmp_path / "m"
    mixed(path)
    for content in damaged(path, 20_000 if THOROUGH else 1_000, seed=2):
        ours, fault = verdict(read, path)
        theirs, same = verdict(player.read, path)
        assert (fault is None) == (same is None), content
        if fault is None:
            assert ours[1] == theirs[1]
            for name, array in ours[0].items():
                assert array.tobytes() == theirs[0][name].tobytes()


def test_both_readers_know_the_same_types_and_limits():
    theirs = {name: np.dtype(code) for name, code in player.DTYPES.items()}
    assert theirs == container.DTYPES
    for limit in ("HEADER_LIMIT_BYTES", "AXES_LIMIT"):
        assert getattr(player, limit) == getattr(container, limit)


def test_every_kind_of_layer_is_known():
    """All of nn/ and sparse/."""
    rooms = ("minprune.nn.", "minprune.sparse.")
    kinds = {kind for kind, cls in nn.KINDS.items() if cls.__module__.startswith(rooms)}
    assert len(kinds) > 30
    assert kinds <= set(player.KINDS)
