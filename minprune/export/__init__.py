"""Pruned models carried to places without minprune.

`player` runs a model with NumPy alone. It is one file that imports nothing else of the
package, so it can be copied to a device by itself.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from minprune.export import player

__all__ = ["player"]


def __getattr__(name: str) -> Any:
    """Load a module of this room when it is first named."""
    if name in __all__:
        return importlib.import_module(f"minprune.export.{name}")
    raise AttributeError(f"module 'minprune.export' has no attribute {name!r}")
