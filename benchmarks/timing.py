"""Racing functions against each other, and measuring what the machine could do.

Contenders take turns in short blocks, so that whatever else the machine does falls on
all of them. A time is the 10th percentile over all blocks: above the luckiest call,
below the calls that something interrupted. It is that low because rented machines
change between two clock speeds, here in the ratio of 1.7, several times a second: the
lowest tenth of all contenders is of the faster one. Ratios are what to trust, not
microseconds.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

Call = Callable[[], object]

PERCENTILE = 10
"""A quiet call; see above."""


@dataclass(frozen=True)
class Limits:
    """What one thread of this machine reaches."""

    gflops: float
    """Of float32, in the best dense product that numpy has."""
    bytes_per_ns: float
    """Read from memory that fits no cache."""

    def share(self, us: float, flops: float, read_bytes: float) -> float:
        """The least time that work could take, over the time it took."""
        least = max(flops / self.gflops, read_bytes / self.bytes_per_ns) / 1e3
        return least / us


def race(contenders: Mapping[str, Call], seconds: float = 0.5) -> dict[str, float]:
    """Microseconds of one call of each, from about `seconds` of calls of each."""
    for call in contenders.values():
        call()
    per_block, blocks = {}, 16
    for name, call in contenders.items():
        start = time.perf_counter()
        call()
        each = max(time.perf_counter() - start, 1e-7)
        per_block[name] = int(min(max(seconds / blocks / each, 2), 2000))
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(blocks):
        for name, call in contenders.items():
            call()  # brings its memory back into the caches
            for _ in range(per_block[name]):
                start = time.perf_counter()
                call()
                times[name].append(time.perf_counter() - start)
    return {n: 1e6 * float(np.percentile(t, PERCENTILE)) for n, t in times.items()}


@cache
def limits() -> Limits:
    """Measured once a run; threads are whatever the environment says."""
    a, b = (np.ones((1024, 1024), np.float32) for _ in range(2))
    product = race({"product": lambda: a @ b[:, :128]}, 0.3)["product"]
    big = np.ones(2**26, np.uint8)
    words = big.view(np.uint64)
    read = race({"read": lambda: words.max()}, 0.3)["read"]
    return Limits(2 * 1024 * 1024 * 128 / product / 1e3, big.nbytes / read / 1e3)
