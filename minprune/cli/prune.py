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
        help="whose scores compete (network; for filter and channel: layer)",
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
    whole = args.granularity in ("filter", "channel")
    args.scope = args.scope or ("layer" if whole else "network")
    _fits(args, whole)
    cut = _without_channels if whole else _pruned
    pruned = sparse.compress(cut(net, found, args, show))
    show.clear()
    minprune.save(pruned, args.output)
    result = {
        "data": found.name,
        "criterion": args.criterion,
        "scope": args.scope,
        "granularity": args.granularity,
        "schedule": args.schedule,
        **_of_all(metrics.summary(pruned, found), before),
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


def _fits(args: argparse.Namespace, whole: bool) -> None:
    """Refuse options that say nothing about what goes as one."""
    if args.masked and not whole:
        raise ValueError(
            f"--masked keeps the shapes where whole channels go; --granularity is "
            f"{args.granularity}, which keeps them anyway"
        )
    for name in ("block", "keep", "group"):
        if whole and getattr(args, name) is not None:
            raise ValueError(
                f"--{name} does not go with --granularity {args.granularity}"
            )


def _of_all(after: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """The figures with sparsity as the share of the weights there were at first."""
    total = before["weights_total"]
    gone = {"sparsity": 1 - after["weights"] / total} if total else {}
    return {**after, "weights_total": total, **gone}


def _pruned(net: Any, data: Any, args: argparse.Namespace, show: Any) -> Any:
    """The network cut and recovered as the options say."""
    from minprune import nn, prune

    how: dict[str, Any] = {"scope": args.scope, "seed": args.seed}
    how |= {"granularity": args.granularity} if args.granularity != "weight" else {}
    if args.block:
        how["block"] = block(args.block)
    for name in ("keep", "group"):
        if getattr(args, name) is not None:
            how[name] = getattr(args, name)
    if args.schedule == "cubic":
        gradual = prune.Gradual(args.criterion, sparsity=args.sparsity, **how)
        nn.train(net, data, procedures=[gradual], **_training(args, show))
        return net
    prune.OneShot(args.criterion, sparsity=args.sparsity, **how).run(net, data)
    return prune.recover(net, data, **_training(args, show))


def _without_channels(net: Any, data: Any, args: argparse.Namespace, show: Any) -> Any:
    """The network without some of its channels, or with these masked."""
    from minprune import nn, prune, structure

    channels = prune.Channels(
        args.criterion, args.granularity, scope=args.scope, seed=args.seed
    )
    if args.schedule == "cubic":
        gradual = prune.GradualChannels(channels, sparsity=args.sparsity)
        nn.train(net, data, procedures=[gradual], **_training(args, show))
        return net if args.masked else structure.shrink(net)
    go = structure.mask_units if args.masked else structure.remove
    smaller = go(net, channels.choice(net, data, args.sparsity).removal)
    return prune.recover(smaller, data, **_training(args, show))


def _training(args: argparse.Namespace, show: Any) -> dict[str, Any]:
    """Keyword arguments of whatever trains."""
    from minprune import nn
    from minprune.cli._options import epoch_line

    return {
        "epochs": args.epochs,
        "batch_size": args.batch_size,
        "optimizer": nn.Adam(args.lr),
        "rate": nn.rates.cosine,
        "seed": args.seed,
        "progress": epoch_line(show, "pruning and recovering", args.epochs),
    }


def block(text: str) -> tuple[int, int]:
    """Rows and columns from ``"4x1"``.

    >>> block("4x1")
    (4, 1)
    """
    rows, _, columns = text.lower().partition("x")
    if not (rows.isdigit() and columns.isdigit() and int(rows) and int(columns)):
        raise ValueError(f"--block is {text!r}; expected rows x columns, such as 4x1")
    return int(rows), int(columns)
