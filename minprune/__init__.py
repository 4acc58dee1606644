"""minprune: a pure NumPy/Numba reference engine for neural-network pruning.

Importing this package imports nothing else: a room is loaded when it is first named
(PEP 562), so that the single-file players stay free of SciPy and Numba and the command
line answers at once.
"""

import importlib
from typing import TYPE_CHECKING, Any

from minprune._version import __version__

if TYPE_CHECKING:
    from minprune import (
        conformance,
        criteria,
        data,
        export,
        files,
        masks,
        metrics,
        nn,
        prune,
        quantize,
        sparse,
        structure,
        study,
    )
    from minprune.store import load, save

_ROOMS = (
    "files",
    "data",
    "nn",
    "metrics",
    "criteria",
    "masks",
    "structure",
    "sparse",
    "quantize",
    "store",
    "prune",
    "export",
    "study",
    "conformance",
    "cli",
)
_NAMES = {"load": "minprune.store", "save": "minprune.store"}

__all__ = [
    "__version__",
    "conformance",
    "criteria",
    "data",
    "export",
    "files",
    "load",
    "masks",
    "metrics",
    "nn",
    "prune",
    "quantize",
    "save",
    "sparse",
    "structure",
    "study",
]


def __getattr__(name: str) -> Any:
    """Load a room, or a function of `minprune.store`, when it is first named."""
    if name in _ROOMS:
        return importlib.import_module(f"minprune.{name}")
    if name in _NAMES:
        return getattr(importlib.import_module(_NAMES[name]), name)
    raise AttributeError(f"module 'minprune' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Names that can be reached, loaded or not."""
    return sorted(__all__)
