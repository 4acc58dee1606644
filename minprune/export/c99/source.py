"""The two files of a program: a header with the interface, a source with the rest."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from minprune._check import AnyArray
from minprune._random import stream
from minprune._version import __version__
from minprune.export.c99.choose import LANES
from minprune.export.c99.emulate import LARGEST, real_bounds
from minprune.export.c99.program import Layer, Program
from minprune.export.c99.text import kernel, literal, struct, table
from minprune.nn.window import Window
from minprune.quantize.arithmetic import (
    ADD_SHIFT,
    AddNumbers,
    AffineNumbers,
    Levels,
    bounds,
)
from minprune.quantize.graph import Add, Affine, Plane, Pool, Step
from minprune.quantize.network import QuantizedNetwork


@dataclass(frozen=True, slots=True)
class Source:
    """The text of both files."""

    header: str
    body: str


def generate(program: Program, name: str = "net") -> Source:
    """The C of a program; every function and macro begins with `name`."""
    writer = _Writer(program, name)
    return Source(writer.header(), writer.body())


def layer_table(program: Program) -> list[tuple[str, ...]]:
    """One line a layer, under `HEADINGS`."""
    return [
        (
            layer.step.name,
            layer.step.kind,
            str(layer.step.weight.size),
            f"{layer.sparsity:.3f}",
            layer.chosen.encoding,
            str(layer.tables.bytes + 4 * len(layer.step.bias)),
            str(layer.kept * layer.step.out[1] * layer.step.out[2]),
        )
        for layer in program.layers.values()
    ]


HEADINGS = ("layer", "kind", "weights", "sparsity", "encoding", "bytes", "mult-adds")


class _Writer:
    """Writes one program under one name."""

    def __init__(self, program: Program, name: str) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            raise ValueError(
                f"export: name is {name!r}; expected a C identifier in lower case"
            )
        self.program, self.graph, self.name = program, program.graph, name
        self.macro, self.const = name.upper(), f"{name.upper()}_CONST"
        self.integer = program.dtype == "int8"
        self.inputs = self.graph.sizes[0]
        self.outputs = self.graph.sizes[self.graph.output]
        self.tables: list[str] = []
        self.calls: list[str] = []
        self.kernels: dict[str, str] = {}
        for index, step in enumerate(self.graph.steps):
            self._step(index, step)

    # The header.

    def header(self) -> str:
        """Interface, sizes and error codes."""
        low = self.name
        names = ", ".join(self.graph.classes) or "real numbers"
        door = f"{self.macro}_ARENA_BYTES + {self._door_bytes()}U"
        levels = ""
        if self.integer:
            source, target = self._levels(0), self._levels(self.graph.output)
            levels = (
                f"\n/* real = scale * (level - zero), after the scaling of raw samples "
                f"*/\n"
                f"#define {self.macro}_IN_SCALE {literal(np.float32(source.scale))}\n"
                f"#define {self.macro}_IN_ZERO ({source.zero})\n"
                f"#define {self.macro}_OUT_SCALE {literal(np.float32(target.scale))}\n"
                f"#define {self.macro}_OUT_ZERO ({target.zero})\n"
            )
        return f"""\
/* A neural network in {self.program.dtype}, written by minprune {__version__}.

   Raw samples of {self.inputs} numbers, shape {self.graph.input_shape}.
   Outputs: {_safe(names)}.

{self._layers()}
   No function allocates, recurses or keeps anything between calls. The arena is memory
   of the caller, free for other use between calls. `in`, `out` and the arena must not
   overlap.
*/
#ifndef {self.macro}_H
#define {self.macro}_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {{
#endif

typedef {"int8_t" if self.integer else "float"} {low}_value_t;

#define {self.macro}_INPUT_LEN {self.inputs}U
#define {self.macro}_OUTPUT_LEN {self.outputs}U
#define {self.macro}_ARENA_BYTES {self.program.arena_bytes}U
#define {self.macro}_ARENA_F32_BYTES ({door})
#define {self.macro}_TABLE_BYTES {self.program.table_bytes}UL
{levels}
#define {self.macro}_OK 0
#define {self.macro}_ERROR_ARENA (-1)
#define {self.macro}_ERROR_SELFTEST (-2)

