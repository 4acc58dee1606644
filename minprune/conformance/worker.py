"""A toolkit in an interpreter of its own: calls come in, answers go out.

This file is started as ``PYTHON worker.py ADAPTER`` and needs NumPy and the toolkit,
not minprune and what that depends on. `isolated.py` is the other end and shares the
functions that read and write frames. It is written for Python 3.7 and later.

The protocol, version 1. Both directions carry frames, integers little-endian:

====== =====================================================================
bytes  meaning
====== =====================================================================
4      ``MPC1``
4      J, the length of the message
8      A, the length of the arrays
J      the message: one JSON object in UTF-8
A      complete ``.npy`` files (format 1.0, no objects), one behind the other
====== =====================================================================

A value in a message is null, true, false, an integer, a finite number or a string as
JSON has them, or an object with one key: ``{"float": "nan"}`` (or inf, -inf),
``{"list": [...]}``, ``{"tuple": [...]}``, ``{"map": [[key, value], ...]}``, or
``{"array": [offset, length]}`` with a place in the arrays of the frame.

The worker begins: ``{"hello": 1, "name": ..., "version": ..., "environment": ...}``,
or ``{"refused": text}`` if the adapter cannot be made. Then each
``{"call": name, "arguments": list, "named": map}`` is answered by one of
``{"answer": value}``, ``{"unsupported": text}`` and ``{"raised": text}``. An answer
has the key ``changed``, with the arguments as they are now, if the call changed them
in place. Nothing is ever unpickled. What the toolkit prints goes to stderr.
"""

from __future__ import annotations

import importlib
import importlib.util
import io
import json
import math
import os
import platform
import struct
import sys
import types
from typing import IO, Any

import numpy as np

MAGIC = b"MPC1"
HEADER = struct.Struct("<4sIQ")
MOST_MESSAGE = 1 << 24  # bytes; a message holds names and numbers, not arrays
MOST_ARRAYS = 1 << 28  # bytes; the largest case of a check is far below


def read(pipe: IO[bytes]) -> tuple[Any, bytes] | None:
    """The next message and its arrays; None at the end, ValueError for rubbish."""
    head = pipe.read(HEADER.size)
    if not head:
        return None
    if len(head) < HEADER.size:
        raise ValueError(f"a frame ended after {len(head)} bytes of its header")
    magic, message, arrays = HEADER.unpack(head)
    if magic != MAGIC:
        raise ValueError(f"a frame begins with {magic!r}, not {MAGIC!r}")
    if message > MOST_MESSAGE or arrays > MOST_ARRAYS:
        raise ValueError(f"a frame of {message} and {arrays} bytes is beyond the limit")
    body = pipe.read(message + arrays)
    if len(body) < message + arrays:
        raise ValueError(f"a frame has {len(body)} of {message + arrays} bytes")
    try:
        found = json.loads(body[:message].decode())
    except RecursionError:
        raise ValueError("a message is nested too deeply") from None
    if not isinstance(found, dict):
        raise ValueError("a message is not a JSON object")
    return found, body[message:]


def write(pipe: IO[bytes], message: dict[str, Any]) -> None:
    """Send a message; the values in it are encoded, its keys are not."""
    arrays: list[bytes] = []
    encoded = {key: encode(value, arrays) for key, value in message.items()}
    text = json.dumps(encoded, allow_nan=False).encode()
    data = b"".join(arrays)
    pipe.write(HEADER.pack(MAGIC, len(text), len(data)) + text + data)
    pipe.flush()


