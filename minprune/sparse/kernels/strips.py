"""One loop for every sparse product: a stored weight, times a strip of the input.

Rows of outputs and planes of inputs lie in flat memory, the batch fastest. What a
stored weight needs to be told is one number: how far from the output's own position
its input lies. A linear layer's weight in column j has offset j. A convolution's has
the offset of its channel and tap on padded planes; a stride has been taken out of
them by splitting the planes into phases. The gradient at the input is the same
product with the pattern transposed; there the gradient at the weights is made along
the way, see `gradients`. So all of them are

    y[i, p] = start[i] + sum over k stored in row i of values[k] * x[offsets[k] + p]

for rows i and positions p.

Positions come in segments that are contiguous in memory. A segment is worked in tiles
of `TILE` numbers, so that what a panel of columns touches stays in the nearest
caches.

Sums are fused and, where a strip is narrow, kept four at a time: the error of a sum
of n products stays within gamma_n of the sum of their magnitudes in any order (Higham
2002, Sec. 3.1), but bits differ between machines of different vector width.
"""

from typing import NamedTuple

from minprune._check import FloatArray, IntArray
from minprune.sparse.kernels._jit import kernel
from minprune.sparse.kernels._lanes import (
    add,
    gather,
    item,
    lane_strip,
    load,
    multiply_add,
    narrow_strip,
    positive,
    scatter,
    splat,
    store,
    wide_strip,
    width,
)
from minprune.sparse.kernels.table import Memory

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
    """Where positions lie: operands that most operations have in common.

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


class Product(NamedTuple):
    """Operands of `product`: places, and the rows to make."""

    x: int
    y: int
    cuts: int
    stored: int
    values: int
    start: int
    frame: Frame
    first: int
    last: int


@kernel
def product(
    at: IntArray, memory: Memory, x: FloatArray, y: FloatArray, samples: int
) -> None:
    """y[i, p] = start[i] + sum_k values[k] x[offsets[k] + p], for i in a range."""
    seen, made, cuts, stored, shift, start = (
        at[0],
        at[1],
        at[2],
        at[3],
        at[4] - at[3],
        at[5],
    )
    rows, panels, segments, length = at[6], at[7], at[8], at[9]
    lanes, x_step, y_step, y_row = at[10], at[11], at[12], at[13]
    first, last = at[15], at[16]
    wide, narrow = wide_strip(x), narrow_strip(x)
    offsets, values = memory.offsets, memory.values
    for segment in range(segments):
        for tile in range(0, length, TILE):
            end = min(tile + TILE, length)
            for panel in range(panels):
                relu = at[14] != 0 and panel == panels - 1
                for i in range(first, last):
                    head = stored + item(memory.cuts, cuts + panel * rows + i)
                    stop = stored + item(memory.cuts, cuts + (panel + 1) * rows + i)
                    if head == stop and panel > 0 and not relu:
                        continue
                    # What a sum starts from: the bias, or what panels before left.
                    bias = start + i if panel == 0 else -1
                    near = made + segment * y_step + i * y_row
                    far = seen + segment * x_step
                    p = tile
                    while p + width(wide) <= end:
                        strip = (
                            splat(wide, item(memory.constants, bias))
                            if bias >= 0
                            else load(wide, y, near + p)
                        )
                        for k in range(head, stop):
                            place = far + p + item(offsets, k) * lanes
                            weight = splat(wide, item(values, k + shift))
                            strip = multiply_add(weight, load(wide, x, place), strip)
                        store(y, near + p, positive(strip) if relu else strip)
                        p += width(wide)
                    while p < end:
                        a = (
                            splat(narrow, item(memory.constants, bias))
                            if bias >= 0
                            else load(narrow, y, near + p)
                        )
                        b = c = d = splat(narrow, 0.0)
                        k = head
                        while k + 4 <= stop:
                            place = far + p + item(offsets, k) * lanes
                            weight = splat(narrow, item(values, k + shift))
                            a = multiply_add(weight, load(narrow, x, place), a)
                            place = far + p + item(offsets, k + 1) * lanes
                            weight = splat(narrow, item(values, k + 1 + shift))
                            b = multiply_add(weight, load(narrow, x, place), b)
                            place = far + p + item(offsets, k + 2) * lanes
                            weight = splat(narrow, item(values, k + 2 + shift))
                            c = multiply_add(weight, load(narrow, x, place), c)
                            place = far + p + item(offsets, k + 3) * lanes
                            weight = splat(narrow, item(values, k + 3 + shift))
                            d = multiply_add(weight, load(narrow, x, place), d)
                            k += 4
                        while k < stop:
                            place = far + p + item(offsets, k) * lanes
                            weight = splat(narrow, item(values, k + shift))
                            a = multiply_add(weight, load(narrow, x, place), a)
                            k += 1
                        a = add(add(a, b), add(c, d))
                        store(y, near + p, positive(a) if relu else a)
                        p += width(narrow)


class Slices(NamedTuple):
    """Operands of `slices`: places, and how many slices."""

    x: int
    y: int
    cuts: int
    rows: int
    stored: int
    values: int
    start: int
    slices: int
    relu: int = 0


@kernel
def slices(
    at: IntArray, memory: Memory, x: FloatArray, y: FloatArray, samples: int
) -> None:
    """The product with a single sample, packed, for weights laid out in slices.

    A slice is `LANE` rows of about equal length side by side: its weights are stored
    column by column, and short rows are filled up with zeros at an offset where x has a
    zero. So a sum needs neither a tail nor an addition across lanes. `rows` says which
    rows the lanes are; a lane too many names the last place of y, which is spare.
    """
    seen, made, cuts, rows, stored = at[0], at[1], at[2], at[3], at[4]
    shift, start, count, relu = at[5] - at[4], at[6], at[7], at[8] != 0
    offsets, values, lanes = memory.offsets, memory.values, lane_strip(x)
    for s in range(count):
        a = b = splat(lanes, 0.0)
        k = stored + item(memory.cuts, cuts + s)
        stop = stored + item(memory.cuts, cuts + s + 1)
        while k + 2 * width(lanes) <= stop:
            near = gather(lanes, x, seen, offsets, k)
            a = multiply_add(load(lanes, values, k + shift), near, a)
            k += width(lanes)
            near = gather(lanes, x, seen, offsets, k)
            b = multiply_add(load(lanes, values, k + shift), near, b)
            k += width(lanes)
        if k < stop:
            near = gather(lanes, x, seen, offsets, k)
            a = multiply_add(load(lanes, values, k + shift), near, a)
        place = rows + s * width(lanes)
        a = add(add(a, b), gather(lanes, memory.constants, start, memory.cuts, place))
        scatter(positive(a) if relu else a, y, made, memory.cuts, place)
