"""The cards as pages: for the terminal, for other programs, and for the manual.

A card's text lives in the docstring of its function; here it is only taken apart. No
family: nothing is filed.
"""

import inspect
import re
import textwrap
from typing import Any

from minprune.criteria._catalog import CATALOG, Card, Holds

RULE = re.compile(r"^(\S.*)\n-{3,}$", flags=re.MULTILINE)
WIDTH = 84
"""Characters to a line, as in the docstrings, whose line breaks are kept."""
INTRODUCTION = """\
# The catalog

Generated from the cards by `python -m minprune.criteria._page > docs/catalog.md`; a
test keeps it current. {criteria} criteria in {families} families.

Scores are float64 and the higher is kept. The column *removes* says which end the
source removes: where it is the highest, the score is negated here. A solver also
returns the moved weights. Evidence is explained in the glossary, citations are keys of
`references.bib`, and `minprune criteria NAME` prints a card in full."""


def sections(card: Card) -> dict[str, str]:
    """The numpydoc sections of a card's docstring; the text before them under ''."""
    parts = RULE.split(inspect.getdoc(card.function) or "")
    titles, bodies = ["", *parts[1::2]], parts[0::2]
    return {title: body.strip("\n") for title, body in zip(titles, bodies, strict=True)}


def departures(card: Card) -> list[str]:
    """The paragraphs of the notes on where the function departs from its sources."""
    return [" ".join(text.split()) for text in _notes(card) if _departs(text)]


def as_json(card: Card) -> dict[str, Any]:
    """A card as plain values that `json` can write."""
    return {
        "name": card.name,
        "family": card.family,
        "kind": card.kind,
        "summary": card.summary,
        "needs": list(card.needs),
        "options": _options(card),
        "granularity": card.granularity,
        "unit": card.unit,
        "formula": card.formula,
        "direction": card.direction,
        "batch": card.batch,
        "normalization": card.normalization,
        "bias": card.bias,
        "batch_norm": card.batch_norm,
        "accumulation": card.accumulation,
        "holds": {claim.name.lower(): claim.value for claim in _promises(card)},
        "departures": departures(card),
        "cites": list(card.cites),
    }


def as_text(card: Card) -> str:
    """A card for the terminal: formula, facts, promises, notes, departures, sources."""
    unit = "without a unit" if card.unit == "1" else f"in {card.unit}"
    facts = {
        "evidence": ", ".join(card.needs),
        "options": ", ".join(_options(card)) or "none",
        "returns": f"{card.kind} for every {card.granularity}, {unit}",
        "in the paper": card.direction,
        "batch": card.batch,
        "normalized by": card.normalization,
        "bias": card.bias,
        "batch norm": card.batch_norm,
        "sums run in": card.accumulation,
    }
    text = sections(card)
    notes = [paragraph for paragraph in _notes(card) if not _departs(paragraph)]
    told = {
        "formula": card.formula,
        "": _columns(facts),
        "promises": "\n".join(claim.value for claim in _promises(card)) or "none",
        "notes": "\n\n".join(notes),
        "departures": "\n".join(departures(card)) or "none stated",
        "references": text.get("References", ""),
        "examples": text.get("Examples", ""),
    }
    lines = [f"{card.name}, of the family {card.family}", card.summary]
    for title, body in told.items():
        if body:
            body = "\n".join(map(_wrapped, _plain(body).split("\n")))
            lines += ["", title] if title else [""]
            lines += [textwrap.indent(body, "    ")]
    return "\n".join(lines)


def _columns(facts: dict[str, str]) -> str:
    """Names and facts, the facts below each other."""
    width = max(map(len, facts))
    return "\n".join(f"{name:<{width}}  {fact}" for name, fact in facts.items())


def _wrapped(line: str) -> str:
    """A line that is too long on as many as it takes; any other as it is."""
    if len(line) <= WIDTH:
        return line
    return textwrap.fill(line, WIDTH, break_on_hyphens=False)


def _notes(card: Card) -> list[str]:
    """The paragraphs of the notes."""
    return re.split(r"\n\s*\n", sections(card).get("Notes", ""))


def _departs(paragraph: str) -> bool:
    """Whether a paragraph of the notes tells of a departure or of another name."""
    return paragraph.startswith(("*Departs", "*Also known"))


def _plain(text: str) -> str:
    """A docstring section without the marks that only Sphinx reads."""
    text = re.sub(r"^\.\. math::\s*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"^\.\. math::[ ]?", "    ", text, flags=re.MULTILINE)
    text = re.sub(r"^\.\. (?=\[\d+\])", "", text, flags=re.MULTILINE)
    text = re.sub(r"(\[\d+\])_", r"\1", text)
    return re.sub(r":math:`([^`]*)`", r"\1", text)


def as_markdown() -> str:
    """The whole catalog, the text of ``docs/catalog.md``."""
    families: dict[str, list[Card]] = {}
    for card in sorted(CATALOG.values(), key=lambda card: (card.family, card.name)):
        families.setdefault(card.family, []).append(card)
    lines = [INTRODUCTION.format(criteria=len(CATALOG), families=len(families))]
    for family, cards in families.items():
        lines += [
            "",
            f"## {family}",
            "",
            *_first_sentence(cards[0]),
            "",
            "| criterion | what it is | formula | evidence | of every | removes | by |",
            "|---|---|---|---|---|---|---|",
        ]
        lines += [_row(card) for card in cards]
    return "\n".join(lines) + "\n"


def _row(card: Card) -> str:
    """One line of a family's table."""
    solver = " (solver)" if card.kind == "solver" else ""
    cells = [
        f"`{card.name}`{solver}",
        card.summary.rstrip("."),
        f"`{card.formula}`",
        ", ".join(f"`{name}`" for name in card.needs),
        card.granularity,
        card.direction.removeprefix("prune "),
    ]
    cells.append(", ".join(card.cites))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _first_sentence(card: Card) -> list[str]:
    """The first line of the family's module docstring."""
    module = inspect.getmodule(card.function)
    return [(inspect.getdoc(module) or "").partition("\n")[0]] if module else []


def _options(card: Card) -> list[str]:
    """The keyword-only parameters as they are written, with their defaults."""
    return [
        parameter.name
        if parameter.default is parameter.empty
        else f"{parameter.name}={parameter.default!r}"
        for parameter in inspect.signature(card.function).parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY
    ]


def _promises(card: Card) -> list[Holds]:
    """The card's promises in the order in which `Holds` lists them."""
    return [claim for claim in Holds if claim in card.holds]


if __name__ == "__main__":
    print(as_markdown(), end="")
