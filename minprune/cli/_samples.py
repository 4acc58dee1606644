"""Raw samples without targets, for prediction."""

import math

import numpy as np

from minprune._check import AnyArray
from minprune.data.npz import existing_file, read_arrays

NO_FEATURES = ("label", "recording", "split")
"""Columns of a table to train on (`minprune.data.read_csv`) that are no feature."""


def read(path: str, input_shape: tuple[int, ...]) -> AnyArray:
    """The samples of a file, batch first.

    An `.npz` must have an array ``x``. Anything else is read as a text table of one
    sample a line, its numbers apart by commas, semicolons, tabs or spaces. A first line
    that is not all numbers names the columns; `NO_FEATURES` among them are left out.
    """
    if path.endswith(".npz"):
        arrays = read_arrays(path, ["x"])
        if "x" not in arrays:
            raise ValueError(
                f"{path}: has no array 'x'; expected samples under that name"
            )
        samples = arrays["x"]
    else:
        samples = _table(path)
    size = math.prod(input_shape)
    if samples.ndim == 0 or samples[:1].size not in (0, size):
        raise ValueError(
            f"{path}: samples have {samples[:1].size} numbers each; the network takes "
            f"{size}, of shape {input_shape}"
        )
    if samples.dtype.kind == "f" and not np.isfinite(samples).all():
        row = int(np.argwhere(~np.isfinite(samples))[0][0])
        raise ValueError(f"{path}: sample {row} holds a number that is not finite")
    return samples


def _table(path: str) -> AnyArray:
    """The numbers of a text table, shape (rows, columns)."""
    try:
        lines = existing_file(path).read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise ValueError(f"{path}: not a text file; expected CSV or .npz") from None
    rows: list[list[float]] = []
    left_out: list[int] = []
    for number, line in enumerate(lines, 1):
        cells = _cells(line)
        try:
            values = [float(c) for i, c in enumerate(cells) if i not in left_out]
        except ValueError:
            if number == 1:
                left_out = [i for i, name in enumerate(cells) if name in NO_FEATURES]
                continue
            raise ValueError(f"{path}: line {number} is not all numbers") from None
        if rows and values and len(values) != len(rows[0]):
            raise ValueError(
                f"{path}: line {number} has {len(values)} numbers; the lines before it "
                f"have {len(rows[0])}"
            )
        if values:
            rows.append(values)
    if not rows:
        raise ValueError(f"{path}: holds no samples")
    return np.array(rows)


def _cells(line: str) -> list[str]:
    """What a line holds, between the first separator that it has, or spaces."""
    separator = next((mark for mark in ",;\t" if mark in line), None)
    return [cell.strip() for cell in line.strip().split(separator)]
