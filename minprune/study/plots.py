"""Pictures of a pruning, as SVG text that stands inside a page; matplotlib draws them.

Every function takes data and returns one ``<svg>`` element. Nothing global is touched:
figures are made directly, and the settings hold for one figure only.
"""

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minprune._check import BoolArray
from minprune.metrics import LayerCount
from minprune.nn import Epoch

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, BLUE, ORANGE, GREEN = "#333333", "#2b6cb0", "#c05621", "#2f855a"
LINES = (BLUE, ORANGE, GREEN, "#805ad5", "#b83280")
WIDTH = 5.4
"""Inches; with 11-point letters, text stays legible 10 cm wide."""

SETTINGS = {
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e2e2e2",
    "axes.axisbelow": True,
    "svg.hashsalt": "minprune",
}


def missing() -> str:
    """Why there are no pictures, or an empty string if there can be some."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        return (
            "The pictures are drawn by matplotlib, which is not installed: "
            'python -m pip install "minprune[report]" adds it.'
        )
    return ""


def training_curve(history: Sequence[tuple[str, Epoch]]) -> str:
    """Validation score and sparsity over all epochs, the stages side by side."""

    def draw(figure: "Figure") -> None:
        score, share = figure.subplots(
            2, 1, sharex=True, gridspec_kw={"height_ratios": [2, 1]}
        )
        epochs = np.arange(1, len(history) + 1)
        score.plot(epochs, [epoch.val_score for _, epoch in history], color=BLUE)
        score.set_ylabel("validation")
        share.plot(epochs, [epoch.sparsity for _, epoch in history], color=ORANGE)
        share.set_ylabel("sparsity")
        share.set_ylim(-0.03, 1.03)
        share.set_xlabel("epoch")
        stages = [stage for stage, _ in history]
        for start in [i for i, s in enumerate(stages) if i == 0 or stages[i - 1] != s]:
            for axes in (score, share):
                axes.axvline(start + 0.5, color="#bbbbbb", linewidth=1)
            score.annotate(
                stages[start],
                (start + 0.7, 0.03),
                xycoords=("data", "axes fraction"),
                color=INK,
            )

    return _svg(draw, 4.2)


def sparsity_bars(layers: Sequence[LayerCount]) -> str:
    """Weights kept and removed in each layer."""

    def draw(figure: "Figure") -> None:
        axes = figure.subplots()
        names = [f"{layer.name}  ({layer.weights:,})" for layer in layers]
        kept = [100 * (1 - layer.sparsity) for layer in layers]
        rows = np.arange(len(layers))
        axes.barh(rows, 100, color="#e8e8e8")
        axes.barh(rows, kept, color=BLUE)
        for row, share in zip(rows, kept, strict=True):
            axes.text(share + 1, float(row), f"{share:.1f} %", va="center", color=INK)
        axes.set_yticks(rows, names)
        axes.invert_yaxis()
        axes.set_xlim(0, 100)
        axes.set_xlabel("weights kept, per cent")
        axes.grid(False)

    return _svg(draw, 0.9 + 0.42 * len(layers))


def mask_pictures(masks: Mapping[str, BoolArray]) -> str:
    """Each weight as (outputs, inputs): dark where a weight is kept."""

    def draw(figure: "Figure") -> None:
        panels = figure.subplots(len(masks), 1, squeeze=False)[:, 0]
        for axes, (name, mask) in zip(panels, masks.items(), strict=True):
            flat = mask.reshape(len(mask), -1)
            axes.imshow(
                _coarse(flat), cmap="Blues", vmin=0, aspect="auto", interpolation="none"
            )
            axes.set_title(
                f"{name}: {flat.shape[0]} outputs, {flat.shape[1]} inputs",
                loc="left",
                fontsize=10,
            )
            axes.set_xticks([])
            axes.set_yticks([])
            axes.grid(False)

    return _svg(draw, 1.45 * len(masks))


def criteria_curve(curve: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """Score against sparsity, one line a criterion."""

    def draw(figure: "Figure") -> None:
        axes = figure.subplots()
        for color, (name, points) in zip(LINES, curve.items(), strict=False):
            sparsity, score = zip(*points, strict=True)
            axes.plot(
                sparsity, score, color=color, marker="o", markersize=4, label=name
            )
        axes.set_xlabel("sparsity")
        axes.set_ylabel("validation")
        axes.legend(frameon=False)

    return _svg(draw, 3.2)


def _coarse(mask: BoolArray, widest: int = 400) -> Any:
    """The mask, or the share kept in each of at most `widest` columns."""
    columns = mask.shape[1]
    if columns <= widest:
        return mask.astype(float)
    edges = np.linspace(0, columns, widest + 1).astype(int)[:-1]
    sums = np.add.reduceat(mask.astype(float), edges, axis=1)
    return sums / np.diff([*edges, columns])


def _svg(draw: Any, height: float) -> str:
    """The picture that `draw` puts on an empty figure, readable on a phone."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(SETTINGS):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        draw(figure)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]
