"""minprune predict: labels for samples in a file."""

import argparse

SUMMARY = "Predict labels (or numbers) for the samples of a CSV or .npz file."
EXAMPLE = "minprune predict pruned.safetensors samples.csv"


def options(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument("net", metavar="NET", help="a file written by minprune")
    parser.add_argument(
        "samples",
        metavar="SAMPLES",
        help="CSV of numbers, one raw sample a line, or an .npz with an array x",
    )
    parser.add_argument("-o", "--output", help="write the lines here, not to stdout")


def run(args: argparse.Namespace) -> int:
    """One line a sample: the name of its class, or its outputs."""
    import minprune
    from minprune.cli._options import writable
    from minprune.cli._samples import read
    from minprune.cli._show import as_json
    from minprune.files import atomic

    if args.output:
        writable(args.output)
    net = minprune.load(args.net)
    outputs = net(read(args.samples, net.input_shape))
    if net.classes:
        lines = [net.classes[label] for label in outputs.argmax(axis=1)]
    else:
        lines = [",".join(f"{value:.9g}" for value in row) for row in outputs]
    if args.output:
        atomic.write_text(args.output, "".join(f"{line}\n" for line in lines))
    if args.json:
        as_json({"net": args.net, "samples": len(lines), "predictions": lines})
    elif not args.output:
        print("\n".join(lines))
    return 0
