"""Products with blocks of R x C weights.

What they compute is defined in `loops`. Any shape of block goes through the strip
kernel row by row, each weight at its place in the blocks. Blocks of one column do
better: their rows share what they multiply, so it is loaded once for four rows; and
with a single sample a strip runs down the block, so that nothing has to be gathered.
"""

from typing import TypeGuard

import numpy as np

from minprune._check import LANE, FloatArray, IntArray
from minprune.sparse.bsr import BSR
from minprune.sparse.csr import row_of_each
from minprune.sparse.kernels._jit import kernel, share_rows
from minprune.sparse.kernels._lanes import (
    add,
    item,
    load,
    multiply_add,
    narrow_strip,
    pair_strip,
    splat,
    width,
)
from minprune.sparse.kernels.layout import Layouts, Tile
from minprune.sparse.kernels.linear import LinearProducts, frame
from minprune.sparse.kernels.strips import TILE, begin, finish
from minprune.sparse.products import Pattern


@kernel
def quads(
    frame: IntArray,
    height: int,
    cuts: IntArray,
    offsets: IntArray,
    values: FloatArray,
    start: FloatArray,
    x: FloatArray,
    y: FloatArray,
    first: int,
    last: int,
) -> None:
    """The product with (R, 1) blocks, R a multiple of four, for quads in a range.

    As `strips.product`, with four rows for one: their weights lie side by side.
    """
    rows, panels, length, lanes, y_row = (
        frame[0],
        frame[1],
        frame[3],
        frame[4],
        frame[7],
    )
    pair, narrow = pair_strip(values), narrow_strip(values)
    for tile in range(0, length, TILE):
        end = min(tile + TILE, length)
        for panel in range(panels):
            relu = frame[8] != 0 and panel == panels - 1
            for quad in range(first, last):
                block_row, row = quad * 4 // height, quad * 4
                head = item(cuts, panel * rows + block_row)
                stop = item(cuts, (panel + 1) * rows + block_row)
                p = tile
                while p + width(pair) <= end:
                    at = row * y_row + p
                    a = begin(pair, panel, start, row, y, at)
                    b = begin(pair, panel, start, row + 1, y, at + y_row)
                    c = begin(pair, panel, start, row + 2, y, at + 2 * y_row)
                    d = begin(pair, panel, start, row + 3, y, at + 3 * y_row)
                    for k in range(head, stop):
                        seen = load(pair, x, item(offsets, k) * lanes + p)
                        w = k * height + row % height
                        a = multiply_add(splat(pair, item(values, w)), seen, a)
                        b = multiply_add(splat(pair, item(values, w + 1)), seen, b)
                        c = multiply_add(splat(pair, item(values, w + 2)), seen, c)
                        d = multiply_add(splat(pair, item(values, w + 3)), seen, d)
                    finish(a, relu, y, at)
                    finish(b, relu, y, at + y_row)
                    finish(c, relu, y, at + 2 * y_row)
                    finish(d, relu, y, at + 3 * y_row)
                    p += width(pair)
                while p < end:
                    for r in range(4):
                        at = (row + r) * y_row + p
                        a = begin(narrow, panel, start, row + r, y, at)
                        for k in range(head, stop):
                            seen = load(narrow, x, item(offsets, k) * lanes + p)
                            w = k * height + row % height + r
                            a = multiply_add(splat(narrow, item(values, w)), seen, a)
                        finish(a, relu, y, at)
                    p += width(narrow)


@kernel
def column(
    height: int,
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
    """The product of (R, 1) blocks, R a multiple of 16, with a single packed sample.

    A strip runs down the block; four blocks are in flight. For rows of blocks in a
    range.
    """
    lanes, rows = narrow_strip(values), len(y) // height
    for block_row in range(first, last):
        stop = item(cuts, rows + block_row)
        for r in range(0, height, width(lanes)):
            a = load(lanes, start, block_row * height + r)
            b = c = d = splat(lanes, 0.0)
            k = item(cuts, block_row)
            while k + 4 <= stop:
                w = k * height + r
                seen = splat(lanes, item(x, item(offsets, k)))
                a = multiply_add(load(lanes, values, w), seen, a)
                seen = splat(lanes, item(x, item(offsets, k + 1)))
                b = multiply_add(load(lanes, values, w + height), seen, b)
                seen = splat(lanes, item(x, item(offsets, k + 2)))
                c = multiply_add(load(lanes, values, w + 2 * height), seen, c)
                seen = splat(lanes, item(x, item(offsets, k + 3)))
                d = multiply_add(load(lanes, values, w + 3 * height), seen, d)
                k += 4
            while k < stop:
                seen = splat(lanes, item(x, item(offsets, k)))
                a = multiply_add(load(lanes, values, k * height + r), seen, a)
                k += 1
            finish(add(add(a, b), add(c, d)), relu, y, block_row * height + r)


class BlockProducts(LinearProducts):
    """Products of a linear layer in (R, 1) blocks, R a multiple of four that fits."""

    def __init__(self, pattern: BSR) -> None:
        super().__init__(pattern)
        self.height, (out, inside) = pattern.block[0], pattern.shape
        row, blocks = row_of_each(pattern.indptr), out // self.height
        self.blocks = Layouts(blocks, inside, row, pattern.indices, None)

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

    def _product(
        self,
        tile: Tile,
        y_row: int,
        weights: FloatArray,
        start: FloatArray,
        y: FloatArray,
    ) -> None:
        """Quads of rows times the samples of a tile."""
        rows = self.blocks.of(tile.lanes)
        where = frame(rows, tile.lanes, tile.pitch, y_row).numbers()
        cuts, offsets, height = rows.cuts, rows.offsets, self.height
        share_rows(
            lambda i, j: quads(
                where, height, cuts, offsets, weights, start, tile.memory, y, i, j
            ),
            len(start) // 4,
            len(weights) * tile.lanes,
        )

    def _column(
        self, weights: FloatArray, start: FloatArray, x: FloatArray
    ) -> FloatArray:
        """Down the blocks, where they are high enough for a strip."""
        if self.height % LANE != 0:
            return super()._column(weights, start, x)
        y, rows = np.empty(len(start), x.dtype), self.blocks.whole
        share_rows(
            lambda i, j: column(
                self.height, rows.cuts, rows.offsets, weights, start, x, y, False, i, j
            ),
            rows.outputs,
            len(weights),
        )
        return y
