"""Whole channels at the terminal: what goes together, and smaller networks in files."""

import numpy as np
import pytest

import minprune
from minprune import data, structure
from minprune.masks import count


def test_structure_prints_a_tree_and_the_same_as_json(run, run_json, dense):
    found = run_json("structure", dense)["spaces"]
    free = {space["name"]: space for space in found if not space["held"]}
    assert {name: space["units"] for name, space in free.items()} == {
        "fc1": 128,
        "fc2": 64,
    }
    assert {"array": "fc2.weight", "axis": 1, "role": "reads"} in free["fc1"]["members"]
    status, out, _ = run("structure", dense)
    assert status == 0
    assert "2 spaces, 192 units that can go" in out
    assert "fc1: 128 units\n  makes  fc1: 1 row of weight, bias\n" in out
    assert "fc3: 10 units that cannot go: it is the network's output" in out


@pytest.mark.parametrize("granularity", ["filter", "channel"])
@pytest.mark.parametrize("schedule", ["oneshot", "cubic"])
def test_prune_takes_out_as_many_units_as_asked(
    run_json, dense, tmp_path, granularity, schedule
):
    path = tmp_path / "small.safetensors"
    criterion = {"filter": "l1_norm", "channel": "magnitude"}[granularity]
    found = run_json(
        *("prune", dense, "--data", "digits", "--criterion", criterion),
        *("--granularity", granularity, "--sparsity", "0.3", "-o", path),
        *("--schedule", schedule, "--epochs", 1),
    )
    fc1, fc2 = count.kept(128, "0.3"), count.kept(64, "0.3")
    shapes = {name: w.shape for name, w in minprune.load(path).weights().items()}
    assert shapes == {
        "fc1.weight": (fc1, 64),
        "fc2.weight": (fc2, fc1),
        "fc3.weight": (10, fc2),
    }
    kept = 64 * fc1 + fc1 * fc2 + 10 * fc2
    assert found["weights"] == kept
    assert found["weights_total"] == found["before"]["weights"]
    assert found["sparsity"] == pytest.approx(1 - kept / found["weights_total"])
    assert found["macs"] == kept


@pytest.mark.parametrize("cost", ["weights", "bytes", "macs"])
def test_a_share_of_a_cost_is_reached_in_whole_lanes(run_json, dense, tmp_path, cost):
    path = tmp_path / "small.safetensors"
    found = run_json(
        *("prune", dense, "--data", "digits", "--criterion", "l1_norm", "-o", path),
        *("--granularity", "filter", "--scope", "network", "--sparsity", "0.6"),
        *("--cost", cost, "--multiple-of", 8, "--min-keep", 24, "--epochs", 0),
    )
    whole, small = minprune.load(dense), minprune.load(path)
    measure = {
        "weights": structure.weights,
        "bytes": structure.stored_bytes,
        "macs": structure.multiply_adds,
    }[cost]
    gone = 1 - measure(small) / measure(whole)
    # One more step of eight units would be a twentieth of the network or so.
    assert 0.5 < gone <= 0.6
    fc1, fc2, _ = (len(w) for w in small.weights().values())
    assert fc1 % 8 == fc2 % 8 == 0
    assert min(fc1, fc2) >= 24
    assert found["weights"] == structure.weights(small)


def test_masked_keeps_the_shapes_and_computes_the_same(run_json, dense, tmp_path):
    words = ("prune", dense, "--data", "digits", "--criterion", "l2_norm")
    words += ("--granularity", "filter", "--sparsity", "0.5", "--epochs", 0)
    run_json(*words, "-o", tmp_path / "small.safetensors")
    run_json(*words, "-o", tmp_path / "masked.safetensors", "--masked")
    small = minprune.load(tmp_path / "small.safetensors")
    masked = minprune.load(tmp_path / "masked.safetensors")
    before = {n: w.shape for n, w in minprune.load(dense).weights().items()}
    assert {name: w.shape for name, w in masked.weights().items()} == before
    assert structure.shrink(masked).manifest() == small.manifest()
    x = data.load("digits").test.x
    # Float32 sums in another order.
    np.testing.assert_allclose(masked(x), small(x), rtol=0, atol=1e-4)


def test_what_does_not_score_channels_is_refused_in_one_line(run, dense, tmp_path):
    path = tmp_path / "out.safetensors"
    words = ("prune", dense, "--data", "digits", "--sparsity", "0.5", "-o", path)
    status, out, err = run(*words, "--granularity", "channel", "--criterion", "l1_norm")
    assert (status, out) == (2, "")
    assert "'l1_norm' scores by filter" in err
    assert err.count("\n") == 1
    assert not path.exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--masked",), "--masked keeps the shapes where whole channels go"),
        (("--granularity", "filter", "--block", "4x1"), "--block does not go with"),
        (("--multiple-of", "8"), "--multiple-of does not go with --granularity weight"),
        (("--cost", "macs"), "--cost does not go with --granularity weight"),
    ],
)
def test_options_that_say_nothing_are_refused(run, dense, tmp_path, words, message):
    path = tmp_path / "out.safetensors"
    given = ("prune", dense, "--data", "digits", "--sparsity", "0.5", "-o", path)
    status, _, err = run(*given, *words)
    assert status == 2
    assert message in err
