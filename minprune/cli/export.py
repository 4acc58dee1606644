"""minprune export: a saved network as C source."""

import argparse

SUMMARY = "Write a saved network as two files of C99, in float32 or in int8."
EXAMPLE = "minprune export pruned.safetensors --to c --data digits --name net -o DIR"

SAMPLES = 512
"""Training samples that set the ranges of int8."""


def options(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    from minprune.cli._options import DATA_HELP

    parser.add_argument("net", metavar="NET", help="a file written by minprune")
    parser.add_argument("--to", choices=["c"], default="c", help="target (c)")
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="folder")
    parser.add_argument(
        "--name", default="net", help="begins every file and function (net)"
    )
    parser.add_argument(
        "--data",
        metavar="DATA",
        help=f"export in int8, with ranges from the first {SAMPLES} training samples "
        f"of {DATA_HELP}; left out, export in float32",
    )
    parser.add_argument(
        "--observe",
        choices=["min_max", "percentile", "mean_squared"],
        default="min_max",
        help="how int8 ranges are chosen (min_max)",
    )
    parser.add_argument(
        "--objective",
        choices=["speed", "flash"],
        default="speed",
        help="what the encoding of each layer is chosen for (speed)",
    )


def run(args: argparse.Namespace) -> int:
    """Load, quantize if asked to, write, and print what was chosen."""
    from dataclasses import asdict

    import minprune
    from minprune import metrics, quantize
    from minprune.cli._options import fitting
    from minprune.cli._show import as_json, table
    from minprune.export import c99

    net = minprune.load(args.net)
    model: minprune.nn.Network | quantize.QuantizedNetwork = net
    accuracy = None
    if args.data:
        found = fitting(net, args.data)
        model = quantize.quantize(net, found.train.x[:SAMPLES], observe=args.observe)
        if found.classes:
            y = found.test.y
            accuracy = [
                metrics.accuracy(one.predict(found.test.x), y) for one in (net, model)
            ]
    written = c99.write(model, args.output, args.name, args.objective)
    program = written.program
    result = {
        "net": args.net,
        "type": program.dtype,
        "header": str(written.header),
        "source": str(written.source),
        "arena_bytes": program.arena_bytes,
        "table_bytes": program.table_bytes,
        "layers": [
            {
                "name": layer.step.name,
                "sparsity": layer.sparsity,
                "encoding": layer.chosen.encoding,
                "offered": [asdict(candidate) for candidate in layer.offered],
            }
            for layer in program.layers.values()
        ],
    }
    if accuracy:
        result |= {"float_accuracy": accuracy[0], "int8_accuracy": accuracy[1]}
    if args.json:
        as_json(result)
        return 0
    rows = [
        [
            layer.step.name,
            f"{layer.sparsity:.3f}",
            candidate.encoding,
            f"{candidate.bytes:,}",
            f"{candidate.instructions:,}",
            "chosen" if candidate == layer.chosen else "",
        ]
        for layer in program.layers.values()
        for candidate in layer.offered
    ]
    head = ["layer", "sparsity", "encoding", "bytes", "instructions", ""]
    print(table(head, rows))
    print(f"\n{'tables:':<10}{program.table_bytes:,} bytes of {program.dtype}")
    print(f"{'arena:':<10}{program.arena_bytes:,} bytes")
    if accuracy:
        print(f"{'accuracy:':<10}{accuracy[0]:.4f} float32, {accuracy[1]:.4f} int8")
    print(f"{'written:':<10}{written.header}, {written.source}")
    return 0
