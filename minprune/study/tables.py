"""Tables of many runs: a value for every seed, and rows compared seed by seed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SEEDS = (0, 1, 2, 3, 4)


@dataclass(frozen=True)
class Cell:
    """One entry of a table: a value for every seed."""

    row: str
    column: str
    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return float(np.mean(self.values))

    @property
    def deviation(self) -> float | None:
        """Standard deviation over the seeds, of a sample; one seed has none."""
        several = len(self.values) > 1
        return float(np.std(self.values, ddof=1)) if several else None

    def __str__(self) -> str:
        spread = self.deviation
        return f"{self.mean:.1f}" + ("" if spread is None else f" ± {spread:.1f}")


def markdown(cells: Sequence[Cell], corner: str = "") -> str:
    """A table of cells, rows and columns in the order in which they come.

    >>> print(markdown([Cell("a", "x", (1.0, 3.0)), Cell("a", "y", (2.0,))], "row"))
    | row | x | y |
    |---|---|---|
    | a | 2.0 ± 1.4 | 2.0 |
    """
    rows = list(dict.fromkeys(cell.row for cell in cells))
    columns = list(dict.fromkeys(cell.column for cell in cells))
    at = {(cell.row, cell.column): str(cell) for cell in cells}
    lines = [[corner, *columns], ["---"] * (1 + len(columns))]
    lines += [[row, *(at.get((row, column), "") for column in columns)] for row in rows]
    return _table(lines)


def against(cells: Sequence[Cell], base: str, rows: Sequence[str]) -> str:
    """How much better rows are than the row `base`, seed by seed, as a table.

    >>> cells = [Cell("a", "x", (1.0, 3.0)), Cell("b", "x", (2.0, 2.5))]
    >>> print(against(cells, "a", ["b"]))
    | against a | x |
    |---|---|
    | b | +0.2 (1 of 2) |
    """
    at = {(cell.row, cell.column): np.array(cell.values) for cell in cells}
    columns = list(dict.fromkeys(cell.column for cell in cells))
    lines = [[f"against {base}", *columns], ["---"] * (1 + len(columns))]
    for row in rows:
        gains = [at[row, column] - at[base, column] for column in columns]
        lines.append(
            [row, *(f"{g.mean():+.1f} ({sum(g > 0)} of {len(g)})" for g in gains)]
        )
    return _table(lines)


def _table(lines: Sequence[Sequence[str]]) -> str:
    """Lines of cells, the second one dashes, as Markdown."""
    return "\n".join(
        f"|{'|'.join(line)}|" if line[0] == "---" else f"| {' | '.join(line)} |"
        for line in lines
    )
