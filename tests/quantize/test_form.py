"""A quantized network in a file: the same integers, or a refusal in one line."""

import json
import os
import time
import tracemalloc

import numpy as np
import pytest

import minprune
from minprune.files import read, write
from minprune.quantize import QuantizedNetwork, count, quantize
from minprune.store import load_network
from tests.files.mutations import damaged
from tests.quantize.networks import NETWORKS, drawn

COUNT = 50_000 if os.environ.get("MINPRUNE_PROFILE") == "thorough" else 200


def made(name, bits=8):
    net, x = drawn(name)
    return quantize(net, x, bits=bits, linear_by_row=bits == 4), x


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_saved_network_comes_back_bit_for_bit(tmp_path, name, bits):
    small, x = made(name, bits)
    minprune.save(small, tmp_path / "q")
    back = minprune.load(tmp_path / "q")
    assert isinstance(back, QuantizedNetwork)
    q = small.quantize_input(x)
    assert back.quantize_input(x).tobytes() == q.tobytes()
    assert back.run(q).tobytes() == small.run(q).tobytes()
    assert back(x).tobytes() == small(x).tobytes()
    assert back.classes == small.classes
    assert back.input_shape == small.input_shape
    minprune.save(back, tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "q").read_bytes()


@pytest.mark.parametrize("name", NETWORKS)
def test_real_weights_and_biases_come_back_to_half_a_level(tmp_path, name):
    small, _ = made(name)
    minprune.save(small, tmp_path / "q")
    back = minprune.load(tmp_path / "q")
    for old, new in zip(small.graph.steps, back.graph.steps, strict=True):
        if old.y not in small.numbers or not hasattr(old, "weight"):
            continue
        numbers = small.numbers[old.y]
        source, target = small.levels[old.xs[0]], small.levels[old.y]
        scale = numbers.scales(source, target).reshape(-1, 1, 1, 1)
        # Half a level of rounding, and what float32 adds to 127 levels.
        assert (np.abs(old.weight - new.weight) <= 0.5001 * scale).all()
        assert (
            np.abs(old.bias - new.bias) <= 0.5001 * source.scale * scale.ravel()
        ).all()
        assert np.array_equal(old.mask, new.mask | ~old.mask & (new.weight != 0))


def test_the_scale_of_weights_follows_from_the_factor_exactly():
    net, x = drawn("convolutional")
    small, matrix = quantize(net, x), {}
    for step in small.graph.steps:
        if hasattr(step, "weight"):
            matrix[step.y] = step.matrix.astype(float)
    for y, real in matrix.items():
        step = next(s for s in small.graph.steps if s.y == y)
        numbers = small.numbers[y]
        scale = numbers.scales(small.levels[step.xs[0]], small.levels[y])
        whole = np.rint(real / scale.astype(float)[:, None])
        assert np.array_equal(np.clip(whole, -127, 127), numbers.weight)


def test_pruned_weights_are_not_stored(tmp_path):
    small, _ = made("dense")
    minprune.save(small, tmp_path / "q")
    tensors, _ = read(tmp_path / "q")
    kept = sum(int(step.mask.sum()) for step in small.graph.steps)
    held = [array for name, array in tensors.items() if name.endswith(".values")]
    assert sum(array.size for array in held) == kept
    assert {array.dtype for array in held} == {np.dtype(np.int8)}
    assert count(small).kept == kept


def test_four_bits_take_half_the_bytes_of_eight():
    net, _ = drawn("dense", density=1.0)
    x = np.zeros((2, 300))
    eight, four = (count(quantize(net, x, bits=b)).layers[0].file_bytes for b in (8, 4))
    assert four < 0.56 * eight


def test_the_official_package_reads_the_same_integers(tmp_path):
    official = pytest.importorskip(
        "safetensors.numpy", reason="pip install safetensors"
    )
    small, _ = made("convolutional", 4)
    minprune.save(small, tmp_path / "q")
    theirs = official.load_file(tmp_path / "q")
    for name, array in small.state().items():
        assert theirs[name].dtype == array.dtype
        assert np.array_equal(theirs[name], array)


def test_what_trains_or_prunes_refuses_it(tmp_path):
    small, _ = made("dense")
    minprune.save(small, tmp_path / "q")
    with pytest.raises(ValueError, match="q: it holds a quantized network"):
        load_network(tmp_path / "q")


# No belief in what is read.


def step(manifest, name):
    return next(s for s in manifest["root"]["children"] if s["name"] == name)


def put(name, value):
    return lambda m, t: t.update({name: value})


def argument(name, **values):
    return lambda m, t: step(m, name)["args"].update(values)


def grown(m, t):
    t["12.weight"] = np.full((5, 6, 1, 1), 127, np.int8)
    for end in ("bits", "values"):
        t.pop(f"12.weight.{end}", None)
    t["12.bias"] = np.full(5, 2**31 - 2**9 - 128 * 127 * 6, np.int32)


