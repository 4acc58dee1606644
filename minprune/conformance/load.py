"""Adapters by name."""

import importlib
import pkgutil

from minprune._check import one_of
from minprune.conformance import toolkits
from minprune.conformance.adapter import Toolkit


def address(name: str) -> str:
    """The adapter of that name as ``pkg.mod:Class``.

    Parameters
    ----------
    name : str
        A module of `minprune.conformance.toolkits`, or ``pkg.mod:Class``.

    Raises
    ------
    ValueError
        If it is neither.
    """
    if ":" in name:
        return name
    found = (module.name for module in pkgutil.iter_modules(toolkits.__path__))
    known = [module for module in found if not module.startswith("_")]
    one_of("conformance", "adapter", name, known)
    return f"{toolkits.__name__}.{name}:Adapter"


def adapter(name: str) -> Toolkit:
    """The adapter of that name, made and ready.

    Parameters
    ----------
    name : str
        See `address`.

    Raises
    ------
    ValueError
        If there is none, or if its toolkit is not installed.
    """
    module, _, attribute = address(name).partition(":")
    try:
        made: Toolkit = getattr(importlib.import_module(module), attribute)()
    except (ImportError, AttributeError) as why:
        raise ValueError(
            f"conformance: the adapter {name!r} cannot be made: {why}"
        ) from why
    return made
