"""The one place where a share becomes a whole number.

A sparsity is the decimal number it prints as: the float ``0.29`` means 29/100, not the
nearest binary fraction, so that 29 of 100 weights go and not 28. Counting is exact, in
`Fraction`; nothing else in the package rounds a share.

The rules of other toolkits, which do compute in binary floating point and round in
their own ways, stand at the end, by name: `RULES`.
"""

import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction

import numpy as np

from minprune._check import positive_int

Share = str | int | float | Fraction | Decimal
"""What a sparsity may be given as; a NumPy scalar counts as the number it prints as."""

Rounding = Callable[[Fraction], int]
"""`round` (halves to even), `math.floor`, `math.ceil` or `half_up`."""


def share(caller: str, value: Share, name: str = "sparsity") -> Fraction:
    """The exact value of a share between 0 and 1, or a ValueError in the caller's name.

    Examples
    --------
    >>> share("me", 0.1), share("me", "1/3"), share("me", np.float32(0.9))
    (Fraction(1, 10), Fraction(1, 3), Fraction(9, 10))
    """
    kinds = (str, int, float, Fraction, Decimal, np.integer, np.floating)
    if isinstance(value, bool) or not isinstance(value, kinds):
        raise TypeError(
            f"{caller}: {name} is {value!r}; expected a number from 0 to 1, "
            f"such as 0.9 or '0.9'"
        )
    text = str(value)
    try:
        exponent = int(text.lower().partition("e")[2] or 0)
        exact = Fraction(text if abs(exponent) < 1000 else -1)  # a digit for each
    except (ValueError, ZeroDivisionError):
        exact = Fraction(-1)
    if not 0 <= exact <= 1:
        raise ValueError(
            f"{caller}: {name} is {value}; expected a number from 0 to 1, "
            f"such as 0.9 or '0.9'"
        )
    return exact


def removed(size: int, sparsity: Share) -> int:
    """How many of `size` weights a sparsity removes: the nearest whole number.

    Parameters
    ----------
    size : int
        Number of weights (or units), 0 or more, pruned ones included.
    sparsity : str, int, float, Fraction or Decimal
        Share to remove, from 0 to 1.

    Returns
    -------
    count : int
        Nearest to ``sparsity * size``; a half goes to the even neighbor.

    Raises
    ------
    ValueError
        If `sparsity` is not a number from 0 to 1.

    See Also
    --------
    kept : What remains.
    RULES : How other toolkits count.

    Notes
    -----
    ``round(Fraction(str(sparsity)) * size)``, exactly. Going through the decimal form
    is what makes 0.29 of 100 equal 29: in binary, ``100 * 0.29`` is 28.999999999999996.

    Examples
    --------
    >>> removed(100, 0.29), int(100 * 0.29)
    (29, 28)
    >>> removed(5, "0.5"), removed(7, "0.5")
    (2, 4)
    """
    return rounded(size, sparsity, round, caller="removed")


def kept(size: int, sparsity: Share) -> int:
    """How many of `size` weights remain: ``size - removed(size, sparsity)``.

    Examples
    --------
    >>> kept(5, "0.5")
    3
    """
    return size - removed(size, sparsity)


def rounded(
    size: int, rate: Share, rounding: Rounding, *, caller: str = "rounded"
) -> int:
    """A share of `size` under a stated rounding, for papers that state one.

    Patterns that evolve exchange a share of the live weights at every update: RigL
    takes the `floor` of it, SNFS the `ceil`.

    Parameters
    ----------
    size : int
        Number of weights the rate refers to, 0 or more.
    rate : str, int, float, Fraction or Decimal
        A share from 0 to 1.
    rounding : callable
        `round`, `math.floor`, `math.ceil` or `half_up`.

    Examples
    --------
    >>> rounded(15, 0.3, math.floor), rounded(15, 0.3, math.ceil)
    (4, 5)
    """
    size = positive_int(caller, "size", size, minimum=0)
    return int(rounding(share(caller, rate) * size))


def half_up(number: Fraction) -> int:
    """The nearest whole number; a half goes up.

    Examples
    --------
    >>> half_up(Fraction(5, 2)), round(Fraction(5, 2))
    (3, 2)
    """
    return math.floor(number + Fraction(1, 2))


def in_proportion(
    parts: Sequence[Fraction], limits: Sequence[int], total: int
) -> list[Fraction]:
    """Ideal counts in proportion to `parts`, none above its limit, that make `total`.

    Parameters
    ----------
    parts : sequence of Fraction
        What the counts are in proportion to, 0 or more.
    limits : sequence of int
        The most that each may get.
    total : int
        What they add up to.

    Returns
    -------
    ideals : list of Fraction
        For `apportion`, which makes whole numbers of them.

    Raises
    ------
    ValueError
        If those with a part cannot take the total within their limits.

    Notes
    -----
    The counts are ``min(limit, c * part)`` for the one c with which they add up. Who
    passes the limit is set to it and the others share what is left. That raises c, so
    nobody set to the limit would fall below it later.

    Examples
    --------
    >>> ideals = in_proportion([Fraction(3), Fraction(1), Fraction(1)], [4, 9, 9], 10)
    >>> [int(ideal) for ideal in ideals]
    [4, 3, 3]
    """
    free = [i for i, part in enumerate(parts) if part > 0]
    if total > (most := sum(limits[i] for i in free)):
        raise ValueError(
            f"in_proportion: {total} are to be shared out, but the limits of those "
            f"with a part add up to {most}; the nearest that can be met is {most}"
        )
    ideals = [Fraction(0)] * len(parts)
    left = Fraction(total)
    while free:
        c = left / sum(parts[i] for i in free)
        full = [i for i in free if c * parts[i] >= limits[i]]
        if not full:
            for i in free:
                ideals[i] = c * parts[i]
            break
        for i in full:
            ideals[i] = Fraction(limits[i])
            left -= limits[i]
        free = [i for i in free if i not in full]
    return ideals


