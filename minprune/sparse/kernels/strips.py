"""One loop for every sparse product: a stored weight, times a strip of the input.

Rows of outputs and planes of inputs lie in flat memory, the batch fastest. What a stored
weight needs to be told is one number: how far away from the output's own position its
input lies. A linear layer's weight in column j has offset j. A convolution's has the
offset of its channel and tap on padded planes; a stride has been taken out of them by
splitting the planes into phases. The gradient at the input is the same product with the
pattern transposed. So all of them are

    y[i, p] = start[i] + sum over k stored in row i of values[k] * x[offsets[k] + p]

for rows i and positions p, and the gradient at the weights is

    g[k] = sum over p of x[offsets[k] + p] * dy[i, p].

Positions come in `segments` that are contiguous in memory. A segment is worked in tiles of
`TILE` numbers, so that what a panel of columns touches stays in the first-level cache.
"""

from typing import NamedTuple

import numpy as np

from minprune._check import AnyArray, FloatArray, IntArray
from minprune.sparse.kernels._jit import kernel, part
from minprune.sparse.kernels._lanes import (
    Lanes,
    add,
    item,
    load,
    multiply_add,
    place,
    positive,
    registers_bytes,
    splat,
    store,
    total,
    width,
)

TILE = 128
"""Numbers of a segment that are worked on before the next: two strips of AVX."""


class Rows(NamedTuple):
    """Which values make up each output row, and where their inputs lie.

    Attributes
    ----------
    cuts : ndarray of int64, shape ((panels + 1) * rows,)
        Panel q of row i is stored at places ``cuts[q * rows + i]`` to
        ``cuts[(q + 1) * rows + i]``.
    offsets : ndarray of uint16 or uint32, shape (stored,)
        Positions from an output to the input that this weight multiplies.
    order : ndarray of int32, shape (stored,), or None
        Place of each in the array of values; None if it lies in this very order.
    rows, panels : int
    """

    cuts: IntArray
    offsets: IntArray
    order: IntArray | None
    rows: int
    panels: int


class Reach(NamedTuple):
    """Where positions lie: `count` segments of `length` numbers, `lanes` to a position.

    Segment g begins at ``g * x_step`` of the input and ``g * y_step`` of an output row;
    output rows are `y_row` numbers apart.
    """

    count: int
    length: int
    lanes: int
    x_step: int
    y_step: int
    y_row: int


@kernel
def product(
    wide: Lanes,
    narrow: Lanes,
    rows: Rows,
    reach: Reach,
    values: FloatArray,
    start: FloatArray,
    relu: bool,
    first: int,
    last: int,
    x: FloatArray,
    y: FloatArray,
) -> None:
    """Rows `first` to `last` of y[i, p] = start[i] + sum_k values[k] x[offsets[k] + p]."""
    for segment in range(reach.count):
        x_at, y_at = segment * reach.x_step, segment * reach.y_step
        for tile in range(0, reach.length, TILE):
            end = min(tile + TILE, reach.length)
            for panel in range(rows.panels):
                final = panel == rows.panels - 1
                for i in range(first, last):
                    begin = item(rows.cuts, panel * rows.rows + i)
                    stop = item(rows.cuts, (panel + 1) * rows.rows + i)
                    if begin == stop and panel > 0 and not (final and relu):
                        continue
                    p = tile
                    while p + width(wide) <= end:
                        at = y_at + i * reach.y_row + p
                        strip = _begin(wide, panel, start, i, y, at)
                        for k in range(begin, stop):
                            strip = _step(
                                wide, rows, reach, values, k, x, x_at + p, strip
                            )
                        _finish(strip, relu and final, y, at)
                        p += width(wide)
                    while p < end:
                        at = y_at + i * reach.y_row + p
                        strip = _begin(narrow, panel, start, i, y, at)
                        strip = _four(
                            narrow, rows, reach, values, begin, stop, x, x_at + p, strip
                        )
                        _finish(strip, relu and final, y, at)
                        p += width(narrow)


@part
def _begin(
    lanes: Lanes, panel: int, start: FloatArray, i: int, y: FloatArray, at: int
) -> AnyArray:
    """What the sum starts from: the bias, or what the panels before have left."""
    if panel == 0:
        return splat(lanes, item(start, i))
    return load(lanes, y, at)


@part
def _step(
    lanes: Lanes,
    rows: Rows,
    reach: Reach,
    values: FloatArray,
    k: int,
    x: FloatArray,
    at: int,
    strip: AnyArray,
) -> AnyArray:
    """Add stored weight k."""
    weight = splat(lanes, item(values, place(rows.order, k)))
    seen = load(lanes, x, at + item(rows.offsets, k) * reach.lanes)
    return multiply_add(weight, seen, strip)


@part
def _four(
    lanes: Lanes,
    rows: Rows,
    reach: Reach,
    values: FloatArray,
    begin: int,
    stop: int,
    x: FloatArray,
    at: int,
    strip: AnyArray,
) -> AnyArray:
    """Add stored weights `begin` to `stop`, four sums in flight, since one would wait."""
    a, b, c, d = strip, splat(lanes, 0.0), splat(lanes, 0.0), splat(lanes, 0.0)
    k = begin
    while k + 4 <= stop:
        a = _step(lanes, rows, reach, values, k, x, at, a)
        b = _step(lanes, rows, reach, values, k + 1, x, at, b)
        c = _step(lanes, rows, reach, values, k + 2, x, at, c)
        d = _step(lanes, rows, reach, values, k + 3, x, at, d)
        k += 4
    while k < stop:
        a = _step(lanes, rows, reach, values, k, x, at, a)
        k += 1
    return add(add(a, b), add(c, d))


@part
def _finish(strip: AnyArray, relu: bool, y: FloatArray, at: int) -> None:
    """Write the sum, cut off below zero if asked."""
    if relu:
        store(y, at, positive(strip))
    else:
        store(y, at, strip)


@kernel
def gradient(
    lanes: Lanes,
    rows: Rows,
    reach: Reach,
    first: int,
    last: int,
    x: FloatArray,
    dy: FloatArray,
    g: FloatArray,
) -> None:
    """Add to g[k] the sum over p of x[offsets[k] + p] dy[i, p], for rows i in a range."""
    for segment in range(reach.count):
        x_at, y_at = segment * reach.x_step, segment * reach.y_step
        for tile in range(0, reach.length, TILE):
            end = min(tile + TILE, reach.length)
            for panel in range(rows.panels):
                for i in range(first, last):
                    begin = item(rows.cuts, panel * rows.rows + i)
                    stop = item(rows.cuts, (panel + 1) * rows.rows + i)
                    for k in range(begin, stop):
                        far = x_at + item(rows.offsets, k) * reach.lanes
                        near = y_at + i * reach.y_row
                        sums = splat(lanes, 0.0)
                        for p in range(tile, end, width(lanes)):
                            sums = multiply_add(
                                load(lanes, x, far + p), load(lanes, dy, near + p), sums
                            )
                        g[place(rows.order, k)] += total(sums)
