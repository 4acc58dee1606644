"""The safetensors container: named arrays and named strings in one file.

Layout
    Eight bytes, the length of the header as a little-endian integer; the header, JSON,
    padded with spaces to a multiple of eight; then the arrays, raw, little-endian, in C
    order, one directly behind the other. The header maps each name to ``dtype``,
    ``shape`` and ``data_offsets`` (begin and end, counted from the end of the header);
    the entry ``__metadata__`` maps strings to strings.
Trust
    None. All that the header says is checked against the size of the file before an
    array is allocated, so a file can cost at most its own size in memory, and every
    fault is one ValueError that names the file, the field and the remedy.

The format is that of https://huggingface.co/docs/safetensors, whose own package reads
and writes the same files. Nothing in it can be executed.
"""

import json
import math
import os
import stat
from collections.abc import Mapping
from io import BufferedReader
from typing import Any, BinaryIO, NoReturn

import numpy as np

from minprune._check import AnyArray
from minprune.files.atomic import AnyPath, atomic_write, explained

LIMIT_BYTES = 2**32
"""Largest file that is read unless the caller says otherwise: 4 GiB."""

HEADER_LIMIT_BYTES = 2**22
"""Largest header, 4 MiB. It names forty thousand arrays, and the worst JSON of that
length (empty objects) takes about 100 MB when parsed."""

AXES_LIMIT = 32
"""Most axes an array may have; what every NumPy supports."""

DTYPES: dict[str, np.dtype[Any]] = {
    "BOOL": np.dtype("?"),
    "U8": np.dtype("u1"),
    "I8": np.dtype("i1"),
    "U16": np.dtype("<u2"),
    "I16": np.dtype("<i2"),
    "F16": np.dtype("<f2"),
    "U32": np.dtype("<u4"),
    "I32": np.dtype("<i4"),
    "F32": np.dtype("<f4"),
    "U64": np.dtype("<u8"),
    "I64": np.dtype("<i8"),
    "F64": np.dtype("<f8"),
}
FIELDS = {"dtype", "shape", "data_offsets"}
NAMES = {dtype: name for name, dtype in DTYPES.items()}


