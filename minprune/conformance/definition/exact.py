"""Numbers of sixty digits that know how far float32 arithmetic may stray from them.

A formula written with NumPy's operators runs on arrays of `Number` as it stands. What
comes out is the value, rounded once at the very end, so that it is the same on every
machine; and beside it the running error bound (Higham 2002, Sec. 3.3): every operation
of the formula, done in float32, may add half a unit of its result, and what was off
before is passed on.

>>> value, off = floats(np.sqrt(exact(np.array([2.0]))))
>>> value, bool(off[0] / value[0] == 2.0**-24)
(array([1.41421356]), True)
"""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from decimal import Context, Decimal, localcontext
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minprune._check import AnyArray, FloatArray

DIGITS = 60
UNIT = Decimal(2) ** -24
"""Largest relative error of one rounding to float32."""

Exact = NDArray[np.object_]
"""An array of `Number`."""


class Undecided(ArithmeticError):
    """An answer hinges on a comparison that float32 arithmetic cannot make."""


class Number:
    """A value, and how far the same computation in float32 may be off."""

    __slots__ = ("off", "value")

    def __init__(self, value: Decimal, off: Decimal = Decimal(0)) -> None:
        self.value, self.off = value, off

    @classmethod
    def rounded(cls, value: Decimal, off: Decimal) -> "Number":
        """The result of one operation whose operands account for `off`."""
        return cls(value, off + UNIT * (abs(value) + off))

    def __add__(self, other: Any) -> "Number":
        other = number(other)
        if not other.value and not other.off:
            return self
        if not self.value and not self.off:
            return number(other)
        return self.rounded(self.value + other.value, self.off + other.off)

    __radd__ = __add__

    def __neg__(self) -> "Number":
        return Number(-self.value, self.off)

    def __sub__(self, other: Any) -> "Number":
        return self + -number(other)

    def __rsub__(self, other: Any) -> "Number":
        return number(other) + -self

    def __mul__(self, other: Any) -> "Number":
        other = number(other)
        off = self.off * abs(other.value) + other.off * abs(self.value)
        return self.rounded(self.value * other.value, off + self.off * other.off)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> "Number":
        other = number(other)
        sure = abs(other.value) - other.off
        if sure <= 0:
            raise Undecided("a divisor may be zero")
        value = self.value / other.value
        return self.rounded(value, (self.off + abs(value) * other.off) / sure)

    def __rtruediv__(self, other: Any) -> "Number":
        return number(other) / self

    def __pow__(self, power: int) -> "Number":
        found = self
        for _ in range(power - 1):
            found = found * self
        return found

    def __abs__(self) -> "Number":
        return Number(abs(self.value), self.off)

    def __bool__(self) -> bool:
        return self != 0

    def __eq__(self, other: object) -> bool:
        return not (self < other or number(other) < self)

    __hash__ = None  # type: ignore[assignment]

    def __lt__(self, other: Any) -> bool:
        other = number(other)
        gap, off = other.value - self.value, self.off + other.off
        if off and abs(gap) <= off:
            raise Undecided(f"two numbers are {gap:.3g} apart, known up to {off:.3g}")
        return bool(gap > 0)

    def sqrt(self) -> "Number":
        """What `numpy.sqrt` asks of an object."""
        if self.value < 0 or self.off > self.value:
            raise Undecided("a square root of what may be negative")
        root = self.value.sqrt()
        least = root + (self.value - self.off).sqrt()
        return self.rounded(root, self.off / least if least else Decimal(0))

    def log(self) -> "Number":
        """What `numpy.log` asks of an object; a logarithm is off by two roundings."""
        if self.value <= self.off:
            raise Undecided("a logarithm of what may not be positive")
        value, off = self.value.ln(), self.off / (self.value - self.off)
        return Number(value, off + 2 * UNIT * (abs(value) + off))


