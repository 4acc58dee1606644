"""Products of a sparse linear layer, samples as columns.

What they compute is defined in `loops`; here it is done by the strip kernel, a tile of
samples at a time.
"""

from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

import numpy as np

from minprune._check import FloatArray, batch_array
from minprune.sparse.kernels._jit import share_rows
from minprune.sparse.kernels.layout import (
    Layouts,
    Tile,
    flat,
    flat_values,
    lanes_for,
    run_gradient,
    run_product,
    tiles,
    transposed,
    zeros,
)
from minprune.sparse.kernels.strips import Frame, Rows, column
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
        order, places = transposed(column, row, where)
        return Layouts(inside, out, column[order], row[order], places)

    def forward(
        self, values: FloatArray, bias: FloatArray | None, x: FloatArray
    ) -> FloatArray:
        """See `Products.forward`."""
        dtype = np.result_type(values, x)
        weights = flat_values(values, dtype)
        start = zeros(self.pattern.shape[0], dtype, bias)
        if x.shape[1] != 1:
            return _multiply(self._product, weights, start, x)
        y = batch_array((len(start), 1), dtype)
        y[:, 0] = self._column(weights, start, np.ascontiguousarray(x[:, 0], dtype))
        return y

    def _product(self, *arguments: Any) -> None:
        """The product with a tile of samples."""
        multiply_tile(self.rows, *arguments)

    def _column(
        self, weights: FloatArray, start: FloatArray, x: FloatArray
    ) -> FloatArray:
        """The product with one sample, packed."""
        cuts, offsets, order = self.rows.whole[:3]
        y = np.empty(len(start), x.dtype)
        if order is not None:
            weights = weights[order]
        share_rows(
            lambda i, j: column(cuts, offsets, weights, start, x, y, False, i, j),
            len(y),
            len(offsets),
        )
        return y

    def input_gradient(
        self, values: FloatArray, dy: FloatArray, x: FloatArray
    ) -> FloatArray:
        """See `Products.input_gradient`."""
        dtype = np.result_type(values, dy)
        weights, start = flat_values(values, dtype), zeros(self.pattern.shape[1], dtype)
        return _multiply(partial(multiply_tile, self.columns), weights, start, dy)

    def weight_gradient(self, x: FloatArray, dy: FloatArray) -> FloatArray:
        """See `Products.weight_gradient`."""
        dtype = np.result_type(x, dy)
        g = np.zeros(self.pattern.values_shape, dtype)
        for far, near in zip(
            tiles(x, dtype, True), tiles(dy, dtype, True), strict=True
        ):
            rows = self.rows.of(near.lanes)
            where = frame(rows, near.lanes, far.pitch, near.pitch)
            run_gradient(rows, where, far.memory, near.memory, g.reshape(-1))
        return g


def multiply_tile(
    layouts: Layouts,
    tile: Tile,
    y_row: int,
    weights: FloatArray,
    start: FloatArray,
    y: FloatArray,
) -> None:
    """Rows times the samples of a tile."""
    rows = layouts.of(tile.lanes)
    where = frame(rows, tile.lanes, tile.pitch, y_row)
    run_product(rows, where, weights, start, tile.memory, y)


def _multiply(
    product: Callable[..., None], weights: FloatArray, start: FloatArray, x: FloatArray
) -> FloatArray:
    """The product with all samples, a tile of them at a time."""
    y = batch_array((len(start), x.shape[1]), weights.dtype)
    written = flat(y)
    for tile in tiles(x, weights.dtype):
        y_row = lanes_for(x.shape[1])
        product(tile, y_row, weights, start, written[tile.first :])
    return y


def frame(rows: Rows, length: int, lanes: int, y_row: int, relu: bool = False) -> Frame:
    """One segment, the samples; offsets count input features, `lanes` numbers apart."""
    return Frame(rows.outputs, rows.panels, 1, length, lanes, 0, 0, y_row, relu)
