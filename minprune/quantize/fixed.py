r"""Multiplying an integer by a real number with integers alone.

A real factor M > 0 is held as a 31-bit multiplier m and an exponent e, with
:math:`M \approx m\,2^{e-31}` and :math:`2^{30} \le m < 2^{31}`. A product is rounded
twice, as TensorFlow Lite does by default: once to the upper half of the 64-bit product,
once more by the shift.

References
----------
.. [1] B. Jacob et al., "Quantization and training of neural networks for efficient
   integer-arithmetic-only inference", CVPR 2018, Sec. 2.2 and 2.3. arXiv:1712.05877
"""

import math

import numpy as np

from minprune._check import IntArray

LEAST_EXPONENT = -31
"""Below this every 32-bit number is rounded to zero."""


def split(factor: float) -> tuple[int, int]:
    """The multiplier and the exponent of a real factor.

    Examples
    --------
    >>> m, e = split(0.75)
    >>> m == 0.75 * 2**31, e
    (True, 0)
    """
    if not (math.isfinite(factor) and factor >= 0):
        raise ValueError(
            f"split: factor is {factor}; expected a finite number from zero up"
        )
    fraction, exponent = math.frexp(factor)
    multiplier = round(fraction * 2**31)
    if multiplier == 2**31:
        multiplier, exponent = multiplier // 2, exponent + 1
    return (multiplier, exponent) if exponent >= LEAST_EXPONENT else (0, 0)


def high_product(x: IntArray, multiplier: IntArray | int) -> IntArray:
    """``x * multiplier / 2**31``, rounded to nearest, halves up; x within 32 bits.

    TensorFlow Lite writes a truncating division with a nudge that depends on the sign;
    this floor gives the same number for every sign.
    """
    product: IntArray = x.astype(np.int64) * multiplier
    return (product + 2**30) >> 31


def shift_right(x: IntArray, places: IntArray | int) -> IntArray:
    """``x / 2**places``, rounded to nearest, halves away from zero."""
    below = (np.int64(1) << np.asarray(places, np.int64)) - 1
    remainder = x & below
    up = remainder > (below >> 1) + (x < 0)
    rounded: IntArray = (x >> places) + up
    return rounded


def rescale(
    x: IntArray, multiplier: IntArray | int, exponent: IntArray | int
) -> IntArray:
    """The product of x and the real factor that was `split`, rounded twice.

    Examples
    --------
    >>> rescale(np.array([100, -100, 3]), *split(0.0625)).tolist()
    [6, -6, 0]
    """
    left, right = np.maximum(exponent, 0), np.maximum(-np.asarray(exponent), 0)
    return shift_right(high_product(x.astype(np.int64) << left, multiplier), right)
