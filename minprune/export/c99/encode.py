"""How the weights of a layer lie in flash: encodings of a matrix (rows, columns).

========= ================================================= ==========================
encoding  positions                                         good for
========= ================================================= ==========================
dense     none: every weight is there, zero or not          few zeros
seg8      an 8-bit column in a segment of 256 columns, and  speed, from about half
          a count for each row and segment                  the weights removed
nm16      a 4-bit column in a group of 16 columns; each     masks of N:16: no counts,
          group holds the same even number of weights       the same time always
bitmask   a bit for each column                             flash, at 50 to 75 %
delta4    a 4-bit distance from the column before; 15 goes  flash, at 75 to 95 %
          on to the next four bits
delta8    an 8-bit distance from the weight before, with    convolutions, at speed
          zeros where that is more than 255
========= ================================================= ==========================

Masks that were pruned in blocks have one more, in `blocks`.

A row is multiplied in ascending order of its columns, in every encoding; in delta8, of
what `strip` makes of them. Weights that are exactly zero are not stored, pruned or not,
but where the encoding itself asks for them: a product with zero adds nothing.

Weights of sixteen values or fewer can be held in four bits each, whatever holds their
positions: `in_codes`.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace

import numpy as np

from minprune._check import AnyArray, IntArray
from minprune.files.stored import CODES

SEGMENT, GROUP, ESCAPE = 256, 16, 15


@dataclass(frozen=True, slots=True)
class Tables:
    """The arrays that a kernel walks through."""

    count: AnyArray
    """uint8."""
    index: AnyArray
    """uint8."""
    weight: AnyArray
    """int8 or float32; with a book uint8, two codes of four bits to a byte."""
    offset: AnyArray = field(default_factory=lambda: np.zeros(0, np.int16))
    """int16: of a convolution, where a strip has its columns."""
    book: AnyArray = field(default_factory=lambda: np.zeros(0, np.int8))
    """int8: the sixteen values that codes stand for."""

    @property
    def bytes(self) -> int:
        """Of all of them."""
        tables = self.count, self.index, self.weight, self.offset, self.book
        return sum(table.nbytes for table in tables)


Terms = list[tuple[IntArray, AnyArray]]
"""For each row the columns and weights that are multiplied, in order."""


class Encoding(ABC):
    """One way to hold a matrix."""

    name: str
    offsets: str = "absolute"
    """How a convolution finds its inputs: by the absolute offset in a strip of each
    column, by the relative one from the column before, or directly: then the columns
    that are encoded are those of the strip."""

    @property
    def family(self) -> str:
        """The name without the numbers of a block: what the kernel's file is called."""
        return self.name

    def words(self) -> dict[str, str]:
        """What is put into the kernel's text besides its name."""
        return {}

    def stores_zeros(self, kept: AnyArray) -> bool:
        """Whether weights that are zero may be among those stored."""
        return False

    @abstractmethod
    def fits(self, kept: AnyArray) -> bool:
        """Whether it can hold a matrix with these entries kept."""

    @abstractmethod
    def bytes(self, kept: AnyArray, itemsize: int) -> int:
        """Bytes of the tables, in closed form from the pattern alone."""

    @abstractmethod
    def encode(self, matrix: AnyArray) -> Tables:
        """The tables of a matrix."""

    @abstractmethod
    def terms(self, tables: Tables, shape: tuple[int, int]) -> Terms:
        """What a kernel multiplies, row by row, read back from the tables."""

    def decode(self, tables: Tables, shape: tuple[int, int]) -> AnyArray:
        """The matrix again."""
        matrix = np.zeros(shape, tables.weight.dtype)
        for row, (columns, weights) in zip(
            matrix, self.terms(tables, shape), strict=True
        ):
            np.add.at(row, columns, weights)
        return matrix


class Dense(Encoding):
    """Every weight."""

    name, offsets = "dense", "relative"

    def stores_zeros(self, kept: AnyArray) -> bool:
        """See `Encoding.stores_zeros`."""
        return not kept.all()

    def fits(self, kept: AnyArray) -> bool:
        """See `Encoding.fits`."""
        return True

    def bytes(self, kept: AnyArray, itemsize: int) -> int:
        """See `Encoding.bytes`."""
        size: int = kept.size * itemsize
        return size

    def encode(self, matrix: AnyArray) -> Tables:
        """See `Encoding.encode`."""
        return Tables(small([]), small([]), matrix.reshape(-1))

    def terms(self, tables: Tables, shape: tuple[int, int]) -> Terms:
        """See `Encoding.terms`."""
        every = np.arange(shape[1])
        return [(every, row) for row in tables.weight.reshape(shape)]


