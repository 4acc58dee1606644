"""The one door through which a data set is made: arrays in, checked, split, out."""

from collections.abc import Sequence

import numpy as np

from minprune._check import AnyArray, FloatArray, IntArray, finite
from minprune._random import stream
from minprune.data.dataset import TEST, TRAIN, VAL, Dataset, Split, Task

SHARE = 15
"""Per cent of each class that goes to validation, and to test, when nobody says."""


def from_arrays(
    x: AnyArray,
    y: AnyArray,
    *,
    split: AnyArray | None = None,
    lengths: IntArray | None = None,
    classes: Sequence[str] | None = None,
    scale: FloatArray | float = 1.0,
    offset: FloatArray | float = 0.0,
    task: Task = "classification",
    name: str = "arrays",
    attribution: str = "",
    seed: int = 0,
    source: str = "from_arrays",
) -> Dataset:
    """A data set from a user's own arrays, checked.

    Parameters
    ----------
    x : ndarray, shape (N, features), (N, C, L) or (N, C, H, W)
        Samples: numbers of any real type, all finite.
    y : ndarray, shape (N,), or (N, outputs) for regression
        Labels: whole numbers from 0, or class names as strings. For
        ``task="regression"``: finite numbers.
    split : ndarray, shape (N,), optional
        0 for training, 1 for validation, 2 for test. If no sample is marked 1, the
        validation part is drawn from the training part. If left out, both are drawn:
        15 % of each class, rounded down but at least one sample, for validation and as
        many for test; a class of fewer than three samples stays in training.
    lengths : ndarray of int, shape (N,), optional
        Real time steps of each sequence, 1 to L; the rest is padding at the end.
    classes : sequence of str, optional
        Names of the labels; by default their numbers, or the sorted names met in `y`.
    scale, offset : float or ndarray, optional
        Real value = x * scale + offset; broadcast against one sample.
    task : {"classification", "regression"}
        Regression has to be asked for: a fractional label is a mistake more often than
        a target.
    name, attribution : str, optional
        Carried along for reports.
    seed : int
        For the split that is drawn.
    source : str
        What error messages call the data; a file reader puts its path here.

    Returns
    -------
    Dataset
        With copies: later changes to `x` and `y` do not reach it.

    Raises
    ------
    ValueError
        If the arrays do not fit together or hold what cannot be used.

    Examples
    --------
    >>> data = from_arrays(np.zeros((20, 3)), np.repeat(["idle", "walk"], 10))
    >>> data.classes, len(data.train), len(data.val), len(data.test)
    (('idle', 'walk'), 16, 2, 2)
    """
    x, y = _numbers(source, "x", x), np.asarray(y)
    if x.ndim not in (2, 3, 4):
        raise ValueError(
            f"{source}: x has shape {x.shape}; expected (N, features), (N, C, L) or "
            f"(N, C, H, W)"
        )
    if 0 in x.shape[1:]:
        raise ValueError(f"{source}: x has shape {x.shape}; a sample holds no values")
    if y.ndim == 0 or len(y) != len(x):
        raise ValueError(
            f"{source}: y has shape {y.shape} but x has {len(x)} samples; expected one "
            f"target a sample"
        )
    if task == "classification":
        y, names = _labels(source, y, classes)
        strata = y
    elif task == "regression":
        y, names = _targets(source, y), ()
        strata = np.zeros(len(y), np.int64)
    else:
        raise ValueError(
            f"{source}: task is {task!r}; expected 'classification' or 'regression'"
        )
    if lengths is not None:
        lengths = _lengths(source, lengths, x.shape)
    parts = _parts(source, split, strata, seed)
    train, val, test = (
        Split(x[rows], y[rows], None if lengths is None else lengths[rows])
        for rows in parts
    )
    shape = x.shape[1:]
    return Dataset(
        name=name,
        classes=names,
        input_shape=shape,
        scale=_per_sample(source, "scale", scale, shape),
        offset=_per_sample(source, "offset", offset, shape),
        train=train,
        val=val,
        test=test,
        task=task,
        attribution=attribution,
    )


