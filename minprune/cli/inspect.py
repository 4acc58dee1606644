"""minprune inspect: what a file holds."""

import argparse

SUMMARY = "Show the layers, the sparsity and the bytes of a saved network."
EXAMPLE = "minprune inspect pruned.safetensors"


def options(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument("file", metavar="FILE", help="a file written by minprune")


def run(args: argparse.Namespace) -> int:
    """One line a layer that holds weights, and the sums."""
    from dataclasses import asdict

    import minprune
    from minprune import metrics
    from minprune.cli._options import counted
    from minprune.cli._show import as_json, table

    net = minprune.load(args.file)
    count = counted(net)
    health = metrics.health(net) if isinstance(net, minprune.nn.Network) else ()
    numbers = "floats" if isinstance(net, minprune.nn.Network) else "int8"
    if args.json:
        as_json(
            {
                "file": args.file,
                "numbers": numbers,
                "input_shape": net.input_shape,
                "classes": net.classes,
                "sparsity": count.sparsity,
                **asdict(count),
                "layers": [
                    {**asdict(layer), "sparsity": layer.sparsity}
                    for layer in count.layers
                ],
                "health": [asdict(layer) for layer in health],
            }
        )
        return 0
    header = ["layer", "kind", "weights", "kept", "sparsity", "file bytes", "macs"]
    lines = [
        [
            layer.name,
            layer.kind,
            f"{layer.weights:,}",
            f"{layer.kept:,}",
            f"{layer.sparsity:.4f}",
            f"{layer.file_bytes:,}",
            f"{layer.macs_executed:,}",
        ]
        for layer in count.layers
    ]
    lines.append(
        [
            "all",
            "",
            f"{count.weights:,}",
            f"{count.kept:,}",
            f"{count.sparsity:.4f}",
            f"{count.file_bytes:,}",
            f"{count.macs_executed:,}",
        ]
    )
    classes = ", ".join(net.classes) or "none"
    print(f"input {net.input_shape}, classes: {classes}, numbers: {numbers}")
    print(table(header, lines))
    for layer in health:
        if layer.empty:
            print(f"warning: {layer.name} is empty, its layer returns a constant")
        elif layer.dead_outputs:
            print(f"note: {layer.name} has {layer.dead_outputs} units without weights")
    return 0
