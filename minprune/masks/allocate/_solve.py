"""Ideal counts within the limits of every layer, in exact arithmetic."""

import math
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise

from minprune._check import one_of
from minprune.masks.count import Share, removed, share

Counts = dict[str, int]


def level(
    above: Sequence[Fraction], sizes: Sequence[int], total: int
) -> list[Fraction]:
    """The numbers ``size * clip(above + c, 0, 1)`` for the c that makes them `total`.

    Their sum grows with c and is straight between the places where one of them starts
    or stops growing, so c lies on the piece whose ends enclose the total.
    """

    def filled(c: Fraction) -> list[Fraction]:
        return [
            size * min(max(a + c, Fraction(0)), Fraction(1))
            for a, size in zip(above, sizes, strict=True)
        ]

    def total_at(c: Fraction) -> Fraction:
        return sum(filled(c), Fraction(0))

    bends = sorted({end - a for a in above for end in (0, 1)})
    low, high = next(ends for ends in pairwise(bends) if total <= total_at(ends[1]))
    rise = total_at(high) - total_at(low)
    way = (total - total_at(low)) / rise if rise else Fraction(0)
    return filled(low + way * (high - low))


def asked(caller: str, sizes: Counts, sparsity: Share) -> int:
    """How many go of all layers together."""
    return removed(sum(sizes.values()), share(caller, sparsity))


def positive(
    caller: str,
    what: str,
    names: Iterable[str],
    given: Mapping[str, int | float | Fraction],
) -> dict[str, Fraction]:
    """A number above 0 for every name, exactly as it prints."""
    exact = {}
    for name in names:
        value = given[one_of(caller, f"{what} for", name, given)]
        if not 0 < value < math.inf:
            raise ValueError(
                f"{caller}: the {what} of {name!r} is {value}; "
                f"expected a number above 0"
            )
        exact[name] = Fraction(str(value))
    return exact
