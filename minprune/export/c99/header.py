"""The header: the interface, sizes, error codes, and a table of the layers."""

import re

import numpy as np

from minprune._version import __version__
from minprune.export.c99.program import Program
from minprune.export.c99.target import Target
from minprune.export.c99.text import literal
from minprune.nn.embedding import Embedding
from minprune.quantize.graph import Kept

HEADINGS = ("layer", "kind", "weights", "sparsity", "encoding", "bytes", "mult-adds")


def layer_table(program: Program) -> list[tuple[str, ...]]:
    """One line a layer, under `HEADINGS`."""
    return [
        (
            layer.step.name,
            layer.step.kind,
            str(layer.step.weight.size),
            f"{layer.sparsity:.3f}",
            layer.chosen.encoding + " 4-bit" * program.codes,
            str(layer.tables.bytes + 4 * len(layer.step.bias)),
            str(layer.kept * layer.places),
        )
        for layer in program.layers.values()
    ]


def header(target: Target) -> str:
    """Interface, sizes and error codes."""
    low, steps = target.name, target.graph.steps
    names = ", ".join(target.graph.classes) or "real numbers"
    door = f"{target.macro}_ARENA_BYTES + {target.door_bytes()}U"
    levels = errors = ""
    if any(isinstance(s, Kept) and isinstance(s.layer, Embedding) for s in steps):
        errors = (
            f"#define {target.macro}_ERROR_INPUT (-3) /* a symbol without a row */\n"
        )
    if target.program.length:
        levels = f"#define {target.macro}_STEPS {target.program.length}U\n"
    if target.integer:
        first, last = target.levels(0), target.levels(target.graph.output)
        levels = (
            f"\n/* real = scale * (level - zero), after the scaling of raw samples "
            f"*/\n"
            f"#define {target.macro}_IN_SCALE {literal(np.float32(first.scale))}\n"
            f"#define {target.macro}_IN_ZERO ({first.zero})\n"
            f"#define {target.macro}_OUT_SCALE {literal(np.float32(last.scale))}\n"
            f"#define {target.macro}_OUT_ZERO ({last.zero})\n"
        )
    return f"""\
/* A neural network in {target.program.dtype}, written by minprune {__version__}.

   Raw samples of {target.inputs} numbers, shape {target.graph.input_shape}.
   Outputs: {_safe(names)}.

{_layers(target)}

   No function allocates, recurses or keeps anything between calls. The arena is memory
   of the caller, free for other use between calls. `in`, `out` and the arena must not
   overlap.
*/
#ifndef {target.macro}_H
#define {target.macro}_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {{
#endif

typedef {"int8_t" if target.integer else "float"} {low}_value_t;

#define {target.macro}_INPUT_LEN {target.inputs}U
#define {target.macro}_OUTPUT_LEN {target.outputs}U
#define {target.macro}_ARENA_BYTES {target.program.arena_bytes}U
#define {target.macro}_ARENA_F32_BYTES ({door})
#define {target.macro}_TABLE_BYTES {target.program.table_bytes}UL
{levels}
#define {target.macro}_OK 0
#define {target.macro}_ERROR_ARENA (-1)
#define {target.macro}_ERROR_SELFTEST (-2)
{errors}
/* Run one sample {_inside(target)}. */
{_declared(target, "")}

/* Run one raw sample, as the sensor gives it; real logits come out. */
{_declared(target, "_f32")}

/* The index of the largest output; the first of equal ones. */
unsigned {low}_argmax(const {low}_value_t out[{target.macro}_OUTPUT_LEN]);
unsigned {low}_argmax_f32(const float logits[{target.macro}_OUTPUT_LEN]);

/* Run a sample whose answer is known; {target.macro}_OK if it comes out bit for bit. */
int {low}_selftest(void *arena, size_t arena_bytes);

#ifdef __cplusplus
}}
#endif

#endif
"""


def _declared(target: Target, suffix: str) -> str:
    """Prototypes of a function, and for signals of the one that takes steps."""
    kinds = [False, True] if target.steps else [False]
    return "\n".join(f"{target.prototype(suffix, steps)};" for steps in kinds)


def _layers(target: Target) -> str:
    """The table of layers, indented for the comment."""
    rows = [HEADINGS, *layer_table(target.program)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEADINGS))]
    return "\n".join(
        _safe(
            "   "
            + "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _inside(target: Target) -> str:
    """What `predict` takes, in words."""
    return "of levels, as below" if target.integer else "that is scaled already"


def _safe(text: str) -> str:
    """Names, which come from a file that anyone may have made, as part of a comment.

    They cannot end it: not by its sign, and not by a backslash, plain or written as
    ``??/``, which would join the line to the next.
    """
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    apart = r"\?(?=\?)|\*(?=/)|/(?=\*)"
    return re.sub(apart, r"\g<0> ", plain.replace("\\", "/"))
