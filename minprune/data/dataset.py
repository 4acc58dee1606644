"""What every other room is given as data, and how its samples are batched.

Shapes
    Batch first, as everywhere outside the layers: ``(N, features)``, ``(N, C, L)`` or
    ``(N, C, H, W)``. `input_shape` is one sample, without N.
Numbers
    `x` stays as it was stored (often 8-bit integers). The real value is
    ``x * scale + offset``; a network does this itself, so that a device can be fed with
    raw samples.
Targets
    Labels are int64, 0 to classes - 1, of shape ``(N,)``. Regression targets are
    floating, of shape ``(N, outputs)`` also for one output, because ``(N,)`` against
    ``(N, 1)`` would broadcast to a square.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from minprune._check import AnyArray, FloatArray, IntArray, positive_int

Task = Literal["classification", "regression"]
TRAIN, VAL, TEST = 0, 1, 2
"""How a `split` array marks the part a sample belongs to."""


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Samples and their targets; `lengths` of padded sequences, or None when all full.

    Attributes
    ----------
    x : ndarray, shape (N, *input_shape)
        Raw samples, batch first.
    y : ndarray, shape (N,) of int64 or (N, outputs) of float
        Labels or regression targets.
    lengths : ndarray of int64, shape (N,), or None
        How many time steps of each sample are real; the rest is padding at the end.
    """

    x: AnyArray
    y: AnyArray
    lengths: IntArray | None = None

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.x)


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Three splits of one kind of sample, and what is needed to read them.

    Attributes
    ----------
    name : str
        For reports.
    classes : tuple of str
        Name of each label; empty for regression.
    input_shape : tuple of int
        Shape of one sample: ``(features,)``, ``(C, L)`` or ``(C, H, W)``.
    scale, offset : ndarray of float32
        Real value = raw * scale + offset. As many axes as `input_shape`, so that they
        broadcast both against one sample and against a batch.
    train, val, test : Split
        None of them is empty.
    task : {"classification", "regression"}
        What the targets are.
    attribution : str
        Where the data come from and under which license; "" when not known.
    """

    name: str
    classes: tuple[str, ...]
    input_shape: tuple[int, ...]
    scale: FloatArray
    offset: FloatArray
    train: Split
    val: Split
    test: Split
    task: Task = "classification"
    attribution: str = ""

    @property
    def outputs(self) -> int:
        """How many numbers a network has to give for one sample."""
        return len(self.classes) or int(self.train.y.shape[1])


def batches(
    n: int, batch_size: int, rng: np.random.Generator | None = None
) -> Iterator[IntArray]:
    """Index arrays that together name each of `n` samples once.

    Parameters
    ----------
    n : int
        Number of samples; 0 gives no batch.
    batch_size : int
        Samples a batch. The last batch may be shorter; none is dropped.
    rng : numpy.random.Generator, optional
        Shuffles the samples; without it they come in order.

    Yields
    ------
    rows : ndarray of int64, shape (at most batch_size,)

    Examples
    --------
    >>> [rows.tolist() for rows in batches(5, 2)]
    [[0, 1], [2, 3], [4]]
    """
    n = positive_int("batches", "n", n, minimum=0)
    batch_size = positive_int("batches", "batch_size", batch_size)
    order = np.arange(n) if rng is None else rng.permutation(n)
    return (order[i : i + batch_size] for i in range(0, n, batch_size))


def standardized(data: Dataset) -> Dataset:
    """The same samples with scale and offset such that each channel is standard.

    Mean 0 and standard deviation 1 over the training part, for each feature or, where a
    sample has more axes, each channel. Padding behind `lengths` does not count. A
    channel that never changes is only centered.

    Parameters
    ----------
    data : Dataset
        Its scale and offset are replaced; its samples are shared, not copied.

    Returns
    -------
    Dataset

    Examples
    --------
    >>> from minprune.data import from_arrays
    >>> data = from_arrays(np.arange(40.0).reshape(20, 2), np.arange(20) % 2)
    >>> data = standardized(data)
    >>> real = data.train.x * data.scale + data.offset
    >>> bool(abs(real.mean(axis=0)).max() < 1e-6), real.std(axis=0).round(6).tolist()
    (True, [1.0, 1.0])
    """
    x, lengths = data.train.x, data.train.lengths
    values = np.moveaxis(x, 1, 0).reshape(x.shape[1], -1).astype(np.float64)
    if lengths is not None:
        values = values[:, (np.arange(x.shape[2]) < lengths[:, None]).ravel()]
    # From the first value on, so that no rounding of a mean looks like a spread.
    spread = (values - values[:, :1]).std(axis=1)
    scale = 1 / np.where(spread > 0, spread, 1)
    offset = -values.mean(axis=1) * scale
    axes = (-1,) + (1,) * (len(data.input_shape) - 1)
    return replace(
        data,
        scale=scale.astype(np.float32).reshape(axes),
        offset=offset.astype(np.float32).reshape(axes),
    )