def draw(strata: IntArray, parts: Sequence[int], seed: int) -> IntArray:
    """Mark `SHARE` per cent of each stratum for each of `parts`, the rest 0."""
    split = np.full(len(strata), TRAIN)
    for stratum in np.unique(strata):
        rows = np.flatnonzero(strata == stratum)
        if len(rows) > len(parts):
            rows = stream(seed, "split", int(stratum)).permutation(rows)
            count = max(1, len(rows) * SHARE // 100)
            for i, part in enumerate(parts):
                split[rows[i * count : (i + 1) * count]] = part
    return split


def _parts(
    source: str, split: AnyArray | None, strata: IntArray, seed: int
) -> tuple[IntArray, ...]:
    """Row numbers of train, val and test, each in the order given."""
    if split is None:
        split = draw(strata, (VAL, TEST), seed)
    else:
        split = _whole(source, "split", np.asarray(split), len(strata))
        _within(source, "split", split, TRAIN, TEST, "0 train, 1 validation, 2 test")
        if not (split == VAL).any():
            rows = np.flatnonzero(split == TRAIN)
            split[rows] = draw(strata[rows], (VAL,), seed)
    parts = tuple(np.flatnonzero(split == part) for part in (TRAIN, VAL, TEST))
    for part, rows in zip(("train", "val", "test"), parts, strict=True):
        if not len(rows):
            raise ValueError(
                f"{source}: the {part} split is empty ({len(strata)} samples in all); "
                f"give more samples, or a split with 0 train, 1 validation, 2 test"
            )
    return parts


def _labels(
    source: str, y: AnyArray, classes: Sequence[str] | None
) -> tuple[IntArray, tuple[str, ...]]:
    """Labels as int64 and the name of each."""
    names = () if classes is None else tuple(str(name) for name in classes)
    if len(set(names)) < len(names):
        raise ValueError(f"{source}: classes names one twice: {', '.join(names)}")
    if y.dtype.kind == "U" and y.ndim == 1:
        met, places = np.unique(y, return_inverse=True)
        names = names or tuple(met.tolist())
        if unknown := [name for name in met.tolist() if name not in names]:
            raise ValueError(
                f"{source}: y holds the class {unknown[0]!r}, which is not among "
                f"classes: {', '.join(names)}"
            )
        return np.array([names.index(name) for name in met.tolist()])[places], names
    labels = _whole(source, "y", y, len(y))
    if names:
        why = f"there are {len(names)} classes"
        _within(source, "y", labels, 0, len(names) - 1, why)
        return labels, names
    # A stray label of a billion must not become a layer of a billion outputs.
    why = "labels count from 0; give classes= if there are really more than samples"
    _within(source, "y", labels, 0, max(len(labels) - 1, 0), why)
    return labels, tuple(str(i) for i in range(int(labels.max(initial=-1)) + 1))


def _targets(source: str, y: AnyArray) -> FloatArray:
    """Regression targets as floating numbers of shape (N, outputs)."""
    y = _numbers(source, "y", y)
    if y.ndim > 2 or 0 in y.shape[1:]:
        raise ValueError(
            f"{source}: y has shape {y.shape}; expected (N,) or (N, outputs)"
        )
    return (y if y.dtype.kind == "f" else y.astype(np.float64)).reshape(len(y), -1)


def _lengths(source: str, lengths: AnyArray, shape: tuple[int, ...]) -> IntArray:
    """Sequence lengths as int64, each within 1 to L."""
    if len(shape) != 3:
        raise ValueError(
            f"{source}: lengths are given but x has shape {shape}; only sequences "
            f"(N, C, L) have lengths"
        )
    lengths = _whole(source, "lengths", np.asarray(lengths), shape[0])
    _within(source, "lengths", lengths, 1, shape[2], f"x has {shape[2]} time steps")
    return lengths


def _numbers(source: str, field: str, array: AnyArray) -> AnyArray:
    """`array` if it holds finite real numbers; booleans become 0 and 1."""
    array = np.asarray(array)
    if array.dtype.kind == "b":
        array = array.astype(np.uint8)
    if array.dtype.kind not in "iuf" or array.dtype.itemsize > 8:
        raise ValueError(
            f"{source}: {field} has type {array.dtype}; expected real numbers of at "
            f"most 64 bits"
        )
    if array.dtype.kind == "f":
        finite(source, **{field: array})
    return array


def _whole(source: str, field: str, array: AnyArray, n: int) -> IntArray:
    """`array` as int64 of shape (n,) if every entry is a whole number."""
    if array.shape != (n,):
        raise ValueError(
            f"{source}: {field} has shape {array.shape}; expected ({n},), one whole "
            f"number a sample"
        )
    array = _numbers(source, field, array)
    exact = (array >= -(2**53)) & (array <= 2**53)
    bad = np.flatnonzero((array != np.trunc(array)) | ~exact)
    if len(bad):
        remedy = "; for regression say task='regression'" if field == "y" else ""
        raise ValueError(
            f"{source}: {field} is {array[bad[0]]} at index {bad[0]}; expected whole "
            f"numbers{remedy}"
        )
    return array.astype(np.int64)


def _within(
    source: str, field: str, array: IntArray, low: int, high: int, why: str
) -> None:
    """Raise ValueError unless every entry lies within low to high."""
    bad = np.flatnonzero((array < low) | (array > high))
    if len(bad):
        raise ValueError(
            f"{source}: {field} is {array[bad[0]]} at index {bad[0]}; expected {low} "
            f"to {high} ({why})"
        )


def _per_sample(
    source: str, field: str, value: FloatArray | float, shape: tuple[int, ...]
) -> FloatArray:
    """`value` as float32 with as many axes as a sample."""
    array = _numbers(source, field, np.asarray(value)).astype(np.float32)
    array = array.reshape((1,) * (len(shape) - array.ndim) + array.shape)
    try:
        fits = np.broadcast_shapes(array.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(
            f"{source}: {field} has shape {array.shape}; expected one that broadcasts "
            f"to a sample of shape {shape}"
        )
    finite(source, **{field: array})
    return array
