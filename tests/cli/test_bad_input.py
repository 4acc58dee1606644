"""Bad input: one clear line, exit status 2, and existing files stay as they were."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import minprune
from minprune.files import atomic
from tests.cli.conftest import main


def refuse(run, *words, says):
    """The command must fail with status 2 and one line that holds every phrase."""
    status, out, err = run(*words)
    assert status == 2, (out, err)
    assert out == ""
    assert len(err.strip().splitlines()) == 1, err
    for phrase in says:
        assert phrase in err, err


def prune(dense, output, *more):
    return ("prune", dense, "--data", "digits", "-o", output, "--epochs", 0, *more)


@pytest.fixture
def output(tmp_path):
    """A file that must survive whatever goes wrong."""
    path = tmp_path / "out.safetensors"
    path.write_bytes(b"precious")
    yield path
    assert path.read_bytes() == b"precious"
    assert list(tmp_path.glob(f"{path.name}?*")) == []


@pytest.mark.parametrize("sparsity", ["1.5", "-0.1", "nan", "much"])
def test_sparsity_must_be_a_share(run, dense, output, sparsity):
    words = prune(dense, output, f"--sparsity={sparsity}")
    refuse(run, *words, says=["sparsity", sparsity])


def test_an_unknown_criterion_brings_the_nearest_name(run, dense, output):
    words = prune(dense, output, "--sparsity", "0.5", "--criterion", "magnitud")
    refuse(run, *words, says=["'magnitud'", "did you mean 'magnitude'"])


def test_an_unknown_model_and_an_unknown_data_set_bring_the_nearest(run, output):
    words = ("train", "digits", "lenet300", "-o", output)
    refuse(run, *words, says=["lenet300", "lenet_300_100"])
    refuse(run, "train", "digit", "mlp", "-o", output, says=["'digit'", "'digits'"])


def test_a_network_and_data_that_do_not_fit_are_told_apart(run, dense):
    words = ("eval", dense, "--data", "watch")
    refuse(run, *words, says=["(1, 8, 8)", "(6, 40)"])


def test_a_missing_model_is_named(run, tmp_path):
    path = tmp_path / "nowhere.safetensors"
    refuse(run, "eval", path, "--data", "digits", says=[str(path)])


def damaged(kind, dense, path):
    """Write a damaged copy of a model; returns a word its error must hold."""
    good = Path(dense).read_bytes()
    size = int.from_bytes(good[:8], "little")
    header = json.loads(good[8 : 8 + size])
    if kind == "truncated":
        path.write_bytes(good[: len(good) // 2])
        return str(path)
    if kind == "10 GB header":
        path.write_bytes((10**10).to_bytes(8, "little") + good[8:])
        return "header"
    if kind == "not finite":
        path.write_bytes(good[:-4] + np.float32(np.nan).tobytes())
        return "finite"
    if kind == "newer format":
        manifest = json.loads(header["__metadata__"]["minprune"])
        header["__metadata__"]["minprune"] = json.dumps(manifest | {"format": 999})
    elif kind == "no manifest":
        header["__metadata__"] = {}
    elif kind == "manifest garbled":
        header["__metadata__"]["minprune"] = "[[["
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + good[8 + size :])
    return {"newer format": "999"}.get(kind, str(path))


@pytest.mark.parametrize(
    "kind",
    [
        *("truncated", "10 GB header", "not finite"),
        *("newer format", "no manifest", "manifest garbled"),
    ],
)
def test_a_damaged_model_is_refused(run, dense, tmp_path, kind):
    path = tmp_path / "damaged.safetensors"
    word = damaged(kind, dense, path)
    refuse(run, "inspect", path, says=[str(path), word])


def test_index_arrays_out_of_range_are_refused(run, dense, tmp_path):
    path = tmp_path / "sparse.safetensors"
    assert run(*prune(dense, path, "--sparsity", "0.98"))[0] == 0
    good = path.read_bytes()
    size = int.from_bytes(good[:8], "little")
    header = json.loads(good[8 : 8 + size])
    begin, end = header["fc1.weight.indices"]["data_offsets"]
    first = 8 + size + begin
    path.write_bytes(
        good[:first] + b"\xff" * (end - begin) + good[first + end - begin :]
    )
    refuse(run, "inspect", path, says=[str(path), "fc1", "weight.indices: entry 0"])


@pytest.mark.parametrize(
    ("arrays", "word"),
    [
        ({"x": np.array([{}, {}])}, "object"),
        ({"x": np.ones((4, 2))}, "y"),
        ({"x": np.full((4, 2), np.nan), "y": np.arange(4) % 2}, "finite"),
        ({"x": np.ones((4, 2)), "y": np.arange(3)}, "3"),
        ({"x": np.ones((4, 2)), "y": np.array([0, 1, 0, -1])}, "-1"),
    ],
)
def test_bad_arrays_are_refused(run, tmp_path, output, arrays, word):
    path = tmp_path / "bad.npz"
    np.savez(path, **arrays)
    refuse(run, "train", path, "mlp", "-o", output, says=[str(path), word])


def test_a_truncated_archive_is_refused(run, tmp_path, output):
    path = tmp_path / "cut.npz"
    np.savez(path, x=np.ones((40, 2)), y=np.arange(40) % 2)
    path.write_bytes(path.read_bytes()[:200])
    refuse(run, "train", path, "mlp", "-o", output, says=[str(path)])


@pytest.mark.parametrize(
    ("text", "word"),
    [("1,2\n", "64"), ("a,b\n" * 3, "line 2"), ("1,2\n1\n", "line 2"), ("", "samples")],
)
def test_bad_samples_are_refused(run, dense, tmp_path, text, word):
    path = tmp_path / "samples.csv"
    path.write_text(text)
    refuse(run, "predict", dense, path, says=[str(path), word])


def test_an_output_that_cannot_be_written_is_refused_before_any_work(run, tmp_path):
    nowhere = tmp_path / "missing" / "a.safetensors"
    words = ("train", "digits", "mlp", "--epochs", 10**6, "-o")
    refuse(run, *words, nowhere, says=[str(nowhere.parent)])
    refuse(run, *words, tmp_path, says=["folder"])
    refuse(run, *words, os.devnull, says=["name a file"])


def test_a_full_disk_leaves_the_old_file(dense, output):
    """A limit on the size of files stands for a disk that is full half-way."""
    code = f"""
