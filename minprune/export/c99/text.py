"""Numbers and arrays as C99 source."""

from collections.abc import Iterable, Mapping

import numpy as np

from minprune._check import AnyArray

WIDTH = 88
"""Of a line of table."""

TYPES = {
    "uint8": "uint8_t",
    "int8": "int8_t",
    "int16": "int16_t",
    "int32": "int32_t",
    "float32": "float",
}


def literal(value: np.generic | float | int) -> str:
    """A number as a constant of its type.

    Nine significant digits tell every float32 from its neighbors, so a compiler reads
    back the very number.

    Examples
    --------
    >>> literal(np.float32(0.1)), literal(np.uint8(3)), literal(np.int8(-3))
    ('0.100000001F', '3U', '-3')
    """
    if isinstance(value, np.floating | float):
        text = f"{float(value):.9g}"
        return text + ("F" if "." in text or "e" in text else ".0F")
    unsigned = isinstance(value, np.unsignedinteger)
    return f"{int(value)}{'U' if unsigned else ''}"


def table(storage: str, name: str, values: AnyArray) -> str:
    """A constant array; one zero stands where there is nothing, as C has no empty one.

    Examples
    --------
    >>> print(table("static const", "bias", np.array([1, -2], np.int32)))
    static const int32_t bias[2] = {
        1, -2
    };
    """
    flat = values.reshape(-1)
    if not flat.size:
        flat = np.zeros(1, values.dtype)
    body = wrap(literal(value) for value in flat)
    ctype = TYPES[values.dtype.name]
    return f"{storage} {ctype} {name}[{flat.size}] = {{\n{body}\n}};"


def declaration(name: str, values: AnyArray) -> str:
    """A constant array that is defined in another file.

    Examples
    --------
    >>> declaration("bias", np.array([1, -2], np.int32))
    'extern const int32_t bias[2];'
    """
    return f"extern const {TYPES[values.dtype.name]} {name}[{values.size}];"


def wrap(items: Iterable[str]) -> str:
    """Items with commas between them, on lines that are not too long."""
    lines, line = [], "   "
    for item in items:
        if len(line) + len(item) + 2 > WIDTH:
            lines.append(line)
            line = "   "
        line += f" {item},"
    lines.append(line)
    return "\n".join(lines).removesuffix(",")


def struct(macro: str, kind: str, name: str, fields: Mapping[str, object]) -> str:
    """A constant structure with its fields named, nested ones as mappings."""
    return f"{macro} {kind} {name} = {_braces(fields, 4)};"


def _braces(fields: Mapping[str, object], indent: int) -> str:
    """One field a line."""
    lines = []
    for key, value in fields.items():
        text = _braces(value, indent + 4) if isinstance(value, Mapping) else str(value)
        lines.append(f"{' ' * indent}.{key} = {text}")
    return "{\n" + ",\n".join(lines) + "\n" + " " * (indent - 4) + "}"
