"""`load` sends each kind of source to its reader and answers a slip with a hint."""

import subprocess
import sys

import numpy as np
import pytest

from minprune import data


@pytest.mark.parametrize(
    ("slip", "meant"),
    [
        ("digit", "digits"),
        ("jvowel", "jvowels"),
        ("mnists", "mnist"),
        ("cifar", "cifar10"),
    ],
)
def test_an_unknown_name_gets_the_nearest_known_one(slip, meant):
    with pytest.raises(
        ValueError, match=rf"no data set '{slip}'; did you mean"
    ) as error:
        data.load(slip)
    assert "known: cifar10, cifar100, digits" in str(error.value)
    assert f"did you mean '{meant}'?" in str(error.value)


@pytest.mark.parametrize("name", ["a.npz", "a.csv", "b/c.NPZ"])
def test_a_missing_file_is_not_taken_for_a_name(tmp_path, name):
    with pytest.raises(FileNotFoundError, match=r"no such file"):
        data.load(tmp_path / name)
    with pytest.raises(FileNotFoundError, match=rf"{name}: no such file"):
        data.load(name)


@pytest.mark.parametrize("name", ["notes.txt", "folder/thing"])
def test_another_kind_of_file_is_refused_with_the_kinds_there_are(
    tmp_path, name, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=rf"load: {name} does not end in .csv or .npz"):
        data.load(name)


def test_a_name_goes_before_a_folder_of_that_name(tmp_path, monkeypatch):
    (tmp_path / "digits").mkdir()
    monkeypatch.chdir(tmp_path)
    assert data.load("digits").input_shape == (1, 8, 8)
    assert data.load("Digits").name == "digits"


def test_the_seed_draws_the_split_of_a_file(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, x=np.arange(100.0)[:, None], y=np.arange(100) % 2)
    first, again, other = (
        data.load(path, seed=seed).test.x.tolist() for seed in (1, 1, 2)
    )
    assert first == again != other


def test_importing_the_room_brings_no_scipy_and_no_network():
    code = (
        "import sys, minprune.data;"
        "print({m.partition('.')[0] for m in sys.modules}"
        " & {'scipy', 'numba', 'http', 'ssl', 'urllib3'})"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "set()"