def encode(value: Any, arrays: list[bytes]) -> Any:
    """A value as JSON; the bytes of its arrays are appended to `arrays`."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": repr(value)}
    if isinstance(value, (list, tuple)):
        kind = "tuple" if isinstance(value, tuple) else "list"
        return {kind: [encode(entry, arrays) for entry in value]}
    if isinstance(value, dict):
        pairs = [[encode(k, arrays), encode(v, arrays)] for k, v in value.items()]
        return {"map": pairs}
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        file = io.BytesIO()
        np.lib.format.write_array(file, value, version=(1, 0), allow_pickle=False)
        start = sum(len(data) for data in arrays)
        arrays.append(file.getvalue())
        return {"array": [start, len(arrays[-1])]}
    what = f"{type(value).__module__}.{type(value).__qualname__}"
    if isinstance(value, np.ndarray):
        what = f"an array of {value.dtype}"
    raise TypeError(f"{what} cannot be sent; an adapter answers with NumPy arrays")


def decode(value: Any, data: bytes) -> Any:
    """The value that `encode` was given; ValueError for what it never writes."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if not isinstance(value, dict) or len(value) != 1:
        raise ValueError("a value is neither plain nor an object with one key")
    ((kind, inside),) = value.items()
    try:
        if kind == "float":
            return float(inside)
        if kind == "array":
            start, length = inside
            return _array(data, start, length)
        if kind == "map":
            return {decode(k, data): decode(v, data) for k, v in inside}
        if kind in ("list", "tuple"):
            entries = [decode(entry, data) for entry in inside]
            return tuple(entries) if kind == "tuple" else entries
    except (TypeError, RecursionError) as why:
        raise ValueError(f"a {kind} is malformed: {why}") from None
    raise ValueError(f"there is no kind of value {kind!r}")


def _array(data: bytes, start: int, length: int) -> Any:
    """One .npy file of a frame; its header is believed only if the bytes are there."""
    if not 0 <= start <= start + length <= len(data):
        raise ValueError("an array lies outside its frame")
    file = io.BytesIO(data[start : start + length])
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("an array is not of .npy format 1.0")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    rest = data[start + file.tell() : start + length]
    size = math.prod(shape) if hasattr(math, "prod") else int(np.prod(shape, dtype=int))
    if dtype.kind not in "biuf" or size * dtype.itemsize != len(rest):
        raise ValueError(
            f"an array of {dtype} and shape {shape} cannot have {len(rest)} bytes"
        )
    if fortran:
        return np.frombuffer(rest, dtype).reshape(shape[::-1]).copy().T
    return np.frombuffer(rest, dtype).reshape(shape).copy()


def _minprune() -> Any:
    """The module of `Toolkit` and `Unsupported`.

    If this interpreter has no minprune, empty packages of its name stand for it, which
    find the files beside this one.
    """
    if importlib.util.find_spec("minprune") is None:
        here = os.path.dirname(os.path.abspath(__file__))
        for name, path in (
            ("minprune", os.path.dirname(here)),
            ("minprune.conformance", here),
        ):
            shell = types.ModuleType(name)
            vars(shell)["__path__"] = [path]
            sys.modules[name] = shell
        base = importlib.import_module("minprune.conformance.adapter")
        vars(shell).update(Toolkit=base.Toolkit, Unsupported=base.Unsupported)
    return importlib.import_module("minprune.conformance.adapter")


def _adapter(name: str) -> Any:
    """The adapter ``pkg.mod:Class``, made."""
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)()


def answer(toolkit: Any, unsupported: type, message: Any, data: bytes) -> Any:
    """What one call comes to."""
    arguments = decode(message["arguments"], data)
    named = decode(message["named"], data)
    before: list[bytes] = []
    encode(arguments, before)
    try:
        call = getattr(toolkit, message["call"], None)
        if call is None:
            return {"unsupported": f"the adapter has no {message['call']}"}
        found = {"answer": call(*arguments, **named)}
        after: list[bytes] = []
        encode([found["answer"]], [])
        encode(arguments, after)
    except KeyboardInterrupt:
        raise
    except BaseException as why:  # sys.exit() in a toolkit included
        text = str(why)
        if isinstance(why, unsupported):
            return {"unsupported": text}
        return {"raised": f"{type(why).__name__}: {text}"}
    if after != before:
        found["changed"] = arguments
    return found


def main(name: str) -> None:
    """Serve until the other end closes."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints, C code included, prints to stderr
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.stdout = sys.stderr
    sys.path[0] = os.getcwd()  # as `python -m` has it, not the folder of this file
    try:
        unsupported = _minprune().Unsupported
        toolkit = _adapter(name)
    except Exception as why:
        write(answers, {"refused": f"{type(why).__name__}: {why}"})
        return
    versions = f"Python {platform.python_version()}, NumPy {np.__version__}"
    about = {"name": str(toolkit.name), "version": str(toolkit.version)}
    write(answers, {"hello": 1, **about, "environment": versions})
    while True:
        frame = read(requests)
        if frame is None:
            return
        write(answers, answer(toolkit, unsupported, *frame))


if __name__ == "__main__":
    main(sys.argv[1])
