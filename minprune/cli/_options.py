"""Options that several commands share, and how their values are read."""

import argparse
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from minprune.cli._show import Progress
    from minprune.data import Dataset
    from minprune.metrics import Count
    from minprune.nn import Checkpoint, Epoch
    from minprune.nn.network import Network
    from minprune.quantize import QuantizedNetwork

DATA_HELP = "digits, watch, jvowels, mnist1d, or a file: .npz with x and y, or .csv"


def training(parser: argparse.ArgumentParser, epochs: int) -> None:
    """Options of whatever trains."""
    parser.add_argument(
        "--epochs", type=int, default=epochs, help=f"passes over the data ({epochs})"
    )
    parser.add_argument(
        "--batch-size", type=int, default=64, help="samples a step (64)"
    )
    parser.add_argument(
        "--lr", type=float, default=2e-3, help="learning rate of Adam (0.002)"
    )
    parser.add_argument(
        "--checkpoint",
        metavar="FILE",
        help="save the training here while it goes; the same command goes on from it",
    )


def checkpoint(args: argparse.Namespace) -> "Checkpoint | None":
    """Where the training of a command saves itself, if it is to.

    What the command was told stands in its note, so that another one is refused.
    """
    from minprune import nn

    path = args.checkpoint
    if path is None:
        return None
    writable(path)
    own = ("checkpoint", "output", "json", "run", "unsaid")
    said = {k: v for k, v in vars(args).items() if k not in own and v is not None}
    if said.get("plan"):
        said["plan"] = f"{zlib.crc32(Path(args.plan).read_bytes()):08x}"
    if Path(path).absolute() == Path(args.output).absolute():
        raise ValueError(f"--checkpoint and --output are both {path}; expected two")
    return nn.Checkpoint(path, note=" ".join(f"{k}={v}" for k, v in said.items()))


def counted(net: "Network | QuantizedNetwork") -> "Count":
    """What a network holds and does."""
    from minprune import metrics, nn, quantize

    return metrics.count(net) if isinstance(net, nn.Network) else quantize.count(net)


def fitting(net: "Network | QuantizedNetwork", name: str) -> "Dataset":
    """The data set of that name, which the network must fit."""
    from minprune import data
    from minprune.nn.train import check_fit

    found = data.load(name)
    check_fit(net, found)
    return found


def epoch_line(show: "Progress", what: str, epochs: int) -> Any:
    """A callback for training that shows each finished epoch."""

    def shown(epoch: "Epoch") -> None:
        show(
            f"{what}: epoch {epoch.epoch + 1} of {epochs}, loss "
            f"{epoch.train_loss:.4f}, validation {epoch.val_score:.4f}, sparsity "
            f"{epoch.sparsity:.3f}"
        )

    return shown


def writable(path: str) -> str:
    """The path, refused early if its folder is missing: not after the training."""
    folder = Path(path).absolute().parent
    if not folder.is_dir():
        raise ValueError(f"{path}: there is no folder {folder}; make it first")
    if Path(path).is_dir():
        raise ValueError(f"{path}: this is a folder; name a file in it")
    if Path(path).exists() and not Path(path).is_file():
        raise ValueError(f"{path}: this is a device or a pipe; name a file")
    return path
