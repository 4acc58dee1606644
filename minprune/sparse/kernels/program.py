"""What a compiled network does between its products: enter, copy, move, pool, leave.

Operations of a table; see `table`. Activations are (channels, rows, columns, lanes),
the samples fastest; a batch of one has one lane, any other is padded to a multiple of
`LANE`.
"""

from typing import NamedTuple

import numpy as np

from minprune._check import FloatArray, IntArray
from minprune.sparse.kernels._jit import kernel
from minprune.sparse.kernels._lanes import (
    add,
    evens,
    item,
    larger,
    load,
    multiply_add,
    narrow_strip,
    odds,
    positive,
    put,
    smaller,
    splat,
    square_strip,
    store,
    turned,
    width,
)
from minprune.sparse.kernels.table import Memory


class Enter(NamedTuple):
    """Operands of `enter`; scales begin at `scale`, offsets behind; -1 for neither."""

    y: int
    size: int
    lanes: int
    scale: int


@kernel
def enter(
    at: IntArray, memory: Memory, x: FloatArray, y: FloatArray, samples: int
) -> None:
    """y[f lanes + n] = x[n, f] scale[f] + offset[f]; zero in the lanes behind."""
    made, size, lanes, scale = at[0], at[1], at[2], at[3]
    _turn(x, 0, 1, size, y, made, lanes, 1, size, samples)
    if scale < 0 and samples == lanes:
        return
    constants = memory.constants
    for f in range(size):
        row = made + f * lanes
        if scale >= 0:
            by = item(constants, scale + f)
            plus = item(constants, scale + size + f)
            for n in range(row, row + samples):
                put(y, n, item(y, n) * by + plus)
        for n in range(row + samples, row + lanes):
            put(y, n, x.dtype.type(0))


class Leave(NamedTuple):
    """Operands of `leave`."""

    x: int
    size: int
    lanes: int


@kernel
def leave(
    at: IntArray, memory: Memory, x: FloatArray, y: FloatArray, samples: int
) -> None:
    """y[n, f] = x[f lanes + n]."""
    seen, size, lanes = at[0], at[1], at[2]
    _turn(x, seen, lanes, 1, y, 0, 1, size, size, samples)


@kernel
def _turn(
    x: FloatArray,
    seen: int,
    x_feature: int,
    x_sample: int,
    y: FloatArray,
    made: int,
    y_feature: int,
    y_sample: int,
    features: int,
    samples: int,
) -> None:
    """Copy from samples as rows to samples as columns, or back: squares are turned.

    Steps are from a feature to the next and from a sample to the next; one of the two
    is 1, in x and in y. Sixteen features of four samples are taken at a time: whole
    lines of the cache, and few that compete for one place in it.
    """
    side, x_row, y_row = square_strip(x), x_feature * x_sample, y_feature * y_sample
    wide, high = features - features % 4, samples - samples % 4
    for first in range(0, wide, 16):
        for n in range(0, high, 4):
            for f in range(first, min(first + 16, wide), 4):
                near = seen + f * x_feature + n * x_sample
                a, b = load(side, x, near), load(side, x, near + x_row)
                near += 2 * x_row
                c, d = load(side, x, near), load(side, x, near + x_row)
                a, b, c, d = turned(a, b, c, d)
                to = made + f * y_feature + n * y_sample
                store(y, to, a)
                store(y, to + y_row, b)
                store(y, to + 2 * y_row, c)
                store(y, to + 3 * y_row, d)
    for n in range(samples):  # and what is left of them, one by one
        for f in range(wide if n < high else 0, features):
            number = item(x, seen + f * x_feature + n * x_sample)
            put(y, made + f * y_feature + n * y_sample, number)


class Move(NamedTuple):
    """Operands of `copy` and `move`: where two views of equal extent lie.

    The last three are of `move` alone.
    """

    x: int
    x_channel: int
    x_row: int
    x_column: int
    y: int
    y_channel: int
    y_row: int
    y_column: int
    channels: int
    rows: int
    columns: int
    lanes: int
    scale: int = -1
    """Place of a scale for each channel, a shift for each behind it; -1 for neither."""
    add: int = 0
    relu: int = 0
    """1 cuts off below 0, 6 (of ReLU6) above 6 as well; 0 neither."""


@kernel
def copy(
    at: IntArray, memory: Memory, x: FloatArray, y: FloatArray, samples: int
) -> None:
    """Copy a view into another; the last strip of a row lies over the one before."""
    channels, rows, columns, lanes = at[8], at[9], at[10], at[11]
    strip, four = narrow_strip(x), square_strip(x)
    if at[3] == lanes and at[7] == lanes:  # positions follow without a gap
        columns, lanes = 1, columns * lanes
    for c in range(channels):
        for p in range(rows):
            for q in range(columns):
                seen = at[0] + c * at[1] + p * at[2] + q * at[3]
                made = at[4] + c * at[5] + p * at[6] + q * at[7]
                if lanes >= width(strip):
                    for first in range(0, lanes, width(strip)):
                        n = min(first, lanes - width(strip))
                        store(y, made + n, load(strip, x, seen + n))
                elif lanes >= width(four):
                    for first in range(0, lanes, width(four)):
                        n = min(first, lanes - width(four))
                        store(y, made + n, load(four, x, seen + n))
                else:
                    for n in range(lanes):
                        put(y, made + n, item(x, seen + n))


