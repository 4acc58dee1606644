"""Pruned models carried to places without minprune.

`player` runs a model with NumPy alone, `tiny` with the standard library alone. Each is
one file that imports nothing else of the package, so it can be copied to a device by
itself.

`c99` writes two files of C for a target that has a compiler and nothing else. `onnx`
writes one file for run times that read ONNX.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from minprune.export import c99, onnx, player, tiny

__all__ = ["c99", "onnx", "player", "tiny"]


def __getattr__(name: str) -> Any:
    """Load a module of this room when it is first named."""
    if name in __all__:
        return importlib.import_module(f"minprune.export.{name}")
    raise AttributeError(f"module 'minprune.export' has no attribute {name!r}")
