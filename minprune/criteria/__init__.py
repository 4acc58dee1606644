"""How much each weight, channel or layer matters: every published criterion.

Importing this room files every family in `CATALOG`. A family is a module whose name
does not start with an underscore; `evidence`, which knows networks, is no family and is
imported by name.
"""

import importlib
import pkgutil

from minprune.criteria._catalog import CATALOG, Card, Holds, criterion

__all__ = ["CATALOG", "Card", "Holds", "criterion"]

for _module in pkgutil.iter_modules(__path__):
    if not _module.name.startswith("_") and _module.name != "evidence":
        importlib.import_module(f"{__name__}.{_module.name}")
