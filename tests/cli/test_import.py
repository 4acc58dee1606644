"""Weights from elsewhere become a network file, or are refused in one line."""

from importlib.util import find_spec

import numpy as np
import pytest

import minprune
from minprune import data, nn
from minprune.export import onnx
from minprune.nn import foreign

DIGITS = ("--model", "mlp", "--data", "digits")


@pytest.fixture
def net():
    return nn.models.build("mlp", data.load("digits"), seed=5)


def test_a_state_dict_becomes_the_network_it_came_from(net, run_json, tmp_path):
    source, out = tmp_path / "torch.safetensors", tmp_path / "net.safetensors"
    foreign.write_state_dict(net, source)
    found = run_json("import", source, *DIGITS, "-o", out)
    assert found["weights"] == sum(weight.size for weight in net.weights().values())
    x = data.load("digits").test.x
    assert np.array_equal(minprune.load(out)(x), net(x))


def test_an_npz_brings_its_own_architecture(net, run_json, tmp_path):
    source, out = tmp_path / "weights.npz", tmp_path / "net.safetensors"
    foreign.write_npz(net, source)
    run_json("import", source, "-o", out)
    x = data.load("digits").test.x[:7]
    assert np.array_equal(minprune.load(out)(x), net(x))


def test_what_does_not_fit_is_refused_by_name(net, run, tmp_path):
    source, out = tmp_path / "torch.safetensors", tmp_path / "net.safetensors"
    foreign.write_state_dict(net, source)
    cases = [
        (("--model", "lenet_300_100", "--data", "digits"), "fc1.weight"),
        ((), "--model"),
        (("--model", "mlp"), "--data"),
    ]
    for words, says in cases:
        status, _, err = run("import", source, *words, "-o", out)
        assert status == 2
        assert says in err
        assert not out.exists()


def test_onnx_is_read_or_the_extra_is_named(net, run, run_json, tmp_path):
    source, out = tmp_path / "net.onnx", tmp_path / "net.safetensors"
    onnx.write(net, source)
    if find_spec("onnx") is None:
        status, _, err = run("import", source, "-o", out)
        assert status == 2
        assert 'python -m pip install "minprune[onnx]"' in err
        return
    run_json("import", source, "-o", out, "--data", "digits")
    x = data.load("digits").test.x
    assert np.array_equal(minprune.load(out)(x), net(x))
    status, _, err = run("import", source, *DIGITS, "-o", out)
    assert (status, "brings its own architecture" in err) == (2, True)
