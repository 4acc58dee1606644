"""Cards as pages: nothing a reader is promised is missing, the manual is current."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from minprune.criteria import CATALOG, _page

ROOT = Path(__file__).parents[2]
CARDS = [pytest.param(card, id=card.name) for card in CATALOG.values()]


def test_the_manual_is_current():
    """Otherwise: python -m minprune.criteria._page > docs/catalog.md."""
    assert (ROOT / "docs/catalog.md").read_text() == _page.as_markdown()


def test_the_module_prints_the_manual():
    command = [sys.executable, "-m", "minprune.criteria._page"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True)
    assert printed.stdout == _page.as_markdown()


def test_the_manual_has_every_criterion_once():
    page = _page.as_markdown()
    for name, card in CATALOG.items():
        assert page.count(f"\n| `{name}`") == 1
        assert f"\n## {card.family}\n" in page


@pytest.mark.parametrize("card", CARDS)
def test_a_card_reads_in_full_at_the_terminal(card):
    text = _page.as_text(card)
    flat = " ".join(text.split())
    assert card.name in text
    for told in (card.summary, card.formula, card.direction, *card.needs):
        assert " ".join(told.split()) in flat
    for claim in card.holds:
        assert claim.value in flat
    assert "\ndepartures\n" in text
    assert "\nreferences\n" in text
    assert ":math:" not in text
    assert ".. " not in text.replace("...", "")
    assert max(map(len, text.splitlines())) <= 88


@pytest.mark.parametrize("card", CARDS)
def test_a_card_survives_json(card):
    value = _page.as_json(card)
    assert json.loads(json.dumps(value)) == value
    for key in ("family", "granularity", "unit", "direction", "formula"):
        assert value[key] == getattr(card, key)
    assert value["name"] == card.name
    assert (value["needs"], value["cites"]) == (list(card.needs), list(card.cites))
    assert set(value["holds"].values()) == {claim.value for claim in card.holds}


def test_departures_are_told_apart_from_the_other_notes():
    (told,) = _page.departures(CATALOG["snip"])
    assert told.startswith("*Departs from the paper*: [1]_ divides by the sum over the")
    text = _page.as_text(CATALOG["snip"])
    notes, _, departures = text.partition("\nnotes\n")[2].partition("\ndepartures\n")
    assert "divides by the sum" not in notes
    assert "divides by the sum" in departures


def test_options_come_with_their_defaults():
    assert _page.as_json(CATALOG["snip_momentum"])["options"] == [
        "previous=None",
        "decay=0.9",
    ]
    assert _page.as_json(CATALOG["random"])["options"] == ["rng"]
