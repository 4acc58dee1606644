"""What commands print: one JSON object, a plain table, or a line that moves along."""

import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def as_json(values: Mapping[str, Any]) -> None:
    """One JSON object on stdout; what JSON has no number for becomes null."""
    print(json.dumps(_plain(values), indent=2, allow_nan=False))


def _plain(value: Any) -> Any:
    """The value in JSON's own types."""
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def table(header: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """Columns as wide as their widest entry, the first `left` flush left.

    Examples
    --------
    >>> print(table(["layer", "kept"], [["fc1", "12"], ["fc10", "7"]]))
    layer  kept
    fc1      12
    fc10      7
    """
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    return "\n".join(
        "  ".join(
            entry.ljust(width) if i < left else entry.rjust(width)
            for i, (entry, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


class Progress:
    """One line on a terminal that says where a long command is; silent in a pipe."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()
        self._width = 0

    def __call__(self, text: str) -> None:
        """Replace the line."""
        if self._shown:
            sys.stderr.write("\r" + text.ljust(self._width))
            sys.stderr.flush()
            self._width = len(text)

    def clear(self) -> None:
        """Leave an empty line for what is printed next."""
        if self._width:
            self("")
            sys.stderr.write("\r")
