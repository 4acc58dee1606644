"""The files of a program: a header with the interface, a source with the rest.

The weights may have two files of their own, so that the code compiles fast and new
weights of the same pattern replace nothing else.
"""

import re
from dataclasses import dataclass

from minprune._check import AnyArray
from minprune.export.c99 import functions
from minprune.export.c99.header import header
from minprune.export.c99.library import trimmed
from minprune.export.c99.program import Program
from minprune.export.c99.steps import Steps
from minprune.export.c99.target import Target
from minprune.export.c99.text import declaration, table

PRECISION = """\
/* float32 sums run in the order written, each product rounded before it is added. No
   loop is made a call of memcpy, which a bare device may not have. */
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off", "no-tree-loop-distribute-patterns")
#endif
#if defined(FLT_EVAL_METHOD) && (FLT_EVAL_METHOD != 0)
#error "floats are kept in a wider type here: use -msse2 -mfpmath=sse"
#endif
#ifdef __FAST_MATH__
#error "-ffast-math changes the order of sums: compile this file without it"
#endif"""


INCLUDED = """\
#ifdef NET_HOOKS /* a header of yours, such as "hooks.h" */
#include NET_HOOKS
#endif"""

PLACED = """\
#ifndef NET_TABLE /* an attribute that places tables */
#define NET_TABLE
#endif"""

READ = {
    "U8": "8-bit counts and columns",
    "I8": "8-bit weights and exponents",
    "I16": "16-bit offsets",
    "I32": "32-bit sums and multipliers",
    "F32": "floats",
}
"""Macros that read a table, by what they read."""


@dataclass(frozen=True, slots=True)
class Source:
    """The text of each file."""

    header: str
    body: str
    weights: str = ""
    """Tables of weights, where they are apart."""
    weights_header: str = ""


def generate(program: Program, name: str = "net", apart: bool = False) -> Source:
    """The C of a program; every function and macro begins with `name`.

    With `apart`, the weights are in texts of their own.
    """
    target = Target(program, name)
    steps = Steps(target, f"{name}_" if apart else "")
    if not apart:
        return Source(header(target), _body(target, steps, steps.arrays))
    return Source(
        header(target),
        _body(target, steps, {}),
        _weights(target, steps),
        _weights_header(target, steps),
    )


def _body(target: Target, steps: Steps, arrays: dict[str, AnyArray]) -> str:
    """Tables, kernels and functions."""
    code = [
        *steps.library.types.values(),
        *(table(target.const, name, values) for name, values in arrays.items()),
        *steps.constants,
        *trimmed(steps.library.functions.values()),
        functions.predict(target, steps.calls),
        functions.predict_f32(target),
        functions.argmax(target, "", f"{target.name}_value_t"),
        functions.argmax(target, "_f32", "float"),
        functions.selftest(target),
    ]
    parts = [
        _top(target, [f"{target.name}_weights.h"] if steps.prefix else []),
        PRECISION,
        _hooks(target, code),
        f"typedef {target.name}_value_t value_t;",
        f"typedef {'int32_t' if target.integer else 'float'} sum_t;",
        *code,
    ]
    return "\n\n".join(parts) + "\n"


def _top(target: Target, more: list[str]) -> str:
    """What is included; hooks of the user come before everything they may change."""
    lines = [f"/* See {target.name}.h. */", f'#include "{target.name}.h"']
    lines += [f'#include "{name}"' for name in more]
    lines += ["#include <float.h>", "#include <stdbool.h>"]
    return "\n".join(lines)


def _hooks(target: Target, code: list[str]) -> str:
    """How tables are placed and read, unless the user says otherwise."""
    text = "\n".join(code)
    used = set(re.findall(rf"\b{target.macro}_READ_(\w+)\(", text))
    macros = [
        f"#ifndef NET_READ_{kind} /* {what} */\n"
        f"#define NET_READ_{kind}(p) (*(p))\n#endif"
        for kind, what in READ.items()
        if kind in used
    ]
    placed = [PLACED] if f"{target.macro}_TABLE" in text else []
    return "\n".join([INCLUDED, *placed, *macros]).replace("NET", target.macro)


def _weights(target: Target, steps: Steps) -> str:
    """The tables of weights."""
    tables = [
        table(f"const {target.macro}_TABLE", name, values)
        for name, values in steps.arrays.items()
    ]
    include = f'#include "{target.name}_weights.h"'
    hooks = f"{INCLUDED}\n{PLACED}".replace("NET", target.macro)
    return "\n\n".join([include, hooks, *tables]) + "\n"


def _weights_header(target: Target, steps: Steps) -> str:
    """What the source needs to know of them."""
    guard = f"{target.macro}_WEIGHTS_H"
    lines = [declaration(name, values) for name, values in steps.arrays.items()]
    return "\n".join(
        [
            f"/* Weights of {target.name}.h: {target.program.table_bytes} bytes. */",
            f"#ifndef {guard}",
            f"#define {guard}",
            "",
            "#include <stdint.h>",
            "",
            *lines,
            "",
            "#endif",
            "",
        ]
    )