def write(
    path: AnyPath,
    tensors: Mapping[str, AnyArray],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write arrays and strings to one file, whole or not at all.

    Parameters
    ----------
    path : str or path
        The file to create or replace.
    tensors : mapping of str to ndarray
        Booleans, integers and floats of any shape, zero sizes and zero axes included.
    metadata : mapping of str to str, optional
        What is to be known about the arrays.

    Raises
    ------
    ValueError
        If a name or a type cannot be stored.
    OSError
        If the file cannot be written; then nothing at `path` has changed.

    Notes
    -----
    Wide items come first, so that with the padded header every array starts at a
    multiple of its item size and can be mapped into memory as it lies.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(folder + "/a", {"w": np.eye(2, dtype=np.float32)}, {"by": "hand"})
    ...     read(folder + "/a")
    ({'w': array([[1., 0.], [0., 1.]], dtype=float32)}, {'by': 'hand'})
    """
    header, ordered = _laid_out(path, tensors, metadata or {})

    def write_to_file(file: BinaryIO) -> None:
        file.write(header)
        for array in ordered:
            file.write(array.reshape(-1).view(np.uint8).data)

    atomic_write(path, write_to_file)


def size(
    tensors: Mapping[str, AnyArray], metadata: Mapping[str, str] | None = None
) -> int:
    """Bytes of the file that `write` makes of these, header included."""
    header, ordered = _laid_out("size", tensors, metadata or {})
    return len(header) + sum(array.nbytes for array in ordered)


def _laid_out(
    path: AnyPath, tensors: Mapping[str, AnyArray], metadata: Mapping[str, str]
) -> tuple[bytes, list[AnyArray]]:
    """What the file begins with, and the arrays behind it in their order."""
    arrays = {name: _storable(path, name, array) for name, array in tensors.items()}
    ordered = sorted(arrays.items(), key=lambda item: -item[1].itemsize)
    header: dict[str, Any] = {"__metadata__": _strings(path, metadata)}
    end = 0
    for name, array in ordered:
        begin, end = end, end + array.nbytes
        header[name] = {
            "dtype": NAMES[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [begin, end],
        }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text, [array for _, array in ordered]


def read(
    path: AnyPath, *, limit_bytes: int = LIMIT_BYTES
) -> tuple[dict[str, AnyArray], dict[str, str]]:
    """Read the arrays and the strings of one file, believing nothing it says.

    Parameters
    ----------
    path : str or path
        A file written by `write` or by any other safetensors writer.
    limit_bytes : int
        Larger files are refused before anything of them is read.

    Returns
    -------
    tensors : dict of str to ndarray
        In the order of the file; each owns its memory and may be written to.
    metadata : dict of str to str

    Raises
    ------
    ValueError
        If the file is truncated, contradicts itself, or is too large.
    OSError
        If it is not there or may not be read.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            _refuse(path, "the file", "it is not a regular file", "name a model file")
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            header, body_bytes = _header(path, file, size, limit_bytes)
            metadata = _strings(path, header.pop("__metadata__", {}))
            layout = _layout(path, header, body_bytes)
            return {
                name: _array(path, file, name, *at) for name, at in layout
            }, metadata
    except OSError as error:
        raise explained(error, f"{os.fspath(path)} cannot be read") from error


Place = tuple[np.dtype[Any], tuple[int, ...]]
"""Type and shape; where the array lies follows from what comes before it."""


def _header(
    path: AnyPath, file: BufferedReader, size: int, limit_bytes: int
) -> tuple[dict[str, Any], int]:
    """The parsed header, and how many bytes must follow it."""
    if size > limit_bytes:
        fault = f"it has {size} bytes, over the limit of {limit_bytes}"
        _refuse(path, "the file", fault, "raise limit_bytes if you trust it")
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or length > size - 8:
        fault = f"it claims {length} bytes but the file has {size}"
        _refuse(path, "the header length", fault)
    if length > HEADER_LIMIT_BYTES:
        fault = f"it claims {length} bytes, over the limit of {HEADER_LIMIT_BYTES}"
        _refuse(path, "the header length", fault)
    try:
        header = json_object(file.read(length))
    except ValueError as why:
        _refuse(path, "the header", str(why))
    return header, size - 8 - length


def json_object(text: str | bytes) -> dict[str, Any]:
    """A JSON object, in which no name occurs twice; ValueError if it is none."""
    try:
        found = json.loads(text, object_pairs_hook=_no_repeats)
    except (ValueError, RecursionError) as why:
        raise ValueError(f"it is not JSON as expected ({_shown(str(why))})") from why
    if not isinstance(found, dict):
        raise ValueError(f"it is {_shown(found)}, not a JSON object")
    return found


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; a name given twice would let two readers see two files."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name occurs twice")
    return found


