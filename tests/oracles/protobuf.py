"""Protocol buffers read back, byte by byte, from the description of the wire format."""

import struct


def varint(data, at):
    """(number, the byte behind it)."""
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number += (byte % 128) * 2**shift
        shift += 7
        if byte < 128:
            return number, at


def signed(number):
    """A 64-bit complement as a whole number."""
    return number - 2**64 if number >= 2**63 else number


def fields(data):
    """The values of each field of one message, by its number, in order."""
    found, at = {}, 0
    while at < len(data):
        key, at = varint(data, at)
        number, wire = divmod(key, 8)
        if wire == 0:
            value, at = varint(data, at)
            value = signed(value)
        elif wire == 5:
            (value,) = struct.unpack("<f", data[at : at + 4])
            at += 4
        elif wire == 2:
            size, at = varint(data, at)
            value, at = data[at : at + size], at + size
            assert len(value) == size, "the message ends inside a field"
        else:
            raise AssertionError(f"wire type {wire} is not used in ONNX files")
        found.setdefault(number, []).append(value)
    return found
