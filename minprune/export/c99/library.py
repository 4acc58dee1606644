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

NEEDS_CODES = {name: ("decoded",) for name in NEEDS if "finish" in NEEDS[name]}
"""And where weights are held in codes."""

PLAIN = {
    "STREAM_": "const value_t *",
    "READ_WEIGHT": "READ_VALUE",
    "FIRST_CONV": "c->affine.weight",
    "FIRST_LINEAR": "a->weight",
    " BOOK_TAKEN": "",
    " BOOK_GIVEN": "",
}
"""Words for weights that lie in a table as they are: a pointer walks along it."""

CODES = {
    "STREAM_": "size_t ",
    "READ_WEIGHT(": "decoded(a, ",
    "FIRST_CONV": "0U",
    "FIRST_LINEAR": "0U",
    " BOOK_TAKEN": ", const affine_t *a",
    " BOOK_GIVEN": ", a",
}
"""Words for weights in codes of four bits, which are counted instead."""

INTEGER = {"READ_VALUE": "READ_I8", "READ_SUM": "READ_I32"}
FLOATING = {"READ_VALUE": "READ_F32", "READ_SUM": "READ_F32"}

FORMS = {
    "float32": PLAIN | FLOATING,
    "int8": PLAIN | INTEGER,
    "codes": CODES | INTEGER,
}
"""What stands for the words of a kernel's text, one after the other, by the form of its
numbers."""


class Library:
    """Kernels in use, in the order in which C wants to see them.

    Attributes
    ----------
    types, functions : dict of str to str
        Text by name.
    """

    def __init__(self, form: str, macro: str) -> None:
        self.form, self.macro = form, macro
        self.types: dict[str, str] = {}
        self.functions: dict[str, str] = {}

    def use(self, name: str, **words: str) -> None:
        """File a kernel and what it needs, with these words put into its text."""
        needed = NEEDS.get(name, ())
        if self.form != "float32":
            needed += NEEDS_INT8.get(name, ())
        if self.form == "codes":
            needed += NEEDS_CODES.get(name, ())
        for need in needed:
            self.use(need)
        text = _text(name, self.form)
        for word, value in (*words.items(), *FORMS[self.form].items()):
            text = text.replace(word, value)
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
def _text(name: str, form: str) -> str:
    """A file of this name for a form of numbers, or one for all."""
    folder = resources.files("minprune.export.c99").joinpath("kernels")
    forms = {"float32": ("float32",), "int8": ("int8",), "codes": ("codes", "int8")}
    own = [folder.joinpath(f"{name}_{found}.c") for found in forms[form]]
    files = [*own, folder.joinpath(f"{name}.c")]
    return next(f for f in files if f.is_file()).read_text(encoding="utf-8")
