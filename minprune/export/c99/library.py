"""The C of the kernels a program uses: each once, behind all that it needs."""

import re
from collections.abc import Iterable
from functools import cache
from importlib import resources

NEEDS: dict[str, tuple[str, ...]] = {
    "finish": ("type_affine", "bounded"),
    "add": ("type_add", "bounded"),
    "copy": ("bounded",),
    "linear": ("type_cursor", "type_affine"),
    "strip": ("type_conv",),
    "type_conv": ("type_window", "type_affine"),
    "conv": ("type_cursor", "type_conv", "strip"),
    "type_pool": ("type_window",),
    "look": ("type_window",),
    "pool_max": ("type_pool", "look", "bounded"),
    "pool_mean": ("type_pool", "look", "mean", "bounded"),
    "softmax": ("exponential",),
    "tanh": ("exponential",),
    "sigmoid": ("exponential",),
    "gelu": ("exponential",),
    "norm": ("type_norm",),
    "cell_RNN": ("tanh",),
    "cell_LSTM": ("sigmoid", "tanh"),
    "cell_GRU": ("sigmoid", "tanh"),
    "type_scan": ("type_affine",),
    "scan": ("type_scan",),
    "dense": ("type_cursor", "type_affine", "finish"),
    "seg8": ("type_cursor", "type_affine", "finish"),
    "nm16": ("type_cursor", "type_affine", "finish"),
    "bitmask": ("type_cursor", "type_affine", "finish"),
    "delta4": ("type_cursor", "type_affine", "finish"),
    "delta8": ("type_cursor", "type_affine", "finish"),
    "block": ("type_cursor", "type_affine", "finish"),
}
"""What a kernel calls or names, besides what is told apart by a word in its text."""

NEEDS_INT8 = {"finish": ("rescale",), "add": ("rescale",)}
"""What it needs besides in integers."""

FORMS = {
    "float32": {"VALUE": "F32", "SUM": "F32"},
    "int8": {"VALUE": "I8", "SUM": "I32"},
}
"""Types of values and of sums, in the names of the macros that read tables."""


class Library:
    """Kernels in use, in the order in which C wants to see them.

    Attributes
    ----------
    types, functions : dict of str to str
        Text by name.
    """

    def __init__(self, dtype: str, macro: str) -> None:
        self.dtype, self.macro = dtype, macro
        self.types: dict[str, str] = {}
        self.functions: dict[str, str] = {}

    def use(self, name: str, **words: str) -> None:
        """File a kernel and what it needs, with these words put into its text."""
        needed = NEEDS.get(name, ())
        if self.dtype == "int8":
            needed += NEEDS_INT8.get(name, ())
        for need in needed:
            self.use(need)
        text = _text(name, self.dtype)
        for word, value in words.items():
            text = text.replace(word, value)
        for word, value in FORMS[self.dtype].items():
            text = text.replace(f"READ_{word}", f"READ_{value}")
        text = text.replace("READ_", f"{self.macro}_READ_")
        text = text.replace("HOOK_", f"{self.macro}_")
        filed = self.types if name.startswith("type_") else self.functions
        filed.setdefault("_".join((name, *words.values())), text.rstrip())


def trimmed(texts: Iterable[str]) -> list[str]:
    """The texts without the macros that none of them uses.

    Examples
    --------
    >>> trimmed(["#define USED 1", "#define IDLE 2", "return USED;"])
    ['#define USED 1', '', 'return USED;']
    """
    texts = list(texts)
    whole = "\n".join(texts)

    def used(found: re.Match[str]) -> str:
        return found[0] if len(re.findall(rf"\b{found[1]}\b", whole)) > 1 else ""

    return [re.sub(r"#define (\w+)(?:.*\\\n)*.*\n?", used, text) for text in texts]


@cache
def _text(name: str, dtype: str) -> str:
    """A file of this name for a type of numbers, or one for all."""
    folder = resources.files("minprune.export.c99").joinpath("kernels")
    own = folder.joinpath(f"{name}_{dtype}.c")
    found = own if own.is_file() else folder.joinpath(f"{name}.c")
    return found.read_text(encoding="utf-8")
