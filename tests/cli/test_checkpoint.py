"""A command that was killed, given again, ends in the bytes it would have had."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

PLAN = """
[training]
batch_size = 256

[[stage]]
procedures = [
    { kind = "OneShot", criterion = "random", sparsity = 0.5, allocation = "erk" },
    { kind = "SET", frequency = 2 },
]
epochs = 1

[[stage]]
procedures = [{ kind = "Gradual", sparsity = 0.75 }]
epochs = 1
"""


def test_training_killed_and_given_again_ends_in_the_same_bytes(run, tmp_path):
    words = ["train", "digits", "mlp", "--epochs", "60", "-o"]
    straight, killed = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    assert run(*words, straight)[0] == 0
    checkpoint = tmp_path / "run.safetensors"
    again = [*words, str(killed), "--checkpoint", str(checkpoint)]
    process = subprocess.Popen([sys.executable, "-m", "minprune", *again])
    deadline = time.monotonic() + 60
    while not checkpoint.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert checkpoint.exists()
    assert not killed.exists()
    assert run(*again)[0] == 0
    assert killed.read_bytes() == straight.read_bytes()


@pytest.mark.parametrize(
    ("how", "parts"),
    [
        ("--sparsity 0.5 --epochs 1", [""]),
        ("--sparsity 0.5 --epochs 1 --schedule cubic", [""]),
        ("--sparsity 0.5 --epochs 1 --granularity filter", [""]),
        ("--max-macs 9000 --epochs 1", [".turn1", ".turn2", ".turn3"]),
        ("--plan plan.toml", [".stage1", ".stage2"]),
    ],
)
def test_every_way_of_pruning_saves_itself_and_goes_on(
    run, dense, tmp_path, monkeypatch, how, parts
):
    monkeypatch.chdir(tmp_path)
    Path("plan.toml").write_text(PLAN)
    words = ["prune", dense, "--data", "digits", *how.split(), "-o"]
    assert run(*words, "a")[0] == 0
    for _ in range(2):  # the second time all is finished
        assert run(*words, "b", "--checkpoint", "run.ckpt")[0] == 0
        assert Path("a").read_bytes() == Path("b").read_bytes()
    names = sorted(path.name for path in tmp_path.glob("run*"))
    assert names == [f"run{part}.ckpt" for part in parts]


def test_the_checkpoint_of_another_command_is_refused(run, dense, tmp_path):
    words = ["prune", dense, "--data", "digits", "--epochs", 1, "--schedule", "cubic"]
    saved = ["-o", tmp_path / "out", "--checkpoint", tmp_path / "run.ckpt"]
    assert run(*words, "--sparsity", "0.5", *saved)[0] == 0
    before = Path(tmp_path / "out").read_bytes()
    status, _, err = run(*words, "--sparsity", "0.6", *saved)
    assert status == 2
    assert "sparsity=0.5" in err
    assert "sparsity=0.6" in err
    assert (tmp_path / "out").read_bytes() == before


def test_a_changed_plan_is_another_command(run, dense, tmp_path):
    plan = tmp_path / "plan.toml"
    words = ["prune", dense, "--data", "digits", "--plan", plan, "-o", tmp_path / "out"]
    words += ["--checkpoint", tmp_path / "run.ckpt"]
    plan.write_text(PLAN)
    assert run(*words)[0] == 0
    plan.write_text(PLAN.replace("0.75", "0.8"))
    status, _, err = run(*words)
    assert (status, "another file" in err) == (2, True)


@pytest.mark.parametrize(
    ("path", "says"), [("out", "are both"), ("missing/run.ckpt", "no folder")]
)
def test_a_checkpoint_has_a_place_of_its_own(run, tmp_path, path, says):
    words = ["train", "digits", "mlp", "-o", tmp_path / "out", "--epochs", 1]
    status, _, err = run(*words, "--checkpoint", tmp_path / path)
    assert (status, says in err) == (2, True)
    assert not list(tmp_path.iterdir())