def apportion(ideals: Sequence[Fraction]) -> list[int]:
    """Whole numbers nearest to ideal ones that keep their sum (largest remainders).

    Parameters
    ----------
    ideals : sequence of Fraction
        Ideal counts, 0 or more; their sum is a whole number.

    Returns
    -------
    counts : list of int
        Each is its ideal rounded down or up, and ``sum(counts) == sum(ideals)``.

    Raises
    ------
    ValueError
        If the ideals do not add up to a whole number, or one is negative.

    Notes
    -----
    Every ideal is rounded down; what the sum lacks goes, one each, to the largest
    fractional parts, to the lower index among equal ones (Hamilton's method). Fewer
    are handed out than there are positive fractional parts, so no whole ideal moves
    and none passes an integer bound that its ideal respects.

    Examples
    --------
    >>> apportion([Fraction(7, 2), Fraction(9, 4), Fraction(9, 4)])
    [4, 2, 2]
    """
    total = sum(ideals, Fraction(0))
    if total.denominator != 1 or any(ideal < 0 for ideal in ideals):
        raise ValueError(
            f"apportion: ideal counts {[str(i) for i in ideals]} add up to {total}; "
            f"expected counts of 0 or more that add up to a whole number"
        )
    counts = [math.floor(ideal) for ideal in ideals]
    by_remainder = sorted(range(len(ideals)), key=lambda i: counts[i] - ideals[i])
    for i in by_remainder[: int(total) - sum(counts)]:
        counts[i] += 1
    return counts


class NoAnswer(ValueError):
    """The toolkit a rule is taken from fails at this size and sparsity."""


def _at(index: int, size: int) -> int:
    """An index into sorted scores, where Python would raise IndexError."""
    if not 0 <= index < size:
        raise NoAnswer(f"the toolkit reads score {index} of {size} and fails")
    return index


def _woodfisher(n: int, s: float) -> int:
    """Keep what is above the k-th largest score, k = ceil(n (1 - s))."""
    return n - _at(math.ceil(n * (1 - s)) - 1, n)


def _lamp(n: int, s: float) -> int:
    """Keep round(n (1 - s)), and fail if that is none."""
    return n - 1 - _at(round(n * (1 - s)) - 1, n)


def _tfmot(n: int, s: float) -> int:
    """Keep round(n (1 - s)) in float32, and one at least."""
    wanted = np.float32(n) * (np.float32(1) - np.float32(s))
    return n - max(int(np.round(wanted)), 1)


RULES: dict[str, Callable[[int, float], int]] = {
    "round(n s), exact": removed,
    "round(n s)": lambda n, s: round(n * s),
    "round(n s), one kept below s = 1": lambda n, s: (
        n if s >= 1 else min(n - 1, round(n * s))
    ),
    "int(n s)": lambda n, s: int(n * s),
    "int(n s) + 1, threshold sorted[int(n s)]": lambda n, s: _at(int(n * s), n) + 1,
    "int(n (1 - (1 - s)))": lambda n, s: int(n * (1 - (1 - s))),
    "int(n (1 - (1 - s))) - 1, threshold the last of them": lambda n, s: _at(
        int(n * (1 - (1 - s))) - 1, n
    ),
    "n - int(n (1 - s))": lambda n, s: n - int(n * (1 - s)),
    "n - round(n (1 - s))": lambda n, s: n - round(n * (1 - s)),
    "n - max(round(n (1 - s)), 1), float32": _tfmot,
    "n - round(n (1 - s)), none kept fails": _lamp,
    "ceil(n s)": lambda n, s: math.ceil(n * s),
    "ceil(n s) + 1, threshold sorted[ceil(n s)]": lambda n, s: (
        _at(math.ceil(n * s), n) + 1
    ),
    "ceil((n - 1) s), quantile": lambda n, s: math.ceil((n - 1) * s),
    "int((n - 1) s) + 1, threshold sorted[int((n - 1) s)]": lambda n, s: (
        int((n - 1) * s) + 1
    ),
    "n - ceil(n (1 - s)) + 1, threshold the last kept": _woodfisher,
    "n - 8 ceil((n - n s) / 8), none below 0": lambda n, s: max(
        n - 8 * math.ceil((n - n * s) / 8), 0
    ),
}
"""How many of n scores, all different, each toolkit removes at sparsity s, a float.

Arithmetic is that of the toolkits, binary floating point in float64 unless stated, so
that the counts come out with their accidents. `minprune.masks.profiles` says whose rule
each is.
"""
