"""Weights in blocks: one index for all the rows and columns of a block.

Made for masks that were pruned in blocks; `block_of` finds out which. A row of blocks
has a count for each 256 columns of blocks, then an 8-bit column for each block that
holds anything; its rows are multiplied one after the other and share both. The last
row of blocks may be short; columns must come out even, because a block is multiplied
without asking where it ends.
"""

import re
from collections.abc import Iterator

import numpy as np

from minprune._check import AnyArray, BoolArray, IntArray
from minprune.export.c99.encode import (
    ENCODINGS,
    SEGMENT,
    Encoding,
    Tables,
    Terms,
    by,
    small,
)

TALLEST, WIDEST = 32, 16
"""Larger blocks are held as several: the C of each multiplication is written out."""


class Block(Encoding):
    """Blocks of R rows and C columns."""

    def __init__(self, tall: int, wide: int) -> None:
        self.tall, self.wide = tall, wide
        self.name = f"block{tall}x{wide}"

    @property
    def family(self) -> str:
        """See `Encoding.family`."""
        return "block"

    def stores_zeros(self, kept: AnyArray) -> bool:
        """Those inside of a block."""
        return True

    def words(self) -> dict[str, str]:
        """Sizes of the block, and its multiplications."""
        takes = (
            f"TAKE_LANES(READ_WEIGHT(weight + {i}U), &AT_LANES(first + {i}U));"
            for i in range(self.wide)
        )
        text = f"\n{20 * ' '}".join(takes)
        return {"TAKES": text, "TALL": str(self.tall), "WIDE": str(self.wide)}

    def fits(self, kept: AnyArray) -> bool:
        """A count must fit eight bits, as in seg8, and columns must come out even."""
        counts = by(self._filled(kept), SEGMENT).sum(axis=2)
        return kept.shape[1] % self.wide == 0 and bool((counts < SEGMENT).all())

    def bytes(self, kept: AnyArray, itemsize: int) -> int:
        """See `Encoding.bytes`."""
        filled = self._filled(kept)
        counts: int = len(filled) * -(-filled.shape[1] // SEGMENT)
        return self.held(kept) * itemsize + int(filled.sum()) + counts

    def held(self, kept: AnyArray) -> int:
        """Weights that are stored, with the zeros inside blocks."""
        return int(self._spread(self._filled(kept), kept.shape).sum())

    def visits(self, kept: AnyArray) -> int:
        """Times that a row comes upon a block or upon the end of a segment."""
        filled = self._filled(kept)
        each = filled.sum(axis=1) + -(-filled.shape[1] // SEGMENT)
        return int(np.repeat(each, self.tall)[: len(kept)].sum())

    def encode(self, matrix: AnyArray) -> Tables:
        """See `Encoding.encode`."""
        filled = self._filled(matrix != 0)
        counts = by(filled, SEGMENT).sum(axis=2)
        columns = np.nonzero(filled)[1] % SEGMENT
        spread = self._spread(filled, matrix.shape)
        return Tables(small(counts), small(columns), matrix[spread])

    def terms(self, tables: Tables, shape: tuple[int, int]) -> Terms:
        """See `Encoding.terms`."""
        return list(self._rows(tables, shape))

    def _rows(
        self, tables: Tables, shape: tuple[int, int]
    ) -> Iterator[tuple[IntArray, AnyArray]]:
        """Columns and weights of one row after the other."""
        rows, columns = shape
        segments = -(-columns // (self.wide * SEGMENT))
        counts = tables.count.reshape(-1, segments).astype(int)
        index, weight = tables.index.astype(int), tables.weight
        for row in range(rows):
            own = counts[row // self.tall]
            first = int(counts[: row // self.tall].sum())
            blocks = index[first : first + own.sum()]
            blocks = blocks + np.repeat(np.arange(segments) * SEGMENT, own)
            seen = (blocks[:, None] * self.wide + np.arange(self.wide)).reshape(-1)
            yield seen, weight[: len(seen)]
            weight = weight[len(seen) :]

    def _filled(self, kept: AnyArray) -> BoolArray:
        """Which blocks hold anything: (rows of blocks, columns of blocks)."""
        wide: BoolArray = np.any(by(kept, self.wide), axis=2)
        filled: BoolArray = np.any(by(wide.T, self.tall), axis=2).T
        return filled

    def _spread(self, filled: BoolArray, shape: tuple[int, ...]) -> BoolArray:
        """All entries of these blocks, in the matrix."""
        tall = np.repeat(filled, self.tall, axis=0)
        return np.repeat(tall, self.wide, axis=1)[: shape[0], : shape[1]]


def block_of(kept: AnyArray, rows: int = 0) -> tuple[int, int]:
    """The largest block shape, rows by columns, that a mask is made of.

    Its columns divide those of the mask.

    Parameters
    ----------
    kept : ndarray of bool, shape (rows, columns)
    rows : int
        Rows of a group, which no block may lie across; 0 where there are no groups.

    Examples
    --------
    >>> mask = np.kron(np.eye(3, dtype=bool), np.ones((2, 4), bool))
    >>> block_of(mask), block_of(mask[:, :-1]), block_of(mask, 3)
    ((2, 4), (2, 1), (1, 4))
    >>> block_of(np.ones((4, 4), bool))
    (1, 1)
    """
    if kept.all() or not kept.any():
        return 1, 1
    columns = kept.shape[1]
    tall = next(
        n
        for n in range(min(TALLEST, len(kept)), 0, -1)
        if not (rows and rows % n) and _alike(kept.T, n)
    )
    wide = next(
        n
        for n in range(min(WIDEST, columns), 0, -1)
        if columns % n == 0 and _alike(kept, n)
    )
    return tall, wide


def find(name: str) -> Encoding:
    """The encoding of a name such as ``"seg8"`` or ``"block4x1"``."""
    shape = re.fullmatch(r"block(\d+)x(\d+)", name)
    return Block(int(shape[1]), int(shape[2])) if shape else ENCODINGS[name]


def _alike(kept: AnyArray, size: int) -> bool:
    """Whether columns agree within each run of a size; the last may be shorter."""
    starts = np.arange(kept.shape[1]) // size * size
    return bool((kept == kept[:, starts]).all())
