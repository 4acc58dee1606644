"""Block-sparse rows: whole blocks of R x C weights are stored or pruned as one.

A block costs one index, and its weights share the input they multiply. Blocks that
reach over the edge of the matrix are padded with zeros; the true shape is kept beside,
and what lies beyond the edge is never used, never trained and never counted.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from minprune._check import AnyArray, BoolArray, IntArray
from minprune.sparse.csr import INDEX, Entries, check_indices, row_of_each

if TYPE_CHECKING:
    from scipy.sparse import bsr_array


@dataclass(frozen=True, slots=True, eq=False)
class BSR:
    """Positions of stored blocks, row of blocks by row of blocks.

    Attributes
    ----------
    shape : tuple of int
        (rows, columns) of the whole matrix, padding left out.
    block : tuple of int
        (R, C): rows and columns of a block.
    indptr : ndarray of int32, shape (ceil(rows / R) + 1,)
        Row of blocks i is stored at places ``indptr[i]`` to ``indptr[i + 1]``.
    indices : ndarray of int32, shape (blocks,)
        Column of blocks of each, ascending within a row.

    Examples
    --------
    >>> mask = np.array([[True, False], [True, False], [False, True]])
    >>> pattern = BSR.from_mask(mask, (2, 1))
    >>> pattern.indices, pattern.stored, pattern.values_shape
    (array([0, 1], dtype=int32), 3, (2, 2, 1))
    """

    shape: tuple[int, int]
    block: tuple[int, int]
    indptr: IntArray
    indices: IntArray

    format = "bsr"

    @classmethod
    def empty(cls, shape: tuple[int, int], block: tuple[int, int]) -> "BSR":
        """Nothing stored."""
        rows = -(-shape[0] // block[0])
        return cls(shape, block, np.zeros(rows + 1, INDEX), np.zeros(0, INDEX))

    @classmethod
    def from_mask(cls, mask: BoolArray, block: tuple[int, int]) -> "BSR":
        """The blocks in which a mask of shape (rows, columns) is True.

        Raises
        ------
        ValueError
            If a block is kept in part.
        """
        shape = (mask.shape[0], mask.shape[1])
        kept = to_blocks(mask, block)
        inside = to_blocks(np.ones_like(mask), block)
        stored = np.any(kept, axis=(2, 3))
        torn = ((kept != inside) & stored[:, :, None, None]).any(axis=(2, 3))
        if torn.any():
            row, column = (int(i) for i in np.argwhere(torn)[0])
            raise ValueError(
                f"bsr: the block of {block} at rows from {row * block[0]} and columns "
                f"from {column * block[1]} is kept in part; prune whole blocks, or "
                f"store the layer as csr"
            )
        rows, columns = np.nonzero(stored)
        counts = np.bincount(rows, minlength=stored.shape[0])
        indptr = np.concatenate(([0], np.cumsum(counts))).astype(INDEX)
        return cls(shape, block, indptr, columns.astype(INDEX))

    @classmethod
    def from_matrix(
        cls, matrix: "bsr_array", shape: tuple[int, int] | None = None
    ) -> tuple["BSR", AnyArray]:
        """Pattern and values of a scipy matrix, checked and put in order.

        `shape` is the true shape when the matrix holds padded blocks; what lies beyond
        it is set to zero. Repeated blocks are summed. The matrix is not changed.

        Raises
        ------
        ValueError
            If the index arrays contradict each other or the shape.
        """
        block = (matrix.data.shape[1], matrix.data.shape[2])
        true = (matrix.shape[0], matrix.shape[1]) if shape is None else shape
        grid = (-(-true[0] // block[0]), -(-true[1] // block[1]))
        check_indices(grid, matrix.indptr, matrix.indices, len(matrix.data))
        tidy = matrix.copy()
        tidy.sum_duplicates()
        pattern = cls(
            true, block, tidy.indptr.astype(INDEX), tidy.indices.astype(INDEX)
        )
        values = tidy.data.copy()
        values[~pattern.inside()] = 0
        return pattern, values

    @property
    def stored(self) -> int:
        """Number of stored weights, padding left out."""
        last_row = row_of_each(self.indptr) == len(self.indptr) - 2
        height = np.where(last_row, self._left_over(0), self.block[0])
        last_column = self.indices == (self.shape[1] - 1) // self.block[1]
        width = np.where(last_column, self._left_over(1), self.block[1])
        return int(height @ width)

    @property
    def values_shape(self) -> tuple[int, ...]:
        """Shape of the array of values."""
        return (len(self.indices), *self.block)

    @property
    def nbytes(self) -> int:
        """Bytes of the index arrays."""
        return self.indptr.nbytes + self.indices.nbytes

    def entries(self) -> Entries:
        """Row and column of every stored weight, and its place in the flat values."""
        rows, columns = self._positions()
        inside = np.flatnonzero(self.inside())
        rows, columns = rows.reshape(-1)[inside], columns.reshape(-1)[inside]
        order = np.lexsort((columns, rows))
        return Entries(rows[order], columns[order], inside[order])

    def inside(self) -> BoolArray:
        """Which values are weights, not padding, in the shape of the values."""
        rows, columns = self._positions()
        inside: BoolArray = (rows < self.shape[0]) & (columns < self.shape[1])
        return inside

    def mask(self) -> BoolArray:
        """True where stored, of shape (rows, columns)."""
        rows, columns, _ = self.entries()
        mask = np.zeros(self.shape, bool)
        mask[rows, columns] = True
        return mask

    def gather(self, matrix: AnyArray) -> AnyArray:
        """The values that a dense (rows, columns) matrix has where stored."""
        rows, columns, where = self.entries()
        values = np.zeros(self.values_shape, matrix.dtype)
        values.reshape(-1)[where] = matrix[rows, columns]
        return values

    def scatter(self, values: AnyArray) -> AnyArray:
        """The dense matrix, zero where nothing is stored."""
        rows, columns, where = self.entries()
        matrix = np.zeros(self.shape, values.dtype)
        matrix[rows, columns] = values.reshape(-1)[where]
        return matrix

    def matrix(self, values: AnyArray) -> "bsr_array":
        """The scipy matrix on the same memory; its shape includes the padding."""
        from scipy.sparse import bsr_array

        grid = [-(-n // b) * b for n, b in zip(self.shape, self.block, strict=True)]
        matrix = bsr_array((values, self.indices, self.indptr), shape=tuple(grid))
        matrix.data = values  # scipy copies a view that is much smaller than its base
        return matrix

    def _positions(self) -> tuple[IntArray, IntArray]:
        """Row and column of every value, padding included, in the values' shape."""
        height, width = self.block
        first_row = row_of_each(self.indptr)[:, None, None] * height
        first_column = self.indices.astype(np.int64)[:, None, None] * width
        rows = np.broadcast_to(
            first_row + np.arange(height)[:, None], self.values_shape
        )
        columns = np.broadcast_to(first_column + np.arange(width), self.values_shape)
        return rows, columns

    def _left_over(self, axis: int) -> int:
        """Extent of the last block along an axis."""
        return (self.shape[axis] - 1) % self.block[axis] + 1


def to_blocks(matrix: AnyArray, block: tuple[int, int]) -> AnyArray:
    """(rows of blocks, columns of blocks, R, C) of a matrix, padded with zeros."""
    (rows, columns), (height, width) = matrix.shape, block
    grid = -(-rows // height), height, -(-columns // width), width
    padded = np.zeros((grid[0] * height, grid[2] * width), matrix.dtype)
    padded[:rows, :columns] = matrix
    return padded.reshape(grid).swapaxes(1, 2)