import resource, signal, sys
from minprune.cli import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
sys.exit(main({[str(w) for w in prune(dense, output, "--sparsity", "0.5")]!r}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2
    assert str(output) in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_ctrl_c_in_the_middle_of_writing_leaves_the_old_file(
    run, dense, output, monkeypatch
):
    real = atomic.atomic_write

    def interrupted(path, write_to_file):
        def half(file):
            write_to_file(file)
            raise KeyboardInterrupt

        real(path, half)

    monkeypatch.setattr("minprune.files.container.atomic_write", interrupted)
    status, _, err = run(*prune(dense, output, "--sparsity", "0.5"))
    assert status == 130
    assert "interrupted" in err


def test_a_loaded_network_is_what_was_saved_after_all(dense):
    """The guard of this file: the good model is good."""
    assert minprune.load(dense)(np.zeros((1, 64))).shape == (1, 10)
    assert main(["inspect", dense]) == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("prune NET --data digits -o OUT --sparsity 0.5 --seed -1", "no whole number"),
        ("prune NET --data digits -o OUT --sparsity 0.5 --epochs few", "invalid int"),
        ("prune NET --data digits -o OUT --sparsity 0.5 --cost time", "invalid choice"),
        ("prune NET -o OUT --sparsity 0.5", "required: --data"),
        ("prune NET --data digits -o OUT --sparsity 0.5 --lr 1e300", "is not finite"),
        (
            "prune NET --data digits -o OUT --sparsity 0.5 --keep 2",
            "needs granularity='nm'",
        ),
        (
            "prune NET --data digits -o OUT --granularity nm --keep 2 --group "
            "99999999999",
            "allocate",
        ),
        ("prune NET --data digits -o OUT --max-bytes 10", "10 bytes) cannot be met"),
        ("prune NET --data digits -o OUT --max-macs 1", "1 multiply-adds) cannot be"),
        ("prune NET --data digits -o OUT --max-drop nan", "max_drop is nan"),
        ("conformance minprune --clause M.1 --seed -1", "no whole number"),
        ("study procedures --seed -5 --table critical", "no whole number"),
        ("demo --folder NET", "dense.safetensors: File exists"),
        ("fly", "invalid choice: 'fly'"),
        ("", "required: COMMAND"),
    ],
)
def test_one_line_whatever_is_wrong(run, dense, output, words, says):
    places = {"NET": dense, "OUT": str(output)}
    words = [places.get(word, word) for word in words.split()]
    refuse(run, *words, says=[says])


PLANS = {
    "nothing": ("", "there are no stages"),
    "an empty stage": ("[[stage]]", "stage 'stage 1': does nothing"),
    "an option no criterion has": (
        "[[stage]]\nprocedures = [{ kind = 'OneShot', sparsity = 0.5, "
        "options = { bite = 1 } }]",
        "Cut, magnitude: there is no option 'bite'",
    ),
    "an option of another type": (
        "[[stage]]\nprocedures = [{ kind = 'OneShot', criterion = 'obd', "
        "sparsity = 0.5, options = { damping = 'much' } }]",
        "plan, stage 1",
    ),
    "an end before the beginning": (
        "[[stage]]\nepochs = 1\nprocedures = "
        "[{ kind = 'Gradual', sparsity = 0.5, begin = 9, end = 3 }]",
        "the nearest end is 9",
    ),
    "less than one weight a layer": (
        "[[stage]]\nepochs = 1\nprocedures = [{ kind = 'Gradual', sparsity = 0.9999 }]",
        "the nearest that can be met is",
    ),
    "all units": (
        "[[stage]]\nremove = { criterion = 'l1_norm', sparsity = 1 }",
        "the nearest that can be met is",
    ),
    "evolving and dense": (
        "[[stage]]\nepochs = 1\nprocedures = [{ kind = 'RigL' }]",
        "holds no weight sparsely",
    ),
    "a rate that is no number": (
        "[training]\nlr = nan\n[[stage]]\nepochs = 1",
        "[training]: Adam: lr is nan",
    ),
}


@pytest.mark.parametrize("plan", PLANS)
def test_a_plan_that_cannot_be_followed_is_refused(run, dense, output, tmp_path, plan):
    text, says = PLANS[plan]
    path = tmp_path / "plan.toml"
    path.write_text(text)
    words = ("prune", dense, "--data", "digits", "-o", output, "--plan", path)
    refuse(run, *words, says=[says])


def test_a_plan_that_cannot_be_read_is_named(run, dense, output, tmp_path):
    words = ("prune", dense, "--data", "digits", "-o", output, "--plan")
    refuse(run, *words, tmp_path / "nowhere.toml", says=["nowhere.toml cannot be read"])
    refuse(run, *words, tmp_path, says=[f"{tmp_path} cannot be read"])
    refuse(run, *words, dense, says=["this is no TOML"])
