"""Comparing criteria: known rankings first, then what cannot be compared."""

import json
import math

import numpy as np
import pytest

import minprune
from minprune import data, nn
from minprune.cli import main
from minprune.study.compare import compare


@pytest.fixture(scope="module")
def net():
    return nn.models.build("mlp", data.load("digits"), hidden=(8,), seed=0)


def test_a_criterion_agrees_with_itself_and_its_square(net):
    digits = data.load("digits")
    (pair,) = compare(net, digits, ["snip", "taylor"], examples=64)
    # |w g| and (w g)^2 rank alike; only squares that underflow to equal could differ.
    assert pair.rank_correlation == pytest.approx(1, abs=1e-9)
    assert pair.overlap == 1


def test_random_agrees_with_magnitude_only_by_chance(net):
    (pair,) = compare(net, data.load("digits"), ["magnitude", "random"])
    size = 64 * 8 + 8 * 10
    assert abs(pair.rank_correlation) < 5 / math.sqrt(size)
    # Two independent tenths overlap in a hundredth: 1/19 of their union, on average.
    assert pair.overlap < 0.2


def test_pairs_come_in_order_and_the_network_is_left_alone(net):
    before = {name: w.copy() for name, w in net.parameters().items()}
    names = ["magnitude", "snip", "wanda"]
    pairs = compare(net, data.load("digits"), names, examples=64)
    found = [(pair.first, pair.second) for pair in pairs]
    assert found == [("magnitude", "snip"), ("magnitude", "wanda"), ("snip", "wanda")]
    assert all((before[n] == w).all() for n, w in net.parameters().items())


def test_different_units_are_not_compared(net):
    with pytest.raises(ValueError, match=r"'l1_norm'.*shape \(8,\).*'magnitude'"):
        compare(net, data.load("digits"), ["magnitude", "l1_norm"])
    with pytest.raises(ValueError, match="two or more"):
        compare(net, data.load("digits"), ["magnitude"])


def test_the_command_takes_the_network_last_or_by_name(net, tmp_path, capsys):
    path = str(tmp_path / "net.safetensors")
    minprune.save(net, path)
    words = ["criteria", "--json", "--data", "digits", "--compare", "magnitude", "snip"]
    assert main([*words, path]) == 0
    last = json.loads(capsys.readouterr().out)
    assert main([*words, "--net", path]) == 0
    assert json.loads(capsys.readouterr().out) == last
    assert np.isfinite(last["pairs"][0]["rank_correlation"])
    assert main(words[:1] + words[4:]) == 2
    assert "--net FILE" in capsys.readouterr().err
