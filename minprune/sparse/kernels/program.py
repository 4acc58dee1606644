"""A whole network in one call: a table of operations over a few arenas, one loop.

Every operation is a row of whole numbers: its code, then its operands, most of them
places in an arena. `compile` writes the table; nothing is generated and nothing
allocated while it runs. Activations are (channels, rows, columns, lanes), the samples
fastest; a batch of one has one lane, any other is padded to a multiple of `LANE`.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from minprune._check import LANE, FloatArray, IntArray
from minprune.sparse.kernels import block
from minprune.sparse.kernels._jit import kernel, part
from minprune.sparse.kernels._lanes import item, load, narrow_strip, store, width
from minprune.sparse.kernels.strips import Frame, product, slices

ENTER, MOVE, PRODUCT, COLUMN, BLOCKS, POOL, LEAVE = range(7)

NUMBERS = 24
"""Length of a row of the table: the longest operation and its code."""


class Enter(NamedTuple):
    """Raw samples, batch first, become columns, times a scale and plus an offset."""

    y: int
    size: int
    lanes: int
    scale: int
    code: int = ENTER


class Move(NamedTuple):
    """Copy a view into another, plane by plane; or scale it, add it, cut it off."""

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
    code: int = MOVE


class Product(NamedTuple):
    """Stored weights times strips, as `strips.product`."""

    x: int
    y: int
    cuts: int
    stored: int
    held: int
    values: int
    start: int
    frame: Frame
    code: int = PRODUCT


class Column(NamedTuple):
    """Stored weights times one sample, as `strips.slices`."""

    x: int
    y: int
    cuts: int
    slices: int
    rows: int
    stored: int
    held: int
    values: int
    start: int
    outputs: int
    relu: int = 0
    code: int = COLUMN


class Blocks(NamedTuple):
    """Stored blocks of one column times one sample, as `block.column`."""

    x: int
    y: int
    cuts: int
    stored: int
    held: int
    """Blocks."""
    values: int
    height: int
    start: int
    outputs: int
    relu: int = 0
    code: int = BLOCKS


class Pool(NamedTuple):
    """The largest, or the mean, of what a window sees."""

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
    code: int = POOL


class Leave(NamedTuple):
    """Columns become samples, batch first."""

    x: int
    size: int
    lanes: int
    code: int = LEAVE


def write(operations: Sequence[Any]) -> IntArray:
    """The table of these operations: code first, then the operands in their order."""
    table = np.zeros((len(operations), NUMBERS), np.int64)
    for row, operation in zip(table, operations, strict=True):
        flat = [operation.code]
        for operand in operation[:-1]:
            flat += operand if isinstance(operand, Frame) else (operand,)
        row[: len(flat)] = flat
    return table


@kernel
def run(
    table: IntArray,
    cuts: IntArray,
    offsets: IntArray,
    weights: FloatArray,
    constants: FloatArray,
    arena: FloatArray,
    x: FloatArray,
    out: FloatArray,
    samples: int,
) -> None:
    """Carry out the table, on as many samples as there are, from x to out."""
    for row in range(len(table)):
        code, operands = table[row, 0], table[row, 1:]
        if code == PRODUCT:
            seen, made, first, stored, held, values, start = operands[:7]
            frame = operands[7:16]
            product(
                frame,
                cuts[first : first + (frame[1] + 1) * frame[0]],
                offsets[stored : stored + held],
                None,
                weights[values : values + held],
                constants[start : start + frame[0]],
                arena[seen:],
                arena[made:],
                0,
                frame[0],
            )
        elif code == COLUMN:
            seen, made, first, count, rows, stored, held = operands[:7]
            values, start, outputs, relu = operands[7:11]
            slices(
                cuts[first : first + count + 1],
                cuts[rows : rows + count * LANE],
                offsets[stored : stored + held],
                weights[values : values + held],
                constants[start : start + outputs + 1],
                arena[seen:],
                arena[made : made + outputs + 1],
                relu != 0,
            )
        elif code == BLOCKS:
            seen, made, first, stored, held, values, height = operands[:7]
            start, outputs, relu = operands[7:10]
            rows = outputs // height
            block.column(
                height,
                cuts[first : first + 2 * rows],
                offsets[stored : stored + held],
                weights[values : values + held * height],
                constants[start : start + outputs],
                arena[seen:],
                arena[made : made + outputs],
                relu != 0,
                0,
                rows,
            )
        elif code == MOVE:
            move(operands, constants, arena)
        elif code == POOL:
            pool(operands, arena)
        elif code == ENTER:
            enter(operands, constants, x, arena, samples)
        else:
            leave(operands, arena, out, samples)


@kernel
def enter(
    operands: IntArray,
    constants: FloatArray,
    x: FloatArray,
    arena: FloatArray,
    samples: int,
) -> None:
    """arena[y + f lanes + n] = x[n, f] scale[f] + offset[f].

    Sixteen features are taken at a time, so that what is written stays near.
    """
    y, size, lanes, scale = operands[0], operands[1], operands[2], operands[3]
    if lanes == 1:
        entered, by = arena[y : y + size], constants[scale : scale + size]
        plus = constants[scale + size : scale + 2 * size]
        for f in range(size):
            entered[f] = x[f] * by[f] + plus[f]
        return
    for first in range(0, size, 16):
        for n in range(samples):
            for f in range(first, min(first + 16, size)):
                number = x[n * size + f] * constants[scale + f]
                arena[y + f * lanes + n] = number + constants[scale + size + f]


@kernel
def leave(operands: IntArray, arena: FloatArray, out: FloatArray, samples: int) -> None:
    """out[n, f] = arena[x + f lanes + n]."""
    x, size, lanes = operands[0], operands[1], operands[2]
    if lanes == 1:
        left = arena[x : x + size]
        for f in range(size):
            out[f] = left[f]
        return
    for n in range(samples):
        for f in range(size):
            out[n * size + f] = arena[x + f * lanes + n]


@kernel
def move(operands: IntArray, constants: FloatArray, arena: FloatArray) -> None:
    """Every position of every channel, a run of lanes at a time."""
    x, x_channel, x_row, x_column = operands[0], operands[1], operands[2], operands[3]
    y, y_channel, y_row, y_column = operands[4], operands[5], operands[6], operands[7]
    channels, rows, columns, lanes = operands[8:12]
    scale, add, relu = operands[12], operands[13] != 0, operands[14] != 0
    most = arena.dtype.type(6 if operands[14] == 6 else np.inf)
    if x_column == lanes and y_column == lanes:  # positions follow without a gap
        columns, lanes = 1, columns * lanes
    for c in range(channels):
        by, plus = arena.dtype.type(1), arena.dtype.type(0)
        if scale >= 0:
            by, plus = constants[scale + c], constants[scale + channels + c]
        for p in range(rows):
            for q in range(columns):
                seen = x + c * x_channel + p * x_row + q * x_column
                made = y + c * y_channel + p * y_row + q * y_column
                if scale < 0 and not add and not relu:
                    copy(arena, seen, made, lanes)
                    continue
                source, target = arena[seen : seen + lanes], arena[made : made + lanes]
                for n in range(lanes):
                    value = source[n] * by + plus
                    if add:
                        value += target[n]
                    target[n] = cut(value, most) if relu else value


@part
def copy(arena: FloatArray, seen: int, made: int, count: int) -> None:
    """Copy a run; the last strip overlaps the one before where it does not fit."""
    strip = narrow_strip(arena)
    if count < width(strip):
        for n in range(count):
            arena[made + n] = item(arena, seen + n)
        return
    for n in range(0, count - width(strip) + 1, width(strip)):
        store(arena, made + n, load(strip, arena, seen + n))
    last = count - width(strip)
    store(arena, made + last, load(strip, arena, seen + last))


@kernel
def pool(operands: IntArray, arena: FloatArray) -> None:
    """Every tap of the window over a row of output positions, where it is on the plane.

    A single sample runs along the row, several run within each position.
    """
    x, x_channel, x_row, y = operands[0], operands[1], operands[2], operands[3]
    channels, rows, columns, lanes = operands[4:8]
    kh, kw, sh, sw, top, left, height, width = operands[8:16]
    mean = operands[16] != 0
    empty = arena.dtype.type(0.0 if mean else -np.inf)
    share = arena.dtype.type(1.0 / (kh * kw))
    inside = (rows - 1) * sh + kh <= height and (columns - 1) * sw + kw <= width
    pairs = lanes == 1 and kh == 2 and kw == 2 and top == 0 and left == 0 and inside
    for c in range(channels):
        for p in range(rows):
            made = y + (c * rows + p) * columns * lanes
            if pairs and not mean:  # nearly every small network's, worth its own loop
                at = x + c * x_channel + p * sh * x_row
                for q in range(columns):
                    above = larger(item(arena, at), item(arena, at + 1))
                    below = larger(item(arena, at + x_row), item(arena, at + x_row + 1))
                    arena[made + q] = larger(above, below)
                    at += sw
                continue
            arena[made : made + columns * lanes] = empty
            for h in range(max(0, p * sh - top), min(height, p * sh - top + kh)):
                for j in range(kw):
                    first = max(0, -((j - left) // sw))
                    last = min(columns, (width - 1 + left - j) // sw + 1)
                    seen = x + c * x_channel + h * x_row + (j - left) * lanes
                    runs, count, step = last - first, lanes, 1
                    if lanes == 1:
                        runs, count, step = min(1, runs), runs, sw
                    for q in range(first, first + runs):
                        tap(
                            arena,
                            seen + q * sw * lanes,
                            step,
                            made + q * lanes,
                            count,
                            mean,
                        )
            if mean:
                for n in range(columns * lanes):
                    arena[made + n] *= share


@kernel
def tap(
    arena: FloatArray, seen: int, step: int, made: int, count: int, mean: bool
) -> None:
    """Add `count` numbers, `step` apart, to those at `made`; or keep the larger."""
    source, target = arena[seen:], arena[made : made + count]
    if mean:
        for n in range(count):
            target[n] += source[n * step]
    else:
        for n in range(count):
            target[n] = larger(target[n], source[n * step])


@part
def larger(old: float, new: float) -> float:
    """The larger of two numbers; a NaN is larger than any."""
    return new if new > old or new != new else old


@part
def cut(value: float, most: float) -> float:
    """The value between 0 and `most`; a NaN stays a NaN."""
    return most if value > most else value * 0 if value < 0 else value
