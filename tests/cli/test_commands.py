"""Commands do what they say, and print it for a machine and for a person."""

import numpy as np
import pytest

import minprune
from minprune import data
from minprune.cli import parser
from minprune.masks import count

FIGURES = {"test_accuracy", "test_loss", "sparsity", "weights", "stored_bytes"}


def test_train_writes_a_network_that_eval_finds_equal(run_json, tmp_path):
    path = tmp_path / "a.safetensors"
    words = ("train", "digits", "mlp", "-o", path, "--epochs", 2, "--seed", 3)
    trained = run_json(*words)
    found = run_json("eval", path, "--data", "digits")
    assert trained.keys() >= FIGURES
    assert {key: found[key] for key in FIGURES} == {
        key: trained[key] for key in FIGURES
    }
    again = tmp_path / "b.safetensors"
    run_json(*words[:4], again, *words[5:])
    assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("schedule", ["oneshot", "cubic"])
@pytest.mark.parametrize("scope", ["layer", "network"])
def test_prune_removes_exactly_what_was_asked(
    run_json, dense, tmp_path, schedule, scope
):
    path = tmp_path / "pruned.safetensors"
    found = run_json(
        *("prune", dense, "--data", "digits", "--criterion", "taylor"),
        *("--sparsity", "0.9", "--scope", scope, "--schedule", schedule),
        *("--epochs", 2, "-o", path),
    )
    assert found.keys() >= FIGURES
    sizes = [64 * 128, 128 * 64, 64 * 10]
    removed = (
        sum(count.removed(size, "0.9") for size in sizes)
        if scope == "layer"
        else count.removed(sum(sizes), "0.9")
    )
    assert found["weights"] == sum(sizes) - removed
    assert found["before"]["weights"] == sum(sizes)
    assert found["stored_bytes"] < found["before"]["stored_bytes"] / 4


def test_predict_reads_csv_and_npz_and_names_classes(run, dense, tmp_path):
    x = data.load("digits").test.x[:5]
    np.savez(tmp_path / "x.npz", x=x)
    flat = x.reshape(5, -1)
    np.savetxt(tmp_path / "x.csv", flat, "%d", delimiter=",")
    header = ",".join(f"p{i}" for i in range(64))
    np.savetxt(tmp_path / "h.csv", flat, "%d", ";", header=header, comments="")
    rows = [f"a {n},{','.join(map(str, row))},test\n" for n, row in enumerate(flat)]
    trained_on = "".join([f"label,{header},split\n", *rows])
    (tmp_path / "t.csv").write_text(trained_on)
    net = minprune.load(dense)
    want = "".join(f"{net.classes[label]}\n" for label in net.predict(x))
    for name in ("x.npz", "x.csv", "h.csv", "t.csv"):
        assert run("predict", dense, tmp_path / name) == (0, want, "")
    out = tmp_path / "labels.txt"
    assert run("predict", dense, tmp_path / "x.csv", "-o", out)[0] == 0
    assert out.read_text() == want


def test_inspect_adds_up(run, run_json, dense):
    found = run_json("inspect", dense)
    assert sum(layer["weights"] for layer in found["layers"]) == found["weights"]
    status, out, _ = run("inspect", dense)
    assert status == 0
    assert "fc1" in out
    assert f"{found['weights']:,}" in out


def test_criteria_lists_every_card_and_prints_one(run, run_json):
    listed = run_json("criteria")["criteria"]
    keys = {"name", "family", "needs", "granularity", "unit", "direction", "cites"}
    assert all(card.keys() >= keys | {"formula"} for card in listed)
    assert {"magnitude", "taylor", "random"} <= {card["name"] for card in listed}
    status, out, _ = run("criteria", "magnitude")
    assert status == 0
    assert "|w|" in out


def test_your_own_arrays_are_data_too(run_json, tmp_path):
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=300)
    x = rng.normal(size=(300, 6)) + 4 * np.eye(3, 6)[y]
    np.savez(tmp_path / "own.npz", x=x, y=y)
    words = ("train", tmp_path / "own.npz", "mlp", "-o", tmp_path / "own.safetensors")
    assert run_json(*words, "--epochs", 20)["test_accuracy"] > 0.9


def test_every_command_explains_itself_with_an_example(run):
    (commands,) = [a for a in parser()._actions if a.dest == "command"]
    assert {"demo", "train", "prune", "eval", "predict", "inspect", "criteria"} <= set(
        commands.choices
    )
    for name in commands.choices:
        status, out, _ = run(name, "--help")
        assert status == 0
        assert f"minprune {name}" in out.partition("example:")[2], name
        assert "--json" in out
        assert "--seed" in out


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        (("--granularity", "block", "--block", "4x1", "--sparsity", "0.5"), 8512),
        (("--granularity", "nm", "--keep", "1", "--group", "4"), 17024 // 4),
    ],
)
def test_patterns_can_be_asked_for(run_json, dense, tmp_path, words, kept):
    path = tmp_path / "pattern.safetensors"
    rest = ("--data", "digits", "--epochs", 0, "-o", path)
    found = run_json("prune", dense, *words, *rest)
    # A ragged block at the lower edge of 10 rows holds 2 weights, not 4.
    assert abs(found["weights"] - kept) <= 32
