"""Products with blocks of R x C weights.

What they compute is defined in `loops`. Any shape of block goes through the strip
kernel row by row, each weight at its place in the blocks. Blocks of one column do
better: their rows share what they multiply, so it is loaded once for four rows; and
with a single sample, in a plan, a strip runs down the block, so that nothing has to be
gathered.
"""

from typing import NamedTuple, TypeGuard

from minprune._check import FloatArray, IntArray
from minprune.sparse.bsr import BSR
from minprune.sparse.csr import row_of_each
from minprune.sparse.kernels._jit import kernel
from minprune.sparse.kernels._lanes import (
    add,
    item,
    load,
    multiply_add,
    narrow_strip,
    pair_strip,
    positive,
    splat,
    store,
    width,
)
from minprune.sparse.kernels.layout import Layouts, Tile, run_rows
from minprune.sparse.kernels.linear import LinearProducts, frame
from minprune.sparse.kernels.strips import TILE, Frame
from minprune.sparse.kernels.table import Memory
from minprune.sparse.products import Pattern

PANEL = 256
"""Columns of a panel: twice those of `layout.WIDE_PANEL`, where a strip is half as
wide."""


class Quads(NamedTuple):
    """Operands of `quads`: as of `strips.product`, and the height of a block.

    The frame's rows are rows of blocks; the range is of quads.
    """

    x: int
    y: int
    cuts: int
    stored: int
    values: int
    start: int
    frame: Frame
    height: int
    first: int
    last: int


@kernel
def quads(
    at: IntArray, memory: Memory, x: FloatArray, y: FloatArray, samples: int
) -> None:
    """The product with (R, 1) blocks, R a multiple of four, for quads in a range.

    As `strips.product`, with four rows for one: their weights lie side by side.
    """
    seen, made, cuts, stored, base, start = at[0], at[1], at[2], at[3], at[4], at[5]
    rows, panels, length, lanes, y_row = at[6], at[7], at[9], at[10], at[13]
    height, first, last = at[15], at[16], at[17]
    pair, narrow = pair_strip(x), narrow_strip(x)
    offsets, values, constants = memory.offsets, memory.values, memory.constants
    for tile in range(0, length, TILE):
        end = min(tile + TILE, length)
        for panel in range(panels):
            relu = at[14] != 0 and panel == panels - 1
            for quad in range(first, last):
                block_row, row = quad * 4 // height, quad * 4
                head = item(memory.cuts, cuts + panel * rows + block_row)
                stop = item(memory.cuts, cuts + (panel + 1) * rows + block_row)
                down = base + row % height
                p = tile
                while p + width(pair) <= end:
                    to = made + row * y_row + p
                    if panel == 0:
                        a = splat(pair, item(constants, start + row))
                        b = splat(pair, item(constants, start + row + 1))
                        c = splat(pair, item(constants, start + row + 2))
                        d = splat(pair, item(constants, start + row + 3))
                    else:
                        a, b = load(pair, y, to), load(pair, y, to + y_row)
                        c = load(pair, y, to + 2 * y_row)
                        d = load(pair, y, to + 3 * y_row)
                    for k in range(head, stop):
                        near = load(
                            pair, x, seen + item(offsets, stored + k) * lanes + p
                        )
                        w = k * height + down
                        a = multiply_add(splat(pair, item(values, w)), near, a)
                        b = multiply_add(splat(pair, item(values, w + 1)), near, b)
                        c = multiply_add(splat(pair, item(values, w + 2)), near, c)
                        d = multiply_add(splat(pair, item(values, w + 3)), near, d)
                    store(y, to, positive(a) if relu else a)
                    store(y, to + y_row, positive(b) if relu else b)
                    store(y, to + 2 * y_row, positive(c) if relu else c)
                    store(y, to + 3 * y_row, positive(d) if relu else d)
                    p += width(pair)
                while p < end:
                    for r in range(4):
                        to = made + (row + r) * y_row + p
                        few = (
                            splat(narrow, item(constants, start + row + r))
                            if panel == 0
                            else load(narrow, y, to)
                        )
                        for k in range(head, stop):
                            far = seen + item(offsets, stored + k) * lanes + p
                            w = splat(narrow, item(values, k * height + down + r))
                            few = multiply_add(w, load(narrow, x, far), few)
                        store(y, to, positive(few) if relu else few)
                    p += width(narrow)


