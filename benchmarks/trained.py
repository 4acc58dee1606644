"""Trained networks on an emulated core: raw samples in, classes out.

Each is trained on a data set that ships with the package, pruned to 90 % while it
trains, recovered in sparse storage, quantized, exported and run on the whole test
split. Every logit must equal the emulation's in NumPy, bit for bit.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.emulator import TIMER, frames, instructions, numbers, size, write
from minprune import data, nn, prune, sparse
from minprune.export import c99
from minprune.export.c99.target import Target
from minprune.export.c99.text import table
from minprune.quantize import quantize
from tests.export.compilers import Core, link

SPARSITY = "0.9"

CASES = (
    ("digits", "mlp", "int8"),
    ("digits", "small_cnn", "int8"),
    ("watch", "cnn1d", "int8"),
    ("jvowels", "cnn1d", "int8"),
)
"""Data set, model of `minprune.nn.models`, and type."""

EPOCHS = 25, 25, 10
"""Of training, of pruning while training, of recovery in sparse storage."""

MAIN = """\
#include "net.h"
{timer}
{samples}
{wanted}
static float arena[NET_ARENA_F32_BYTES / 4U + 1U];
static float logits[NET_OUTPUT_LEN];

/* Prints how many samples gave other bits, then the ticks of each, and its class. */
int main(void)
{{
    uint32_t wrong = 0U;
    timer_start();
    for (unsigned n = 0U; n < {count}U; ++n) {{
        const unsigned char *const found = (const unsigned char *)logits;
        const unsigned char *const right =
            (const unsigned char *)&wanted[n * NET_OUTPUT_LEN];
        const uint32_t before = timer();
        {call};
        put_number(PASSED(before));
        put_number({argmax});
        unsigned char differs = 0U;
        for (unsigned i = 0U; i < sizeof logits; ++i) {{
            differs |= (unsigned char)(found[i] ^ right[i]);
        }}
        wrong += (differs != 0U) ? 1U : 0U;
    }}
    put_number(wrong);
    return 0;
}}
"""

CALL = "(void)net_predict_f32(&samples[n * NET_INPUT_LEN], logits, arena, sizeof arena)"
TOUCH = "*(volatile float *)logits = *(const volatile float *)&samples[n] + arena[0]"


@dataclass(frozen=True)
class Trained:
    """What a trained network is worth on a core."""

    data: str
    model: str
    dtype: str
    sparsity: float
    """Of all prunable weights."""
    float_accuracy: float
    """Of the pruned network before it was quantized, on the test split."""
    accuracy: float
    """Of the classes that the core gave."""
    samples: int
    differing: int
    """Samples with a logit that has other bits than the emulation's."""
    flash: int
    """Bytes of code and tables, preprocessing included."""
    code: int
    ram: int
    """Bytes of the arena, with room for the levels that a raw sample becomes."""
    stack: int
    instructions: float
    """Of one raw sample, in the mean."""
    most_instructions: int


def prepare(name: str, model: str, seed: int = 0) -> tuple[nn.Network, data.Dataset]:
    """A network trained, pruned by magnitude while it trains, and recovered."""
    ds = data.load(name)
    net = nn.models.build(model, ds, seed=seed)
    for epochs, stage in zip(EPOCHS, ("dense", "pruning", "recovery"), strict=True):
        procedures = []
        if stage == "pruning":
            procedures = [prune.Gradual("magnitude", sparsity=SPARSITY, seed=seed)]
        if stage == "recovery":
            net = sparse.compress(net)
        nn.train(
            net,
            ds,
            epochs=epochs,
            batch_size=64,
            optimizer=nn.Adam(3e-3),
            rate=nn.rates.cosine,
            procedures=procedures,
            seed=seed,
        )
    return net, ds


def run(
    case: tuple[str, str, str], core: Core, tell: Callable[[str], object]
) -> Trained:
    """Train, prune, export, and put the whole test split through the core."""
    name, model, dtype = case
    tell(f"{name}, {model}, {dtype}: training and pruning")
    net, ds = prepare(name, model)
    program = c99.Program(quantize(net, ds.train.x) if dtype == "int8" else net)
    x, y = ds.test.x, ds.test.y
    raw = np.ascontiguousarray(x.reshape(len(x), -1), np.float32)
    wanted = program(x).astype(np.float32)
    tell(f"{name}, {model}, {dtype}: {len(x)} samples on the core")
    with tempfile.TemporaryDirectory() as place:
        folder = write(program, Path(place))

        def build(call: str, argmax: str, *sources: str) -> Path:
            main = MAIN.format(
                timer=TIMER,
                samples=table("static const", "samples", raw),
                wanted=table("static const", "wanted", wanted),
                count=len(x),
                call=call,
                argmax=argmax,
            )
            return link(core, folder, main, "-Os", "-fstack-usage", sources=sources)

        empty = size(core, build(TOUCH, "0U"))
        idle, *_ = numbers(core, build("(void)0", "0U"))
        full = build(CALL, "net_argmax_f32(logits)", "net.c")
        flash = size(core, full) - empty
        *found, differing = numbers(core, full)
        ticks, classes = np.reshape(found, (len(x), 2)).T
        counts = [instructions(core, tick - idle) for tick in ticks]
        zeros = sum(int((w == 0).sum()) for w in net.weights().values())
        return Trained(
            name,
            model,
            dtype,
            zeros / sum(w.size for w in net.weights().values()),
            float((net.predict(x) == y).mean()),
            float((classes == y).mean()),
            len(x),
            differing,
            flash,
            flash - program.table_bytes,
            program.arena_bytes + Target(program, "net").door_bytes(),
            frames(folder, "predict", "predict_f32"),
            float(np.mean(counts)),
            max(counts),
        )
