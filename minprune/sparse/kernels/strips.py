"""One loop for every sparse product: a stored weight, times a strip of the input.

Rows of outputs and planes of inputs lie in flat memory, the batch fastest. What a
stored weight needs to be told is one number: how far from the output's own position
its input lies. A linear layer's weight in column j has offset j. A convolution's has
the offset of its channel and tap on padded planes; a stride has been taken out of
them by splitting the planes into phases. The gradient at the input is the same
product with the pattern transposed. So all of them are

    y[i, p] = start[i] + sum over k stored in row i of values[k] * x[offsets[k] + p]

for rows i and positions p, and the gradient at the weights is

    g[k] = sum over p of x[offsets[k] + p] * dy[i, p].

Positions come in segments that are contiguous in memory. A segment is worked in tiles
of `TILE` numbers, so that what a panel of columns touches stays in the nearest
caches.

Sums are fused and, where a strip is narrow, kept four at a time: the error of a sum
of n products stays within gamma_n of the sum of their magnitudes in any order (Higham
2002, Sec. 3.1), but bits differ between machines of different vector width.
"""

from typing import NamedTuple

import numpy as np

from minprune._check import AnyArray, FloatArray, IntArray
from minprune.sparse.kernels._jit import kernel, part
from minprune.sparse.kernels._lanes import (
    Lanes,
    add,
    gather,
    item,
    lane_strip,
    load,
    multiply_add,
    narrow_strip,
    place,
    positive,
    scatter,
    splat,
    store,
    total,
    wide_strip,
    width,
)

TILE = 128
"""Numbers of a segment that are worked on before the next: two strips of AVX."""


class Rows(NamedTuple):
    """Which values make up each output row, and where their inputs lie.

    Attributes
    ----------
    cuts : ndarray of int32, shape ((panels + 1) * outputs,)
        Panel q of row i is stored at places ``cuts[q * outputs + i]`` to
        ``cuts[(q + 1) * outputs + i]``.
    offsets : ndarray of uint16 or uint32, shape (stored,)
        Positions from an output to the input that this weight multiplies.
    order : ndarray of int32, shape (stored,), or None
        Place of each in the array of values; None if it lies in this very order.
    outputs, panels : int
    """

    cuts: IntArray
    offsets: IntArray
    order: IntArray | None
    outputs: int
    panels: int


class Frame(NamedTuple):
    """Where positions lie, as a kernel is told in one array of nine numbers.

    There are `segments` of `length` numbers. Segment s begins at ``s * x_step`` of
    the input and ``s * y_step`` of an output row; output rows are `y_row` numbers
    apart, and input positions `lanes`.
    """

    rows: int
    panels: int
    segments: int
    length: int
    lanes: int
    x_step: int
    y_step: int
    y_row: int
    relu: int

    def numbers(self) -> IntArray:
        """The nine numbers."""
        return np.array(self, np.int64)


@kernel
def product(
    frame: IntArray,
    cuts: IntArray,
    offsets: IntArray,
    order: IntArray | None,
    values: FloatArray,
    start: FloatArray,
    x: FloatArray,
    y: FloatArray,
    first: int,
    last: int,
) -> None:
    """y[i, p] = start[i] + sum_k values[k] x[offsets[k] + p], for i in a range."""
    rows, panels, segments, length = frame[0], frame[1], frame[2], frame[3]
    lanes, x_step, y_step, y_row = frame[4], frame[5], frame[6], frame[7]
    wide, narrow = wide_strip(values), narrow_strip(values)
    for segment in range(segments):
        for tile in range(0, length, TILE):
            end = min(tile + TILE, length)
            for panel in range(panels):
                relu = frame[8] != 0 and panel == panels - 1
                for i in range(first, last):
                    head = item(cuts, panel * rows + i)
                    stop = item(cuts, (panel + 1) * rows + i)
                    if head == stop and panel > 0 and not relu:
                        continue
                    near = segment * y_step + i * y_row
                    far = segment * x_step
                    p = tile
                    while p + width(wide) <= end:
                        strip = begin(wide, panel, start, i, y, near + p)
                        for k in range(head, stop):
                            at = far + p + item(offsets, k) * lanes
                            strip = _step(wide, values, place(order, k), x, at, strip)
                        finish(strip, relu, y, near + p)
                        p += width(wide)
                    while p < end:
                        a = begin(narrow, panel, start, i, y, near + p)
                        b = c = d = splat(narrow, 0.0)
                        rest = (stop - head) & 3
                        for k in range(head, stop - rest, 4):
                            at = far + p + item(offsets, k) * lanes
                            a = _step(narrow, values, place(order, k), x, at, a)
                            at = far + p + item(offsets, k + 1) * lanes
                            b = _step(narrow, values, place(order, k + 1), x, at, b)
                            at = far + p + item(offsets, k + 2) * lanes
                            c = _step(narrow, values, place(order, k + 2), x, at, c)
                            at = far + p + item(offsets, k + 3) * lanes
                            d = _step(narrow, values, place(order, k + 3), x, at, d)
                        for k in range(stop - rest, stop):
                            at = far + p + item(offsets, k) * lanes
                            a = _step(narrow, values, place(order, k), x, at, a)
                        finish(add(add(a, b), add(c, d)), relu, y, near + p)
                        p += width(narrow)


