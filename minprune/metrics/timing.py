"""How long a call takes: medians, and two calls timed against each other.

Machines are shared and noisy. Whatever is compared is timed in turns, in the same run,
so that a slow moment hits everybody, and medians are reported.
"""

import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any


def medians(
    calls: Mapping[str, Callable[[], Any]], *, seconds: float = 0.3, rounds: int = 5
) -> dict[str, float]:
    """Median seconds of each call, the calls taking turns.

    Parameters
    ----------
    calls : mapping of str to callable
        Each is called once before the clock runs, to compile and to warm up.
    seconds : float
        About how long to spend on each call in all.
    rounds : int
        Turns; each call gets an equal share of its time in every turn.

    Returns
    -------
    seconds : dict of str to float
        In the order of `calls`.
    """
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    for _ in range(rounds):
        for name, call in calls.items():
            until = time.perf_counter() + seconds / rounds
            while True:
                start = time.perf_counter()
                call()
                end = time.perf_counter()
                taken[name].append(end - start)
                if end >= until:
                    break
    return {name: median(times) for name, times in taken.items()}
