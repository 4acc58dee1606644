"""Accuracy of pruned networks in float32, int8 and four bits, on the shipped data.

    python -m benchmarks.quantized

For each data set and seed: train, prune gradually to 90 % over the network by
magnitude, recover, quantize with ranges from the first training samples. "Aware" rows
are trained on for a few epochs more with the rounding to come. A quantized network is
written to a file, read back and run by the NumPy player, whose answers must be those of
the emulation to the bit; bytes are those of all arrays in the file.
"""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

import minprune
from minprune import data, metrics, nn, prune
from minprune.export import player
from minprune.quantize import QuantizationAware, count, quantize

SEEDS = range(5)
SETS = {"digits": "small_cnn", "watch": "cnn1d", "jvowels": "cnn1d"}
BATCHES = {"digits": 64, "watch": 32, "jvowels": 8}
"""Samples a step: so that each set, large or small, gets some 1,200 steps."""

SAMPLES = 512
EPOCHS, PRUNING, RECOVERY, AWARE = 25, 25, 10, 10
BITS = (8, 4)


def pruned(name: str, seed: int) -> tuple[nn.Network, data.Dataset]:
    """A trained network at 90 % sparsity, and its data."""
    ds = data.load(name)
    net = nn.models.build(SETS[name], ds, seed=seed)
    gradual = prune.Gradual("magnitude", sparsity="0.9", seed=seed)
    for epochs, procedures in ((EPOCHS, []), (PRUNING, [gradual]), (RECOVERY, [])):
        train(net, ds, epochs, procedures, seed)
    return net, ds


def train(
    net: nn.Network,
    ds: data.Dataset,
    epochs: int,
    procedures: Sequence[nn.Procedure],
    seed: int,
    lr: float = 3e-3,
) -> None:
    """Train in place, with a falling rate."""
    nn.train(
        net,
        ds,
        epochs=epochs,
        batch_size=BATCHES[ds.name],
        optimizer=nn.Adam(lr),
        rate=nn.rates.cosine,
        procedures=procedures,
        seed=seed,
    )


def measured(net: nn.Network, ds: data.Dataset, bits: int) -> tuple[float, int]:
    """Accuracy and bytes of a network in integers, as the player runs its file."""
    small = quantize(net, ds.train.x[:SAMPLES], bits=bits)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "small.safetensors")
        minprune.save(small, path)
        found = player.load(path)(ds.test.x)
    if found.tobytes() != small(ds.test.x).tobytes():
        raise AssertionError(f"{ds.name}: the player differs from the emulation")
    accuracy = metrics.accuracy(found.argmax(axis=1), ds.test.y)
    return accuracy, count(small).file_bytes


def rows(name: str, seed: int) -> dict[str, tuple[float, int]]:
    """Accuracy and bytes of every way, for one seed."""
    net, ds = pruned(name, seed)
    accuracy = metrics.accuracy(net.predict(ds.test.x), ds.test.y)
    found = {"float32": (accuracy, metrics.count(net).file_bytes)}
    for bits in BITS:
        label = f"int{bits}" if bits == 8 else "4 bits"
        found[label] = measured(net, ds, bits)
        tuned = net.copy()
        aware = QuantizationAware(bits=bits)
        train(tuned, ds, AWARE, [aware], seed, lr=5e-4)
        found[f"{label}, aware"] = measured(tuned, ds, bits)
    return found


def table(show: Callable[[str], None] = print) -> None:
    """Mean over the seeds, the loss against float32 in points, and bytes."""
    show("| data | network | numbers | test accuracy | against float32 | bytes |")
    show("|---|---|---|---|---|---|")
    for name, kind in SETS.items():
        runs = [rows(name, seed) for seed in SEEDS]
        base = np.array([run["float32"][0] for run in runs])
        for label in runs[0]:
            scores = np.array([run[label][0] for run in runs])
            size = round(np.mean([run[label][1] for run in runs]))
            lost = 100 * (scores.mean() - base.mean())
            accuracy = f"{100 * scores.mean():.2f} ± {100 * scores.std(ddof=1):.2f}"
            show(f"| {name} | {kind} | {label} | {accuracy} | {lost:+.2f} | {size:,} |")


if __name__ == "__main__":
    table()
