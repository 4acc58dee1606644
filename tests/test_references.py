"""What docstrings cite is in the bibliography: by arXiv number, or else by title."""

import ast
import re
from pathlib import Path

import pytest

import minprune

PACKAGE = Path(minprune.__file__).parent
BIBLIOGRAPHY = (PACKAGE.parent / "docs/references.bib").read_text(encoding="utf-8")
NUMBER = re.compile(r"arXiv:(\d{4}\.\d{4,5})")


def plain(title):
    """Letters and digits of a title, so that neither case nor line ends count."""
    return "".join(re.findall(r"[a-z0-9]", title.lower()))


NUMBERS = set(NUMBER.findall(BIBLIOGRAPHY))
TITLES = {plain(title) for title in re.findall(r"title\s*= \{(.+)\},", BIBLIOGRAPHY)}


def references(path):
    """The numbered references of all docstrings in a file, each as one line."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            text = ast.get_docstring(node) or ""
            for found in re.findall(r"^\.\. \[\d+\] (.+(?:\n {3}.+)*)", text, re.M):
                yield " ".join(found.split())


CITED = [
    pytest.param(reference, id=f"{path.relative_to(PACKAGE)}: {reference[:30]}")
    for path in sorted(PACKAGE.rglob("*.py"))
    for reference in references(path)
    # A page or a program is cited by its address or its name alone.
    if '"' in reference and "https://" not in reference
]


def test_there_are_references():
    assert len(CITED) > 100


@pytest.mark.parametrize("reference", CITED)
def test_a_cited_work_is_in_the_bibliography(reference):
    number, title = NUMBER.search(reference), re.search(r'"(.+?),?"', reference)
    known = number is not None and number[1] in NUMBERS
    # A long title may be cited by its beginning.
    begins = plain(title[1])
    assert known or any(whole.startswith(begins) for whole in TITLES), reference
