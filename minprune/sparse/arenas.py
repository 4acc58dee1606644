"""Arenas: many small arrays in a few large ones, known by where they begin.

A compiled network is handed its arenas once and carries only whole numbers from then
on.
"""

from typing import Any

import numpy as np

from minprune._check import LANE, AnyArray, IntArray, batch_array

SLACK = 256
"""Numbers behind the last activation, which a strip may read but nothing uses."""


def keep(arena: list[Any], array: AnyArray) -> int:
    """Put an array into an arena that is being planned; the place where it begins.

    It begins on a cache line, if the arena does and its numbers have four bytes.
    """
    start = sum(map(len, arena))
    gap = -start % LANE
    arena += [np.zeros(gap, array.dtype), array]
    return start + gap


def joined(arena: list[Any], dtype: Any) -> AnyArray:
    """The arena itself, never empty, so that a kernel can be given it."""
    parts = np.concatenate([*arena, np.zeros(1, dtype)])
    whole = aligned(len(parts), np.dtype(dtype))
    whole[...] = parts
    return whole


def joined_offsets(arena: list[IntArray]) -> IntArray:
    """The arena of offsets, in 16 bits if every layer's fit."""
    widest = max((offsets.dtype.itemsize for offsets in arena), default=2)
    return joined(arena, np.uint16 if widest == 2 else np.uint32)


def aligned(numbers: int, dtype: np.dtype[Any]) -> AnyArray:
    """An arena of zeros that begins on a cache line."""
    arena = batch_array((numbers,), dtype)
    arena[...] = 0
    return arena
