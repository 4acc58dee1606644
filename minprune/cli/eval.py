"""minprune eval: what a saved network makes of data."""

import argparse

SUMMARY = "Evaluate a saved network on a data set."
EXAMPLE = "minprune eval pruned.safetensors --data digits"


def options(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    from minprune.cli._options import DATA_HELP

    parser.add_argument("net", metavar="NET", help="a file written by minprune")
    parser.add_argument("--data", required=True, metavar="DATA", help=DATA_HELP)


def run(args: argparse.Namespace) -> int:
    """Load, evaluate, report."""
    import minprune
    from minprune import metrics
    from minprune.cli._options import counted, fitting
    from minprune.cli._show import as_json
    from minprune.cli._text import figures

    net = minprune.load(args.net)
    found = fitting(net, args.data)
    values = metrics.figures(net, found, counted(net))
    result = {"data": found.name, "net": args.net, **values}
    if args.json:
        as_json(result)
    else:
        print(figures(result))
    return 0
