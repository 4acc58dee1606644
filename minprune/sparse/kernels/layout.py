"""From positions of stored weights to the rows, offsets and memory that kernels walk.

A layout is built once for each pattern and geometry, in time proportional to what is
stored, and serves every batch size: offsets count positions, and a position's lanes are
multiplied in by the kernel.
"""

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from minprune._check import (
    LANE,
    AnyArray,
    FloatArray,
    IntArray,
    as_batch_array,
    batch_array,
)
from minprune.sparse.kernels._jit import share_rows
from minprune.sparse.kernels.strips import TILE, Rows
from minprune.sparse.kernels.table import Operation, nothing, perform, write

WIDE_PANEL, NARROW_PANEL = 128, 2048
"""Columns whose strips the nearest caches hold together: of a full tile of 128 numbers,
and of the 16 or so that a small batch takes."""

PANEL_STORED = 24
"""Stored weights of a row that make it worth while to visit the row once more."""


def make_rows(
    rows: int,
    columns: int,
    row: IntArray,
    column: IntArray,
    offset: IntArray,
    order: IntArray | None,
    panel: int = WIDE_PANEL,
) -> Rows:
    """The rows of a product, from entries sorted by row and then by column."""
    cuts, panels = make_cuts(rows, columns, row, column, panel)
    narrow = np.uint16 if offset.max(initial=0) < 2**16 else np.uint32
    order = None if order is None else order.astype(np.int32)
    return Rows(cuts, offset.astype(narrow), order, rows, panels)


