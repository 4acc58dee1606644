"""A user's own data from a `.npz` file, checked before any memory is taken.

The file is a zip archive of `.npy` arrays, each with a header that states type and
shape. Those headers are read first: a file may claim ten gigabytes, or hold pickled
objects, and neither is to be found out by trying.

Keys
----
x, y : the samples and their targets, as `from_arrays` takes them
x_train, y_train, x_test, y_test, and optionally x_val, y_val : instead of `x` and `y`
split, lengths, classes, scale, offset, task : optional, as `from_arrays` takes them
    (lengths_train and so on where the samples come in parts; no split there)

Other keys are left unread.
"""

import os
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.lib import format as npy

from minprune._check import AnyArray
from minprune.data.arrays import from_arrays
from minprune.data.dataset import TEST, TRAIN, VAL, Dataset, Task, standardized

LIMIT = 2**30
"""Bytes of all arrays together, unpacked. CIFAR in float32 needs 0.7 of it."""

OPTIONS = ("split", "lengths", "classes", "scale", "offset", "task")
PARTS = {"train": TRAIN, "val": VAL, "test": TEST}
SAVE = "write it again with np.savez(path, x=..., y=...)"


def read_npz(
    path: str | os.PathLike[str], *, seed: int = 0, limit: int = LIMIT
) -> Dataset:
    """A data set from a `.npz` file with `x` and `y`, or with `x_train`, `y_train`, ...

    Parameters
    ----------
    path : path
        The file. Its stem becomes the name of the data set.
    seed : int
        For the split, where the file has none; see `from_arrays`.
    limit : int
        Bytes that the arrays may take together once unpacked.

    Returns
    -------
    Dataset
        With the scale and offset in the file; if it has neither, `standardized`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged, too large, holds objects, lacks a key, or its arrays do
        not make a data set. The message names file, key, fault and remedy.
    """
    wanted = ["x", "y", *OPTIONS]
    wanted += [f"{field}_{part}" for field in ("x", "y", "lengths") for part in PARTS]
    arrays = read_arrays(path, wanted, limit=limit)
    if "x_train" in arrays:
        _join(str(path), arrays)
    for key in ("x", "y"):
        if key not in arrays:
            raise ValueError(
                f"{path}: there is no array {key!r}; expected x and y, or x_train, "
                f"y_train, x_test, y_test"
            )
    options: dict[str, Any] = {key: arrays[key] for key in OPTIONS if key in arrays}
    if "classes" in options:
        options["classes"] = [str(c) for c in options["classes"].ravel()]
    if "task" in options:
        options["task"] = cast(Task, str(options["task"]))
    data = from_arrays(
        arrays["x"],
        arrays["y"],
        name=Path(path).stem,
        seed=seed,
        source=str(path),
        **options,
    )
    stated = "scale" in options or "offset" in options
    return data if stated else standardized(data)


def read_arrays(
    path: str | os.PathLike[str],
    keys: Iterable[str] | None = None,
    *,
    limit: int = LIMIT,
) -> dict[str, AnyArray]:
    """The arrays of a `.npz` file, or those of `keys` that are in it, in native order.

    Nothing is unpickled, and no array is read before every header has been checked
    against the size of its member and the sum against `limit`.
    """
    path = existing_file(path)
    with path.open("rb") as file:
        try:
            return _unpack(path, file, keys, limit)
        except (zipfile.BadZipFile, NotImplementedError, OSError) as why:
            raise ValueError(
                f"{path}: not a complete .npz file ({why}); {SAVE}"
            ) from None


def existing_file(path: str | os.PathLike[str]) -> Path:
    """`path` if there is a file; otherwise FileNotFoundError in one line."""
    path = Path(path)
    if not path.is_file():
        kind = "a folder, not a file" if path.is_dir() else "no such file"
        raise FileNotFoundError(f"{path}: {kind}; give the path of a data file")
    return path


