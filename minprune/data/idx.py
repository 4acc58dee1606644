"""IDX: the array format of MNIST, plain or compressed with gzip.

Two zero bytes, one byte for the type of an item, one for the number of axes, then the
length of each axis as four bytes and the items, everything big-endian. The header says
how many bytes follow, so it is checked before they are read.
"""

import gzip
import math
import os
import zlib
from typing import BinaryIO, cast

import numpy as np

from minprune._check import AnyArray
from minprune.data.arrays import from_arrays
from minprune.data.dataset import TEST, TRAIN, VAL, Dataset
from minprune.data.npz import LIMIT, existing_file

TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}

AnyPath = str | os.PathLike[str]


def read_idx(path: AnyPath, *, limit: int = LIMIT) -> AnyArray:
    """The array in an IDX file, in the byte order of this machine.

    Parameters
    ----------
    path : path
        The file; gzip is recognized by its first two bytes, not by its name.
    limit : int
        Bytes the array may take.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not IDX, is cut short, is longer than it says, or is too large.
    """
    path = existing_file(path)
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        try:
            stream = cast(BinaryIO, gzip.GzipFile(fileobj=file)) if packed else file
            return _read(stream, str(path), limit)
        except (EOFError, gzip.BadGzipFile, zlib.error) as why:
            raise ValueError(
                f"{path}: the gzip data are damaged ({why}); get the file again"
            ) from None


def _read(stream: BinaryIO, source: str, limit: int) -> AnyArray:
    """Header, then as many items as it promises and not one more."""
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in TYPES or not magic[3]:
        raise ValueError(
            f"{source}: not an IDX file; it begins with {magic.hex(' ') or 'nothing'}, "
            f"expected 00 00, a type and a number of axes"
        )
    dtype, axes = np.dtype(TYPES[magic[2]]), magic[3]
    lengths = stream.read(4 * axes)
    if len(lengths) < 4 * axes:
        raise ValueError(f"{source}: ends within its header; get the file again")
    shape = tuple(np.frombuffer(lengths, ">u4").tolist())
    size = math.prod(shape) * dtype.itemsize
    if size > limit:
        raise ValueError(
            f"{source}: claims shape {shape}, {size} bytes; the limit is {limit}; "
            f"raise limit= if that is meant"
        )
    items = stream.read(size + 1)
    if len(items) != size:
        what = "more" if len(items) > size else f"only {len(items)}"
        raise ValueError(
            f"{source}: claims shape {shape}, {size} bytes, but {what} follow; get the "
            f"file again"
        )
    return np.frombuffer(items, dtype).reshape(shape).astype(dtype.newbyteorder("="))


def read_idx_images(
    train_images: AnyPath,
    train_labels: AnyPath,
    test_images: AnyPath,
    test_labels: AnyPath,
    *,
    classes: tuple[str, ...] | None = None,
    validation: int = 5000,
    name: str = "idx",
    attribution: str = "",
) -> Dataset:
    """Gray images and their labels from four IDX files, as MNIST has them.

    Parameters
    ----------
    train_images, train_labels, test_images, test_labels : path
        Images of 8 bits, shape (N, height, width); labels, shape (N,).
    classes : tuple of str, optional
        Names of the labels.
    validation : int
        So many of the last training images are held out.
    name, attribution : str
        Carried along.

    Returns
    -------
    Dataset
        `input_shape` (1, height, width), scale 1/255.
    """
    pictures = [read_idx(path) for path in (train_images, test_images)]
    labels = [read_idx(path) for path in (train_labels, test_labels)]
    paths = ((train_images, train_labels), (test_images, test_labels))
    for x, y, (image_path, label_path) in zip(pictures, labels, paths, strict=True):
        if x.ndim != 3 or x.dtype != np.uint8:
            raise ValueError(
                f"{image_path}: holds shape {x.shape} of {x.dtype}; expected images, "
                f"(N, height, width) of uint8"
            )
        if y.shape != x.shape[:1]:
            raise ValueError(
                f"{label_path}: holds shape {y.shape}; expected {len(x)} labels, one "
                f"for each image of {image_path}"
            )
    if pictures[0].shape[1:] != pictures[1].shape[1:]:
        raise ValueError(
            f"{test_images}: images of {pictures[1].shape[1:]} pixels, but those of "
            f"{train_images} have {pictures[0].shape[1:]}"
        )
    return gray_images(
        *pictures,
        *labels,
        classes=classes,
        validation=validation,
        name=name,
        attribution=attribution,
        source=str(train_images),
    )


def gray_images(
    train: AnyArray,
    test: AnyArray,
    train_labels: AnyArray,
    test_labels: AnyArray,
    *,
    classes: tuple[str, ...] | None,
    validation: int,
    name: str,
    attribution: str,
    source: str,
) -> Dataset:
    """A data set of 8-bit images with one channel; validation is the end of `train`."""
    return from_arrays(
        np.concatenate([train, test])[:, np.newaxis],
        np.concatenate([train_labels, test_labels]),
        split=train_validation_test(len(train), len(test), validation),
        classes=classes,
        scale=1 / 255,
        name=name,
        attribution=attribution,
        source=source,
    )


def train_validation_test(train: int, test: int, validation: int) -> AnyArray:
    """The split of `train` rows, the last `validation` held out, and `test` rows."""
    split = np.full(train + test, TRAIN)
    split[max(0, train - validation) : train] = VAL
    split[train:] = TEST
    return split