def make_cuts(
    rows: int, columns: int, row: IntArray, column: IntArray, narrowest: int
) -> tuple[IntArray, int]:
    """Where each panel begins in each row, and how many panels there are.

    Panels are as narrow as the cache asks for, but not so narrow that rows come to
    hold only a few weights in each.
    """
    least = max(narrowest, PANEL_STORED * rows * columns // max(1, len(row)))
    panels = max(1, round(columns / least))
    width = max(1, -(-columns // panels))
    counts = np.bincount(row * panels + column // width, minlength=rows * panels)
    starts = np.concatenate(([0], np.cumsum(counts)))
    cuts = np.empty((panels + 1, rows), np.int32)
    cuts[:panels] = starts[:-1].reshape(rows, panels).T
    cuts[panels] = starts[panels::panels]
    return cuts.reshape(-1), panels


class Layouts:
    """The rows of a linear product, cut for a full tile, for a small one, and whole.

    Attributes
    ----------
    wide, narrow, whole : Rows
        They share offsets and order; `whole` is one panel.
    """

    def __init__(
        self,
        rows: int,
        columns: int,
        row: IntArray,
        column: IntArray,
        order: IntArray | None,
        panel: int = WIDE_PANEL,
    ) -> None:
        self.wide = make_rows(rows, columns, row, column, column, order, panel)
        cuts, panels = make_cuts(rows, columns, row, column, NARROW_PANEL)
        self.narrow = self.wide._replace(cuts=cuts, panels=panels)
        ends = cuts.reshape(panels + 1, rows)[[0, -1]]
        self.whole = self.wide._replace(cuts=ends.reshape(-1), panels=1)

    @property
    def nbytes(self) -> int:
        """Bytes of all three."""
        cuts = self.narrow.cuts.nbytes + self.whole.cuts.nbytes
        return rows_bytes(self.wide) + cuts

    def of(self, lanes: int) -> Rows:
        """The rows for a tile of so many lanes."""
        return self.wide if lanes == TILE else self.narrow


class Sliced(NamedTuple):
    """Rows side by side, for `strips.slices`; offsets and values in one order."""

    cuts: IntArray
    rows: IntArray
    offsets: IntArray
    values: FloatArray


def make_slices(rows: Rows, values: FloatArray, inputs: int) -> Sliced:
    """Slices of `LANE` rows, longest rows first, so that little is filled up.

    `rows` are whole and `values` in their order; x must have a zero behind its
    `inputs` numbers, and y a spare place behind its outputs.
    """
    begin, end = rows.cuts.reshape(2, -1)
    longest_first = np.argsort(begin - end, kind="stable")
    count = -(-rows.outputs // LANE)
    lanes = np.full(count * LANE, rows.outputs, np.int32)
    lanes[: rows.outputs] = longest_first
    lengths = np.zeros(count * LANE, np.int64)
    lengths[: rows.outputs] = (end - begin)[longest_first]
    heights = lengths.reshape(count, LANE).max(axis=1, initial=0)
    cuts = np.concatenate(([0], np.cumsum(heights * LANE))).astype(np.int32)

    place = np.repeat(np.argsort(longest_first, kind="stable"), end - begin)
    within = np.arange(len(rows.offsets)) - np.repeat(begin, end - begin)
    at = cuts[place // LANE] + within * LANE + place % LANE
    kind = np.promote_types(rows.offsets.dtype, np.min_scalar_type(inputs))
    offsets = np.full(cuts[-1], inputs, kind)
    filled = np.zeros(cuts[-1], values.dtype)
    offsets[at], filled[at] = rows.offsets, values
    return Sliced(cuts, lanes, offsets, filled)


def transposed(row: IntArray, where: IntArray | None) -> tuple[IntArray, IntArray]:
    """Entries sorted by `row`, as they came within it: their order, and their values'.

    They come sorted by what is the column here, so that a stable sort by row sorts by
    both; NumPy sorts keys of 16 bits in linear time.
    """
    key = row.astype(np.uint16) if row.max(initial=0) < 2**16 else row
    order = np.argsort(key, kind="stable")
    return order, order if where is None else where[order]


def rows_bytes(*built: Rows | None) -> int:
    """Bytes of the arrays in these layouts."""
    arrays = [a for rows in built if rows is not None for a in rows[:3]]
    return sum(array.nbytes for array in arrays if array is not None)


def lanes_for(batch: int) -> int:
    """Numbers that a position takes in batch memory."""
    return -(-batch // LANE) * LANE


def flat(x: AnyArray) -> FloatArray:
    """All memory of a `batch_array` as one axis, the padding behind rows included."""
    if x.flags.c_contiguous and x.shape[-1] % LANE == 0:
        return x.reshape(-1)
    shape = (math.prod(x.shape[:-1]) * (x.strides[-2] // x.itemsize),)
    memory: FloatArray = np.lib.stride_tricks.as_strided(x, shape, (x.itemsize,))
    return memory


class Tile(NamedTuple):
    """Some samples in memory of their own, or in the caller's if it will do.

    Attributes
    ----------
    first, samples : int
        Which of them.
    lanes : int
        Numbers that they take in a row, padding included.
    memory : ndarray, one axis
    pitch : int
        Numbers between rows.
    """

    first: int
    samples: int
    lanes: int
    memory: FloatArray
    pitch: int


def tiles(x: AnyArray, dtype: np.dtype[Any], clean: bool = False) -> Iterator[Tile]:
    """The samples of x, `TILE` at a time; if `clean`, with zeros behind each row.

    More samples than fit one tile are copied: rows that lie far apart would compete for
    the same lines of the cache.
    """
    batch = x.shape[-1]
    for first in range(0, batch, TILE):
        count = min(TILE, batch - first)
        lanes = lanes_for(count)
        if count == batch and not (clean and count < lanes):
            ready = x.dtype == dtype and x.flags.writeable
            near = as_batch_array(x if ready else np.require(x, dtype, "W"))
        else:
            near = batch_array((*x.shape[:-1], count), dtype)
            near[...] = x[..., first : first + count]
        pitch = near.strides[-2] // near.itemsize
        yield Tile(first, count, lanes, flat(near), pitch)


def flat_values(values: FloatArray, dtype: np.dtype[Any]) -> FloatArray:
    """Stored values, blocks or not, as a kernel reads them."""
    return np.ascontiguousarray(values, dtype).reshape(-1)


def zeros(
    rows: int, dtype: np.dtype[Any], bias: FloatArray | None = None
) -> FloatArray:
    """What the sums of the rows start from."""
    if bias is None:
        return np.zeros(rows, dtype)
    return np.ascontiguousarray(bias, dtype)


def in_order(rows: Rows, values: FloatArray) -> FloatArray:
    """Stored values as the rows are walked."""
    return values if rows.order is None else values[rows.order]


def run_rows(
    operation: Operation,
    operands: Any,
    rows: Rows,
    values: FloatArray,
    x: FloatArray,
    y: FloatArray,
    constants: FloatArray | None = None,
    gradients: FloatArray | None = None,
    deltas: FloatArray | None = None,
) -> None:
    """One operation over all rows of its frame, on as many threads as pay.

    `operands` end with the first row and the last.
    """
    none, frame = nothing(x.dtype), operands.frame
    order = nothing(np.int32) if rows.order is None else rows.order

    def work(first: int, last: int) -> None:
        mine = operands
        if (first, last) != (operands.first, operands.last):
            mine = operands._replace(first=first, last=last)
        perform(
            _row(operation, mine, rows.offsets.dtype, x.dtype),
            rows.cuts,
            rows.offsets,
            order,
            values,
            none if constants is None else constants,
            none if gradients is None else gradients,
            none if deltas is None else deltas,
            x,
            y,
            0,
        )

    products = len(values) * frame.segments * frame.length
    share_rows(work, operands.first, operands.last, products)


@lru_cache(maxsize=1024)
def _row(
    operation: Operation,
    operands: Any,
    offsets: np.dtype[Any],
    numbers: np.dtype[Any],
) -> IntArray:
    """The row for `perform`, written once for all batches of a size."""
    row: IntArray = write([(operation, operands)], offsets, numbers)[0]
    return row
