"""Data sets: three that are shipped, one that is generated, and a user's own files."""

import os
from pathlib import Path

from minprune._check import one_of
from minprune.data.dataset import Dataset, Split, batches, from_arrays
from minprune.data.mnist1d import mnist1d
from minprune.data.npz import read_npz
from minprune.data.shipped import digits, jvowels, watch

__all__ = [
    "Dataset",
    "Split",
    "batches",
    "digits",
    "from_arrays",
    "jvowels",
    "load",
    "mnist1d",
    "read_npz",
    "watch",
]

NAMED = {"digits": digits, "jvowels": jvowels, "mnist1d": mnist1d, "watch": watch}
READERS = {".npz": read_npz}


def load(source: str | os.PathLike[str], *, seed: int = 0) -> Dataset:
    """A data set by its name or from a user's file.

    Parameters
    ----------
    source : str or path
        ``"digits"``, ``"watch"``, ``"jvowels"`` or ``"mnist1d"``; or a file, `.npz`.
    seed : int
        For the split, where a file has none.

    Returns
    -------
    Dataset

    Raises
    ------
    FileNotFoundError
        If a file is named that is not there.
    ValueError
        If the name is not known, or the file cannot be used.

    Examples
    --------
    >>> data = load("digits")
    >>> data.input_shape, len(data.train), len(data.val), len(data.test)
    ((1, 8, 8), 1197, 240, 360)
    """
    if str(source) in NAMED:
        return NAMED[str(source)]()
    path = Path(source)
    if path.suffix in READERS:
        return READERS[path.suffix](path, seed=seed)
    if path.exists():
        raise ValueError(
            f"load: {path} is of no known kind; expected a file ending in "
            f"{' or '.join(READERS)}"
        )
    one_of("load", "data set", str(source), NAMED)
    raise AssertionError("unreachable: one_of has refused the name")
