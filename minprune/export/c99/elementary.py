r"""Exponential, tanh, sigmoid, GELU and square root in float32, as the C computes them.

The C calls no library for them: each is a few float32 operations in a stated order, so
its bits are the same on every target and known beforehand. Farthest from the exact
value, in units of the last place, over every 257th float32 number:

============= ===========================================
exponential   1.0 (of :math:`x \le 0`; zero below -87)
tanh          2.5
sigmoid       2.4
gelu          :math:`6 \cdot 2^{-24} |x|`
root          1.0 (of :math:`x > 0`)
============= ===========================================

What each line does is said beside its twin in ``kernels/*.c``.
"""

from collections.abc import Sequence

import numpy as np

from minprune._check import AnyArray, FloatArray, IntArray

F = np.float32


def exponential(x: AnyArray) -> FloatArray:
    """``e^x`` for x <= 0."""
    part, scale = _exponential_part(x)
    return scale * part + scale


def tanh(x: AnyArray) -> FloatArray:
    """By ``e^(-2|x|) - 1``."""
    part, scale = _exponential_part(F(-2) * np.abs(x))
    below = scale * part + (scale - F(1))
    y: FloatArray = (F(0) - below) / (F(2) + below)
    return np.where(x < 0, -y, y)


def sigmoid(x: AnyArray) -> FloatArray:
    """``1 / (1 + e^-x)``, with the exponential of ``-|x|``."""
    e = exponential(-np.abs(x))
    y: FloatArray = np.where(x < 0, e, F(1)) / (F(1) + e)
    return y


def gelu(x: AnyArray) -> FloatArray:
    """``x`` times the probability that a standard normal variable is below x."""
    z = np.abs(x) * F(0.707106769)
    t = F(1) / (F(1) + F(0.327591091) * z)
    series = _horner(
        t, [1.06140542, -1.45315206, 1.42141378, -0.284496725, 0.254829586]
    )
    tail = F(0.5) * (series * t) * exponential(-(z * z))
    return x * np.where(x < 0, tail, F(1) - tail)


def root(x: AnyArray) -> FloatArray:
    """The square root of x > 0."""
    v, s = x.astype(F), np.ones_like(x, F)
    for _ in range(75):
        large = v > 4
        v, s = np.where(large, v * F(0.25), v), np.where(large, s * F(2), s)
    for _ in range(75):
        little = v < 1
        v, s = np.where(little, v * F(4), v), np.where(little, s * F(0.5), s)
    y = F(0.5) + F(0.5) * v
    for _ in range(4):
        y = F(0.5) * (y + v / y)
    return s * y


def _exponential_part(x: AnyArray) -> tuple[FloatArray, FloatArray]:
    """(part, scale) with ``e^x = scale * (1 + part)``."""
    inside = x > F(-87)
    held = np.where(inside, x, F(0))
    n: IntArray = (F(0.5) - held * F(1.44269502)).astype(np.int32)
    turns = n.astype(F)
    r = (held + turns * F(0.693359375)) - turns * F(2.12194442e-4)
    series = _horner(r, [F(1) / F(n) for n in (5040, 720, 120, 24, 6, 2)])
    part = r + (r * r) * series
    outside = np.where(x < 0, F(0), x)
    scale = np.ldexp(F(1), -n)
    return np.where(inside, part, outside), np.where(inside, scale, F(0))


def _horner(x: AnyArray, coefficients: Sequence[float | F]) -> FloatArray:
    """A polynomial, highest power first."""
    y = np.full_like(x, F(coefficients[0]))
    for coefficient in coefficients[1:]:
        y = y * x + F(coefficient)
    return y