/* Run one sample {self._inside()}. */
int {low}_predict(const {low}_value_t in[{self.macro}_INPUT_LEN],
    {low}_value_t out[{self.macro}_OUTPUT_LEN], void *arena, size_t arena_bytes);

/* Run one raw sample, as the sensor gives it; real logits come out. */
int {low}_predict_f32(const float raw[{self.macro}_INPUT_LEN],
    float logits[{self.macro}_OUTPUT_LEN], void *arena, size_t arena_bytes);

/* The index of the largest output; the first of equal ones. */
unsigned {low}_argmax(const {low}_value_t out[{self.macro}_OUTPUT_LEN]);
unsigned {low}_argmax_f32(const float logits[{self.macro}_OUTPUT_LEN]);

/* Run a sample whose answer is known; {self.macro}_OK if it comes out bit for bit. */
int {low}_selftest(void *arena, size_t arena_bytes);

#ifdef __cplusplus
}}
#endif

#endif
"""

    def _layers(self) -> str:
        """The table of layers, indented for the comment."""
        rows = [HEADINGS, *layer_table(self.program)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(HEADINGS))]
        return "\n".join(
            _safe(
                "   "
                + "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        )

    def _inside(self) -> str:
        """What `predict` takes, in words."""
        return "of levels, as below" if self.integer else "that is scaled already"

    def _door_bytes(self) -> int:
        """What `predict_f32` needs beside the arena."""
        if self.integer:
            return self.inputs + self.outputs
        return 4 * self.inputs if self._scales() else 0

    def _scales(self) -> bool:
        """Whether raw samples are changed at all on their way in."""
        return bool((self.graph.scale != 1).any() or self.graph.offset.any())

    # The source.

    def body(self) -> str:
        """Tables, kernels and functions."""
        dtype = self.program.dtype
        parts = [
            f'/* See {self.name}.h. */\n#include "{self.name}.h"\n#include <float.h>',
            PRECISION,
            f"#ifndef {self.const} /* to place tables in a section of their own */\n"
            f"#define {self.const} static const\n#endif",
            f"typedef {self.name}_value_t value_t;",
            kernel(f"types_{dtype}").rstrip(),
            kernel("types").rstrip(),
            *self.tables,
            *(text.rstrip() for text in self._ordered_kernels()),
            self._predict(),
            self._predict_f32(),
            self._argmax("", f"{self.name}_value_t"),
            self._argmax("_f32", "float"),
            self._selftest(),
        ]
        return "\n\n".join(parts) + "\n"

    def _ordered_kernels(self) -> list[str]:
        """Kernels in use, each after what it calls."""
        used, dtype = self.kernels, self.program.dtype
        first = {"bounded": kernel("bounded")}
        if self.integer and (self.program.layers or "add" in used):
            first["rescale"] = kernel("rescale")
        if self.program.layers:
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

    def _step(self, index: int, step: Step) -> None:
        """Collect the tables, the kernel and the call of one step."""
        ident = f"s{index}_{re.sub(r'[^A-Za-z0-9]', '_', step.name)}"
        xs, y = [self._value(v) for v in step.xs], self._value(step.y)
        match step:
            case Affine():
                self._affine(ident, step, xs[0], y)
            case Pool():
                self._pool(ident, step, xs[0], y)
            case Add():
                self.kernels["add"] = kernel(f"add_{self.program.dtype}").replace(
                    "ADD_RAISE", f"(INT32_C(1) << {ADD_SHIFT})"
                )
                self.tables.append(
                    struct("static const", "add_t", ident, self._add(step))
                )
                self.calls.append(f"add(&{ident}, {xs[0]}, {xs[1]}, {y});")
            case _:
                self.kernels["copy"] = kernel("copy")
                low, high = self._bounds(step)
                at = 0
                for x, value in zip(xs, step.xs, strict=True):
                    size, to = self.graph.sizes[value], self._value(step.y, at)
                    self.calls.append(f"copy({x}, {to}, {size}U, {low}, {high});")
                    at += size

    def _affine(self, ident: str, step: Affine, x: str, y: str) -> None:
        """A linear layer or a convolution."""
        layer = self.program.layers[step.y]
        encoding, lanes = layer.chosen.encoding, 1 if layer.linear else LANES
        rows = kernel(encoding).replace("LANES", str(lanes))
        self.kernels[f"rows_{encoding}_{lanes}"] = rows
        fields = self._affine_fields(ident, layer)
        kind = "linear" if layer.linear else "conv"
        caller = kernel(kind).replace("ENCODING", encoding)
        self.kernels[f"{kind}_{encoding}"] = caller
        if layer.linear:
            self.tables.append(struct("static const", "affine_t", ident, fields))
            self.calls.append(f"linear_{encoding}(&{ident}, {x}, {y});")
            return
        self.kernels["gather"] = kernel("gather")
        channels = step.plane[0] // step.groups
        border = self._levels(step.xs[0]).zero if self.integer else "0.0F"
        conv: dict[str, object] = {
            "window": self._window(step.window, channels, step.plane, step.out, border),
            "affine": fields,
            "groups": step.groups,
            "out_plane": step.out[1] * step.out[2],
        }
        self.tables.append(struct("static const", "conv_t", ident, conv))
        patch = f"&a[{self.program.offsets[f'patch{step.y}']}]"
        self.calls.append(f"conv_{encoding}(&{ident}, {x}, {y}, {patch});")

    def _affine_fields(self, ident: str, layer: Layer) -> dict[str, object]:
        """Tables, sizes and bounds of an affine step."""
        step, tables = layer.step, layer.tables
        fields: dict[str, object] = {}

        def file(key: str, values: AnyArray) -> None:
            fields[key] = f"{ident}_{key}" if values.size else "NULL"
            if values.size:
                self.tables.append(table(self.const, f"{ident}_{key}", values))

        file("count", tables.count)
        file("index", tables.index)
        file("weight", tables.weight)
        low, high = self._bounds(step)
        sizes = {
            "rows": step.out[0] // step.groups,
            "columns": step.matrix.shape[1],
        }
        if not self.integer:
            file("bias", step.bias.astype(np.float32))
            return fields | sizes | {"low": low, "high": high}
        numbers = self._numbers(step)
        file("bias", numbers.bias)
        file("multiplier", numbers.multiplier)
        file("exponent", numbers.exponent.astype(np.int8))
        zero = self._levels(step.y).zero
        by_row = int(len(numbers.multiplier) > 1)
        ends = {"by_row": by_row, "zero": zero, "low": low, "high": high}
        return fields | sizes | ends

    def _pool(self, ident: str, step: Pool, x: str, y: str) -> None:
        """The largest or the mean."""
        kind = "pool_max" if step.largest else "pool_mean"
        self.kernels[kind] = kernel(kind)
        border: object = "0.0F"
        if self.integer:
            border = -128 if step.largest else self._levels(step.xs[0]).zero
        elif step.largest:
            border = "-FLT_MAX"
        low, high = self._bounds(step)
        window = self._window(step.window, step.plane[0], step.plane, step.out, border)
        fields = {"window": window, "low": low, "high": high}
        self.tables.append(struct("static const", "pool_t", ident, fields))
        self.calls.append(f"{kind}(&{ident}, {x}, {y});")

    def _window(
        self, view: Window, channels: int, plane: Plane, out: Plane, border: object
    ) -> dict[str, object]:
        """The fields of `window_t`."""
        return {
            "channels": channels,
            "height": plane[1],
            "width": plane[2],
            "plane": plane[1] * plane[2],
            "out_height": out[1],
            "out_width": out[2],
            "rows": view.kernel[0],
            "columns": view.kernel[1],
            "stride_rows": view.stride[0],
            "stride_columns": view.stride[1],
            "top": view.padding[0][0],
            "left": view.padding[1][0],
            "dilation_rows": view.dilation[0],
            "dilation_columns": view.dilation[1],
            "border": border,
        }

    def _add(self, step: Add) -> dict[str, object]:
        """The fields of `add_t`."""
        low, high = self._bounds(step)
        ends: dict[str, object] = {"low": low, "high": high}
        ends["size"] = self.graph.sizes[step.y]
        if not self.integer:
            return ends
        numbers = self._quantized().numbers[step.y]
        if not isinstance(numbers, AddNumbers):
            raise TypeError(f"export: {step.name} is a sum without factors")
        zeros = [self._levels(value).zero for value in (*step.xs, step.y)]
        return {
            "multiplier": _list(numbers.multiplier),
            "exponent": _list(numbers.exponent),
            "zero": _list(zeros),
            **ends,
        }

    # The functions of the interface.

    def _predict(self) -> str:
        """One call a step."""
        calls = "\n".join(f"    {call}" for call in self.calls)
        return f"""\
