"""minprune conformance: a toolkit held to the specification."""

import argparse
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minprune.conformance import Toolkit

SUMMARY = "Hold a pruning toolkit to the specification, clause by clause."
EXAMPLE = "minprune conformance minprune --clause M"


def options(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument(
        "adapter",
        metavar="ADAPTER",
        help="minprune, another shipped adapter, or your own as pkg.mod:Class; or the "
        "word vectors, to write test vectors for toolkits in other languages",
    )
    parser.add_argument(
        "folder", nargs="?", metavar="DIR", help="where vectors go: a new folder"
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
    parser.add_argument(
        "--python",
        metavar="PATH",
        help="run the adapter in this interpreter, which needs NumPy and the toolkit",
    )
    parser.add_argument(
        "--timeout",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="time of one check, with --python (default 60)",
    )
    parser.add_argument(
        "--expected", metavar="FILE", help="known failures: minprune-conformance.toml"
    )
    parser.add_argument("--junit", metavar="FILE", help="also write JUnit XML")
    parser.add_argument("--html", metavar="FILE", help="also write a page")
    parser.add_argument(
        "--beside",
        action="append",
        default=[],
        metavar="REPORT",
        help="a report of another toolkit, written with --json, to stand on the page",
    )


def run(args: argparse.Namespace) -> int:
    """Run the checks; 0 only if nothing deviates."""
    if args.adapter == "vectors" or args.folder:
        return _vectors(args)
    from minprune import conformance
    from minprune.cli._options import writable
    from minprune.cli._show import as_json
    from minprune.conformance import expected
    from minprune.files import atomic

    if args.beside and not args.html:
        raise ValueError(
            "conformance: --beside puts a report on a page; expected --html FILE"
        )
    others = [conformance.read(path) for path in args.beside]
    for path in (args.junit, args.html):
        if path:
            writable(path)
    toolkit = _toolkit(args)
    try:
        known = expected.load(args.expected, toolkit.version) if args.expected else {}
        report = conformance.run(
            toolkit,
            expected=known,
            seed=args.seed,
            only=args.only,
            clause=args.clause,
            max_examples=args.max_examples,
            adapter=args.adapter + (f" --python {args.python}" if args.python else ""),
        )
    finally:
        if isinstance(toolkit, conformance.Isolated):
            toolkit.close()
    if args.junit:
        atomic.write_text(args.junit, conformance.as_junit(report))
    if args.html:
        atomic.write_text(args.html, conformance.as_html([*others, report]))
    if args.json:
        as_json(report.as_dict())
    else:
        print(report)
    return 0 if report.ok else 1


def _vectors(args: argparse.Namespace) -> int:
    """Write test vectors."""
    from minprune.conformance import vectors

    if args.adapter != "vectors" or not args.folder:
        raise ValueError(
            "conformance: a folder goes with the word vectors; expected "
            "'minprune conformance vectors DIR'"
        )
    count = vectors.write(args.folder, args.seed)
    print(
        json.dumps({"folder": args.folder, "vectors": count})
        if args.json
        else f"{count} vectors written to {args.folder}"
    )
    return 0


def _toolkit(args: argparse.Namespace) -> "Toolkit":
    """The adapter, here or in the interpreter asked for."""
    from minprune.conformance import Isolated
    from minprune.conformance.load import adapter

    if not args.python:
        return adapter(args.adapter)
    if not args.timeout > 0:
        raise ValueError(
            f"conformance: --timeout is {args.timeout}; expected seconds above 0"
        )
    return Isolated(args.adapter, args.python, timeout=args.timeout)
