"""Both gradients of a product in one pass over the transposed pattern.

For every input row j and position p, with k over what column j of the weight stores,

    dx[j, p] = sum over k of values[k] * dy[offsets[k] + p]
    g[k]    += sum over p of x[j, p] * dy[offsets[k] + p],

so a strip of dy that has been loaded serves both. Offsets are those of the transposed
pattern, positions are those of x and dx; dy is zero where it is looked for beyond its
edge, and what x holds there adds nothing.

A range of rows writes its own rows of dx and its own gradients: bits do not depend on
how rows are shared out.
"""

from typing import NamedTuple

from minprune._check import FloatArray, IntArray
from minprune.sparse.kernels._jit import inlined, kernel
from minprune.sparse.kernels._lanes import (
    Lanes,
    dot,
    item,
    load,
    multiply_add,
    narrow_strip,
    put,
    splat,
    store,
    wide_strip,
    width,
)
from minprune.sparse.kernels.strips import TILE, Frame
from minprune.sparse.kernels.table import Memory


class Backward(NamedTuple):
    """Operands of `backward` and of `gradient`.

    The frame is that of the transposed product, from dy to dx; segment s of x begins
    at ``s * x_step``, and rows of x are `x_row` numbers apart.
    """

    x: int
    dy: int
    dx: int
    cuts: int
    stored: int
    order: int
    values: int
    x_step: int
    x_row: int
    frame: Frame
    first: int
    last: int


class Row(NamedTuple):
    """Where one row of x and dx lies, and what the transposed pattern stores in it."""

    head: int
    stop: int
    dy: int
    x: int
    dx: int
    lanes: int
    shift: int
    start: int
    fresh: bool
    """Whether dx is written for the first time."""


@inlined
def _both(
    strip: Lanes, row: Row, memory: Memory, x: FloatArray, dx: FloatArray, p: int
) -> None:
    """A strip of dx from position p on, and what it adds to the gradients."""
    g = memory.gradients
    sums = splat(strip, 0.0) if row.fresh else load(strip, dx, row.dx + p)
    for k in range(row.head, row.stop):
        far = row.dy + p + item(memory.offsets, k) * row.lanes
        delta = load(strip, memory.deltas, far)
        place = row.start + item(memory.order, k + row.shift)
        weight = splat(strip, item(memory.values, place))
        sums = multiply_add(weight, delta, sums)
        more = dot(load(strip, x, row.x + p), delta)
        put(g, place, item(g, place) + more)
    store(dx, row.dx + p, sums)


@inlined
def _one(strip: Lanes, row: Row, memory: Memory, x: FloatArray, p: int) -> None:
    """What a strip of x adds to the gradients."""
    g, seen = memory.gradients, load(strip, x, row.x + p)
    for k in range(row.head, row.stop):
        far = row.dy + p + item(memory.offsets, k) * row.lanes
        place = row.start + item(memory.order, k + row.shift)
        more = dot(seen, load(strip, memory.deltas, far))
        put(g, place, item(g, place) + more)


@kernel
def backward(
    at: IntArray, memory: Memory, x: FloatArray, dx: FloatArray, samples: int
) -> None:
    """Write dx and add to the gradients at the stored weights, for rows in a range."""
    seen, near, made, cuts, stored = at[0], at[1], at[2], at[3], at[4]
    shift, start, x_step, x_row = at[5] - at[4], at[6], at[7], at[8]
    rows, panels, segments, length, lanes = at[9], at[10], at[11], at[12], at[13]
    step, dx_step, dx_row, first, last = at[14], at[15], at[16], at[18], at[19]
    wide, narrow = wide_strip(x), narrow_strip(x)
    for segment in range(segments):
        for tile in range(0, length, TILE):
            end = min(tile + TILE, length)
            for panel in range(panels):
                for j in range(first, last):
                    head = stored + item(memory.cuts, cuts + panel * rows + j)
                    stop = stored + item(memory.cuts, cuts + (panel + 1) * rows + j)
                    if head == stop and panel > 0:
                        continue
                    row = Row(
                        head,
                        stop,
                        near + segment * step,
                        seen + segment * x_step + j * x_row,
                        made + segment * dx_step + j * dx_row,
                        lanes,
                        shift,
                        start,
                        panel == 0,
                    )
                    p = tile
                    while p + width(wide) <= end:
                        _both(wide, row, memory, x, dx, p)
                        p += width(wide)
                    while p < end:
                        _both(narrow, row, memory, x, dx, p)
                        p += width(narrow)


@kernel
def gradient(
    at: IntArray, memory: Memory, x: FloatArray, y: FloatArray, samples: int
) -> None:
    """As `backward`, but nothing goes on to the input: for the first layer."""
    seen, near, cuts, stored = at[0], at[1], at[3], at[4]
    shift, start, x_step, x_row = at[5] - at[4], at[6], at[7], at[8]
    rows, panels, segments, length, lanes = at[9], at[10], at[11], at[12], at[13]
    step, first, last = at[14], at[18], at[19]
    wide, narrow = wide_strip(x), narrow_strip(x)
    for segment in range(segments):
        for tile in range(0, length, TILE):
            end = min(tile + TILE, length)
            for panel in range(panels):
                for j in range(first, last):
                    head = stored + item(memory.cuts, cuts + panel * rows + j)
                    stop = stored + item(memory.cuts, cuts + (panel + 1) * rows + j)
                    given = seen + segment * x_step + j * x_row
                    dy = near + segment * step
                    row = Row(head, stop, dy, given, 0, lanes, shift, start, False)
                    p = tile
                    while p + width(wide) <= end:
                        _one(wide, row, memory, x, p)
                        p += width(wide)
                    while p < end:
                        _one(narrow, row, memory, x, p)
                        p += width(narrow)
