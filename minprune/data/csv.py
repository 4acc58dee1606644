"""Sensor recordings from a text table: one row a time step, one column a sensor.

Convention
    The first row names the columns. ``label`` (or the column that is named) is the
    class or the target of the row. ``recording`` and ``split``, if they are there, say
    which rows belong together and which part they are for (train, val, test, or 0, 1,
    2). Every other column is a feature, and a number.
Separator
    Comma, semicolon or tab: the one met most often in the first row.
"""

import csv
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from minprune._check import FloatArray, IntArray, positive_int
from minprune.data.arrays import from_arrays
from minprune.data.dataset import TEST, TRAIN, VAL, Dataset, Task, standardized
from minprune.data.npz import existing_file
from minprune.data.windows import cut_in_time, runs, windows

LIMIT = 2**28
"""Bytes of a text file; in memory a table takes several times as much."""

SPLITS = {"train": TRAIN, "val": VAL, "test": TEST, "0": TRAIN, "1": VAL, "2": TEST}


def read_csv(
    path: str | os.PathLike[str],
    *,
    label: str = "label",
    window: int | None = None,
    step: int | None = None,
    task: Task = "classification",
    seed: int = 0,
    limit: int = LIMIT,
) -> Dataset:
    """A data set from a table of numbers with a label column.

    Parameters
    ----------
    path : path
        The file, UTF-8.
    label : str
        Column of the class or, for regression, of the target.
    window : int, optional
        Rows in one sample, which then has shape (features, window). Left out, every row
        is a sample of shape (features,).
    step : int, optional
        Rows from the start of one window to the next; by default `window`, no overlap.
    task : {"classification", "regression"}
        With regression a window's target is that of its last row.
    seed : int
        For the split that is drawn when rows are samples and there is no ``split``.
    limit : int
        Bytes of the file.

    Returns
    -------
    Dataset
        Classes are the texts in the label column, sorted, numbers by value. Features
        are `standardized`, since a table cannot state its scale.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the table cannot be used; names the file, row and column.

    Notes
    -----
    A window never reaches across a change of recording or split or, for classes, of
    label. If there is no ``split`` column, each run of rows that agree in these is cut
    in time, the first 70 % for training, the next 15 % for validation, the last for
    test, and windows are taken after that: neighboring windows are so alike that
    drawing them at random would let the test be remembered. Accuracy on people or
    machines never met needs a ``split`` column that holds whole recordings back.
    """
    source = str(path)
    columns = read_columns(path, limit=limit)
    if label not in columns:
        raise ValueError(
            f"{source}: there is no column {label!r}; the columns are "
            f"{', '.join(columns)}; name the one with the classes by label="
        )
    features = [n for n in columns if n not in (label, "recording", "split")]
    if not features:
        raise ValueError(f"{source}: no column is left for features")
    x = np.stack([numbers(source, name, columns[name]) for name in features], axis=1)
    y: FloatArray | IntArray
    classes, keys = None, list[IntArray]()
    if task == "regression":
        y = numbers(source, label, columns[label])
    else:
        classes, labels = _codes(columns[label])
        y = labels
        keys.append(labels)
    split = _split(source, columns["split"]) if "split" in columns else None
    if window is not None:
        window = positive_int("read_csv", "window", window)
        step = window if step is None else positive_int("read_csv", "step", step)
        if "recording" in columns:
            keys.append(_codes(columns["recording"])[1])
        if split is None:
            split = cut_in_time(runs(keys, len(x)), len(x))
        rows = windows(runs([*keys, split], len(x)), window, step)
        if not len(rows):
            raise ValueError(
                f"{source}: no {window} rows in a row belong to one label, recording "
                f"and split; take a smaller window"
            )
        x, y, split = x[rows].transpose(0, 2, 1), y[rows[:, -1]], split[rows[:, -1]]
    data = from_arrays(
        x,
        y,
        split=split,
        classes=classes,
        task=task,
        name=Path(path).stem,
        seed=seed,
        source=source,
    )
    return standardized(data)


def read_columns(
    path: str | os.PathLike[str], *, limit: int = LIMIT
) -> dict[str, tuple[str, ...]]:
    """The columns of a text table by name, as text.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is larger than `limit`, not text, has no rows, names a column twice, or
        has a row of another length than the first.
    """
    path = existing_file(path)
    size = path.stat().st_size
    if size > limit:
        raise ValueError(
            f"{path}: takes {size} bytes; the limit is {limit}; raise limit= or store "
            f"the data as .npz"
        )
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            separator = max(",;\t", key=first.count)
            file.seek(0)
            rows = list(csv.reader(file, delimiter=separator))
    except (UnicodeDecodeError, csv.Error) as why:
        raise ValueError(f"{path}: not a text table ({why}); save it as CSV") from None
    while rows and not rows[-1]:
        rows.pop()  # empty lines at the end
    if len(rows) < 2:
        raise ValueError(f"{path}: has no rows below the names of the columns")
    names = [name.strip() for name in rows.pop(0)]
    if len(set(names)) < len(names) or "" in names:
        raise ValueError(
            f"{path}: the first row is {', '.join(names)!r}; expected a different name "
            f"for every column"
        )
    if all(map(_is_number, names)):
        raise ValueError(
            f"{path}: the first row holds numbers; expected the names of the columns"
        )
    for number, row in enumerate(rows, start=2):
        if len(row) != len(names):
            raise ValueError(
                f"{path}: row {number} has {len(row)} values; the first row names "
                f"{len(names)} columns"
            )
    return dict(zip(names, zip(*rows, strict=True), strict=True))


def numbers(source: str, name: str, column: Sequence[str]) -> FloatArray:
    """A column of text as float32; an error names the first cell that is no number."""
    try:
        with np.errstate(over="ignore"):
            values: FloatArray = np.array(column, np.float64).astype(np.float32)
    except ValueError:
        bad = next(i for i, text in enumerate(column) if not _is_number(text))
    else:
        good = np.isfinite(values)
        if good.all():
            return values
        bad = int(np.flatnonzero(~good)[0])
    raise ValueError(
        f"{source}: row {bad + 2}, column {name!r} holds {column[bad][:40]!r}; "
        f"expected a finite number"
    )


def _is_number(text: str) -> bool:
    """Whether the text is one real number, finite or not."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _codes(column: Sequence[str]) -> tuple[list[str], IntArray]:
    """The different texts of a column, in order, and which of them each row has."""
    texts = [text.strip() for text in column]
    names = sorted(set(texts))
    if all(map(_is_number, names)):
        names.sort(key=float)
    place = {name: i for i, name in enumerate(names)}
    return names, np.array([place[text] for text in texts])


def _split(source: str, column: Sequence[str]) -> IntArray:
    """The split column as 0, 1, 2."""
    texts = [text.strip() for text in column]
    for number, text in enumerate(texts, start=2):
        if text not in SPLITS:
            raise ValueError(
                f"{source}: row {number}, column 'split' holds {text[:40]!r}; expected "
                f"train, val or test (or 0, 1, 2)"
            )
    return np.array([SPLITS[text] for text in texts])
