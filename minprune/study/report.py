"""One self-contained page that says what a pruning gained and lost.

The page asks the network for nothing: style and pictures stand inside it. What comes
from outside, names of classes, layers and files, is escaped.
"""

import platform
from collections.abc import Iterable, Sequence
from html import escape
from os import PathLike
from typing import Any

import numpy as np
import scipy

from minprune._version import __version__
from minprune.files import atomic
from minprune.metrics import count
from minprune.metrics.energy import SOURCE
from minprune.study import plots
from minprune.study.demo import Story

STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #222; background: #fff;
       max-width: 46rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.5rem; line-height: 1.25; }
h2 { font-size: 1.15rem; margin-top: 2rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .6rem; text-align: right; border-bottom: 1px solid #e2e2e2; }
th:first-child, td:first-child, .text { text-align: left; }
td { white-space: nowrap; } td.text { white-space: normal; min-width: 14rem; }
@media (max-width: 32rem) { table { font-size: .8rem; } th, td { padding: .25rem; } }
svg { width: 100%; height: auto; } .note { color: #555; font-size: .9rem; }
code { background: #f3f3f3; padding: .1rem .25rem; overflow-wrap: anywhere; }
.good { color: #22543d; } .bad { color: #9b2c2c; }
"""


def comparison(figures: dict[str, Any]) -> list[list[str]]:
    """Rows of the before/after table: what, dense, pruned, change."""
    dense, pruned = figures["dense"], figures["pruned"]

    def row(label: str, key: str, form: str, change: str) -> list[str]:
        before, after = dense[key], pruned[key]
        return [
            label,
            form.format(before),
            form.format(after),
            _change(before, after, change),
        ]

    return [
        row("test accuracy", "test_accuracy", "{:.2%}", "points"),
        row("validation accuracy", "val_accuracy", "{:.2%}", "points"),
        row("test loss", "test_loss", "{:.4f}", "factor"),
        row("weights kept", "weights", "{:,}", "smaller"),
        row("bytes in the file", "stored_bytes", "{:,}", "smaller"),
        row("bytes resident", "resident_bytes", "{:,}", "smaller"),
        row("bytes for execution", "execution_bytes", "{:,}", "none"),
        row("multiply-adds a sample", "macs", "{:,}", "smaller"),
        row("latency, one sample (ms)", "latency_ms", "{:.3f}", "smaller"),
        row("latency, batch of 128 (ms)", "batch_latency_ms", "{:.3f}", "smaller"),
        row("energy estimate (\N{MICRO SIGN}J)", "energy_uj", "{:.1f}", "smaller"),
    ]


def _change(before: float, after: float, how: str) -> str:
    """The change in the unit a reader thinks in."""
    if how == "points":
        return f"{100 * (after - before):+.2f} points"
    if how == "none" or not before or not after:
        return ""
    if how == "smaller" and after <= before:
        return f"{before / after:.1f}x less"
    return (
        f"{after / before:.2f}x" if how == "factor" else f"{after / before:.1f}x more"
    )


def write(story: Story, path: str | PathLike[str]) -> None:
    """Write the page of a demonstration, atomically."""
    atomic.write_text(path, page(story))


def page(story: Story) -> str:
    """The page as text."""
    figures = story.figures
    title = (
        f"{figures['dataset']}: {figures['sparsity']:.1%} of the weights removed, "
        f"{figures['dense']['test_accuracy']:.2%} \N{RIGHTWARDS ARROW} "
        f"{figures['pruned']['test_accuracy']:.2%} test accuracy"
    )
    body = [
        f"<h1>{escape(title)}</h1>",
        _paragraph(
            f"A {figures['model']} trained on {figures['dataset']}, pruned gradually "
            f"by {figures['criterion']}, and recovered in sparse storage. Recovery "
            f"(dense over pruned validation loss): {figures['recovery']:.2f}."
        ),
        _verdict(figures),
        "<h2>Before and after</h2>",
        _table(["", "dense", "pruned", "change"], comparison(figures)),
        _note(
            "Multiply-adds are those executed; bytes include indices. Latencies are "
            "medians on this machine, from raw samples to outputs, of the network "
            "called as it is or compiled, whichever is faster. The energy is an "
            f"estimate from counts and the constants of {SOURCE}; it is no measurement."
        ),
        "<h2>Accuracy by class</h2>",
        _by_class(figures),
        *_pictures(story),
        "<h2>Layers</h2>",
        _layers(story),
        "<h2>Files</h2>",
        _table(
            ["file", "path"],
            [[name, str(where)] for name, where in figures["files"].items()],
            text=1,
        ),
        "<h2>Repeat it</h2>",
        f"<p><code>minprune demo --dataset {escape(figures['dataset'])} "
        f"--seed {figures['seed']}</code></p>",
        _note(
            f"minprune {__version__}, Python {platform.python_version()}, NumPy "
            f"{np.__version__}, SciPy {scipy.__version__}, {platform.machine()}, "
            f"{platform.system()}. {story.data.attribution}"
        ),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )


def _verdict(figures: dict[str, Any]) -> str:
    """Whether the player agreed."""
    good = figures["player_agrees"]
    words = "agrees with" if good else "differs from"
    return (
        f'<p class="{"good" if good else "bad"}">The single-file player {words} the '
        f"engine on every test sample: largest difference "
        f"{figures['player_difference']:.1e}, which is "
        f"{figures['player_share_of_bound']:.2g} of what rounding alone may do.</p>"
    )


def _by_class(figures: dict[str, Any]) -> str:
    """Test accuracy of each class, dense and pruned."""
    dense = figures["dense"]["test_by_class"]
    pruned = figures["pruned"]["test_by_class"]
    rows = [[name, f"{dense[name]:.1%}", f"{pruned[name]:.1%}"] for name in dense]
    return _table(["class", "dense", "pruned"], rows)


def _pictures(story: Story) -> Iterable[str]:
    """The pictures, or one paragraph that says what is missing."""
    if reason := plots.missing():
        yield "<h2>Pictures</h2>"
        yield _note(reason)
        return
    yield "<h2>Training, pruning, recovering</h2>"
    yield plots.training_curve(story.history)
    yield "<h2>What is kept in each layer</h2>"
    yield plots.sparsity_bars(count(story.pruned).layers)
    yield "<h2>The masks</h2>"
    yield plots.mask_pictures(story.pruned.masks())
    yield _note("Dark where a weight is kept; a row is an output unit.")
    yield "<h2>Criteria, one-shot and without recovery</h2>"
    yield plots.criteria_curve(story.curve)


def _layers(story: Story) -> str:
    """Every pruned layer, the form it is held in, and why."""
    rows = [
        [
            layer.name,
            layer.kind,
            f"{layer.kept:,} of {layer.weights:,}",
            f"{layer.file_bytes:,}",
            story.reasons.get(layer.name, ""),
        ]
        for layer in count(story.pruned).layers
    ]
    return _table(["layer", "kind", "kept", "bytes", "why this form"], rows, text=4)


def _table(
    header: Sequence[str], rows: Iterable[Sequence[str]], text: int | None = None
) -> str:
    """A table that scrolls by itself on a narrow screen; column `text` may wrap."""

    def cell(tag: str, column: int, entry: str) -> str:
        kind = ' class="text"' if column == text else ""
        return f"<{tag}{kind}>{escape(entry)}</{tag}>"

    lines = [("th", header), *(("td", row) for row in rows)]
    body = "\n".join(
        f"<tr>{''.join(cell(tag, i, entry) for i, entry in enumerate(line))}</tr>"
        for tag, line in lines
    )
    return f'<div class="wide"><table>\n{body}\n</table></div>'


def _paragraph(text: str) -> str:
    """Escaped text."""
    return f"<p>{escape(text)}</p>"


def _note(text: str) -> str:
    """Escaped text, smaller."""
    return f'<p class="note">{escape(text)}</p>'
