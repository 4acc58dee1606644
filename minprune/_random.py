"""Random streams that are derived, never carried along.

A stream is named by what it is for: ``stream(seed, "shuffle", epoch)``. Whoever resumes
a run asks for the same name and gets the same numbers, so no generator state has to be
saved, and asking for one stream more never shifts another.
"""

import numpy as np

from minprune._check import positive_int


def stream(seed: int, *purpose: str | int) -> np.random.Generator:
    """The generator for one purpose.

    Parameters
    ----------
    seed : int
        The seed of the run, 0 or more.
    *purpose : str or int
        What the numbers are for, from the general to the particular.

    Examples
    --------
    >>> a = stream(0, "shuffle", 3).integers(100, size=4)
    >>> b = stream(0, "shuffle", 3).integers(100, size=4)
    >>> bool((a == b).all())
    True
    """
    words = [positive_int("stream", "seed", seed, minimum=0)]
    for part in purpose:
        if isinstance(part, str):
            text = part.encode()
            words += [len(text), *text]
        else:
            words.append(part)
    return np.random.default_rng(words)
