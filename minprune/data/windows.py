"""Cutting a recording into windows without letting training see the test.

A *run* is a longest stretch of rows that belong to one class, one recording and one
part of the data. A window lies within one run.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from minprune._check import AnyArray, IntArray
from minprune.data.arrays import SHARE
from minprune.data.dataset import TEST, TRAIN, VAL


def runs(keys: Sequence[AnyArray], rows: int) -> list[slice]:
    """The longest stretches of rows over which every key stays the same.

    Examples
    --------
    >>> runs([np.array([0, 0, 1, 1]), np.array([5, 5, 5, 6])], 4)
    [slice(0, 2, None), slice(2, 3, None), slice(3, 4, None)]
    """
    change = np.zeros(rows + 1, bool)
    change[[0, rows]] = True
    for key in keys:
        change[1:rows] |= key[1:] != key[:-1]
    return [slice(a, b) for a, b in pairwise(np.flatnonzero(change).tolist())]


def cut_in_time(stretches: Sequence[slice], rows: int) -> IntArray:
    """Mark in every run the last rows for test and those before them for validation."""
    split = np.full(rows, TRAIN)
    for run in stretches:
        held = (run.stop - run.start) * SHARE // 100
        split[run.stop - 2 * held : run.stop - held] = VAL
        split[run.stop - held : run.stop] = TEST
    return split


def windows(stretches: Sequence[slice], window: int, step: int) -> IntArray:
    """Row numbers of every window that fits into a run, shape (windows, window).

    Examples
    --------
    >>> windows([slice(0, 5), slice(5, 7)], window=3, step=2).tolist()
    [[0, 1, 2], [2, 3, 4]]
    """
    starts: list[int] = []
    for run in stretches:
        starts += range(run.start, run.stop - window + 1, step)
    return np.array(starts, int)[:, np.newaxis] + np.arange(window)
