"""The ways in which `minprune prune` prunes: (network, data, options, show) each."""

import argparse
from collections.abc import Callable
from typing import Any

Found = dict[str, Any]
"""What a way has to tell beside the network, for the JSON."""

Way = Callable[[Any, Any, argparse.Namespace, Any], tuple[Any, Found]]


GOALS = ("sparsity", "max_drop", "max_bytes", "max_macs")
"""Options that say how far to prune."""

OF_WEIGHTS = ("block", "keep", "group")
OF_CHANNELS = ("cost", "min_keep", "multiple_of")
"""Options of one side only."""


def way(args: argparse.Namespace) -> Way:
    """The function that prunes as the options say; ValueError if they contradict."""
    if args.plan is not None:
        _stands_alone(args)
        return planned
    for name, value in args.unsaid.items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    whole = args.granularity in ("filter", "channel")
    args.scope = args.scope or ("layer" if whole else "network")
    _fits(args, whole)
    if _limited(args):
        return until
    return without_channels if whole else without_weights


def _stands_alone(args: argparse.Namespace) -> None:
    """Refuse options that say what a plan says; a seed goes before the plan's own."""
    said = (*GOALS, *(name for name in args.unsaid if name != "seed"))
    for name in said:
        if getattr(args, name) is not None:
            raise ValueError(
                f"--{name.replace('_', '-')} does not go with --plan, which says how "
                f"to prune and train; write it into {args.plan}"
            )


def _limited(args: argparse.Namespace) -> bool:
    """Whether a floor or a budget was given."""
    limits = (args.max_drop, args.max_bytes, args.max_macs)
    return any(limit is not None for limit in limits)


def _fits(args: argparse.Namespace, whole: bool) -> None:
    """Refuse options that contradict each other."""
    goals = {
        "--sparsity": args.sparsity is not None,
        "--max-drop, --max-bytes or --max-macs": _limited(args),
    }
    given = [name for name, there in goals.items() if there]
    if len(given) > 1:
        raise ValueError(f"{given[0]} does not go with {given[1]}; give one of them")
    if not given and args.granularity != "nm":
        raise ValueError(
            f"how far to prune is not said; give {', '.join(goals)}, or --plan"
        )
    if _limited(args) and (whole or args.schedule != "oneshot"):
        raise ValueError(
            f"{given[0]} prunes weights in turns of its own; it does not go with "
            f"--granularity {args.granularity} --schedule {args.schedule}"
        )
    if args.schedule == "cubic" and args.granularity == "nm":
        raise ValueError(
            "--schedule cubic does not go with --granularity nm, which has one "
            "sparsity, given by --keep and --group"
        )
    if args.masked and not whole:
        raise ValueError(
            f"--masked keeps the shapes where whole channels go; --granularity is "
            f"{args.granularity}, which keeps them anyway"
        )
    for name in OF_WEIGHTS if whole else OF_CHANNELS:
        if getattr(args, name) is not None:
            raise ValueError(
                f"--{name.replace('_', '-')} does not go with --granularity "
                f"{args.granularity}"
            )


def without_weights(
    net: Any, data: Any, args: argparse.Namespace, show: Any
) -> tuple[Any, Found]:
    """The network cut and recovered as the options say."""
    from minprune import nn, prune

    how = _how(args)
    if args.schedule == "cubic":
        gradual = prune.Gradual(args.criterion, sparsity=args.sparsity, **how)
        nn.train(net, data, procedures=[gradual], **_training(args, show))
        return net, {}
    prune.OneShot(args.criterion, sparsity=args.sparsity, **how).run(net, data)
    return prune.recover(net, data, **_training(args, show)), {}


def without_channels(
    net: Any, data: Any, args: argparse.Namespace, show: Any
) -> tuple[Any, Found]:
    """The network without some of its channels, or with these masked."""
    from minprune import nn, prune, structure

    costs = {
        "weights": structure.weights,
        "bytes": structure.stored_bytes,
        "macs": structure.multiply_adds,
    }
    channels = prune.Channels(
        args.criterion,
        args.granularity,
        cost=costs.get(args.cost),
        scope=args.scope,
        min_keep=1 if args.min_keep is None else args.min_keep,
        multiple_of=1 if args.multiple_of is None else args.multiple_of,
        seed=args.seed,
    )
    if args.schedule == "cubic":
        gradual = prune.GradualChannels(channels, sparsity=args.sparsity)
        nn.train(net, data, procedures=[gradual], **_training(args, show))
        return (net if args.masked else structure.shrink(net)), {}
    go = structure.mask_units if args.masked else structure.remove
    smaller = go(net, channels.choice(net, data, args.sparsity).removal)
    return prune.recover(smaller, data, **_training(args, show)), {}


def until(
    net: Any, data: Any, args: argparse.Namespace, show: Any
) -> tuple[Any, Found]:
    """Pruned and recovered in turns, as far as a floor and budgets say."""
    from dataclasses import asdict

    from minprune import prune

    def shown(attempt: Any) -> None:
        show(f"sparsity {attempt.sparsity:.3f}, validation {attempt.score:.4f}")

    loop = prune.Until(
        args.criterion,
        max_drop=args.max_drop,
        max_bytes=args.max_bytes,
        max_macs=args.max_macs,
        **_how(args),
    )
    training = _training(args, show)
    del training["progress"]
    reached = loop.run(net, data, **training, progress=shown)
    attempts = [asdict(attempt) for attempt in reached.attempts]
    return reached.net, {"met": reached.met, "attempts": attempts}


def planned(
    net: Any, data: Any, args: argparse.Namespace, show: Any
) -> tuple[Any, Found]:
    """Taken through the stages of a plan, with what each has done."""
    from dataclasses import asdict

    from minprune import prune
    from minprune.cli._options import checkpoint

    net, records = prune.Plan.read(args.plan).run(
        net,
        data,
        progress=lambda record: show(f"done: {record.stage}"),
        checkpoint=checkpoint(args),
        **({} if args.seed is None else {"seed": args.seed}),
    )
    return net, {"stages": [asdict(record) for record in records]}


def _how(args: argparse.Namespace) -> dict[str, Any]:
    """Keyword arguments of whatever cuts weights."""
    how: dict[str, Any] = {"scope": args.scope, "seed": args.seed}
    how |= {"granularity": args.granularity} if args.granularity != "weight" else {}
    if args.block:
        how["block"] = block(args.block)
    for name in ("keep", "group"):
        if getattr(args, name) is not None:
            how[name] = getattr(args, name)
    return how


def _training(args: argparse.Namespace, show: Any) -> dict[str, Any]:
    """Keyword arguments of whatever trains."""
    from minprune import nn
    from minprune.cli._options import checkpoint, epoch_line

    return {
        "epochs": args.epochs,
        "batch_size": args.batch_size,
        "optimizer": nn.Adam(args.lr),
        "rate": nn.rates.cosine,
        "checkpoint": checkpoint(args),
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