int {self.name}_predict(const value_t in[{self.macro}_INPUT_LEN],
    value_t out[{self.macro}_OUTPUT_LEN], void *arena, size_t arena_bytes)
{{
{self._memory(f"{self.macro}_ARENA_BYTES", self.program.arena_bytes)}{calls}
    return {self.macro}_OK;
}}"""

    def _memory(self, needed: str, size: int) -> str:
        """The arena as numbers, or a return where it does not do."""
        if not size:
            return "    (void)arena;\n    (void)arena_bytes;\n"
        aligned = (
            "" if self.integer else " || (((uintptr_t)arena % sizeof(value_t)) != 0U)"
        )
        return f"""\
    value_t *const a = arena;
    if ((a == NULL) || (arena_bytes < {needed}){aligned}) {{
        return {self.macro}_ERROR_ARENA;
    }}
"""

    def _predict_f32(self) -> str:
        """Raw samples in, logits out."""
        head = f"""\
int {self.name}_predict_f32(const float raw[{self.macro}_INPUT_LEN],
    float logits[{self.macro}_OUTPUT_LEN], void *arena, size_t arena_bytes)
{{
"""
        if not self._scales() and not self.integer:
            return f"""{head}\
    return {self.name}_predict(raw, logits, arena, arena_bytes);
}}"""
        gain, shift, run = self._door()
        memory = self._memory(f"{self.macro}_ARENA_F32_BYTES", self._door_bytes())
        at = "" if run == 1 else f" / {run}U"
        scaled = f"raw[i] * gain[i{at}] + shift[i{at}]"
        if not self.integer:
            return f"""\
{gain}