def _layout(
    path: AnyPath, header: dict[str, Any], body_bytes: int
) -> list[tuple[str, Place]]:
    """Every array's type and shape, in the order in which the arrays lie."""
    found = []
    for name, entry in header.items():
        field = _shown(name)
        if not isinstance(entry, dict) or set(entry) != FIELDS:
            fault = f"it is {_shown(entry)}; expected dtype, shape and data_offsets"
            _refuse(path, field, fault)
        kind, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
        if not isinstance(kind, str) or kind not in DTYPES:
            fault = f"dtype is {_shown(kind)}; known: {', '.join(DTYPES)}"
            _refuse(path, field, fault)
        if not _whole_numbers(shape) or len(shape) > AXES_LIMIT:
            fault = f"shape is {_shown(shape)}; expected up to {AXES_LIMIT} sizes"
            _refuse(path, field, fault)
        if not _whole_numbers(offsets) or len(offsets) != 2:
            fault = f"data_offsets is {_shown(offsets)}; expected begin and end"
            _refuse(path, field, fault)
        begin, end = offsets
        if not begin <= end <= body_bytes:
            fault = f"data_offsets is {_shown(offsets)}; the file holds {body_bytes}"
            _refuse(path, field, f"{fault} bytes of arrays")
        dtype = DTYPES[kind]
        # Sizes that stand beside a zero are bounded too: NumPy multiplies them all.
        if math.prod(max(n, 1) for n in shape) > 2**62:
            _refuse(path, field, f"shape is {_shown(shape)}, which is too large")
        if math.prod(shape) * dtype.itemsize != end - begin:
            fault = f"shape {_shown(shape)} of {kind} needs "
            fault += f"{math.prod(shape) * dtype.itemsize} bytes"
            _refuse(path, field, f"{fault}, data_offsets give it {end - begin}")
        found.append((begin, end, name, (dtype, tuple(shape))))
    found.sort(key=lambda entry: entry[:2])
    reached = 0
    for begin, end, name, _ in found:
        if begin != reached:
            fault = f"it begins at byte {begin} but the array before ends at {reached}"
            _refuse(path, _shown(name), fault)
        reached = end
    if reached != body_bytes:
        fault = f"its arrays end at byte {reached} but {body_bytes} bytes follow"
        _refuse(path, "the header", fault)
    return [(name, place) for _, _, name, place in found]


def _array(
    path: AnyPath,
    file: BufferedReader,
    name: str,
    dtype: np.dtype[Any],
    shape: tuple[int, ...],
) -> AnyArray:
    """Read the array at which the file stands."""
    flat = np.empty(math.prod(shape), dtype)
    raw = flat.view(np.uint8)
    if file.readinto(raw.data) != raw.size:
        _refuse(path, _shown(name), "the file ended while it was read")
    if dtype == np.bool_ and raw.size and raw.max() > 1:
        _refuse(path, _shown(name), f"a BOOL is {raw.max()}; expected 0 or 1")
    return flat.astype(dtype.newbyteorder("="), copy=False).reshape(shape)


def _storable(path: AnyPath, name: str, array: AnyArray) -> AnyArray:
    """The array as it will lie in the file."""
    array = np.asarray(array)
    dtype = array.dtype.newbyteorder("<")
    if dtype not in NAMES:
        fault = f"its type is {array.dtype}; known: {', '.join(map(str, NAMES))}"
        _refuse(path, _shown(name), fault, "convert it")
    if not isinstance(name, str) or name == "__metadata__":
        _refuse(path, _shown(name), "this cannot name an array", "rename it")
    if array.ndim > AXES_LIMIT:
        _refuse(path, _shown(name), f"it has {array.ndim} axes", "reshape it")
    return np.asarray(array, dtype, order="C")


def _strings(path: AnyPath, metadata: Any) -> dict[str, str]:
    """The metadata, if all of it is text."""
    if not isinstance(metadata, Mapping):
        _refuse(path, "__metadata__", f"it is {_shown(metadata)}, not a JSON object")
    for name, text in metadata.items():
        if not isinstance(name, str) or not isinstance(text, str):
            fault = f"{_shown(name)} is {_shown(text)}; expected text"
            _refuse(path, "__metadata__", fault)
    return dict(metadata)


def _whole_numbers(value: Any) -> bool:
    """Whether this is a list of whole numbers from zero up; JSON's true is none."""
    return isinstance(value, list) and all(type(n) is int and n >= 0 for n in value)


def _shown(value: Any) -> str:
    """A value as it stands in a message: one line, and not a long one."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of more digits than Python prints
        text = f"a very long {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:57]}..."


def _refuse(
    path: AnyPath,
    field: str,
    fault: str,
    remedy: str = "the file is damaged or no safetensors file; fetch or save it anew",
) -> NoReturn:
    """Raise the one error this module knows."""
    raise ValueError(f"{os.fspath(path)}: {field}: {fault}; {remedy}")
