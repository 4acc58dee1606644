"""The functions of the interface, as C text."""

from collections.abc import Sequence

import numpy as np

from minprune._random import stream
from minprune.export.c99.target import Target
from minprune.export.c99.text import table


def predict(target: Target, calls: Sequence[str]) -> str:
    """One call a step."""
    body = "\n".join(f"    {call}" for call in calls)
    return f"""\
int {target.name}_predict(const value_t in[{target.macro}_INPUT_LEN],
    value_t out[{target.macro}_OUTPUT_LEN], void *arena, size_t arena_bytes)
{{
{_memory(target, f"{target.macro}_ARENA_BYTES", target.program.arena_bytes)}{body}
    return {target.macro}_OK;
}}"""


def predict_f32(target: Target) -> str:
    """Raw samples in, logits out."""
    head = f"""\
int {target.name}_predict_f32(const float raw[{target.macro}_INPUT_LEN],
    float logits[{target.macro}_OUTPUT_LEN], void *arena, size_t arena_bytes)
{{
"""
    if not target.scales() and not target.integer:
        return f"""{head}\
    return {target.name}_predict(raw, logits, arena, arena_bytes);
}}"""
    gain, shift, run = _door(target)
    memory = _memory(target, f"{target.macro}_ARENA_F32_BYTES", target.door_bytes())
    at = "" if run == 1 else f" / {run}U"
    scaled = f"raw[i] * gain[i{at}] + shift[i{at}]"
    if not target.integer:
        return f"""\
{gain}

{shift}

{head}{memory}\
    for (uint_fast16_t i = 0U; i < {target.macro}_INPUT_LEN; ++i) {{
        a[i] = {scaled};
    }}
    return {target.name}_predict(a, logits, &a[{target.macro}_INPUT_LEN],
        arena_bytes - {target.macro}_INPUT_LEN * sizeof(value_t));
}}"""
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
    const int status = {target.name}_predict(a, out, &out[{target.macro}_OUTPUT_LEN],
        arena_bytes - {target.macro}_INPUT_LEN - {target.macro}_OUTPUT_LEN);
    for (uint_fast16_t i = 0U; i < {target.macro}_OUTPUT_LEN; ++i) {{
        logits[i] = (float)((int32_t)out[i] - {target.macro}_OUT_ZERO) *
            {target.macro}_OUT_SCALE;
    }}
    return status;
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
    rng = stream(0, "selftest")
    if target.integer:
        sample = rng.integers(-128, 128, (1, target.inputs)).astype(np.int8)
    else:
        sample = rng.normal(size=(1, target.inputs)).astype(np.float32)
    answer = target.program.run(sample)
    return f"""\
{table(target.const, "selftest_in", sample)}

{table(target.const, "selftest_out", answer)}

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
