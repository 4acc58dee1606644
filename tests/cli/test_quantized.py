"""A quantized file at the terminal: made, evaluated, run, shown, exported, refused."""

import numpy as np
import pytest

from minprune import data


@pytest.fixture(scope="module")
def digits():
    return data.load("digits")


@pytest.fixture
def small(run_json, dense, tmp_path):
    def make(*words):
        path = tmp_path / "int8.safetensors"
        words = ("--to", "safetensors", "--data", "digits", "-o", path, *words)
        return path, run_json("export", dense, *words)

    return make


@pytest.mark.parametrize(
    "words", [(), ("--bits", "4"), ("--bits", "4", "--by-channel")]
)
def test_what_is_written_is_what_eval_and_inspect_find(small, run_json, words):
    path, made = small(*words)
    assert made["type"] == "int8"
    assert abs(made["float_accuracy"] - made["int8_accuracy"]) < 0.02
    found = run_json("eval", path, "--data", "digits")
    assert found["test_accuracy"] == made["int8_accuracy"]
    assert found["stored_bytes"] == made["stored_bytes"]
    seen = run_json("inspect", path)
    assert seen["numbers"] == "int8"
    assert seen["file_bytes"] == made["stored_bytes"]
    assert [layer["name"] for layer in seen["layers"]] == ["fc1", "fc2", "fc3"]


def test_four_bits_take_less(small):
    assert small("--bits", "4")[1]["stored_bytes"] < 0.6 * small()[1]["stored_bytes"]


def test_predict_answers_with_its_classes(small, run_json, digits, tmp_path):
    path, _ = small()
    np.savez(tmp_path / "x.npz", x=digits.test.x[:9])
    found = run_json("predict", path, tmp_path / "x.npz")["predictions"]
    right = [digits.classes[label] for label in digits.test.y[:9]]
    assert sum(a == b for a, b in zip(found, right, strict=True)) >= 7


def test_c_is_written_from_the_file_itself(small, run_json, tmp_path):
    path, _ = small()
    found = run_json("export", path, "--to", "c", "-o", tmp_path / "c")
    assert found["type"] == "int8"
    assert {p.name for p in (tmp_path / "c").iterdir()} == {"net.h", "net.c"}


def test_what_cannot_be_done_with_it_is_refused_in_one_line(small, run, tmp_path):
    path, _ = small()
    again = "export", path, "--to", "safetensors", "--data", "digits"
    for words, fault in [
        ((*again, "-o", tmp_path / "x"), "it is quantized already; leave --data out"),
        (("prune", path, "--data", "digits", "--sparsity", "0.5"), "quantized network"),
        (("structure", path), "it holds a quantized network, whose integers cannot"),
        (("eval", path, "--data", "watch"), "build the model for this data"),
    ]:
        words += ("-o", tmp_path / "x") if words[0] == "prune" else ()
        status, out, err = run(*words)
        assert (status, out) == (2, "")
        assert fault in err
        assert err.count("\n") == 1


def test_integers_need_samples(run, dense, tmp_path):
    words = "export", dense, "--to", "safetensors", "-o", tmp_path / "x"
    status, _, err = run(*words)
    assert status == 2
    assert "ranges come from samples; name some with --data" in err
    assert not (tmp_path / "x").exists()
    status, _, err = run("export", dense, "-o", tmp_path / "x", "--bits", "4")
    assert status == 2
    assert "name samples with --data" in err
