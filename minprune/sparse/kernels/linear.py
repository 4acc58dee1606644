"""Products of a sparse linear layer, samples as columns.

The three loops that define them stand first; they are what is read, and what the tests
hold the fast ones to. `LinearProducts` computes the same by the strip kernel.
"""

import numpy as np

from minprune._check import FloatArray, IntArray, batch_array
from minprune.sparse.kernels._jit import kernel
from minprune.sparse.kernels.layout import (
    flat,
    lanes_for,
    make_rows,
    rows_bytes,
    run_gradient,
    run_product,
    tiles,
    transposed,
    unpanelled,
    zeros,
)
from minprune.sparse.kernels.strips import TILE, Frame, Rows
from minprune.sparse.products import Pattern


@kernel
def forward(
    indptr: IntArray,
    indices: IntArray,
    values: FloatArray,
    x: FloatArray,
    y: FloatArray,
) -> None:
    """y[i, b] = sum over k stored in row i of values[k] * x[indices[k], b]."""
    for i in range(y.shape[0]):
        for b in range(y.shape[1]):
            y[i, b] = 0.0
        for k in range(indptr[i], indptr[i + 1]):
            for b in range(y.shape[1]):
                y[i, b] += values[k] * x[indices[k], b]


@kernel
def input_gradient(
    indptr: IntArray,
    indices: IntArray,
    values: FloatArray,
    dy: FloatArray,
    dx: FloatArray,
) -> None:
    """dx[j, b] = sum over k stored in column j of values[k] * dy[row of k, b]."""
    for j in range(dx.shape[0]):
        for b in range(dx.shape[1]):
            dx[j, b] = 0.0
    for i in range(dy.shape[0]):
        for k in range(indptr[i], indptr[i + 1]):
            for b in range(dy.shape[1]):
                dx[indices[k], b] += values[k] * dy[i, b]


@kernel
def weight_gradient(
    indptr: IntArray, indices: IntArray, x: FloatArray, dy: FloatArray, g: FloatArray
) -> None:
    """g[k] = sum_b x[indices[k], b] * dy[i, b] for every k stored in row i."""
    for i in range(dy.shape[0]):
        for k in range(indptr[i], indptr[i + 1]):
            g[k] = 0.0
            for b in range(dy.shape[1]):
                g[k] += x[indices[k], b] * dy[i, b]


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
        self.rows = make_rows(out, inside, row, column, column, where)
        self.narrow_rows = unpanelled(self.rows)
        self._transposed: tuple[Rows, Rows] | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of the layouts built so far."""
        back = () if self._transposed is None else self._transposed[:1]
        return rows_bytes(self.rows, *back)

    def _columns(self) -> tuple[Rows, Rows]:
        """The transposed pattern, built when a gradient is first asked for."""
        if self._transposed is None:
            (out, inside), (row, column, where) = (
                self.pattern.shape,
                self.pattern.entries(),
            )
            order, places = transposed(column, row, where)
            row, column = row[order], column[order]
            rows = make_rows(inside, out, column, row, row, places)
            self._transposed = rows, unpanelled(rows)
        return self._transposed

    def forward(
        self, values: FloatArray, bias: FloatArray | None, x: FloatArray
    ) -> FloatArray:
        """See `Products.forward`."""
        return _multiply((self.rows, self.narrow_rows), values, bias, x)

    def input_gradient(
        self, values: FloatArray, dy: FloatArray, x: FloatArray
    ) -> FloatArray:
        """See `Products.input_gradient`."""
        return _multiply(self._columns(), values, None, dy)

    def weight_gradient(self, x: FloatArray, dy: FloatArray) -> FloatArray:
        """See `Products.weight_gradient`."""
        dtype = np.result_type(x, dy)
        g = np.zeros(self.pattern.values_shape, dtype)
        for far, near in zip(
            tiles(x, dtype, True), tiles(dy, dtype, True), strict=True
        ):
            rows = self.rows if near.lanes == TILE else self.narrow_rows
            where = frame(rows, near.lanes, far.pitch, near.pitch)
            run_gradient(rows, where, far.memory, near.memory, g.reshape(-1))
        return g


def _multiply(
    layouts: tuple[Rows, Rows],
    values: FloatArray,
    bias: FloatArray | None,
    x: FloatArray,
) -> FloatArray:
    """The matrix of these rows times the columns of x, by tiles of columns."""
    dtype = np.result_type(values, x)
    weights = np.ascontiguousarray(values, dtype).reshape(-1)
    start = zeros(layouts[0].count, dtype, bias)
    y = batch_array((len(start), x.shape[1]), dtype)
    written = flat(y)
    for tile in tiles(x, dtype):
        rows = layouts[0] if tile.lanes == TILE else layouts[1]
        where = frame(rows, tile.lanes, tile.pitch, lanes_for(x.shape[1]))
        run_product(rows, where, weights, start, tile.memory, written[tile.first :])
    return y


def frame(rows: Rows, length: int, lanes: int, y_row: int, relu: bool = False) -> Frame:
    """One segment, the samples; offsets count input features, `lanes` numbers apart."""
    return Frame(rows.count, rows.panels, 1, length, lanes, 0, 0, y_row, relu)