def at(name, index, value):
    def change(m, t):
        t[name] = t[name].copy()
        t[name][index] = value

    return change


FAULTS = {
    "its format is 2; .* reads format 1": lambda m, t: m.update(format=2),
    "the root: it must have steps": lambda m, t: m["root"].update(children=[]),
    "step 4: its kind is 'Sorcery'": lambda m, t: step(m, "4").update(kind="Sorcery"),
    "step 4.body.0: a QuantizedAffine has no use for 'speed'": (
        argument("4.body.0", speed=9)
    ),
    "reads: it is 99; expected a whole number 0 to": argument("12", reads=[99]),
    "step 4: it reads 3 values": argument("4", reads=[1, 1, 1]),
    "step 12: its plane .* does not fit": argument("12", plane=[7, 1, 1]),
    "low: it is -129": argument("12", low=-129),
    "its bounds .* are in no order": argument("12", low=5, high=4),
    "largest is neither true nor false": argument("3", largest=1),
    "padding lets a window see padding alone": argument("3", padding=[[3, 1], [1, 1]]),
    "groups do not divide": argument("4.body.0", groups=3),
    "step 3: it cannot change levels": at("levels.zero", 2, 99),
    "levels.scale: a scale is not a finite number above zero": (
        at("levels.scale", 1, -1.0)
    ),
    "levels.zero: it is int16 of shape": put("levels.zero", np.zeros(3, np.int16)),
    "12.bias: it is missing": lambda m, t: t.pop("12.bias"),
    "12.bias: it is int64 of shape": put("12.bias", np.zeros(5, np.int64)),
    "12.multiplier: it is no multiplier": at("12.multiplier", 0, 2**29),
    "12.exponent: it is int8 of shape": put("12.exponent", np.zeros(7, np.int8)),
    "4.exponent: a side of the sum would overflow": at("4.exponent", 0, 1),
    "0.weight: it is float32; expected int8": (
        lambda m, t: t.update(
            {k: v.astype("f4") for k, v in t.items() if k == "0.weight.values"}
        )
    ),
    "expected int8 from -127 to 127": at("0.weight.values", 0, -128),
    "step 12: the sum of row 0 may reach": grown,
    "'?extra'?: it belongs to no step": put("extra", np.zeros(3, np.float32)),
    "preprocess.scale: it is of shape": put("preprocess.scale", np.ones(3, np.float32)),
    "the manifest garbles 'reads'": lambda m, t: step(m, "4")["args"].pop("reads"),
    "step 4 has no name of its own|no name of its own": (
        lambda m, t: step(m, "4").update(name="0")
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_forged_file_is_refused_in_one_line(tmp_path, fault):
    minprune.save(made("convolutional")[0], tmp_path / "q")
    tensors, metadata = read(tmp_path / "q")
    manifest = json.loads(metadata["minprune"])
    FAULTS[fault](manifest, tensors)
    write(tmp_path / "q", tensors, {"minprune": json.dumps(manifest)})
    with pytest.raises(ValueError, match=fault) as error:
        minprune.load(tmp_path / "q")
    assert str(error.value).startswith(f"{tmp_path / 'q'}: ")
    assert "\n" not in str(error.value)


def outcome(path):
    """The message of the reader's refusal, or None if it took the file."""
    try:
        minprune.load(path)
    except ValueError as why:
        return str(why)
    return None


@pytest.mark.parametrize("bits", [4, 8])
def test_damaged_files_are_read_right_or_refused_in_words(tmp_path, bits):
    path, refused, slowest, peak = tmp_path / "q", 0, 0.0, 0
    minprune.save(made("convolutional", bits)[0], path)
    tracemalloc.start()
    for content in damaged(path, COUNT, seed=bits):
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        start = time.process_time()
        message = outcome(path)
        if message is not None:
            refused += 1
            assert message.startswith(f"{path}: "), content
            assert "\n" not in message, content
        slowest = max(slowest, time.process_time() - start)
        peak = max(peak, tracemalloc.get_traced_memory()[1] - before)
    tracemalloc.stop()
    assert 0.5 * COUNT < refused < COUNT
    assert peak < 2**23  # bytes; the file has 7,000
    assert slowest < 2.0  # seconds of the processor


def test_a_name_that_stands_twice_in_the_manifest_is_refused(tmp_path):
    minprune.save(drawn("dense")[0], tmp_path / "m")
    tensors, metadata = read(tmp_path / "m")
    twice = metadata["minprune"].replace('"format":1', '"format":9,"format":1')
    write(tmp_path / "m", tensors, {"minprune": twice})
    with pytest.raises(ValueError, match=r"m: it is not JSON .*a name occurs twice"):
        minprune.load(tmp_path / "m")
