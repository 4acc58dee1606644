"""The functions of the interface, as C text."""

from collections.abc import Sequence

import numpy as np

from minprune._check import AnyArray
from minprune._random import stream
from minprune.export.c99.target import Target
from minprune.export.c99.text import table
from minprune.nn.embedding import Embedding
from minprune.quantize.graph import Kept


def predict(target: Target, calls: Sequence[str]) -> str:
    """One call a step; for signals one function more, with the steps that count."""
    body = "\n".join(f"    {call}" for call in calls)
    memory = _memory(target, f"{target.macro}_ARENA_BYTES", target.program.arena_bytes)
    return f"""\
{target.prototype("", target.steps)}
{{
{memory}{body}
    return {target.macro}_OK;
}}{_whole(target, "")}"""


def predict_f32(target: Target) -> str:
    """Raw samples in, logits out."""
    whole = _whole(target, "_f32")
    head = f"{target.prototype('_f32', target.steps)}\n{{\n"
    call = f"{target.name}_predict{'_steps' if target.steps else ''}"
    steps = "steps, " if target.steps else ""
    if not target.scales() and not target.integer:
        return f"""{head}\
    return {call}(raw, {steps}logits, arena, arena_bytes);
}}{whole}"""
    gain, shift, run = _door(target)
    memory = _memory(target, f"{target.macro}_ARENA_F32_BYTES", target.door_bytes())
    at = "i" if run == 1 else f"i / {run}U"
    read = f"{target.macro}_READ_F32"
    scaled = f"(raw[i] * {read}(&gain[{at}])) + {read}(&shift[{at}])"
    if not target.integer:
        return f"""\
{gain}

{shift}

{head}{memory}\
    for (uint_fast16_t i = 0U; i < {target.macro}_INPUT_LEN; ++i) {{
        a[i] = {scaled};
    }}
    return {call}(a, {steps}logits, &a[{target.macro}_INPUT_LEN],
        arena_bytes - ({target.macro}_INPUT_LEN * sizeof(value_t)));
}}{whole}"""
    return f"""\
{gain}

{shift}

{head}{memory}\
    value_t *const out = &a[{target.macro}_INPUT_LEN];
    for (uint_fast16_t i = 0U; i < {target.macro}_INPUT_LEN; ++i) {{
        const float level = {scaled};
        const float low = (level > 0.0F) ? level : 0.0F; /* what is no number too */
        const float inside = (low < 255.0F) ? low : 255.0F;
        a[i] = (value_t)((int32_t)inside - 128);
    }}
    const int status = {call}(a, out, &out[{target.macro}_OUTPUT_LEN],
        arena_bytes - {target.macro}_INPUT_LEN - {target.macro}_OUTPUT_LEN);
    for (uint_fast16_t i = 0U; i < {target.macro}_OUTPUT_LEN; ++i) {{
        const int32_t level = (int32_t)out[i] - {target.macro}_OUT_ZERO;
        logits[i] = (float)level * {target.macro}_OUT_SCALE;
    }}
    return status;
}}"""


def _whole(target: Target, suffix: str) -> str:
    """Of a function that takes steps, the one that takes a signal to its end."""
    if not target.steps:
        return ""
    x, y = ("raw", "logits") if suffix else ("in", "out")
    call = f"{target.name}_predict{suffix}_steps"
    return f"""

{target.prototype(suffix, False)}
{{
    return {call}({x}, {target.macro}_STEPS, {y}, arena, arena_bytes);
}}"""


def argmax(target: Target, suffix: str, kind: str) -> str:
    """The first largest output."""
    return f"""\
unsigned {target.name}_argmax{suffix}(const {kind} out[{target.macro}_OUTPUT_LEN])
{{
    unsigned best = 0U;
    for (unsigned i = 1U; i < {target.macro}_OUTPUT_LEN; ++i) {{
        best = (out[i] > out[best]) ? i : best;
    }}
    return best;
}}"""


def selftest(target: Target) -> str:
    """A drawn sample with its answer; compared byte by byte."""
    sample = _sample(target)
    answer = target.program.run(sample)
    return f"""\
/* These two are read in place, wherever the other tables are. */
{table("static const", "selftest_in", sample)}

{table("static const", "selftest_out", answer)}

int {target.name}_selftest(void *arena, size_t arena_bytes)
{{
    value_t out[{target.macro}_OUTPUT_LEN];
    const unsigned char *const found = (const unsigned char *)out;
    const unsigned char *const wanted = (const unsigned char *)selftest_out;
    const int status = {target.name}_predict(selftest_in, out, arena, arena_bytes);
    if (status != {target.macro}_OK) {{
        return status;
    }}
    for (size_t i = 0U; i < sizeof out; ++i) {{
        if (found[i] != wanted[i]) {{
            return {target.macro}_ERROR_SELFTEST;
        }}
    }}
    return {target.macro}_OK;
}}"""


def _sample(target: Target) -> AnyArray:
    """Drawn numbers: levels, symbols or reals, as the network takes them."""
    rng, shape = stream(0, "selftest"), (1, target.inputs)
    symbols = [
        len(step.layer.params["weight"])
        for step in target.graph.steps
        if isinstance(step, Kept) and isinstance(step.layer, Embedding)
    ]
    if target.integer:
        return rng.integers(-128, 128, shape).astype(np.int8)
    if symbols:
        return rng.integers(0, min(symbols), shape).astype(np.float32)
    return rng.normal(size=shape).astype(np.float32)


def _memory(target: Target, needed: str, size: int) -> str:
    """The arena as numbers, or a return where it does not do."""
    if not size:
        return "    (void)arena;\n    (void)arena_bytes;\n"
    aligned = (
        "" if target.integer else " || (((uintptr_t)arena % sizeof(value_t)) != 0U)"
    )
    return f"""\
    value_t *const a = arena;
    if ((a == NULL) || (arena_bytes < {needed}){aligned}) {{
        return {target.macro}_ERROR_ARENA;
    }}
"""


def _door(target: Target) -> tuple[str, str, int]:
    """Tables of factors and shifts, and how many inputs share an entry."""
    source = target.quantized() if target.integer else None
    pair = (
        (target.graph.scale, target.graph.offset)
        if source is None
        else (source.gain, source.shift)
    )
    full = np.stack([np.broadcast_to(x, target.graph.input_shape) for x in pair])
    flat = full.reshape(2, -1)
    channels = full.reshape(2, len(full[0]), -1)
    run = 1
    if (flat == flat[:, :1]).all():
        flat, run = flat[:, :1], target.inputs
    elif (channels == channels[:, :, :1]).all():
        flat, run = channels[:, :, 0], channels.shape[2]
    gain, shift = (
        table(target.const, name, np.ascontiguousarray(values))
        for name, values in zip(("gain", "shift"), flat, strict=True)
    )
    return gain, shift, run
