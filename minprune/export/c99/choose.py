"""Which encoding a layer gets: bytes and instructions of each, from closed forms.

Bytes are exact. Instructions are an estimate of what a Cortex-M4 executes (gcc 12,
-Os), good to tell encodings apart: so much for each weight multiplied, for each part of
a row (a segment, a group, a nibble, a block; of a bitmask, a byte and a bit up to the
last that is set) and for each row.
"""

from dataclasses import dataclass

import numpy as np

from minprune._check import AnyArray, one_of
from minprune.export.c99.blocks import Block
from minprune.export.c99.encode import (
    ENCODINGS,
    GROUP,
    NM16,
    SEGMENT,
    Bitmask,
    Delta4,
    Delta8,
    Dense,
    Encoding,
    Seg8,
)
from minprune.export.c99.strip import Strip
from minprune.files.stored import CODES

OBJECTIVES = ("speed", "flash")

COST = {
    ("dense", 1): (5.0, 0.0, 28.0),
    ("seg8", 1): (6.0, 14.0, 17.0),
    ("nm16", 1): (6.0, 8.5, 32.0),
    ("bitmask", 1): (1.0, 8.5, 30.0),
    ("delta4", 1): (7.0, 9.0, 36.0),
    ("column", 1): (0.0, 6.5, 41.5),
    ("block", 1): (2.9, 6.3, 29.0),
    ("dense", 4): (13.0, 0.0, 160.0),
    ("seg8", 4): (19.0, 20.0, 169.0),
    ("nm16", 4): (19.5, 10.5, 155.0),
    ("bitmask", 4): (14.0, 7.0, 146.0),
    ("delta4", 4): (22.5, 10.5, 154.0),
    ("delta8", 4): (13.0, 0.0, 160.0),
    ("column", 4): (0.0, 18.5, 176.0),
    ("block", 4): (10.8, 16.5, 147.0),
    ("dense", 8): (22.0, 0.0, 280.0),
    ("seg8", 8): (30.0, 20.0, 287.0),
    ("nm16", 8): (34.0, 10.5, 269.0),
    ("bitmask", 8): (29.0, 7.0, 261.0),
    ("delta4", 8): (35.5, 8.5, 254.0),
    ("delta8", 8): (22.0, 0.0, 276.0),
    ("column", 8): (0.0, 33.0, 267.0),
    ("block", 8): (20.0, 23.0, 268.0),
}
"""Instructions for a weight, a part and a row, with one, four and eight lanes; columns
are blocks of one column. Fitted to counts like those of `benchmarks/device.py`, for
layers of 8 to 60 rows, 0 to 95 % pruned, which the fit meets within 5 %; blocks within
10 % for convolutions and 20 % for linear layers, where it depends on the shape of the
block which registers the compiler finds. Laying out the strips of a convolution, the
same for every encoding, is left out."""

DECODING = 9.0
"""Further instructions for each weight that is held in four bits: from 4, in nm16, to
13, in bitmask."""

ERROR = 0.05
"""Share by which most estimates may be off."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """What an encoding would cost a layer."""

    encoding: str
    bytes: int
    instructions: int


def candidates(
    kept: AnyArray,
    itemsize: int,
    strip: Strip | None = None,
    block: tuple[int, int] = (1, 1),
    values: int | None = None,
) -> list[Candidate]:
    """Every encoding that can hold a pattern.

    Parameters
    ----------
    kept : ndarray of bool, shape (rows, columns)
        Where weights differ from zero.
    itemsize : int
        Bytes of a weight: 1 or 4.
    strip : Strip, optional
        What a convolution reads; a linear layer has none.
    block : (int, int)
        Rows and columns of the blocks that were pruned as one, if there are any.
    values : int, optional
        How many values weights have, zero left out, if they are to be held in codes of
        four bits; then only what needs sixteen values or fewer is offered.

    Examples
    --------
    >>> diagonal = np.eye(64, dtype=bool)
    >>> for candidate in candidates(diagonal, 1):
    ...     print(candidate.encoding, candidate.bytes)
    dense 4096
    seg8 192
    nm16 769
    bitmask 576
    delta4 294
    """
    lanes, times = (strip.lanes, strip.blocks) if strip else (1, 1)
    encodings = list(ENCODINGS.values())
    if block != (1, 1):
        encodings.append(Block(*block))
    found = []
    for encoding in encodings:
        seen, table = kept, 0
        if encoding.offsets == "direct":
            if strip is None:
                continue
            seen = strip.spread(kept)
        elif strip is not None:
            table = 2 * kept.shape[1]
        fits = encoding.fits(seen)
        if values is not None:
            fits = fits and values + encoding.stores_zeros(seen) <= CODES
        if fits:
            weights, parts = _work(encoding, seen)
            per = COST[_family(encoding), lanes]
            each = per[0] * weights + per[1] * parts + per[2] * len(kept)
            size = encoding.bytes(seen, itemsize)
            if values is not None:
                each += DECODING * weights
                size = _in_codes(encoding, seen)
            size += table
            found.append(Candidate(encoding.name, size, round(times * each)))
    return found


def choose(found: list[Candidate], objective: str) -> Candidate:
    """The smallest; for speed, of those that the estimate cannot tell from the fastest.

    Examples
    --------
    >>> fast, small = Candidate("delta8", 200, 1000), Candidate("dense", 100, 1004)
    >>> choose([fast, small], "speed").encoding
    'dense'
    """
    one_of("choose", "objective", objective, OBJECTIVES)
    if objective == "speed":
        most = (1 + ERROR) * min(c.instructions for c in found)
        found = [c for c in found if c.instructions <= most]
    return min(found, key=lambda c: (c.bytes, c.instructions))


def _in_codes(encoding: Encoding, kept: AnyArray) -> int:
    """Bytes of the tables with half a byte a weight, and the book."""
    positions = encoding.bytes(kept, 0)
    weights = encoding.bytes(kept, 1) - positions
    return positions + -(-weights // 2) + CODES


def _family(encoding: Encoding) -> str:
    """The first half of its key in `COST`."""
    column = isinstance(encoding, Block) and encoding.wide == 1
    return "column" if column else encoding.family


def _work(encoding: Encoding, kept: AnyArray) -> tuple[int, int]:
    """Weights multiplied and parts walked through, in one pass over the matrix."""
    rows, columns = kept.shape
    weights = int(kept.sum())
    match encoding:
        case Block():
            return encoding.held(kept), encoding.visits(kept)
        case Dense():
            return kept.size, 0
        case Delta8():
            return encoding.held(kept), 0
        case Seg8():
            return weights, rows * -(-columns // SEGMENT)
        case NM16():
            groups = rows * -(-columns // GROUP)
            return groups * NM16.held(kept), groups
        case Bitmask():
            bits = np.packbits(kept, axis=1, bitorder="little")
            walked = np.ceil(np.log2(bits + 1.0)).sum()
            return weights, bits.size + int(walked)
    return weights, sum(Delta4.nibbles(row) for row in np.asarray(kept))
