"""minprune study: the tables of docs/results.md, measured anew."""

import argparse

SUMMARY = "Measure what the procedures reach on data that need no download."
EXAMPLE = "minprune study procedures --table critical --seeds 3"

TABLES = ("digits", "by_recovery", "tickets", "critical", "second_order", "rigl_cost")


def options(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument("study", choices=["procedures"], help="what to study")
    parser.add_argument(
        "--table",
        action="append",
        choices=TABLES,
        help="one table, may be given again; left out, all of them (half an hour)",
    )
    parser.add_argument("--seeds", type=int, default=5, help="runs of each cell (5)")


def run(args: argparse.Namespace) -> int:
    """Print the tables in the form in which the page shows them."""
    from dataclasses import asdict

    from minprune._check import positive_int
    from minprune.cli._show import Progress, as_json
    from minprune.study import digits, procedures
    from minprune.study.second_order import second_order
    from minprune.study.tables import markdown

    seeds = range(args.seed, args.seed + positive_int("study", "seeds", args.seeds))
    show = Progress()
    tables = {
        "digits": lambda: digits.on_digits(seeds, progress=show),
        "by_recovery": lambda: digits.by_recovery(seeds, progress=show),
        "tickets": lambda: procedures.tickets(seeds, progress=show),
        "critical": lambda: procedures.critical(seeds, progress=show),
        "second_order": lambda: second_order(seeds, progress=show),
    }
    found: dict[str, object] = {}
    for name in args.table or TABLES:
        if name == "rigl_cost":
            share = procedures.rigl_cost()
            found[name], text = share, f"{share:.2%} of processor time"
        else:
            cells = tables[name]()
            found[name] = [
                {**asdict(cell), "mean": cell.mean, "deviation": cell.deviation}
                for cell in cells
            ]
            text = "\n\n".join([markdown(cells), *digits.comparisons(cells)])
        show.clear()
        if not args.json:
            print(f"{name}\n\n{text}\n")
    if args.json:
        as_json({"seeds": list(seeds), **found})
    return 0
