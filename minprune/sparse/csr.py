"""Compressed sparse rows: which weights are stored, apart from what they are worth.

A pattern holds positions; the values are a plain array of their own, so that an
optimizer can update them without knowing of positions. A weight is pruned when its
position is not in the pattern. A position in the pattern may hold the value zero: that
is a weight which happens to be zero, and it is trained like any other.

Patterns are immutable. Editing one (`drop`, `grow`) gives a new pattern and a map from
old to new places in the array of values, for optimizers to follow.

Matrices are (rows, columns) = (out, K), with K = in for a linear layer and
in/groups * kh * kw for a convolution.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from minprune._check import AnyArray, BoolArray, IntArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

INDEX = np.int32
"""The index type of scipy's own matrices, so that memory is shared with them."""


class Entries(NamedTuple):
    """Every stored weight in row-major order, whatever the format."""

    rows: IntArray
    columns: IntArray
    where: IntArray | None
    """Place of each in the flat array of values; None if they lie in this order."""


class Edit(NamedTuple):
    """A changed pattern, and where each old value went (-1: nowhere)."""

    pattern: "CSR"
    moved: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class CSR:
    """Positions of stored weights, row by row.

    Attributes
    ----------
    shape : tuple of int
        (rows, columns) of the whole matrix.
    indptr : ndarray of int32, shape (rows + 1,)
        Row i is stored at places ``indptr[i]`` to ``indptr[i + 1]``.
    indices : ndarray of int32, shape (stored,)
        Column of each, ascending within a row.

    Examples
    --------
    >>> pattern = CSR.from_mask(np.array([[False, True, True], [True, False, False]]))
    >>> pattern.indptr, pattern.indices
    (array([0, 2, 3], dtype=int32), array([1, 2, 0], dtype=int32))
    >>> pattern.scatter(np.array([5.0, 0.0, 7.0]))
    array([[0., 5., 0.],
           [7., 0., 0.]])
    """

    shape: tuple[int, int]
    indptr: IntArray
    indices: IntArray

    format = "csr"
    block = None

    @classmethod
    def empty(cls, shape: tuple[int, int]) -> "CSR":
        """Nothing stored."""
        return cls(shape, np.zeros(shape[0] + 1, INDEX), np.zeros(0, INDEX))

    @classmethod
    def from_mask(cls, mask: BoolArray) -> "CSR":
        """The positions where a mask of shape (rows, columns) is True."""
        rows, columns = np.nonzero(mask)
        return cls.from_positions(mask.shape, rows, columns)

    @classmethod
    def from_positions(
        cls, shape: tuple[int, ...], rows: IntArray, columns: IntArray
    ) -> "CSR":
        """Positions in row-major order, each once."""
        counts = np.bincount(rows, minlength=shape[0])
        indptr = np.concatenate(([0], np.cumsum(counts))).astype(INDEX)
        return cls((shape[0], shape[1]), indptr, columns.astype(INDEX))

    @classmethod
    def from_matrix(cls, matrix: "csr_array") -> tuple["CSR", AnyArray]:
        """Pattern and values of a scipy matrix, checked and put in order.

        Columns are sorted within each row and repeated positions are summed, as scipy
        understands them; stored zeros stay stored. The matrix is not changed.

        Raises
        ------
        ValueError
            If the index arrays contradict each other or the shape.
        """
        check_indices(matrix.shape, matrix.indptr, matrix.indices, len(matrix.data))
        tidy = matrix.copy()
        tidy.sum_duplicates()
        indptr, indices = tidy.indptr.astype(INDEX), tidy.indices.astype(INDEX)
        return cls(tuple(matrix.shape), indptr, indices), tidy.data

    @property
    def stored(self) -> int:
        """Number of stored weights."""
        return len(self.indices)

    @property
    def values_shape(self) -> tuple[int, ...]:
        """Shape of the array of values."""
        return (self.stored,)

    @property
    def nbytes(self) -> int:
        """Bytes of the index arrays."""
        return self.indptr.nbytes + self.indices.nbytes

    def entries(self) -> Entries:
        """Row and column of every stored weight."""
        return Entries(row_of_each(self.indptr), self.indices, None)

    def mask(self) -> BoolArray:
        """True where stored, of shape (rows, columns)."""
        mask = np.zeros(self.shape, bool)
        mask[row_of_each(self.indptr), self.indices] = True
        return mask

    def gather(self, matrix: AnyArray) -> AnyArray:
        """The values that a dense (rows, columns) matrix has where stored."""
        values: AnyArray = matrix[row_of_each(self.indptr), self.indices]
        return values

    def scatter(self, values: AnyArray) -> AnyArray:
        """The dense matrix, zero where nothing is stored."""
        matrix = np.zeros(self.shape, values.dtype)
        matrix[row_of_each(self.indptr), self.indices] = values
        return matrix

    def matrix(self, values: AnyArray) -> "csr_array":
        """The scipy matrix on the same memory.

        scipy's arithmetic drops stored zeros from its results; use it to look, not to
        update.
        """
        from scipy.sparse import csr_array

        matrix = csr_array((values, self.indices, self.indptr), shape=self.shape)
        matrix.data = values  # scipy copies a view that is much smaller than its base
        return matrix

    def drop(self, places: IntArray) -> Edit:
        """Without the weights at these places of the array of values."""
        kept = np.ones(self.stored, bool)
        kept[places] = False
        moved = np.where(kept, np.cumsum(kept) - 1, -1)
        rows = row_of_each(self.indptr)[kept]
        return Edit(self.from_positions(self.shape, rows, self.indices[kept]), moved)

    def grow(self, rows: IntArray, columns: IntArray) -> Edit:
        """With further positions, none of them stored yet, in any order.

        Raises
        ------
        ValueError
            If a position lies outside, is stored already, or comes twice.
        """
        rows, columns = np.asarray(rows, np.int64), np.asarray(columns, np.int64)
        outside = (rows < 0) | (rows >= self.shape[0])
        outside |= (columns < 0) | (columns >= self.shape[1])
        if outside.any():
            at = int(np.argmax(outside))
            raise ValueError(
                f"grow: position ({rows[at]}, {columns[at]}) lies outside the matrix "
                f"of shape {self.shape}"
            )
        old = flat(row_of_each(self.indptr), self.indices, self.shape)
        new = np.sort(flat(rows, columns, self.shape))
        everything = np.sort(np.concatenate((old, new)), kind="stable")
        twice = everything[1:] == everything[:-1]
        if twice.any():
            row, column = divmod(int(everything[int(np.argmax(twice))]), self.shape[1])
            raise ValueError(
                f"grow: position ({row}, {column}) is stored already or given twice; "
                f"a weight has one place"
            )
        pattern = self.from_positions(self.shape, *divmod(everything, self.shape[1]))
        return Edit(pattern, np.arange(len(old)) + np.searchsorted(new, old))