@part
def begin(
    lanes: Lanes, panel: int, start: FloatArray, i: int, y: FloatArray, at: int
) -> AnyArray:
    """What a sum starts from: the bias, or what the panels before have left."""
    if panel == 0:
        return splat(lanes, item(start, i))
    return load(lanes, y, at)


@part
def _step(
    lanes: Lanes, values: FloatArray, k: int, x: FloatArray, at: int, strip: AnyArray
) -> AnyArray:
    """Add stored weight k times its strip of the input."""
    return multiply_add(splat(lanes, item(values, k)), load(lanes, x, at), strip)


@part
def finish(strip: AnyArray, relu: bool, y: FloatArray, at: int) -> None:
    """Write a sum, cut off below zero if asked."""
    if relu:
        store(y, at, positive(strip))
    else:
        store(y, at, strip)


@kernel
def column(
    cuts: IntArray,
    offsets: IntArray,
    values: FloatArray,
    start: FloatArray,
    x: FloatArray,
    y: FloatArray,
    relu: bool,
    first: int,
    last: int,
) -> None:
    """The product with a single sample, packed: strips run along stored weights.

    y[i] = start[i] + sum_k values[k] x[offsets[k]], for i in a range; `cuts` is of
    one panel. Inputs are gathered, so this pays only where a strip of samples would
    be empty.
    """
    lanes = narrow_strip(values)
    rows = len(y)
    for i in range(first, last):
        k, stop = item(cuts, i), item(cuts, rows + i)
        sums = splat(lanes, 0.0)
        while k + width(lanes) <= stop:
            seen = gather(lanes, x, offsets, k)
            sums = multiply_add(load(lanes, values, k), seen, sums)
            k += width(lanes)
        rest = item(start, i)
        while k < stop:
            rest += item(values, k) * item(x, item(offsets, k))
            k += 1
        rest += total(sums)
        y[i] = 0.0 if relu and rest < 0.0 else rest


@kernel
def slices(
    cuts: IntArray,
    rows: IntArray,
    offsets: IntArray,
    values: FloatArray,
    start: FloatArray,
    x: FloatArray,
    y: FloatArray,
    relu: bool,
) -> None:
    """The product with a single sample, packed, for weights laid out in slices.

    A slice is `LANE` rows of about equal length side by side: its weights are stored
    column by column, and short rows are filled up with zeros at an offset where x has a
    zero. So a sum needs neither a tail nor an addition across lanes. `rows` says which
    rows the lanes are; a lane too many names the last place of y, which is spare.
    """
    lanes = lane_strip(values)
    for s in range(len(cuts) - 1):
        a = b = splat(lanes, 0.0)
        k, stop = item(cuts, s), item(cuts, s + 1)
        while k + 2 * width(lanes) <= stop:
            seen = gather(lanes, x, offsets, k)
            a = multiply_add(load(lanes, values, k), seen, a)
            k += width(lanes)
            seen = gather(lanes, x, offsets, k)
            b = multiply_add(load(lanes, values, k), seen, b)
            k += width(lanes)
        if k < stop:
            seen = gather(lanes, x, offsets, k)
            a = multiply_add(load(lanes, values, k), seen, a)
        a = add(add(a, b), gather(lanes, start, rows, s * width(lanes)))
        scatter(positive(a) if relu else a, y, rows, s * width(lanes))


@kernel
def gradient(
    frame: IntArray,
    cuts: IntArray,
    offsets: IntArray,
    order: IntArray | None,
    x: FloatArray,
    dy: FloatArray,
    g: FloatArray,
    first: int,
    last: int,
) -> None:
    """Add to g[k] the sum over p of x[offsets[k] + p] dy[i, p], for i in a range."""
    rows, panels, segments, length = frame[0], frame[1], frame[2], frame[3]
    lanes, x_step, y_step, y_row = frame[4], frame[5], frame[6], frame[7]
    strip = narrow_strip(x)
    for segment in range(segments):
        for tile in range(0, length, TILE):
            end = min(tile + TILE, length)
            for panel in range(panels):
                for i in range(first, last):
                    near = segment * y_step + i * y_row
                    for k in range(
                        item(cuts, panel * rows + i), item(cuts, (panel + 1) * rows + i)
                    ):
                        far = segment * x_step + item(offsets, k) * lanes
                        sums = splat(strip, 0.0)
                        for p in range(tile, end, width(strip)):
                            seen, delta = (
                                load(strip, x, far + p),
                                load(strip, dy, near + p),
                            )
                            sums = multiply_add(seen, delta, sums)
                        g[place(order, k)] += total(sums)
