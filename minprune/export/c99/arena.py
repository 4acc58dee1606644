"""Where each value lies in the arena: two that are needed at once never overlap."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Need:
    """Memory that is needed from one step to another, both included."""

    key: str
    size: int
    first: int
    last: int


def place(needs: Iterable[Need]) -> tuple[dict[str, int], int]:
    """An offset for each need, and the size of the whole.

    The largest is placed first, each at the lowest offset that is free while it is
    needed. For a chain of layers that is the sum of the two largest neighbors.

    Examples
    --------
    >>> place([Need("a", 300, 0, 1), Need("b", 100, 1, 2), Need("c", 50, 2, 3)])
    ({'a': 0, 'b': 300, 'c': 0}, 400)
    """
    placed: dict[str, tuple[int, Need]] = {}
    for need in sorted(needs, key=lambda need: -need.size):
        others = sorted(
            (offset, offset + other.size)
            for offset, other in placed.values()
            if other.first <= need.last and need.first <= other.last
        )
        at = 0
        for begin, end in others:
            if at + need.size <= begin:
                break
            at = max(at, end)
        placed[need.key] = at, need
    size = max((at + need.size for at, need in placed.values()), default=0)
    return {key: at for key, (at, _) in placed.items()}, size
