"""minprune criteria: the catalog at the terminal."""

import argparse
from typing import Any

SUMMARY = "List every criterion, or print one card in full."
EXAMPLE = "minprune criteria snip"


def options(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument("name", nargs="?", help="the criterion to print in full")


def run(args: argparse.Namespace) -> int:
    """The list, or the card."""
    from minprune._check import one_of
    from minprune.cli._show import as_json, table
    from minprune.criteria import CATALOG, _page

    if args.name is not None:
        card = CATALOG[one_of("criteria", "criterion", args.name, CATALOG)]
        if args.json:
            as_json(_page.as_json(card))
        else:
            print(_page.as_text(card))
        return 0
    cards = sorted(CATALOG.values(), key=lambda card: (card.family, card.name))
    if args.json:
        as_json({"criteria": [_page.as_json(card) for card in cards]})
        return 0
    rows: list[list[Any]] = [
        [c.name, c.family, c.kind, c.granularity, ", ".join(c.needs)] for c in cards
    ]
    print(table(["criterion", "family", "kind", "granularity", "evidence"], rows, 5))
    return 0
