"""minprune criteria: the catalog at the terminal."""

import argparse
from typing import Any

SUMMARY = "List every criterion, print one card in full, or compare some on a network."
EXAMPLE = (
    "minprune criteria snip\n  "
    "minprune criteria --compare magnitude taylor wanda --net net.safetensors "
    "--data digits"
)


def options(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    from minprune.cli._options import DATA_HELP

    parser.add_argument("name", nargs="?", help="the criterion to print in full")
    parser.add_argument(
        "--compare",
        nargs="+",
        metavar="CRITERION",
        help="rank correlation and mask overlap of these on --net and --data; a last "
        "word that is a file is taken for the network",
    )
    parser.add_argument("--net", metavar="NET", help="a file written by minprune")
    parser.add_argument("--data", metavar="DATA", help=DATA_HELP)
    parser.add_argument(
        "--sparsity", default="0.9", help="at which masks are compared (0.9)"
    )


def run(args: argparse.Namespace) -> int:
    """The list, the card, or the comparison."""
    if args.compare:
        return _compare(args)
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


def _compare(args: argparse.Namespace) -> int:
    """One line a pair of criteria."""
    from dataclasses import asdict
    from pathlib import Path

    from minprune.cli._options import fitting
    from minprune.cli._show import as_json, table
    from minprune.store import load_network
    from minprune.study.compare import compare

    names = list(args.compare)
    if args.net is None and Path(names[-1]).is_file():
        args.net = names.pop()
    if args.net is None or args.data is None:
        raise ValueError("--compare needs a network (--net FILE) and --data")
    net = load_network(args.net)
    data = fitting(net, args.data)
    pairs = compare(net, data, names, sparsity=args.sparsity, seed=args.seed)
    if args.json:
        as_json({"sparsity": args.sparsity, "pairs": [asdict(pair) for pair in pairs]})
        return 0
    rows = [
        [p.first, p.second, f"{p.rank_correlation:.3f}", f"{p.overlap:.3f}"]
        for p in pairs
    ]
    header = ["criterion", "and", "rank correlation", f"overlap at {args.sparsity}"]
    print(table(header, rows, 2))
    return 0
