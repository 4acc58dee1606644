"""ONNX's messages in the protocol buffer wire format.

A message is a row of fields. A field is a key, ``number * 8 + wire type``, and a value:
a whole number as a varint (wire type 0: seven bits a byte, the lowest first, the top
bit set while more follow), a float32 as four bytes (5), or text, bytes and messages
behind their length (2). A repeated field is written once for each value. There is
nothing else in the file: no header, no checksum, no order but that of the numbers.

References
----------
.. [1] "Encoding", Protocol Buffers documentation.
   https://protobuf.dev/programming-guides/encoding/
.. [2] ``onnx/onnx.proto`` in the ONNX repository, syntax proto2.
   https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

import struct
from collections.abc import Mapping, Sequence

import numpy as np

from minprune._check import AnyArray

Value = int | float | str | bytes
"""Of one field; a message inside a message comes as its bytes."""

Values = Value | list[int] | list[str] | list[bytes]
"""Of a field that may be repeated: a list then."""

FIELDS = {
    "ModelProto": {
        "ir_version": 1,
        "producer_name": 2,
        "producer_version": 3,
        "graph": 7,
        "opset_import": 8,
        "metadata_props": 14,
    },
    "OperatorSetIdProto": {"domain": 1, "version": 2},
    "StringStringEntryProto": {"key": 1, "value": 2},
    "GraphProto": {"node": 1, "name": 2, "initializer": 5, "input": 11, "output": 12},
    "NodeProto": {"input": 1, "output": 2, "name": 3, "op_type": 4, "attribute": 5},
    "AttributeProto": {"name": 1, "f": 2, "i": 3, "s": 4, "ints": 8, "type": 20},
    "TensorProto": {"dims": 1, "data_type": 2, "name": 8, "raw_data": 9},
    "ValueInfoProto": {"name": 1, "type": 2},
    "TypeProto": {"tensor_type": 1},
    "TypeProto.Tensor": {"elem_type": 1, "shape": 2},
    "TensorShapeProto": {"dim": 1},
    "TensorShapeProto.Dimension": {"dim_value": 1, "dim_param": 2},
}
"""The fields in use, by message, with their numbers in [2]_."""

DATA_TYPES = {"float32": 1, "uint8": 2, "int32": 6, "int64": 7}
"""``TensorProto.DataType`` in [2]_."""

ATTRIBUTE_TYPES = {"f": 1, "i": 2, "s": 3, "ints": 7}
"""``AttributeProto.AttributeType`` in [2]_, by the field that holds the value."""


def varint(number: int) -> bytes:
    r"""A whole number, seven bits a byte; a negative one as its 64-bit complement.

    Examples
    --------
    >>> varint(1), varint(300), len(varint(-1))
    (b'\x01', b'\xac\x02', 10)
    """
    number &= 2**64 - 1
    groups = bytearray()
    while number > 0x7F:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    groups.append(number)
    return bytes(groups)


def message(kind: str, **fields: Values) -> bytes:
    r"""A message of `FIELDS`; a list stands for a repeated field.

    Examples
    --------
    >>> message("OperatorSetIdProto", domain="", version=20)
    b'\n\x00\x10\x14'
    """
    numbers = FIELDS[kind]
    parts: list[bytes] = []
    for name in sorted(fields, key=numbers.__getitem__):
        values = fields[name]
        for value in values if isinstance(values, list) else [values]:
            parts += _field(numbers[name], value)
    return b"".join(parts)


def tensor(name: str, array: AnyArray) -> bytes:
    """A TensorProto: shape, type and the numbers in C order, little-endian."""
    kind = array.dtype.name
    raw = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
    return message(
        "TensorProto",
        dims=list(array.shape),
        data_type=DATA_TYPES[kind],
        name=name,
        raw_data=raw,
    )


def attribute(name: str, value: Values) -> bytes:
    """An AttributeProto: a whole number, a float, a text or several whole numbers."""
    match value:
        case int():
            field = "i"
        case float():
            field = "f"
        case str():
            field = "s"
        case _:
            field = "ints"
    held = {field: value, "type": ATTRIBUTE_TYPES[field]}
    return message("AttributeProto", name=name, **held)


def value_info(name: str, dtype: str, shape: Sequence[int | str]) -> bytes:
    """A ValueInfoProto: what an input or output is; a text stands for a free size."""
    dims = [
        message(
            "TensorShapeProto.Dimension",
            **{"dim_param" if isinstance(size, str) else "dim_value": size},
        )
        for size in shape
    ]
    held = message(
        "TypeProto.Tensor",
        elem_type=DATA_TYPES[dtype],
        shape=message("TensorShapeProto", dim=dims),
    )
    kind = message("TypeProto", tensor_type=held)
    return message("ValueInfoProto", name=name, type=kind)


def metadata(entries: Mapping[str, str]) -> list[bytes]:
    """StringStringEntryProtos."""
    return [
        message("StringStringEntryProto", key=key, value=value)
        for key, value in entries.items()
    ]


def _field(number: int, value: Value) -> list[bytes]:
    """Key and value of one field, in pieces."""
    match value:
        case int():
            return [varint(number << 3), varint(value)]
        case float():
            return [varint(number << 3 | 5), struct.pack("<f", value)]
        case str():
            value = value.encode()
    return [varint(number << 3 | 2), varint(len(value)), value]
