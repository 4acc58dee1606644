"""A trained network on disk, and a way to run a command as a user would."""

import json

import pytest

from minprune.cli import main


@pytest.fixture(scope="session")
def dense(tmp_path_factory):
    """A small network, trained briefly by the command itself."""
    path = str(tmp_path_factory.mktemp("dense") / "dense.safetensors")
    assert main(["train", "digits", "mlp", "-o", path, "--epochs", "4"]) == 0
    return path


@pytest.fixture
def run(capsys):
    """Run a command; returns (status, stdout, stderr)."""

    def call(*words):
        capsys.readouterr()
        try:
            status = main([str(word) for word in words])
        except SystemExit as stop:  # argparse leaves by itself
            status = stop.code
        out, err = capsys.readouterr()
        return status, out, err

    return call


@pytest.fixture
def run_json(run):
    """Run a command with --json that must succeed; returns the object."""

    def call(*words):
        status, out, err = run(*words, "--json")
        assert (status, err) == (0, "")
        return json.loads(out)

    return call
