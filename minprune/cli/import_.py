"""minprune import: networks and weights from elsewhere."""

import argparse

SUMMARY = (
    "Turn an ONNX file, or weights from PyTorch (safetensors) or NumPy (.npz), into a "
    "network file."
)
EXAMPLE = (
    "minprune import lenet.safetensors --model lenet_300_100 --data digits "
    "-o net.safetensors\n  "
    "minprune import net.onnx -o net.safetensors"
)


def options(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    from minprune.cli._options import DATA_HELP

    parser.add_argument(
        "weights",
        metavar="WEIGHTS",
        help="an .onnx file, which brings its own architecture (needs the onnx "
        "extra); a state_dict saved as safetensors, or an .npz, named as in the model",
    )
    parser.add_argument("--model", help="the architecture; an .npz may bring its own")
    parser.add_argument("--data", metavar="DATA", help=f"what it is for: {DATA_HELP}")
    parser.add_argument("-o", "--output", required=True, help="file to write")


def run(args: argparse.Namespace) -> int:
    """Build, fill, save, report."""
    import minprune
    from minprune import data, metrics, nn
    from minprune.cli._options import writable
    from minprune.cli._show import as_json
    from minprune.nn import foreign
    from minprune.nn.foreign_onnx import read_onnx
    from minprune.nn.train import check_fit

    writable(args.output)
    found = data.load(args.data) if args.data else None
    net = None
    if args.model:
        if found is None:
            raise ValueError("--model needs --data, whose shapes it adapts to")
        net = nn.models.build(args.model, found)
    if args.weights.endswith(".onnx"):
        if net is not None:
            raise ValueError(
                f"{args.weights}: it brings its own architecture; leave --model out"
            )
        net = read_onnx(args.weights)
        if found is not None:
            check_fit(net, found)
    elif args.weights.endswith(".npz"):
        net = foreign.read_npz(args.weights, net)
    elif net is None:
        raise ValueError(
            f"{args.weights}: a state_dict brings no architecture; name it by --model "
            f"and --data"
        )
    else:
        foreign.load_state_dict(net, foreign.read_state_dict(args.weights))
    minprune.save(net, args.output)
    count = metrics.count(net)
    result = {
        "weights": count.kept,
        "weights_total": count.weights,
        "layers": [layer.name for layer in count.layers],
        "output": args.output,
    }
    if args.json:
        as_json(result)
    else:
        names = ", ".join(result["layers"])
        print(f"{count.weights:,} weights in {names}; written: {args.output}")
    return 0
