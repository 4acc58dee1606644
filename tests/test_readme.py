"""What the README shows really runs, in the order in which it is shown."""

import re
from pathlib import Path

import pytest

import minprune
from minprune.cli import main

README = Path(minprune.__file__).parent.parent / "README.md"
if not README.is_file():
    pytest.skip("the README is in the source tree only", allow_module_level=True)
TEXT = README.read_text()


def blocks(language):
    """The code blocks of one language, in order."""
    fenced = TEXT.split("```")[1::2]  # what stands between two fences
    return [
        code.partition("\n")[2]
        for code in fenced
        if code.partition("\n")[0].strip() == language
    ]


def test_the_python_runs_with_fewer_epochs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shortened = [re.sub(r"epochs=\d+", "epochs=1", code) for code in blocks("python")]
    assert len(shortened) == 3
    assert len(shortened[0].splitlines()) <= 14
    names = {}
    for code in shortened:
        exec(compile(code, str(README), "exec"), names)
    assert (tmp_path / "pruned.safetensors").is_file()
    assert names["logits"].shape == (360, 10)
    assert int((~names["kept"]["w"]).sum()) == 18
    assert "csr" in capsys.readouterr().out


def test_the_commands_run_with_fewer_epochs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (commands,) = [b for b in blocks("") if b.startswith("minprune train")]
    for line in commands.splitlines():
        words = line.partition("#")[0].split()
        assert words[0] == "minprune"
        short = ["--epochs", "1"] if words[1] in ("train", "prune") else []
        assert main([*words[1:], *short]) == 0, line
    assert "magnitude" in capsys.readouterr().out


def test_every_document_it_names_is_there():
    named = re.findall(r"`(docs/[\w.]+)`|\((docs/[\w.]+)\)", TEXT)
    assert len(named) >= 5
    for pair in named:
        path = README.parent / next(filter(None, pair))
        assert path.is_file(), path