def _unpack(
    path: Path, file: BinaryIO, keys: Iterable[str] | None, limit: int
) -> dict[str, AnyArray]:
    """The arrays, once all their headers have been found right."""
    with zipfile.ZipFile(file) as archive:
        members = _members(path, archive, keys)
        for key, member in members.items():
            _check_header(path, key, archive, member)
        total = sum(member.file_size for member in members.values())
        if total > limit:
            raise ValueError(
                f"{path}: the arrays take {total} bytes unpacked; the limit is "
                f"{limit}; raise limit= if that is meant"
            )
        return {
            key: _read(path, key, archive, member) for key, member in members.items()
        }


def _members(
    path: Path, archive: zipfile.ZipFile, keys: Iterable[str] | None
) -> dict[str, zipfile.ZipInfo]:
    """The archive's entries by array name."""
    members: dict[str, zipfile.ZipInfo] = {}
    for member in archive.infolist():
        key = member.filename.removesuffix(".npy")
        if key in members:
            raise ValueError(f"{path}: {key!r} is stored twice; {SAVE}")
        members[key] = member
    if keys is None:
        return members
    return {key: members[key] for key in keys if key in members}


def _check_header(
    path: Path, key: str, archive: zipfile.ZipFile, member: zipfile.ZipInfo
) -> None:
    """Raise ValueError unless the header promises plain values, all of them there."""
    try:
        with archive.open(member) as stream:
            version = npy.read_magic(stream)
            if version != (1, 0):  # only records of many fields need a later one
                raise ValueError(f"its header has version {version}, not (1, 0)")
            shape, _, dtype = npy.read_array_header_1_0(stream)
            start = stream.tell()
    except (ValueError, EOFError, zlib.error, NotImplementedError, RuntimeError) as why:
        reason = str(why).partition("\n")[0]
        raise ValueError(f"{path}: {key} cannot be read ({reason}); {SAVE}") from None
    if dtype.kind not in "biufU":
        what = "Python objects" if dtype.hasobject else f"values of type {dtype}"
        raise ValueError(
            f"{path}: {key} holds {what}; expected numbers (class names may be "
            f"strings), since nothing is ever unpickled; convert it and {SAVE}"
        )
    size = dtype.itemsize
    for extent in shape:
        size *= int(extent)
    if min(shape, default=0) < 0 or start + size != member.file_size:
        raise ValueError(
            f"{path}: {key} claims shape {shape} of {dtype}, {size} bytes, but the "
            f"file holds {member.file_size - start}; {SAVE}"
        )


def _read(
    path: Path, key: str, archive: zipfile.ZipFile, member: zipfile.ZipInfo
) -> AnyArray:
    """One array, in the byte order of this machine."""
    try:
        with archive.open(member) as stream:
            array: AnyArray = npy.read_array(stream, allow_pickle=False)
    except (ValueError, EOFError, zlib.error, zipfile.BadZipFile) as why:
        raise ValueError(f"{path}: {key} is damaged ({why}); {SAVE}") from None
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _join(path: str, arrays: dict[str, AnyArray]) -> None:
    """Replace ``x_train, x_val, x_test`` and so on by x, y, lengths and split."""
    parts = [part for part in PARTS if f"x_{part}" in arrays]
    for field in ("x", "y", "lengths"):
        pieces = [arrays[key] for part in parts if (key := f"{field}_{part}") in arrays]
        if not pieces and field == "lengths":
            continue
        if len(pieces) != len(parts):
            raise ValueError(
                f"{path}: {field} is there for {len(pieces)} of the parts "
                f"{', '.join(parts)}; expected it for each"
            )
        if len({piece.dtype.kind == "U" for piece in pieces}) > 1:
            types = ", ".join(str(piece.dtype) for piece in pieces)
            raise ValueError(
                f"{path}: {field} has types {types} in the parts {', '.join(parts)}; "
                f"expected numbers in each, or names in each"
            )
        if len({piece.shape[1:] for piece in pieces}) > 1 or not pieces[0].ndim:
            shapes = ", ".join(str(piece.shape) for piece in pieces)
            raise ValueError(
                f"{path}: {field} has shapes {shapes} in the parts {', '.join(parts)}; "
                f"all but the first axis must be equal"
            )
        arrays[field] = np.concatenate(pieces)
    arrays["split"] = np.repeat(
        [PARTS[part] for part in parts], [len(arrays[f"x_{part}"]) for part in parts]
    )