class Seg8(Encoding):
    """An 8-bit column within a segment of 256, and a count for each segment."""

    name = "seg8"

    def fits(self, kept: AnyArray) -> bool:
        """A count must fit eight bits: a full segment does not."""
        return bool((by(kept, SEGMENT).sum(axis=2) < 256).all())

    def bytes(self, kept: AnyArray, itemsize: int) -> int:
        """See `Encoding.bytes`."""
        rows, columns = kept.shape
        count: int = rows * -(-columns // SEGMENT)
        return int(kept.sum()) * (1 + itemsize) + count

    def encode(self, matrix: AnyArray) -> Tables:
        """See `Encoding.encode`."""
        kept = matrix != 0
        count = by(kept, SEGMENT).sum(axis=2)
        return Tables(small(count), small(np.nonzero(kept)[1] % 256), matrix[kept])

    def terms(self, tables: Tables, shape: tuple[int, int]) -> Terms:
        """See `Encoding.terms`."""
        counts = tables.count.reshape(shape[0], -(-shape[1] // SEGMENT)).astype(int)
        segment = np.repeat(np.tile(np.arange(counts.shape[1]), shape[0]), counts.flat)
        columns = segment * SEGMENT + tables.index
        return _split(columns, tables.weight, counts.sum(axis=1))


class NM16(Encoding):
    """A 4-bit column within a group of 16; every group holds as many weights."""

    name = "nm16"

    def stores_zeros(self, kept: AnyArray) -> bool:
        """Where a group has fewer weights than another."""
        return True

    def fits(self, kept: AnyArray) -> bool:
        """See `Encoding.fits`."""
        return kept.size > 0

    @staticmethod
    def held(kept: AnyArray) -> int:
        """Weights in a group: the most there are in any, made even."""
        most = int(by(kept, GROUP).sum(axis=2).max(initial=0))
        return most + most % 2

    def bytes(self, kept: AnyArray, itemsize: int) -> int:
        """See `Encoding.bytes`."""
        held: int = len(kept) * -(-kept.shape[1] // GROUP) * self.held(kept)
        return held // 2 + held * itemsize + 1

    def encode(self, matrix: AnyArray) -> Tables:
        """Groups with fewer weights are filled up with zeros at column 0."""
        grouped = by(matrix, GROUP)
        held = self.held(matrix != 0)
        # A stable sort of "is zero" brings the weights forward, in order.
        first = np.argsort(grouped == 0, axis=2, kind="stable")[:, :, :held]
        weight = np.take_along_axis(grouped, first, axis=2)
        index = np.where(weight != 0, first, 0).reshape(-1)
        packed = index[0::2] | index[1::2] << 4
        return Tables(small([held]), small(packed), weight.reshape(-1))

    def terms(self, tables: Tables, shape: tuple[int, int]) -> Terms:
        """See `Encoding.terms`."""
        rows, groups, held = shape[0], -(-shape[1] // GROUP), int(tables.count[0])
        index = np.stack([tables.index & 15, tables.index >> 4], axis=1)
        start = np.arange(groups)[:, None] * GROUP
        columns = index.reshape(rows, groups, held) + start
        weight = tables.weight.reshape(rows, groups * held)
        return list(zip(columns.reshape(rows, groups * held), weight, strict=True))


class Bitmask(Encoding):
    """A bit for each column, eight to a byte, the first in the lowest."""

    name = "bitmask"

    def fits(self, kept: AnyArray) -> bool:
        """See `Encoding.fits`."""
        return True

    def bytes(self, kept: AnyArray, itemsize: int) -> int:
        """See `Encoding.bytes`."""
        rows, columns = kept.shape
        bits: int = rows * -(-columns // 8)
        return int(kept.sum()) * itemsize + bits

    def encode(self, matrix: AnyArray) -> Tables:
        """See `Encoding.encode`."""
        kept = matrix != 0
        bits = np.packbits(kept, axis=1, bitorder="little")
        return Tables(small([]), small(bits), matrix[kept])

    def terms(self, tables: Tables, shape: tuple[int, int]) -> Terms:
        """See `Encoding.terms`."""
        bits = tables.index.reshape(shape[0], -(-shape[1] // 8))
        kept = np.unpackbits(bits, axis=1, count=shape[1], bitorder="little")
        return _split(np.nonzero(kept)[1], tables.weight, kept.sum(axis=1, dtype=int))


class Delta4(Encoding):
    """The columns left out before each weight, in four bits; each row on new bytes."""

    name = "delta4"

    def fits(self, kept: AnyArray) -> bool:
        """A row's count is held in 16 bits."""
        return bool((kept.sum(axis=1) < 2**16).all())

    def bytes(self, kept: AnyArray, itemsize: int) -> int:
        """See `Encoding.bytes`."""
        nibbles = sum(-(-self.nibbles(row) // 2) for row in kept)
        return int(kept.sum()) * itemsize + nibbles + 2 * len(kept)

    @staticmethod
    def nibbles(row: AnyArray) -> int:
        """Four-bit numbers of a row: one for each weight, one for each 15 left out."""
        gaps = np.diff(np.flatnonzero(row), prepend=-1) - 1
        return int((gaps // ESCAPE + 1).sum())

    def encode(self, matrix: AnyArray) -> Tables:
        """See `Encoding.encode`."""
        packed: list[int] = []
        for row in matrix:
            gaps = np.diff(np.flatnonzero(row), prepend=-1) - 1
            row_nibbles = [
                nibble
                for gap in gaps.tolist()
                for nibble in [ESCAPE] * (gap // ESCAPE) + [gap % ESCAPE]
            ]
            row_nibbles += [0] * (len(row_nibbles) % 2)
            packed += [
                low | high << 4
                for low, high in zip(row_nibbles[::2], row_nibbles[1::2], strict=True)
            ]
        counts = (matrix != 0).sum(axis=1)
        count = np.stack([counts % 256, counts // 256], axis=1)
        return Tables(small(count), small(packed), matrix[matrix != 0])

    def terms(self, tables: Tables, shape: tuple[int, int]) -> Terms:
        """See `Encoding.terms`."""
        low, high = tables.count.reshape(-1, 2).astype(int).T
        counts = low + 256 * high
        nibbles = iter(
            [n for byte in tables.index.tolist() for n in (byte & 15, byte >> 4)]
        )
        columns: list[int] = []
        for count in counts:
            column, taken = -1, 0
            for _ in range(count):
                column += 1
                gap = ESCAPE
                while gap == ESCAPE:
                    gap, taken = next(nibbles), taken + 1
                    column += gap
                columns.append(column)
            if taken % 2:
                next(nibbles)
        return _split(np.array(columns, int), tables.weight, counts)


class Delta8(Encoding):
    """The distance of each weight from the one before, in eight bits.

    Zeros at every 255 columns lead over what is farther. It counts the columns of a
    strip, so a kernel for eight positions needs no register for where that begins.
    """

    name, offsets = "delta8", "direct"

    def stores_zeros(self, kept: AnyArray) -> bool:
        """Over gaps of more than 255."""
        return True

    def fits(self, kept: AnyArray) -> bool:
        """A row's count is held in 16 bits."""
        return bool((self._held(kept) < 2**16).all())

    def held(self, kept: AnyArray) -> int:
        """Weights that are stored, with the zeros between them."""
        return int(self._held(kept).sum())

    def bytes(self, kept: AnyArray, itemsize: int) -> int:
        """See `Encoding.bytes`."""
        return self.held(kept) * (1 + itemsize) + 2 * len(kept)

    def encode(self, matrix: AnyArray) -> Tables:
        """See `Encoding.encode`."""
        counts = self._held(matrix != 0)
        index, weight = np.full(counts.sum(), 255), np.zeros(counts.sum(), matrix.dtype)
        steps = [np.diff(np.flatnonzero(row), prepend=0) for row in matrix]
        flat = np.concatenate([np.zeros(0, int), *steps])
        at = np.cumsum(flat // 255 + 1) - 1
        index[at], weight[at] = flat % 255, matrix[matrix != 0]
        count = np.stack([counts % 256, counts // 256], axis=1)
        return Tables(small(count), small(index), weight)

    def terms(self, tables: Tables, shape: tuple[int, int]) -> Terms:
        """See `Encoding.terms`."""
        low, high = tables.count.reshape(-1, 2).astype(int).T
        rows = _split(tables.index.astype(int), tables.weight, low + 256 * high)
        return [
            (np.cumsum(steps)[weights != 0], weights[weights != 0])
            for steps, weights in rows
        ]

    @staticmethod
    def _held(kept: AnyArray) -> IntArray:
        """(rows,): entries of each row."""
        steps = (np.diff(np.flatnonzero(row), prepend=0) for row in kept)
        return np.array([(step // 255 + 1).sum() for step in steps], int)


ENCODINGS: dict[str, Encoding] = {
    encoding.name: encoding
    for encoding in (Dense(), Seg8(), NM16(), Bitmask(), Delta4(), Delta8())
}


def in_codes(tables: Tables) -> Tables:
    """The tables with the weights in four bits each, the first in the lower half.

    Examples
    --------
    >>> tables = Seg8().encode(np.array([[7, 0, -2, 7]], np.int8))
    >>> held = in_codes(tables)
    >>> held.weight, held.book[:3], tables.bytes, held.bytes
    (array([1, 1], dtype=uint8), array([-2,  7,  0], dtype=int8), 7, 22)
    """
    values, codes = np.unique(tables.weight, return_inverse=True)
    book = np.zeros(CODES, np.int8)
    book[: len(values)] = values
    even = np.zeros(tables.weight.size + tables.weight.size % 2, np.uint8)
    even[: tables.weight.size] = codes.reshape(-1)
    return replace(tables, weight=even[0::2] | even[1::2] << 4, book=book)


def by(matrix: AnyArray, size: int) -> AnyArray:
    """(rows, parts, size): columns in parts of a size, the last filled with zeros."""
    rows, columns = matrix.shape
    parts = -(-columns // size)
    padded = np.zeros((rows, parts * size), matrix.dtype)
    padded[:, :columns] = matrix
    return padded.reshape(rows, parts, size)


def small(values: AnyArray | list[int]) -> AnyArray:
    """A flat table of 8-bit numbers."""
    return np.asarray(values).astype(np.uint8).reshape(-1)


def _split(columns: IntArray, weights: AnyArray, counts: IntArray) -> Terms:
    """The entries of each row."""
    ends = np.cumsum(counts)[:-1]
    return list(zip(np.split(columns, ends), np.split(weights, ends), strict=True))
