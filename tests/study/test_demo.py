"""The main job end to end, shortened, and the page that tells it."""

import json
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import minprune
from minprune import data
from minprune.cli import main
from minprune.export import player
from minprune.study import demo, plots, report

SHORT = replace(
    demo.RECIPES["digits"],
    dense_epochs=5,
    pruning_epochs=5,
    recovery_epochs=2,
    curve_sparsities=("0.5", "0.9"),
)


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """(story, folder) of a shortened demonstration."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(demo.RECIPES, "digits", SHORT)
        folder = tmp_path_factory.mktemp("demo")
        story = demo.demo("digits", folder)
    report.write(story, folder / "report.html")
    return story, folder


def test_the_figures_are_those_of_the_files(told):
    story, _ = told
    for which in ("dense", "pruned"):
        figures = story.figures[which]
        net = minprune.load(story.figures["files"][which])
        test = data.load("digits").test
        assert figures["test_accuracy"] == (net.predict(test.x) == test.y).mean()
        stored = sum(array.nbytes for array in net.state().values())
        assert figures["stored_bytes"] == stored
        kept = sum(int(mask.sum()) for mask in net.masks().values())
        assert figures["weights"] == kept
    assert story.figures["sparsity"] == pytest.approx(0.93, abs=1e-4)  # one weight
    losses = [story.figures[which]["val_loss"] for which in ("dense", "pruned")]
    assert story.figures["recovery"] == losses[0] / losses[1]


def test_the_pruned_network_is_stored_in_a_fifth_of_the_bytes(told):
    figures = told[0].figures
    assert figures["pruned"]["stored_bytes"] <= figures["dense"]["stored_bytes"] / 5


def test_the_copied_player_agrees_and_a_wrong_one_would_not(told, tmp_path):
    story, folder = told
    assert story.figures["player_agrees"]
    assert (folder / "player.py").read_bytes() == Path(player.__file__).read_bytes()
    other = story.pruned.copy()
    for weight in other.parameters().values():
        weight *= np.float32(1.05)
    file = tmp_path / "other.safetensors"
    minprune.save(other, file)
    found = demo.check_player(story.pruned, story.data, file, tmp_path / "player.py")
    assert not found.agree


def test_recovery_trained_only_what_is_stored(told):
    story, _ = told
    kinds = {layer.kind for layer in story.pruned.layers().values()}
    assert {"SparseLinear", "SparseConv2d"} <= kinds
    sparsity = [epoch.sparsity for stage, epoch in story.history if stage != "training"]
    assert sparsity[-1] == sparsity[-3] == max(sparsity)


class Outside(HTMLParser):
    """Collects whatever would make a browser fetch something."""

    def __init__(self):
        super().__init__()
        self.fetches, self.tags = [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        for name, value in attributes:
            local = value is None or value.startswith(("#", "data:"))
            if name in ("src", "href", "xlink:href", "srcset") and not local:
                self.fetches.append((tag, name, value))


def test_the_page_asks_the_network_for_nothing(told):
    text = (told[1] / "report.html").read_text()
    page = Outside()
    page.feed(text)
    assert page.fetches == []
    assert not {"script", "link", "iframe"} & set(page.tags)
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)
    assert 'name="viewport"' in text


def test_the_page_shows_every_number_of_the_table(told):
    story, folder = told
    text = (folder / "report.html").read_text()
    for row in report.comparison(story.figures):
        for entry in row:
            assert entry in text
    for layer in ("conv1", "conv2", "fc1", "fc2"):
        assert f"<td>{layer}</td>" in text


def test_without_matplotlib_the_page_says_what_is_missing(told, monkeypatch):
    story, _ = told
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    text = report.page(story)
    assert "minprune[report]" in text
    assert "<svg" not in text
    assert "Before and after" in text


def test_with_matplotlib_the_page_has_its_four_pictures(told):
    if why := plots.missing():
        pytest.skip(why)
    assert report.page(told[0]).count("<svg") == 4


def test_names_from_outside_are_escaped(told):
    story, _ = told
    evil = '<script src="//x">'
    figures = {**story.figures, "files": {evil: evil}, "criterion": evil}
    text = report.page(replace(story, figures=figures))
    assert evil not in text
    assert "&lt;script" in text


def test_the_command_prints_one_object_with_what_it_promises(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setitem(
        demo.RECIPES,
        "digits",
        replace(SHORT, dense_epochs=1, pruning_epochs=1, recovery_epochs=0),
    )
    assert main(["demo", "--json", "--folder", str(tmp_path / "out")]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found.keys() >= {
        *("dataset", "dense", "pruned", "sparsity", "recovery"),
        *("player_agrees", "files", "seconds"),
    }
    for which in ("dense", "pruned"):
        assert found[which].keys() >= {
            *("test_accuracy", "test_loss", "weights", "weights_total"),
            *("stored_bytes", "macs", "latency_ms"),
        }
    assert all(Path(path).is_file() for path in found["files"].values())


@pytest.mark.parametrize("name", ["watch", "jvowels", "mnist1d"])
def test_the_other_data_sets_have_a_recipe_that_runs(name, tmp_path, monkeypatch):
    tiny = replace(
        demo.RECIPES[name],
        dense_epochs=1,
        pruning_epochs=1,
        recovery_epochs=0,
        curve=("magnitude",),
        curve_sparsities=("0.5",),
    )
    monkeypatch.setitem(demo.RECIPES, name, tiny)
    story = demo.demo(name, tmp_path)
    assert story.figures["player_agrees"]
    assert story.figures["dataset"] == name