{shift}

{head}{memory}\
    for (uint_fast16_t i = 0U; i < {self.macro}_INPUT_LEN; ++i) {{
        a[i] = {scaled};
    }}
    return {self.name}_predict(a, logits, &a[{self.macro}_INPUT_LEN],
        arena_bytes - {self.macro}_INPUT_LEN * sizeof(value_t));
}}"""
        return f"""\
{gain}

{shift}

{head}{memory}\
    value_t *const out = &a[{self.macro}_INPUT_LEN];
    for (uint_fast16_t i = 0U; i < {self.macro}_INPUT_LEN; ++i) {{
        const float level = {scaled};
        const float low = (level > 0.0F) ? level : 0.0F; /* what is no number too */
        const float inside = (low < 255.0F) ? low : 255.0F;
        a[i] = (value_t)((int32_t)inside - 128);
    }}
    const int status = {self.name}_predict(a, out, &out[{self.macro}_OUTPUT_LEN],
        arena_bytes - {self.macro}_INPUT_LEN - {self.macro}_OUTPUT_LEN);
    for (uint_fast16_t i = 0U; i < {self.macro}_OUTPUT_LEN; ++i) {{
        logits[i] = (float)((int32_t)out[i] - {self.macro}_OUT_ZERO) *
            {self.macro}_OUT_SCALE;
    }}
    return status;
}}"""

    def _door(self) -> tuple[str, str, int]:
        """Tables of factors and shifts, and how many inputs share an entry."""
        source = self._quantized() if self.integer else None
        pair = (
            (self.graph.scale, self.graph.offset)
            if source is None
            else (source.gain, source.shift)
        )
        full = np.stack([np.broadcast_to(x, self.graph.input_shape) for x in pair])
        flat = full.reshape(2, -1)
        channels = full.reshape(2, len(full[0]), -1)
        run = 1
        if (flat == flat[:, :1]).all():
            flat, run = flat[:, :1], self.inputs
        elif (channels == channels[:, :, :1]).all():
            flat, run = channels[:, :, 0], channels.shape[2]
        gain, shift = (
            table(self.const, name, np.ascontiguousarray(values))
            for name, values in zip(("gain", "shift"), flat, strict=True)
        )
        return gain, shift, run

    def _argmax(self, suffix: str, kind: str) -> str:
        """The first largest output."""
        return f"""\