class Column(NamedTuple):
    """Operands of `column`: places, and the rows of blocks."""

    x: int
    y: int
    cuts: int
    stored: int
    values: int
    start: int
    height: int
    rows: int
    relu: int = 0


@kernel
def column(
    at: IntArray, memory: Memory, x: FloatArray, y: FloatArray, samples: int
) -> None:
    """The product of (R, 1) blocks, R a multiple of 16, with a single packed sample.

    A strip runs down the block; four blocks are in flight.
    """
    seen, made, cuts, stored, base = at[0], at[1], at[2], at[3], at[4]
    start, height, rows, relu = at[5], at[6], at[7], at[8] != 0
    lanes, offsets, values = narrow_strip(x), memory.offsets, memory.values
    for block_row in range(rows):
        head = item(memory.cuts, cuts + block_row)
        stop = item(memory.cuts, cuts + rows + block_row)
        for r in range(0, height, width(lanes)):
            row = block_row * height + r
            a = load(lanes, memory.constants, start + row)
            b = c = d = splat(lanes, 0.0)
            k, w = stored + head, base + head * height + r
            while k + 4 <= stored + stop:
                near = splat(lanes, item(x, seen + item(offsets, k)))
                a = multiply_add(load(lanes, values, w), near, a)
                near = splat(lanes, item(x, seen + item(offsets, k + 1)))
                b = multiply_add(load(lanes, values, w + height), near, b)
                near = splat(lanes, item(x, seen + item(offsets, k + 2)))
                c = multiply_add(load(lanes, values, w + 2 * height), near, c)
                near = splat(lanes, item(x, seen + item(offsets, k + 3)))
                d = multiply_add(load(lanes, values, w + 3 * height), near, d)
                k += 4
                w += 4 * height
            while k < stored + stop:
                near = splat(lanes, item(x, seen + item(offsets, k)))
                a = multiply_add(load(lanes, values, w), near, a)
                k += 1
                w += height
            a = add(add(a, b), add(c, d))
            store(y, made + row, positive(a) if relu else a)


class BlockProducts(LinearProducts):
    """Products of a linear layer in (R, 1) blocks, R a multiple of four that fits."""

    def __init__(self, pattern: BSR) -> None:
        super().__init__(pattern)
        self.height, (out, inside) = pattern.block[0], pattern.shape
        row, blocks = row_of_each(pattern.indptr), out // self.height
        self.blocks = Layouts(blocks, inside, row, pattern.indices, None, PANEL)

    @staticmethod
    def fits(pattern: Pattern) -> TypeGuard[BSR]:
        """Whether the pattern is of this kind."""
        if not isinstance(pattern, BSR):
            return False
        (height, breadth), rows = pattern.block, pattern.shape[0]
        return breadth == 1 and height % 4 == 0 and rows % height == 0

    @property
    def nbytes(self) -> int:
        """Bytes of the layouts built so far."""
        return super().nbytes + self.blocks.nbytes

    def _weights(self, values: FloatArray) -> FloatArray:
        """As they are stored: blocks are walked as wholes."""
        return values

    def _product(
        self,
        tile: Tile,
        weights: FloatArray,
        start: FloatArray,
        y: FloatArray,
        y_row: int,
    ) -> None:
        """Quads of rows times the samples of a tile."""
        rows, height = self.blocks.of(tile.lanes), self.height
        where = frame(rows, tile.lanes, tile.pitch, y_row)
        places = (0, tile.first, 0, 0, 0, 0)
        operands = Quads(*places, where, height, 0, len(start) // 4)
        run_rows(quads, operands, rows, weights, tile.memory, y, start)
