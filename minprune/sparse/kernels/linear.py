"""Products of a sparse linear layer, samples as columns.

What they compute is defined in `loops`; here it is done by the strip kernel, a tile of
samples at a time.
"""

from functools import cached_property

import numpy as np

from minprune._check import FloatArray, batch_array
from minprune.sparse.kernels.gradients import Backward, backward, gradient
from minprune.sparse.kernels.layout import (
    Layouts,
    Tile,
    flat,
    flat_values,
    in_order,
    lanes_for,
    run_rows,
    tiles,
    transposed,
    zeros,
)
from minprune.sparse.kernels.strips import Frame, Product, Rows, product
from minprune.sparse.products import Pattern


class LinearProducts:
    """The three products by strips of samples; see `Products`.

    Parameters
    ----------
    pattern : CSR or BSR
        What is stored. Blocks are walked row by row, each weight at its place in them.
    """

    def __init__(self, pattern: Pattern) -> None:
        self.pattern = pattern
        (out, inside), (row, column, where) = pattern.shape, pattern.entries()
        self.rows = Layouts(out, inside, row, column, where)

    @property
    def nbytes(self) -> int:
        """Bytes of the layouts built so far."""
        back = vars(self).get("columns")
        return self.rows.nbytes + (0 if back is None else back.nbytes)

    @cached_property
    def columns(self) -> Layouts:
        """The transposed pattern, built when a gradient is first asked for."""
        (out, inside), (row, column, where) = self.pattern.shape, self.pattern.entries()
        order, places = transposed(column, where)
        return Layouts(inside, out, column[order], row[order], places)

    def forward(
        self, values: FloatArray, bias: FloatArray | None, x: FloatArray
    ) -> FloatArray:
        """See `Products.forward`."""
        dtype = np.result_type(values, x)
        weights = self._weights(flat_values(values, dtype))
        start = zeros(self.pattern.shape[0], dtype, bias)
        y = batch_array((len(start), x.shape[1]), dtype)
        for tile in tiles(x, dtype):
            self._product(tile, weights, start, flat(y), lanes_for(x.shape[1]))
        return y

    def _weights(self, values: FloatArray) -> FloatArray:
        """Stored values as the product takes them."""
        return in_order(self.rows.wide, values)

    def _product(
        self,
        tile: Tile,
        weights: FloatArray,
        start: FloatArray,
        y: FloatArray,
        y_row: int,
    ) -> None:
        """The product with a tile of samples."""
        rows = self.rows.of(tile.lanes)
        where = frame(rows, tile.lanes, tile.pitch, y_row)
        operands = Product(0, tile.first, 0, 0, 0, 0, where, 0, rows.outputs)
        run_rows(product, operands, rows, weights, tile.memory, y, start)

    def backward(
        self, values: FloatArray, x: FloatArray, dy: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """See `Products.backward`."""
        dtype = np.result_type(values, x, dy)
        dx, g = batch_array(x.shape, dtype), np.zeros(values.shape, dtype)
        self._learn(flat_values(values, dtype), x, dy, g.reshape(-1), dx)
        return dx, g

    def weight_gradient(self, x: FloatArray, dy: FloatArray) -> FloatArray:
        """See `Products.weight_gradient`."""
        g = np.zeros(self.pattern.values_shape, np.result_type(x, dy))
        self._learn(g.reshape(-1), x, dy, g.reshape(-1))
        return g

    def _learn(
        self,
        values: FloatArray,
        x: FloatArray,
        dy: FloatArray,
        g: FloatArray,
        dx: FloatArray | None = None,
    ) -> None:
        """Add to g and, if it is wanted, write dx; a tile of samples at a time."""
        for far, near in zip(
            tiles(x, g.dtype, True), tiles(dy, g.dtype, True), strict=True
        ):
            rows = self.columns.of(near.lanes)
            where = frame(rows, near.lanes, near.pitch, lanes_for(x.shape[1]))
            places = (0, 0, far.first, 0, 0, 0, 0, 0, far.pitch)
            run_rows(
                gradient if dx is None else backward,
                Backward(*places, where, 0, rows.outputs),
                rows,
                values,
                far.memory,
                far.memory if dx is None else flat(dx),
                gradients=g,
                deltas=near.memory,
            )


def frame(rows: Rows, length: int, lanes: int, y_row: int, relu: bool = False) -> Frame:
    """One segment, the samples; offsets count input features, `lanes` numbers apart."""
    return Frame(rows.outputs, rows.panels, 1, length, lanes, 0, 0, y_row, relu)
