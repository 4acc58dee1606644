"""The specification is numbered without gaps, and its own examples hold."""

import re
from fractions import Fraction
from itertools import groupby
from pathlib import Path

from minprune.masks import removed

TEXT = (Path(__file__).parents[2] / "docs" / "specification.md").read_text()
CLAUSES = re.findall(r"^\*\*([A-Z]+)\.(\d+) ", TEXT, flags=re.MULTILINE)


def test_the_clauses_of_every_chapter_count_from_one():
    chapters = [letter for letter, _ in groupby(letter for letter, _ in CLAUSES)]
    assert {"M", "P", "A", "S"} <= set(chapters)
    assert len(chapters) == len(set(chapters))
    for chapter in chapters:
        numbers = [int(number) for letter, number in CLAUSES if letter == chapter]
        assert numbers == list(range(1, len(numbers) + 1))


def test_every_chapter_has_its_heading():
    for chapter in {letter for letter, _ in CLAUSES}:
        assert re.search(rf"^## {chapter}\. ", TEXT, flags=re.MULTILINE)


def test_the_first_clause_is_kept():
    assert "the float `0.29` means 29/100" in TEXT
    assert removed(100, 0.29) == Fraction(29, 100) * 100
