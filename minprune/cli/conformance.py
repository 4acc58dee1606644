"""minprune conformance: a toolkit held to the specification."""

import argparse

SUMMARY = "Hold a pruning toolkit to the specification, clause by clause."
EXAMPLE = "minprune conformance minprune --clause M"


def options(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument(
        "adapter",
        metavar="ADAPTER",
        help="minprune, another shipped adapter, or your own as pkg.mod:Class",
    )
    parser.add_argument(
        "--only", action="append", default=[], metavar="CHECK", help="run this check"
    )
    parser.add_argument("--clause", default="", help="a clause (M.1) or a chapter (M)")
    parser.add_argument(
        "--max-examples",
        type=int,
        default=0,
        help="search with this many drawn cases a check, instead of the seeded ones",
    )
    parser.add_argument("--junit", metavar="FILE", help="also write JUnit XML")
    parser.add_argument("--html", metavar="FILE", help="also write a page")


def run(args: argparse.Namespace) -> int:
    """Run the checks; 0 only if nothing deviates."""
    from minprune import conformance
    from minprune.cli._options import writable
    from minprune.cli._show import as_json
    from minprune.conformance.load import adapter
    from minprune.files import atomic

    for path in (args.junit, args.html):
        if path:
            writable(path)
    report = conformance.run(
        adapter(args.adapter),
        seed=args.seed,
        only=args.only,
        clause=args.clause,
        max_examples=args.max_examples,
    )
    if args.junit:
        atomic.write_text(args.junit, conformance.as_junit(report))
    if args.html:
        atomic.write_text(args.html, conformance.as_html([report]))
    if args.json:
        as_json(report.as_dict())
    else:
        print(report)
    return 0 if report.ok else 1
