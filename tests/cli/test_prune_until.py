"""Pruning until a floor or a budget, and by a plan, at the terminal."""

import pytest

PLAN = """
[[stage]]
name = "filters"
remove = { criterion = "l1_norm", sparsity = 0.25 }
epochs = 1

[[stage]]
name = "weights"
procedures = [{ kind = "OneShot", criterion = "magnitude", sparsity = 0.5 }]
epochs = 1
"""


def test_a_budget_of_multiply_adds_is_met(run_json, dense, tmp_path):
    words = ("prune", dense, "--data", "digits", "--epochs", 1, "--max-macs", 6000)
    found = run_json(*words, "-o", tmp_path / "small.safetensors")
    assert found["met"]
    assert found["macs"] <= 6000
    assert found["attempts"][-1]["macs"] == found["macs"]


def test_a_drop_is_not_overshot(run_json, dense, tmp_path):
    words = ("prune", dense, "--data", "digits", "--epochs", 1, "--max-drop", 2.0)
    found = run_json(*words, "-o", tmp_path / "small.safetensors")
    lost = found["before"]["val_accuracy"] - found["val_accuracy"]
    assert lost <= 0.02 + 1e-9
    assert found["sparsity"] > 0


def test_a_plan_is_followed_and_every_stage_recorded(run_json, dense, tmp_path):
    plan = tmp_path / "plan.toml"
    plan.write_text(PLAN)
    words = ("prune", dense, "--data", "digits", "--plan", plan)
    found = run_json(*words, "-o", tmp_path / "small.safetensors")
    assert [stage["stage"] for stage in found["stages"]] == ["filters", "weights"]
    assert found["plan"] == str(plan)
    assert "criterion" not in found  # a plan names its own
    first, second = found["stages"]
    assert first["after"]["weights"] < first["before"]["weights"]
    assert second["after"]["kept"] < second["before"]["kept"]


def test_a_person_sees_every_stage_and_every_turn(run, dense, tmp_path):
    plan, out = tmp_path / "plan.toml", tmp_path / "small.safetensors"
    plan.write_text(PLAN)
    words = ("prune", dense, "--data", "digits")
    status, text, _ = run(*words, "--plan", plan, "-o", out)
    assert status == 0
    lines = text.splitlines()
    assert [line.split(":")[0] for line in lines[-2:]] == ["filters", "weights"]
    assert " -> " in lines[-1]
    assert "multiply-adds, validation 0." in lines[-1]
    limits = ("--max-macs", 100, "--max-drop", 0, "--epochs", 1)
    status, text, _ = run(*words, *limits, "-o", out)
    assert status == 1  # no network of a hundred weights is as good as the dense one
    assert "turn 1: sparsity 0." in text
    assert ", taken back" in text
    assert text.splitlines()[-1].startswith("not met: ")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "how far to prune"),
        (("--sparsity", "0.5", "--max-drop", "1"), "--sparsity does not go with"),
        (("--max-macs", "1"), "nearest"),
        (("--max-drop", "1", "--granularity", "filter"), "--granularity filter"),
        (("--plan", "nowhere.toml"), "nowhere.toml"),
    ],
)
def test_contradictions_are_refused_before_training(run, dense, tmp_path, words, says):
    out = tmp_path / "small.safetensors"
    status, _, err = run("prune", dense, "--data", "digits", *words, "-o", out)
    assert status == 2
    assert says in err
    assert not out.exists()


@pytest.mark.parametrize(
    "words",
    [
        ("--epochs", 20),
        ("--batch-size", 64),
        ("--lr", 0.002),
        ("--criterion", "magnitude"),
        ("--scope", "network"),
        ("--granularity", "weight"),
        ("--schedule", "oneshot"),
        ("--masked",),
        ("--sparsity", 0.5),
        ("--max-drop", 1),
    ],
    ids=lambda words: words[0],
)
def test_what_a_plan_says_is_not_said_again(run, dense, tmp_path, words):
    """Not even in the words that would be the default."""
    plan, out = tmp_path / "plan.toml", tmp_path / "small.safetensors"
    plan.write_text(PLAN)
    words = ("prune", dense, "--data", "digits", "--plan", plan, *words)
    status, _, err = run(*words, "-o", out)
    assert status == 2
    assert f"{words[6]} does not go with --plan" in err
    assert not out.exists()


def test_a_seed_goes_before_that_of_a_plan_and_is_not_made_up(run, dense, tmp_path):
    plan = tmp_path / "plan.toml"

    def pruned(text, *words):
        plan.write_text(text + PLAN)
        out = tmp_path / "small.safetensors"
        words = ("prune", dense, "--data", "digits", "--plan", plan, *words, "-o", out)
        assert run(*words)[0] == 0
        return out.read_bytes()

    seven = "[training]\nseed = 7\n"
    assert pruned("", "--seed", 7) == pruned(seven) != pruned("")
    assert pruned(seven, "--seed", 0) == pruned("")