@kernel
def move(
    at: IntArray, memory: Memory, x: FloatArray, y: FloatArray, samples: int
) -> None:
    """As `copy`, but scale it, add it to what is there, or cut it off."""
    channels, rows, columns, lanes = at[8], at[9], at[10], at[11]
    scale, relu, strip = at[12], at[14] != 0, narrow_strip(x)
    if at[3] == lanes and at[7] == lanes:
        columns, lanes = 1, columns * lanes
    most = x.dtype.type(6 if at[14] == 6 else np.inf)
    for c in range(channels):
        by, plus, keep = x.dtype.type(1), x.dtype.type(0), x.dtype.type(at[13])
        if scale >= 0:
            by = item(memory.constants, scale + c)
            plus = item(memory.constants, scale + channels + c)
        for p in range(rows):
            for q in range(columns):
                seen = at[0] + c * at[1] + p * at[2] + q * at[3]
                made = at[4] + c * at[5] + p * at[6] + q * at[7]
                n = 0
                while n + width(strip) <= lanes:
                    moved = load(strip, x, seen + n)
                    if scale >= 0:
                        moved = multiply_add(
                            moved, splat(strip, by), splat(strip, plus)
                        )
                    if keep != 0:
                        moved = add(moved, load(strip, y, made + n))
                    if relu:
                        moved = smaller(positive(moved), splat(strip, most))
                    store(y, made + n, moved)
                    n += width(strip)
                while n < lanes:
                    number = item(x, seen + n) * by + plus
                    if keep != 0:
                        number += item(y, made + n)
                    if relu:
                        number = number * 0 if number < 0 else number
                        number = most if number > most else number
                    put(y, made + n, number)
                    n += 1


class Pool(NamedTuple):
    """Operands of `pool`: the plane, the windows over it, and whether to take means."""

    x: int
    x_channel: int
    x_row: int
    y: int
    channels: int
    rows: int
    columns: int
    lanes: int
    kh: int
    kw: int
    sh: int
    sw: int
    top: int
    left: int
    height: int
    width: int
    mean: int


@kernel
def pool(
    at: IntArray, memory: Memory, x: FloatArray, y: FloatArray, samples: int
) -> None:
    """The largest, or the mean, of what a window sees of the plane.

    Every tap is taken over a row of output positions: one by one for a single sample,
    strips of samples otherwise.
    """
    channels, rows, columns, lanes = at[4], at[5], at[6], at[7]
    kh, kw, sh, sw, top, left = at[8], at[9], at[10], at[11], at[12], at[13]
    height, breadth, mean = at[14], at[15], at[16] != 0
    strip, four = narrow_strip(x), square_strip(x)
    empty = x.dtype.type(0.0 if mean else -np.inf)
    share = x.dtype.type(1.0 / (kh * kw) if mean else 1.0)
    inside = (rows - 1) * sh + kh <= height and (columns - 1) * sw + kw <= breadth
    pairs = lanes == 1 and kh == 2 and kw == 2 and sw == 2 and top == 0 and left == 0
    pairs = pairs and inside and columns >= width(four) and not mean
    for c in range(channels):
        for p in range(rows):
            made = at[3] + (c * rows + p) * columns * lanes
            if pairs:  # nearly every small network's, worth its own loop
                for start in range(0, columns, width(four)):
                    q = min(start, columns - width(four))
                    seen = at[0] + c * at[1] + p * sh * at[2] + 2 * q
                    under = seen + at[2]
                    a = larger(load(four, x, seen), load(four, x, under))
                    seen, under = seen + width(four), under + width(four)
                    b = larger(load(four, x, seen), load(four, x, under))
                    store(y, made + q, larger(evens(a, b), odds(a, b)))
                continue
            for n in range(columns * lanes):
                put(y, made + n, empty)
            for i in range(max(0, top - p * sh), min(kh, height + top - p * sh)):
                for j in range(kw):
                    first = max(0, -((j - left) // sw))
                    last = min(columns, (breadth - 1 + left - j) // sw + 1)
                    row = at[0] + c * at[1] + (p * sh - top + i) * at[2]
                    seen = row + (j - left) * lanes
                    if lanes == 1:
                        for q in range(first, last):
                            old, new = item(y, made + q), item(x, seen + q * sw)
                            wins = new > old or new != new  # a NaN always does
                            put(
                                y, made + q, old + new if mean else new if wins else old
                            )
                        continue
                    for q in range(first, last):
                        for n in range(q * lanes, (q + 1) * lanes, width(strip)):
                            over = load(strip, x, seen + q * (sw - 1) * lanes + n)
                            kept = load(strip, y, made + n)
                            both = add(kept, over) if mean else larger(kept, over)
                            store(y, made + n, both)
            if mean:
                for n in range(columns * lanes):
                    put(y, made + n, item(y, made + n) * share)
