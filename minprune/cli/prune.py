"""minprune prune: remove weights from a saved network, and recover it."""

import argparse
from typing import Any

SUMMARY = "Prune a saved network, train what is left, and write it sparsely."
EXAMPLE = (
    "minprune prune dense.safetensors --data digits --criterion magnitude "
    "--sparsity 0.9 -o pruned.safetensors"
)
OF_A_PLAN = (
    *("criterion", "scope", "schedule", "granularity", "block", "keep", "group"),
    *("masked", "cost", "min_keep", "multiple_of", "epochs", "batch_size", "lr"),
    "seed",
)
"""Options whose defaults do not hold with `--plan`, which says these things itself."""


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
    parser.add_argument(
        "--cost",
        choices=["units", "weights", "bytes", "macs"],
        help="for filter and channel: what --sparsity is a share of (units)",
    )
    parser.add_argument(
        "--min-keep", type=int, help="for filter and channel: units that stay (1)"
    )
    parser.add_argument(
        "--multiple-of",
        type=int,
        help="for filter and channel: kept counts divide by it (1)",
    )
    parser.add_argument(
        "--max-drop",
        type=float,
        help="instead of --sparsity: prune and recover as far as validation may fall, "
        "in percentage points",
    )
    parser.add_argument(
        "--max-bytes",
        type=int,
        help="... until the file takes this few bytes",
    )
    parser.add_argument("--max-macs", type=int, help="... until it does this little")
    parser.add_argument(
        "--plan",
        metavar="FILE",
        help="instead of all these, and of how to train: stages from a TOML file",
    )
    training(parser, 20)
    # A plan says all of this itself: what was given has to be told from what was not.
    unsaid = {name: parser.get_default(name) for name in OF_A_PLAN}
    parser.set_defaults(unsaid=unsaid, **dict.fromkeys(unsaid))


def run(args: argparse.Namespace) -> int:
    """Prune, recover, save, report before and after."""
    import minprune
    from minprune import metrics, sparse
    from minprune.cli._options import fitting, writable
    from minprune.cli._show import Progress, as_json
    from minprune.cli._text import figures, stages, turns
    from minprune.cli._ways import way
    from minprune.store import load_network

    writable(args.output)
    pruned_by = way(args)
    net = load_network(args.net)
    found = fitting(net, args.data)
    before = metrics.summary(net, found)
    show = Progress()
    pruned, more = pruned_by(net, found, args, show)
    pruned = sparse.compress(pruned)
    show.clear()
    minprune.save(pruned, args.output)
    how = ("criterion", "scope", "granularity", "schedule")
    result = {
        "data": found.name,
        **({"plan": args.plan} if args.plan else {n: getattr(args, n) for n in how}),
        **_of_all(metrics.summary(pruned, found), before),
        **more,
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
        if "stages" in more:
            print(stages(more["stages"]))
        if "attempts" in more:
            print(turns(more["attempts"], more["met"]))
    return 0 if more.get("met", True) else 1


def _of_all(after: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """The figures with sparsity as the share of the weights there were at first."""
    total = before["weights_total"]
    gone = {"sparsity": 1 - after["weights"] / total} if total else {}
    return {**after, "weights_total": total, **gone}
