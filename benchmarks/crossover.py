"""From which sparsity a sparse encoding beats a dense kernel, core by core.

One layer of 784 to 300 in int8. The dense kernel is this package's, plain C; on cores
for which the counts of CMSIS-NN's are known, these are held against it too.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numpy as np

from benchmarks.emulator import measure
from benchmarks.networks import mlp, pruned
from minprune.export import c99
from minprune.export.c99.choose import Candidate
from tests.export.compilers import CORES

SHAPE = 784, 300

SPARSITIES = 0.1, 0.3, 0.5, 0.7, 0.9, 0.95

CMSIS_NN = {"cortex-m3": 795_000, "cortex-m4f": 456_000}
"""Instructions of arm_fully_connected_s8 for a layer of this shape (gcc 12, -O2, with
SIMD on the M4), counted beforehand with a local build of CMSIS-NN; not run here."""


@dataclass(frozen=True)
class Curve:
    """Instructions on one core."""

    core: str
    dense: int
    sparse: tuple[int, ...]
    """One for each of `SPARSITIES`."""
    vendor: int | None
    """Of the vendor's dense kernel, where it is known."""

    def crossing(self, dense: int | None) -> float | None:
        """The sparsity at which the encoding costs as much.

        The first of them if it is cheaper there already, None if it is dearer at all.
        """
        if dense is None or dense < self.sparse[-1]:
            return None
        return float(np.interp(dense, self.sparse[::-1], SPARSITIES[::-1]))


def curve(name: str, encoding: str = "seg8") -> Curve:
    """Measure one core."""

    def count(sparsity: float, encoding: str) -> int:
        with forced(encoding):
            program = c99.Program(pruned(mlp(*SHAPE), sparsity, "int8"))
        return measure(program, CORES[name], "-Os").instructions

    sparse = tuple(count(sparsity, encoding) for sparsity in SPARSITIES)
    return Curve(name, count(0.0, "dense"), sparse, CMSIS_NN.get(name))


@contextmanager
def forced(encoding: str) -> Iterator[None]:
    """Give every layer this encoding, whatever it costs."""

    def choose(found: list[Candidate], objective: str) -> Candidate:
        return next(one for one in found if one.encoding == encoding)

    with mock.patch("minprune.export.c99.program.choose", choose):
        yield


def plot(curves: list[Curve], path: Path) -> None:
    """Instructions against sparsity, each as a multiple of the dense kernel's."""
    try:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot as plt
    except ImportError as why:
        raise SystemExit(
            "a plot needs matplotlib: pip install minprune[report]"
        ) from why
    figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    alike: dict[tuple[float, ...], list[Curve]] = {}
    for one in curves:
        ratios = tuple(round(count / one.dense, 3) for count in one.sparse)
        alike.setdefault(ratios, []).append(one)
    for ratios, cores in alike.items():
        label = ", ".join(one.core for one in cores)
        percent = [100 * sparsity for sparsity in SPARSITIES]
        axes.plot(percent, ratios, marker="o", markersize=3, label=label)
    for one in curves:
        if one.vendor:
            ratio = one.vendor / one.dense
            axes.axhline(ratio, color="gray", linestyle=":", linewidth=1)
            label = f"CMSIS-NN (-O2), {one.core}"
            axes.text(95, ratio, label, fontsize=7, ha="right", va="bottom")
    axes.axhline(1, color="black", linewidth=1)
    axes.text(95, 1, "dense kernel in plain C", fontsize=7, ha="right", va="bottom")
    axes.set(
        xlabel="weights removed (%)",
        ylabel="executed instructions, dense = 1",
        title=f"seg8 against a dense kernel: {SHAPE[0]} to {SHAPE[1]}, int8, -Os",
        ylim=(0, None),
    )
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=110)
    plt.close(figure)
