"""Data sets: three that are shipped, one that is generated, public ones, a user's own.

`load` finds any of them by name or path; everything comes out as a `Dataset`.
"""

import os
from collections.abc import Callable
from pathlib import Path

from minprune._check import one_of
from minprune.data.arrays import from_arrays
from minprune.data.csv import read_csv
from minprune.data.dataset import Dataset, Split, batches, standardized
from minprune.data.idx import read_idx, read_idx_images
from minprune.data.known import KNOWN
from minprune.data.local import read_folder, read_known, read_published_npz
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
    "read_csv",
    "read_idx",
    "read_idx_images",
    "read_npz",
    "standardized",
    "watch",
]

AT_HAND: dict[str, Callable[[], Dataset]] = {
    "digits": digits,
    "jvowels": jvowels,
    "mnist1d": mnist1d,
    "watch": watch,
}
READERS: dict[str, Callable[..., Dataset]] = {".csv": read_csv, ".npz": read_npz}

ROOT_VARIABLE = "MINPRUNE_DATA"
"""Environment variable: the folder of public data sets when `root` is not given."""


def load(
    source: str | os.PathLike[str],
    *,
    root: str | os.PathLike[str] | None = None,
    download: bool = False,
    seed: int = 0,
) -> Dataset:
    """A data set by its name, or from a user's file or folder.

    Parameters
    ----------
    source : str or path
        One of

        - ``"digits"``, ``"watch"``, ``"jvowels"``, ``"mnist1d"``: always at hand;
        - ``"mnist"``, ``"fashion-mnist"``, ``"kmnist"``, ``"cifar10"``,
          ``"cifar100"``: from files below `root`, told by their checksum;
        - a file ending in ``.npz`` (see `read_npz`; the published ``mnist.npz`` is
          known) or ``.csv`` (see `read_csv`);
        - a folder that holds one of the public sets.

        Names may be in capitals. A name goes before a file or folder of that name.
    root : path, optional
        Where the public sets are. By default the folder in the environment variable
        MINPRUNE_DATA or, without one, ``~/.keras/datasets``.
    download : bool
        Whether what is missing of a public set is fetched into `root`. Nothing is ever
        fetched without being asked for.
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
    name, names = os.fspath(source).lower(), [*AT_HAND, *KNOWN]
    path = Path(source).expanduser()
    if name not in names and (path.suffix or path.exists() or len(path.parts) > 1):
        return _read_path(path, seed)
    one_of("load", "data set", name, names)
    if name in AT_HAND:
        return AT_HAND[name]()
    root = root or os.environ.get(ROOT_VARIABLE) or "~/.keras/datasets"
    return read_known(Path(root).expanduser(), KNOWN[name], download=download)


def _read_path(path: Path, seed: int) -> Dataset:
    """The data set in a user's file or folder."""
    kind = path.suffix.lower()
    if kind == ".npz" and path.is_file() and (known := read_published_npz(path)):
        return known
    if kind in READERS:
        return READERS[kind](path, seed=seed)
    if path.is_dir():
        return read_folder(path)
    missing = "" if path.exists() else " and there is no such file"
    raise ValueError(
        f"load: {path} does not end in {' or '.join(READERS)}{missing}; name a file of "
        f"these kinds, or one of {', '.join([*AT_HAND, *KNOWN])}"
    )