unsigned {self.name}_argmax{suffix}(const {kind} out[{self.macro}_OUTPUT_LEN])
{{
    unsigned best = 0U;
    for (unsigned i = 1U; i < {self.macro}_OUTPUT_LEN; ++i) {{
        best = (out[i] > out[best]) ? i : best;
    }}
    return best;
}}"""

    def _selftest(self) -> str:
        """A drawn sample with its answer; compared byte by byte."""
        rng = stream(0, "selftest")
        if self.integer:
            sample = rng.integers(-128, 128, (1, self.inputs)).astype(np.int8)
        else:
            sample = rng.normal(size=(1, self.inputs)).astype(np.float32)
        answer = self.program.run(sample)
        return f"""\
{table(self.const, "selftest_in", sample)}

{table(self.const, "selftest_out", answer)}

int {self.name}_selftest(void *arena, size_t arena_bytes)
{{
    value_t out[{self.macro}_OUTPUT_LEN];
    const unsigned char *const found = (const unsigned char *)out;
    const unsigned char *const wanted = (const unsigned char *)selftest_out;
    const int status = {self.name}_predict(selftest_in, out, arena, arena_bytes);
    if (status != {self.macro}_OK) {{
        return status;
    }}
    for (size_t i = 0U; i < sizeof out; ++i) {{
        if (found[i] != wanted[i]) {{
            return {self.macro}_ERROR_SELFTEST;
        }}
    }}
    return {self.macro}_OK;
}}"""

    # What the model knows.

    def _quantized(self) -> QuantizedNetwork:
        """The quantized network of an integer program."""
        if self.program.quantized is None:
            raise TypeError("export: a float32 program has no levels")
        return self.program.quantized

    def _levels(self, value: int) -> Levels:
        """Scale and zero point of a value."""
        return self._quantized().levels[value]

    def _numbers(self, step: Affine) -> AffineNumbers:
        """The integers of an affine step."""
        numbers = self._quantized().numbers[step.y]
        if not isinstance(numbers, AffineNumbers):
            raise TypeError(f"export: {step.name} has no integer weights")
        return numbers

    def _bounds(self, step: Step) -> tuple[str, str]:
        """The bounds of a step as constants."""
        if self.integer:
            low, high = bounds(step, self._levels(step.y))
            return str(low), str(high)
        ends = real_bounds(step)
        names = {float(-LARGEST): "-FLT_MAX", float(LARGEST): "FLT_MAX"}
        low_text, high_text = (names.get(float(x), literal(x)) for x in ends)
        return low_text, high_text

    def _value(self, value: int, at: int = 0) -> str:
        """Where a value lies, as a C expression."""
        if value == 0:
            return "in"
        if value == self.graph.output:
            return f"&out[{at}]" if at else "out"
        return f"&a[{self.program.offsets[f'v{value}'] + at}]"


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


def _safe(text: str) -> str:
    """Text that cannot end the comment it stands in."""
    return text.replace("*/", "* /").replace("/*", "/ *").replace("\\", "/")


def _list(values: Iterable[int]) -> str:
    """Numbers in braces."""
    return "{" + ", ".join(map(str, values)) + "}"
