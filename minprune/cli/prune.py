"""minprune prune: remove weights from a saved network, and recover it."""

import argparse
from typing import Any

SUMMARY = "Prune a saved network, train what is left, and write it sparsely."
EXAMPLE = (
    "minprune prune dense.safetensors --data digits --criterion magnitude "
    "--sparsity 0.9 -o pruned.safetensors"
)


def options(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    from minprune.cli._options import DATA_HELP, training

    parser.add_argument("net", metavar="NET", help="a file written by minprune")
    parser.add_argument("--data", required=True, metavar="DATA", help=DATA_HELP)
    parser.add_argument("-o", "--output", required=True, help="file to write")
    parser.add_argument(
        "--criterion", default="magnitude", help="see: minprune criteria (magnitude)"
    )
    parser.add_argument(
        "--sparsity", help="share to remove, such as 0.9; for nm, keep and group say it"
    )
    parser.add_argument(
        "--scope",
        choices=["network", "layer"],
        default="network",
        help="whose scores compete (network)",
    )
    parser.add_argument(
        "--schedule",
        choices=["oneshot", "cubic"],
        default="oneshot",
        help="all at once, or along a cubic while training (oneshot)",
    )
    parser.add_argument(
        "--granularity",
        choices=["weight", "block", "row", "filter", "channel", "nm"],
        default="weight",
        help="what is removed as one (weight)",
    )
    parser.add_argument("--block", help="rows x columns of a block, such as 4x1")
    parser.add_argument("--keep", type=int, help="for nm: weights kept of each group")
    parser.add_argument("--group", type=int, help="for nm: weights in a group")
    parser.add_argument(
        "--masked",
        action="store_true",
        help="for filter and channel: keep the shapes, and zeros in them",
    )
    training(parser, 20)


def run(args: argparse.Namespace) -> int:
    """Prune, recover, save, report before and after."""
    import minprune
    from minprune import metrics, sparse
    from minprune.cli._options import fitting, writable
    from minprune.cli._show import Progress, as_json
    from minprune.cli._text import figures

    writable(args.output)
    net = minprune.load(args.net)
    found = fitting(net, args.data)
    before = metrics.summary(net, found)
    show = Progress()
    pruned = sparse.compress(_pruned(net, found, args, show))
    show.clear()
    minprune.save(pruned, args.output)
    result = {
        "data": found.name,
        "criterion": args.criterion,
        "scope": args.scope,
        "granularity": args.granularity,
        "schedule": args.schedule,
        **metrics.summary(pruned, found),
        "before": before,
        "output": args.output,
    }
    if args.json:
        as_json(result)
    else:
        print("before")
        print(figures(before))
        print("after")
        print(figures(result))
    return 0


def _pruned(net: Any, data: Any, args: argparse.Namespace, show: Any) -> Any:
    """The network cut and recovered as the options say."""
    from minprune import nn, prune
    from minprune.cli._options import epoch_line

    how: dict[str, Any] = {
        "scope": args.scope,
        "granularity": args.granularity,
        "seed": args.seed,
    }
    if args.block:
        how["block"] = block(args.block)
    for name in ("sparsity", "keep", "group"):
        if getattr(args, name) is not None:
            how[name] = getattr(args, name)
    training: dict[str, Any] = {
        "epochs": args.epochs,
        "batch_size": args.batch_size,
        "optimizer": nn.Adam(args.lr),
        "rate": nn.rates.cosine,
        "seed": args.seed,
        "progress": epoch_line(show, "pruning and recovering", args.epochs),
    }
    if args.schedule == "cubic":
        if args.sparsity is None:
            raise ValueError(
                "--schedule cubic needs a --sparsity to end at; nm patterns, whose "
                "sparsity is given by --keep and --group, are cut with oneshot"
            )
        gradual = prune.Gradual(args.criterion, **how)
        nn.train(net, data, procedures=[gradual], **training)
        return net
    prune.OneShot(args.criterion, **how).run(net, data)
    return prune.recover(net, data, **training)


def block(text: str) -> tuple[int, int]:
    """Rows and columns from ``"4x1"``.

    >>> block("4x1")
    (4, 1)
    """
    rows, _, columns = text.lower().partition("x")
    if not (rows.isdigit() and columns.isdigit() and int(rows) and int(columns)):
        raise ValueError(f"--block is {text!r}; expected rows x columns, such as 4x1")
    return int(rows), int(columns)
