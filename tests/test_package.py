"""What is shipped: the wheel, its data and licenses, and what documents say of it."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import minprune

ROOT = Path(minprune.__file__).parent.parent
DATA = ("digits.npz", "watch.npz", "jvowels.npz")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel built from a copy of the sources, so that nothing is left among them."""
    if not (ROOT / "pyproject.toml").is_file():
        pytest.skip("minprune was not imported from its source tree")
    source = tmp_path_factory.mktemp("source")
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "minprune", source / "minprune", ignore=ignore)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    target = tmp_path_factory.mktemp("wheel")
    command = "pip wheel --quiet --no-deps --no-build-isolation --wheel-dir"
    subprocess.run(
        [sys.executable, "-m", *command.split(), target, source],
        check=True,
        capture_output=True,
    )
    (built,) = target.glob("*.whl")
    return built


def test_the_wheel_holds_data_licenses_and_the_typing_marker(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    for name in (*DATA, "SEGLEARN_LICENSE.txt"):
        assert f"minprune/data/shipped/{name}" in names
    assert "minprune/py.typed" in names
    assert any(name.endswith("LICENSE") for name in names)
    assert not any(name.startswith(("tests/", "benchmarks/")) for name in names)


def test_the_installed_wheel_loads_its_data_and_answers(wheel, tmp_path):
    site = tmp_path / "site"
    command = "pip install --quiet --no-deps --no-compile --target"
    subprocess.run(
        [sys.executable, "-m", *command.split(), site, wheel],
        check=True,
        capture_output=True,
    )
    code = """
import minprune, minprune.cli
from minprune import data
print(minprune.__file__)
print([len(data.load(n).test) for n in ("digits", "watch", "jvowels")])
minprune.cli.main(["criteria"])
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(site), "PATH": ""},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    where, sizes, *listing = done.stdout.splitlines()
    assert Path(where).is_relative_to(site)
    assert sizes == "[360, 247, 370]"
    assert any(line.startswith("magnitude ") for line in listing)


def test_three_packages_are_all_it_needs():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {re.match(r"\w+", need)[0] for need in project["dependencies"]}
    assert names == {"numpy", "scipy", "numba"}


def test_the_readme_opens_with_two_commands():
    lines = (ROOT / "README.md").read_text().splitlines()
    commands = [line for line in lines if line.startswith("python -m pip install")]
    assert commands == [
        "python -m pip install -e . && minprune demo",
        'python -m pip install -e ".[test]" && python -m pytest',
    ]
    assert lines.index(commands[1]) < 20


def test_citation_and_changelog_name_the_version():
    for name in ("CITATION.cff", "CHANGELOG.md"):
        assert minprune.__version__ in (ROOT / name).read_text(), name