def number(value: Any) -> Number:
    """A number as it stands; a float is the decimal number that it prints as."""
    if isinstance(value, Number):
        return value
    found = Decimal(str(value))
    return Number(found, UNIT * abs(found) if found % 1 else Decimal(0))


def exact(array: AnyArray) -> Exact:
    """The same numbers, bit by bit."""
    found = np.empty(np.shape(array), object)
    for index in np.ndindex(found.shape):
        found[index] = Number(Decimal(float(array[index])))
    return found


def precise() -> AbstractContextManager[Context]:
    """The context in which numbers have all their digits."""
    return localcontext(Context(prec=DIGITS))


def floats(found: Any) -> tuple[FloatArray, FloatArray]:
    """Values and error bounds of numbers, each rounded once."""
    found = np.asarray(found, object)
    value, off = np.zeros(found.shape), np.zeros(found.shape)
    for index in np.ndindex(found.shape):
        one = number(found[index])
        value[index], off[index] = float(one.value), float(one.off)
    return value, off


def ratio(value: Any, unit: Any) -> Any:
    """``value / unit``, and a share of nothing is nothing."""
    if np.ndim(value):
        pairs = np.broadcast_arrays(value, np.asarray(unit, object))
        return np.vectorize(ratio, otypes=[object])(*pairs)
    unit = number(unit)
    return value / unit if unit.value or unit.off else Number(Decimal(0))


def largest(numbers: Iterable[Number]) -> Number:
    """The maximum: near ties do not matter, its value is known either way."""
    entries = list(numbers)
    top = max(entry.value for entry in entries)
    return Number(top, max(entry.off for entry in entries))


def lowest_first(numbers: Iterable[Number]) -> list[int]:
    """Indices from the lowest up, of equal ones the first; `Undecided` if unclear."""
    return sorted(range(len(entries := list(numbers))), key=lambda i: (entries[i], i))


def inverse(matrix: Exact) -> Exact:
    """By Gauss-Jordan elimination, without pivoting: matrices are definite."""
    size = len(matrix)
    work = np.concatenate([matrix, np.eye(size, dtype=int).astype(object)], axis=1)
    for i in range(size):
        work[i] = work[i] / work[i, i]
        for j in range(size):
            if j != i:
                work[j] = work[j] - work[i] * work[j, i]
    return work[:, size:]


def singular_values(matrix: Exact) -> list[Number]:
    """By Jacobi's rotations of pairs of columns until all are orthogonal.

    A backward stable algorithm in float32 moves each by a modest multiple of a unit of
    the norm of the matrix; ten is allowed here.
    """
    wide = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
    columns = [np.array([n.value for n in column], object) for column in wide.T]
    turned = True
    while turned:
        turned = False
        for p, q in combinations(range(len(columns)), 2):
            a, b, c = (
                (columns[i] * columns[j]).sum() for i, j in ((p, p), (q, q), (p, q))
            )
            if abs(c) <= Decimal(10) ** (5 - DIGITS) * (a * b).sqrt():
                continue
            turned, lean = True, (b - a) / (2 * c)
            t = 1 / (abs(lean) + (1 + lean * lean).sqrt()).copy_sign(lean)
            cosine = 1 / (1 + t * t).sqrt()
            columns[p], columns[q] = (
                cosine * (columns[p] - t * columns[q]),
                cosine * (columns[q] + t * columns[p]),
            )
    squares = [Decimal((column * column).sum()) for column in columns]
    off = 10 * UNIT * sum(squares, Decimal(0)).sqrt()
    return [Number(square.sqrt(), off) for square in squares]


def damped(matrix: Exact, damping: float) -> Exact:
    """``matrix + damping * mean(diagonal) * I``."""
    lifted = matrix.copy()
    share = damping * (np.trace(matrix) / len(matrix)) if damping else 0
    for i in range(len(matrix)):
        lifted[i, i] = lifted[i, i] + share
    return lifted