def flat(rows: IntArray, columns: IntArray, shape: tuple[int, int]) -> IntArray:
    """One number for each position, ascending in row-major order."""
    return rows.astype(np.int64) * shape[1] + columns


def row_of_each(indptr: IntArray) -> IntArray:
    """The row (or row of blocks) of every stored entry."""
    return np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))


def check_indices(
    shape: tuple[int, ...], indptr: Any, indices: Any, stored: int
) -> None:
    """Raise ValueError unless the arrays describe a matrix of this shape.

    They are checked before any kernel sees them, since a kernel trusts its indices.
    """
    if len(shape) != 2 or min(shape) < 0:
        raise ValueError(f"pattern: shape is {shape}; expected (rows, columns)")
    rows, columns = shape
    for name, array in (("indptr", indptr), ("indices", indices)):
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "iu":
            kind = getattr(array, "dtype", type(array).__name__)
            raise ValueError(f"pattern: {name} is {kind}; expected an integer array")
    if indptr.shape != (rows + 1,):
        raise ValueError(
            f"pattern: indptr has shape {indptr.shape}; {rows} rows need ({rows + 1},)"
        )
    if indices.shape != (stored,):
        raise ValueError(
            f"pattern: indices has shape {indices.shape}, but {stored} values are "
            f"stored; there must be one for each"
        )
    if indptr[0] != 0 or indptr[-1] != stored:
        raise ValueError(
            f"pattern: indptr goes from {indptr[0]} to {indptr[-1]}; expected from 0 "
            f"to {stored}, the number of values"
        )
    falls = indptr[1:] < indptr[:-1]
    if falls.any():
        at = int(np.argmax(falls))
        raise ValueError(
            f"pattern: indptr falls from {indptr[at]} to {indptr[at + 1]} at row {at}; "
            f"row pointers never decrease"
        )
    outside = (indices < 0) | (indices >= columns)
    if outside.any():
        at = int(np.argmax(outside))
        raise ValueError(
            f"pattern: indices[{at}] is {indices[at]}; expected 0 to {columns - 1}, "
            f"there are {columns} columns"
        )
