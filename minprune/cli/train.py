"""minprune train: a network from data."""

import argparse

SUMMARY = "Train a model on a data set and write it to a file."
EXAMPLE = "minprune train digits lenet_300_100 -o dense.safetensors --epochs 20"


def options(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    from minprune.cli._options import DATA_HELP, training

    parser.add_argument("data", metavar="DATA", help=DATA_HELP)
    parser.add_argument(
        "model", metavar="MODEL", help="name of a model, such as mlp, small_cnn, cnn1d"
    )
    parser.add_argument("-o", "--output", required=True, help="file to write")
    training(parser, 30)


def run(args: argparse.Namespace) -> int:
    """Train, save, report."""
    import minprune
    from minprune import data, metrics, nn
    from minprune.cli._options import checkpoint, epoch_line, writable
    from minprune.cli._show import Progress, as_json
    from minprune.cli._text import figures

    writable(args.output)
    found = data.load(args.data)
    net = nn.models.build(args.model, found, seed=args.seed)
    show = Progress()
    history = nn.train(
        net,
        found,
        epochs=args.epochs,
        batch_size=args.batch_size,
        optimizer=nn.Adam(args.lr),
        rate=nn.rates.cosine,
        checkpoint=checkpoint(args),
        seed=args.seed,
        progress=epoch_line(show, f"training {args.model}", args.epochs),
    )
    show.clear()
    minprune.save(net, args.output)
    result = {
        "data": found.name,
        "model": args.model,
        "epochs": len(history),
        **metrics.summary(net, found),
        "output": args.output,
    }
    if args.json:
        as_json(result)
    else:
        print(figures(result))
    return 0
