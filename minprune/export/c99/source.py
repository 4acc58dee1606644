"""The two files of a program: a header with the interface, a source with the rest."""

from dataclasses import dataclass

from minprune.export.c99 import functions
from minprune.export.c99.header import header
from minprune.export.c99.program import Program
from minprune.export.c99.steps import Steps
from minprune.export.c99.target import Target
from minprune.export.c99.text import kernel

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


@dataclass(frozen=True, slots=True)
class Source:
    """The text of both files."""

    header: str
    body: str


def generate(program: Program, name: str = "net") -> Source:
    """The C of a program; every function and macro begins with `name`."""
    target = Target(program, name)
    return Source(header(target), _body(target))


def _body(target: Target) -> str:
    """Tables, kernels and functions."""
    dtype, steps = target.program.dtype, Steps(target)
    parts = [
        f'/* See {target.name}.h. */\n#include "{target.name}.h"\n#include <float.h>',
        PRECISION,
        f"#ifndef {target.const} /* to place tables in a section of their own */\n"
        f"#define {target.const} static const\n#endif",
        f"typedef {target.name}_value_t value_t;",
        kernel(f"types_{dtype}").rstrip(),
        kernel("types").rstrip(),
        *steps.tables,
        *(text.rstrip() for text in _ordered(target, steps.kernels)),
        functions.predict(target, steps.calls),
        functions.predict_f32(target),
        functions.argmax(target, "", f"{target.name}_value_t"),
        functions.argmax(target, "_f32", "float"),
        functions.selftest(target),
    ]
    return "\n\n".join(parts) + "\n"


def _ordered(target: Target, used: dict[str, str]) -> list[str]:
    """Kernels in use, each after what it calls."""
    dtype = target.program.dtype
    first = {"bounded": kernel("bounded")}
    if target.integer and (target.program.layers or "add" in used):
        first["rescale"] = kernel("rescale")
    if target.program.layers:
        lanes = sorted({key[-1] for key in used if key.startswith("rows")})
        first["finish"] = kernel(f"finish_{dtype}")
        first |= {f"sums_{n}": kernel(f"sums_{n}") for n in lanes}
    if {"pool_max", "pool_mean"} & used.keys():
        first["look"] = kernel("look")
    if "pool_mean" in used:
        first["mean"] = kernel(f"mean_{dtype}")
    order = ("rows", "gather", "linear", "conv", "pool", "add", "copy")
    rest = sorted(used, key=lambda key: (order.index(key.split("_")[0]), key))
    return [*first.values(), *(used[key] for key in rest)]
