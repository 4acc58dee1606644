"""Work as a table: each row is one operation, by its address, and its operands.

An operation is a kernel with the arguments

    (at, memory, x, y, samples)

that reads from x and writes to y. `at` are its operands: whole numbers, most of them
places in these arrays and in the arenas of `memory`. A small loop, `run`, carries the
table of a compiled network out; the product of a layer is a single row, for `perform`.
An operation is compiled when it first stands in a table, so that nobody waits
for what his network does not use.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from minprune._check import AnyArray, FloatArray, IntArray
from minprune.sparse.kernels._jit import address, call, kernel

NUMBERS = 24
"""Length of a row: the longest operation and its address."""


class Memory(NamedTuple):
    """What operations share, besides what they read and write.

    Attributes
    ----------
    cuts, offsets, order : ndarray of int32, of uint16 or uint32, of int32
        Layouts; see `strips.Rows`.
    values : ndarray
        Stored weights.
    constants : ndarray
        Biases, scales and shifts.
    gradients : ndarray
        Gradient at every value, place for place.
    deltas : ndarray
        Gradients at activations.
    """

    cuts: IntArray
    offsets: IntArray
    order: IntArray
    values: FloatArray
    constants: FloatArray
    gradients: FloatArray
    deltas: FloatArray


Operation = Callable[[IntArray, Memory, FloatArray, FloatArray, int], None]


@kernel
def run(
    table: IntArray,
    cuts: IntArray,
    offsets: IntArray,
    numbers: FloatArray,
    arena: FloatArray,
    x: FloatArray,
    y: FloatArray,
    samples: int,
) -> None:
    """Carry out a table: from x by way of the arena to y.

    The first row reads x and the last one writes y; in between, all is in the arena.
    Few arrays make a short call.
    """
    memory = Memory(cuts, offsets, cuts, numbers, numbers, numbers, arena)
    for row in range(len(table)):
        seen = x if row == 0 else arena
        made = y if row == len(table) - 1 else arena
        call(table[row, 0], table[row, 1:], memory, seen, made, samples)


@kernel
def perform(
    row: IntArray,
    cuts: IntArray,
    offsets: IntArray,
    order: IntArray,
    values: FloatArray,
    constants: FloatArray,
    gradients: FloatArray,
    deltas: FloatArray,
    x: FloatArray,
    y: FloatArray,
    samples: int,
) -> None:
    """Carry out a single row, on arrays that may lie anywhere."""
    memory = Memory(cuts, offsets, order, values, constants, gradients, deltas)
    call(row[0], row[1:], memory, x, y, samples)


def write(
    operations: Sequence[tuple[Operation, Sequence[Any]]], *types: np.dtype[Any]
) -> IntArray:
    """The table of these operations with their operands.

    `types` are those of the offsets and of all other numbers: an operation is compiled
    for them.
    """
    table = np.zeros((len(operations), NUMBERS), np.int64)
    for row, (operation, operands) in zip(table, operations, strict=True):
        row[0] = _address(operation, *types)
        numbers = flat(operands)
        row[1 : 1 + len(numbers)] = numbers
    return table


def flat(operands: Sequence[Any]) -> list[int]:
    """Operands as they follow each other in a row, a frame among them taken apart."""
    return [
        number
        for operand in operands
        for number in (operand if isinstance(operand, tuple) else (operand,))
    ]


@cache
def _address(
    operation: Operation, offsets: np.dtype[Any], numbers: np.dtype[Any]
) -> int:
    """Where an operation stands, compiled for offsets and numbers of these types."""
    whole, parts = np.empty(0, np.int32), np.empty(0, numbers)
    memory = Memory(whole, np.empty(0, offsets), whole, *[parts] * 4)
    return address(operation, np.empty(0, np.int64), memory, parts, parts, 0)


def nothing(dtype: Any) -> AnyArray:
    """An arena that an operation does not use."""
    return np.empty(0, dtype)
