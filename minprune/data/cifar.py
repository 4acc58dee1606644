"""CIFAR-10 and CIFAR-100 in their binary form: a label, then 3072 bytes of picture.

A record is one byte of label (CIFAR-100: two, coarse and fine) and then 32 by 32 pixels
of red, of green and of blue, each row by row. The form that Python tutorials use is
pickled, and nothing is ever unpickled here.
"""

import re
import tarfile
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from minprune.data.arrays import from_arrays
from minprune.data.dataset import Dataset
from minprune.data.idx import train_validation_test
from minprune.data.known import CIFAR10, CIFAR100, KnownSet

PIXELS = 3 * 32 * 32
BATCH = 10_000
LABEL_BYTES = {CIFAR10.name: 1, CIFAR100.name: 2}
MEMBERS = {
    CIFAR10.name: {
        **{f"data_batch_{i}.bin": BATCH for i in range(1, 6)},
        "test_batch.bin": BATCH,
    },
    CIFAR100.name: {"train.bin": 5 * BATCH, "test.bin": BATCH},
}
"""Records in each file, the training files first and in order, the test file last."""

LARGEST = 5 * BATCH * (2 + PIXELS)
"""Bytes of the longest of these files; whatever is longer is not one of them."""

NAMES = "fine_label_names.txt"
"""The names of the hundred classes, one a line; beside the records."""


def read_cifar(path: Path, known: KnownSet, *, validation: int = 5000) -> Dataset:
    """CIFAR from ``cifar-10-binary.tar.gz`` or from the folder it unpacks to.

    Parameters
    ----------
    path : Path
        The archive, or the folder with the ``.bin`` files.
    known : KnownSet
        `CIFAR10` or `CIFAR100`.
    validation : int
        So many of the last training images are held out.

    Returns
    -------
    Dataset
        `input_shape` (3, 32, 32), scale 1/255, the fine labels for CIFAR-100.

    Raises
    ------
    ValueError
        If a file is missing or has another size than its records take.
    """
    members = MEMBERS[known.name]
    wanted = [*members, NAMES]
    files = _from_folder(path, wanted) if path.is_dir() else _from_tar(path, wanted)
    width = LABEL_BYTES[known.name] + PIXELS
    records = []
    for name, count in members.items():
        if len(files.get(name, b"")) != count * width:
            raise ValueError(
                f"{path}: {name} has {len(files.get(name, b''))} bytes; expected the "
                f"{count * width} of {known.title}; get {known.files[0].name} from "
                f"{known.mirrors[0]}"
            )
        records.append(np.frombuffer(files[name], np.uint8).reshape(count, width))
    rows = np.concatenate(records)
    *train, test = members.values()
    return from_arrays(
        rows[:, -PIXELS:].reshape(-1, 3, 32, 32),
        rows[:, -PIXELS - 1],
        split=train_validation_test(sum(train), test, validation),
        classes=_names(files.get(NAMES, b""), known),
        scale=1 / 255,
        name=known.name,
        attribution=known.attribution,
        source=str(path),
    )


def holds_records(folder: Path, known: KnownSet) -> bool:
    """Whether the ``.bin`` files of `known` lie in `folder` with their exact sizes.

    No checksum of the unpacked files is published; no other data set has files of these
    sizes, and the labels in them are checked when they are read.
    """
    width = LABEL_BYTES[known.name] + PIXELS
    return all(
        (folder / name).is_file() and (folder / name).stat().st_size == count * width
        for name, count in MEMBERS[known.name].items()
    )


def _from_folder(folder: Path, wanted: Iterable[str]) -> dict[str, bytes]:
    """The wanted files of a folder."""
    paths = ((name, folder / name) for name in wanted)
    return {name: path.read_bytes() for name, path in paths if path.is_file()}


def _from_tar(path: Path, wanted: Iterable[str]) -> dict[str, bytes]:
    """The wanted files of an archive, read in place and never unpacked to disk."""
    files: dict[str, bytes] = {}
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                name = member.name.rpartition("/")[2]
                if name in wanted and member.isfile() and member.size <= LARGEST:
                    stream = archive.extractfile(member)
                    files[name] = stream.read() if stream else b""
    except (tarfile.TarError, EOFError, zlib.error) as why:
        raise ValueError(f"{path}: damaged ({why}); get the file again") from None
    return files


def _names(text: bytes, known: KnownSet) -> tuple[str, ...]:
    """Class names, from the file beside the records if it has the right number."""
    lines = tuple(text.decode("ascii", "replace").split())
    plain = all(re.fullmatch(r"\w+", line) for line in lines)
    return lines if plain and len(lines) == len(known.classes) else known.classes
