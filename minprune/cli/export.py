"""minprune export: a saved network as C source, as ONNX, or in integers."""

import argparse
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from minprune.nn import Network
    from minprune.quantize import QuantizedNetwork

SUMMARY = "Write a saved network for a device, in float32 or in int8."
EXAMPLE = (
    "minprune export pruned.safetensors --to c --data digits --name net -o DIR\n  "
    "minprune export pruned.safetensors --to onnx -o net.onnx\n  "
    "minprune export pruned.safetensors --to safetensors --data digits "
    "-o int8.safetensors"
)

SAMPLES = 512
"""Training samples that set the ranges of int8."""

OF_ONE_KIND = {"name": "c", "objective": "c", "weights": "c", "lengths": "onnx"}
"""Options, and the kind of file that alone has a use for them."""

OF_QUANTIZING = "bits", "by_channel", "observe"
"""Options that say how to quantize, and so need samples."""


def options(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    from minprune.cli._options import DATA_HELP

    parser.add_argument("net", metavar="NET", help="a file written by minprune")
    parser.add_argument(
        "--to",
        choices=["c", "onnx", "safetensors"],
        default="c",
        help="c: two files of C99 in a folder; onnx: one file for run times that read "
        "it; safetensors: an int8 file for the players and for minprune itself (c)",
    )
    parser.add_argument(
        "-o", "--output", required=True, metavar="PATH", help="folder, or file"
    )
    parser.add_argument("--name", help="c: begins every file and function (net)")
    parser.add_argument(
        "--data",
        metavar="DATA",
        help=f"export in int8, with ranges from the first {SAMPLES} training samples "
        f"of {DATA_HELP}; left out, export in float32, or NET's own int8",
    )
    parser.add_argument(
        "--bits",
        type=int,
        choices=[4, 8],
        help="4: weights of int8 share sixteen values a layer, four bits each (8)",
    )
    parser.add_argument(
        "--by-channel",
        action="store_true",
        default=None,
        help="sixteen values for each output instead; scales of linear layers too",
    )
    parser.add_argument(
        "--observe",
        choices=["min_max", "percentile", "mean_squared"],
        help="how int8 ranges are chosen (min_max)",
    )
    parser.add_argument(
        "--objective",
        choices=["speed", "flash"],
        help="c: what the encoding of each layer is chosen for; flash holds weights of "
        "--bits 4 in four bits (speed)",
    )
    parser.add_argument(
        "--weights",
        choices=["together", "separate"],
        help="c: tables of weights in the same file as the code, or in NAME_weights.c "
        "(together)",
    )
    parser.add_argument(
        "--lengths",
        action="store_true",
        default=None,
        help="onnx: take the true lengths of sequences as a second input",
    )


def run(args: argparse.Namespace) -> int:
    """Load, quantize if asked to, write, and print what was chosen."""
    _refuse_idle(args)
    model, accuracy = _model(args)
    if args.to == "safetensors":
        return _save(args, model, accuracy)
    if args.to == "onnx":
        return _write_onnx(args, model, accuracy)
    return _write_c(args, model, accuracy)


def _refuse_idle(args: argparse.Namespace) -> None:
    """ValueError for an option that would change nothing."""
    for name in _given(args, OF_ONE_KIND):
        if args.to != OF_ONE_KIND[name]:
            raise ValueError(
                f"--{name} goes with --to {OF_ONE_KIND[name]} and would change nothing "
                f"with --to {args.to}; leave it out"
            )
    for name in _given(args, OF_QUANTIZING):
        if args.data is None:
            raise ValueError(
                f"--{name.replace('_', '-')} says how to quantize, which is done with "
                f"--data alone; name samples with --data, or leave it out"
            )
    if not args.output:
        raise ValueError("--output is empty; name a folder for c, else a file")


def _given(args: argparse.Namespace, names: Iterable[str]) -> dict[str, Any]:
    """Those of the options that came with the command."""
    values = {name: getattr(args, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def _model(
    args: argparse.Namespace,
) -> "tuple[Network | QuantizedNetwork, list[float]]":
    """What is exported; if it is quantized here, accuracy before and after."""
    import minprune
    from minprune import metrics, quantize
    from minprune.cli._options import fitting

    net = minprune.load(args.net)
    if args.data is None:
        return net, []
    if not isinstance(net, minprune.nn.Network):
        raise ValueError(f"{args.net}: it is quantized already; leave --data out")
    found = fitting(net, args.data)
    model = quantize.quantize(
        net,
        found.train.x[:SAMPLES],
        linear_by_row=bool(args.by_channel),
        **_given(args, ["bits", "observe"]),
    )
    y, models = found.test.y, (net, model) if found.classes else ()
    return model, [metrics.accuracy(one.predict(found.test.x), y) for one in models]


def _save(
    args: argparse.Namespace,
    model: "Network | QuantizedNetwork",
    accuracy: list[float],
) -> int:
    """One file of integers, and its size."""
    import minprune
    from minprune.cli._options import counted, writable
    from minprune.cli._show import as_json

    if isinstance(model, minprune.nn.Network):
        raise ValueError(
            f"{args.net}: --to safetensors writes int8, whose ranges come from "
            f"samples; name some with --data"
        )
    minprune.save(model, writable(args.output))
    count = counted(model)
    result = {
        "net": args.net,
        "type": "int8",
        "output": args.output,
        "stored_bytes": count.file_bytes,
        "sparsity": count.sparsity,
    }
    if accuracy:
        result |= {"float_accuracy": accuracy[0], "int8_accuracy": accuracy[1]}
    if args.json:
        as_json(result)
        return 0
    print(f"{'arrays:':<10}{count.file_bytes:,} bytes, sparsity {count.sparsity:.4f}")
    if accuracy:
        print(f"{'accuracy:':<10}{accuracy[0]:.4f} float32, {accuracy[1]:.4f} int8")
    print(f"{'written:':<10}{args.output}")
    return 0


def _write_onnx(
    args: argparse.Namespace,
    model: "Network | QuantizedNetwork",
    accuracy: list[float],
) -> int:
    """One file of ONNX, and its size."""
    from minprune.cli._options import writable
    from minprune.cli._show import as_json
    from minprune.export import onnx

    written = onnx.write(model, writable(args.output), **_given(args, ["lengths"]))
    result = {
        "net": args.net,
        "type": written.dtype,
        "output": args.output,
        "bytes": written.bytes,
        "nodes": written.nodes,
        "opset": onnx.OPSET,
    }
    if accuracy:
        result |= {"float_accuracy": accuracy[0], "int8_accuracy": accuracy[1]}
    if args.json:
        as_json(result)
        return 0
    print(f"{'file:':<10}{written.bytes:,} bytes of {written.dtype}, zeros included")
    print(f"{'graph:':<10}{written.nodes} nodes, operators of version {onnx.OPSET}")
    if accuracy:
        print(f"{'accuracy:':<10}{accuracy[0]:.4f} float32, {accuracy[1]:.4f} int8")
    print(f"{'written:':<10}{args.output}")
    return 0


def _write_c(
    args: argparse.Namespace,
    model: "Network | QuantizedNetwork",
    accuracy: list[float],
) -> int:
    """The files of C, and a table of the encodings."""
    from dataclasses import asdict

    from minprune.cli._show import as_json, table
    from minprune.export import c99

    ways = _given(args, ["name", "objective", "weights"])
    written = c99.write(model, args.output, **ways)
    program, weights = written.program, [str(path) for path in written.weights]
    result = {
        "net": args.net,
        "type": program.dtype,
        "header": str(written.header),
        "source": str(written.source),
        "weights": weights,
        "arena_bytes": program.arena_bytes,
        "table_bytes": program.table_bytes,
        "weight_bits": program.weight_bits,
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
    four = ", weights in four bits" * program.codes
    print(f"\n{'tables:':<10}{program.table_bytes:,} bytes of {program.dtype}{four}")
    print(f"{'arena:':<10}{program.arena_bytes:,} bytes")
    if accuracy:
        print(f"{'accuracy:':<10}{accuracy[0]:.4f} float32, {accuracy[1]:.4f} int8")
    names = [str(written.header), str(written.source), *weights]
    print(f"{'written:':<10}{', '.join(names)}")
    return 0
