"""The kit inside somebody's pytest run, and their record of known failures."""

import subprocess
import sys

import pytest

from minprune.cli import main
from minprune.conformance import CHECKS, expected, pytest_plugin

QUIET = ("-ra", "-p", "no:cacheprovider", "-p", "no:hypothesispytest")
RECORD = """
[[expected]]
check = "one_removes_everything"
reason = "at least one is kept"
url = "https://example.org/7"
version = "<1"
"""


@pytest.fixture
def suite(tmp_path, monkeypatch, capsys):
    """A run of pytest in a folder of its own, as a third party has it."""
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    (tmp_path / "test_own.py").write_text("def test_own():\n    assert True\n")

    def run(*words):
        monkeypatch.chdir(tmp_path)
        with monkeypatch.context() as patch:
            patch.delitem(sys.modules, "test_own", raising=False)
            status = pytest.main([*QUIET, *words], plugins=[pytest_plugin])
        said = capsys.readouterr()
        return status, said.out + said.err

    return run


def test_a_run_that_does_not_ask_is_left_alone(suite, tmp_path):
    command = [sys.executable, "-m", "pytest", "-p", pytest_plugin.__name__]
    suite("--collect-only")  # writes the folder
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0
    assert "1 passed" in done.stdout


def test_the_plugin_imports_nothing_until_it_is_asked():
    code = "import sys, minprune.conformance.pytest_plugin; "
    code += "print({'numpy', 'scipy', 'numba'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "set()"


def test_every_check_is_a_test_and_k_chooses_among_them(suite, tmp_path):
    name = "tests.conformance.mutants:NeverRemovesAll"
    (tmp_path / "minprune-conformance.toml").write_text(RECORD)
    words = ("--minprune-toolkit", name, "-k", "own or everything or halves")
    status, text = suite(*words)
    assert status == 0, text
    assert "XFAIL" in text
    assert "at least one is kept (https://example.org/7)" in text
    assert f"2 passed, {len(CHECKS) - 2} deselected, 1 xfailed" in text


def test_failures_read_without_a_traceback_and_gone_ones_are_failures(suite, tmp_path):
    name = "tests.conformance.mutants:FloorOfTheProduct"
    (tmp_path / "minprune-conformance.toml").write_text(RECORD)
    words = ("--minprune-toolkit", name, "-k", "everything or halves")
    status, text = suite(*words)
    assert status == 1
    assert "M.1 halves_go_to_even: failed" in text
    assert "counts like 'nni'" in text
    assert "it passes: drop the record" in text
    assert "Traceback" not in text
    assert "runner.py" not in text


def test_what_is_lacking_is_skipped_and_a_worker_is_ended(suite):
    name = "minprune.conformance.adapter:Toolkit"
    words = ("--minprune-toolkit", name, "--minprune-python", sys.executable)
    status, text = suite(*words, "-k", "it_ends_at_final")
    assert status == 0, text
    assert "unsupported: schedules" in text


def test_an_adapter_that_is_not_there_is_a_usage_error(suite):
    status, text = suite("--minprune-toolkit", "nowhere:Adapter")
    assert status == 4
    assert "No module named 'nowhere'" in text


# The record.


def written(folder, text):
    path = folder / "minprune-conformance.toml"
    path.write_text(text)
    return path


def test_a_record_is_for_the_versions_it_names(tmp_path):
    path = written(tmp_path, RECORD)
    assert expected.load(path, "0.9") == {
        "one_removes_everything": "at least one is kept (https://example.org/7)"
    }
    assert expected.load(path, "1.0") == {}


@pytest.mark.parametrize(
    ("wanted", "version", "applies"),
    [
        ("", "anything", True),
        ("<2", "1.10.3", True),
        ("<2", "2.0rc1", False),
        (">=1.10", "1.9", False),
        ("==1.6", "1.6.0", True),
        ("!=1.6", "1.6.0+cpu", False),
        (">=1, <1.5", "1.4.99", True),
        (">1", "1.0", False),
    ],
)
def test_versions_are_compared_number_by_number(wanted, version, applies):
    assert expected.applies("here", wanted, version) is applies


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[expected", "no TOML file"),
        ("[[known]]\ncheck = 'x'", "nothing but"),
        ("[expected]\ncheck = 'x'", "one \\[expected\\]"),
        ("[[expected]]\ncheck = 'count_is_exact'", "has no reason"),
        ("[[expected]]\ncheck = 'count_is_exact'\nreason = ' '", "expected words"),
        ("[[expected]]\ncheck = 'count_is'\nreason = 'r'", "did you mean"),
        ("[[expected]]\nchek = 'count_is_exact'", "did you mean 'check'"),
        (RECORD.replace("<1", "~1"), "cannot be read"),
        (RECORD + RECORD, "recorded twice"),
    ],
)
def test_a_record_that_cannot_be_read_says_why(tmp_path, text, says):
    with pytest.raises(ValueError, match=says):
        expected.load(written(tmp_path, text), "0")


def test_the_command_takes_a_record(tmp_path, capsys):
    path = written(tmp_path, RECORD)
    name = "tests.conformance.mutants:NeverRemovesAll"
    words = ["conformance", name, "--only", "one_removes_everything"]
    assert main(words) == 1
    assert main([*words, "--expected", str(path)]) == 0
    assert "expected" in capsys.readouterr().out
