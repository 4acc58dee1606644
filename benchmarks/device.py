"""Flash, memory and executed instructions of exported networks on emulated cores.

    python -m benchmarks.device

Needs the cross compiler and the emulator of `tests/export/compilers.py`. Instructions
are counted by the emulator (``-icount``), between two readings of the core's timer:
they are exact and repeatable, and they are not cycles. Flash and memory are what
linking a call of ``predict`` adds to a program that has none. Weights are drawn, not
trained, and the smallest are pruned across the network; every answer is compared with
the emulation in NumPy before anything is counted.
"""

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from minprune import masks, nn
from minprune._random import stream
from minprune.export import c99
from minprune.export.c99.text import table
from minprune.quantize import quantize
from tests.export.compilers import CORES, CROSS_INSTALL, Core, link

SHIFT = 6
"""An instruction takes 2**6 ns of emulated time; the timer ticks every 40 ns."""

TICKS_PER_INSTRUCTION = 2**SHIFT / 40

MAIN = """\
#include "net.h"
void put_text(const char *text);
{samples}
{wanted}
static float arena[NET_ARENA_BYTES / 4U + 1U];
static net_value_t out[NET_OUTPUT_LEN];

static void put_number(uint32_t number)
{{
    char text[12];
    char *at = &text[11];
    *at = 0;
    do {{
        *--at = (char)('0' + number % 10U);
        number /= 10U;
    }} while (number != 0U);
    put_text(at);
    put_text("\\n");
}}

int main(void)
{{
    volatile uint32_t *const timer = (volatile uint32_t *)0xE000E010U;
    timer[1] = 0xFFFFFFU; /* counts down from here, 24 bits */
    timer[2] = 0U;
    timer[0] = 5U;
    const uint32_t before = timer[2];
    {call};
    const uint32_t after = timer[2];
    put_number((before - after) & 0xFFFFFFU);
    for (unsigned i = 0U; {check} i < sizeof out; ++i) {{
        if (((const unsigned char *)out)[i] != ((const unsigned char *)wanted)[i]) {{
            return 1;
        }}
    }}
    return 0;
}}
"""

CALL = "net_predict(samples, out, arena, sizeof arena)"


@dataclass(frozen=True)
class Footprint:
    """What one network takes on one core."""

    flash: int
    """Bytes of code and tables."""
    code: int
    """Of these, bytes of code."""
    ram: int
    """Bytes of the arena; nothing else is kept in memory."""
    stack: int
    """Bytes, at most: the frames of all functions added up."""
    instructions: int
    """Of one inference."""


def measure(program: c99.Program, core: Core, *flags: str) -> Footprint:
    """Compile, run, compare and count."""
    x = stream(0, "device").integers(-128, 128, (1, program.graph.sizes[0]))
    x = x.astype(np.int8) if program.dtype == "int8" else (x / 64).astype(np.float32)
    wanted = program.run(x)
    with tempfile.TemporaryDirectory() as name:
        folder, text = Path(name), c99.generate(program)
        (folder / "net.c").write_text(text.body)
        (folder / "net.h").write_text(text.header)

        def build(call: str, check: str) -> Path:
            main = MAIN.format(
                samples=table("static const", "samples", x),
                wanted=table("static const", "wanted", wanted),
                call=call,
                check=check,
            )
            return link(core, folder, main, *flags, "-fstack-usage")

        # The empty program touches the same arrays, so that only `predict` differs.
        touch = (
            "((volatile net_value_t *)out)[0] = *(const volatile net_value_t *)samples"
        )
        empty = _size(build(touch, ""))
        full = build(CALL, "")
        size, frames = _size(full), _frames(folder)
        words = ("-icount", f"shift={SHIFT}")
        ticks = _counted(core, full, *words) - _counted(
            core, build("(void)0", "0 &&"), *words
        )
        tables = program.table_bytes
    flash = size - empty
    return Footprint(
        flash,
        flash - tables,
        program.arena_bytes,
        frames,
        round(ticks / TICKS_PER_INSTRUCTION),
    )


def _size(program: Path) -> int:
    """Bytes of text and of initialized data."""
    out = subprocess.run(
        ["arm-none-eabi-size", program], capture_output=True, text=True, check=True
    ).stdout
    text, data = out.splitlines()[1].split()[:2]
    return int(text) + int(data)


def _frames(folder: Path) -> int:
    """Stack frames of net.c, from what the compiler wrote beside its output."""
    lines = [
        line
        for path in folder.glob("*net.su")
        for line in path.read_text().splitlines()
        if not re.search(r":net_(predict_f32|argmax|argmax_f32|selftest)\t", line)
    ]
    return sum(int(line.split("\t")[1]) for line in lines)


def _counted(core: Core, program: Path, *words: str) -> int:
    """The number that a program prints, after it has ended well."""
    done = subprocess.run(
        [
            *(core.emulator, "-M", core.machine, *words, "-display", "none"),
            *("-monitor", "none", "-serial", "none"),
            *("-semihosting-config", "enable=on,target=native", "-kernel", program),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return int(done.stderr or done.stdout)


def mlp(*widths: int) -> nn.Network:
    """Linear layers with ReLU between them, drawn."""
    layers: list[nn.Layer] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Network(nn.Sequential(*layers[:-1]), widths[:1], seed=0)


def pruned(net: nn.Network, sparsity: float, dtype: str) -> nn.Network:
    """The network with its smallest weights removed, in a type."""
    scores = {name: np.abs(w).astype(float) for name, w in net.weights().items()}
    net = net.copy()
    net.set_masks(masks.select(scores, sparsity=sparsity, scope="network"))
    samples = stream(0, "samples").normal(size=(64, *net.input_shape))
    return quantize(net, samples) if dtype == "int8" else net


def main() -> None:
    """Print the tables."""
    core = CORES["cortex-m4f"]
    for tool in (core.compiler, core.emulator):
        if shutil.which(tool) is None:
            raise SystemExit(f"{tool} is not installed: {CROSS_INSTALL}")
    conv = nn.Network(
        nn.Sequential(nn.Conv2d(32, 64, 3, padding=1)), (32, 8, 8), seed=0
    )
    cases = {
        "LeNet-300-100": mlp(784, 300, 100, 10),
        "MLP 64-32-16-10": mlp(64, 32, 16, 10),
        "conv 3x3x32x64, 8x8": conv,
        "small CNN 8x8": nn.Network(
            nn.models.MODELS["small_cnn"]((1, 8, 8), 10), (1, 8, 8), seed=0
        ),
    }
    print("Cortex-M4F, -Os; bytes, and executed instructions of one inference\n")
    head = ("network", "type", "sparsity", "flash", "of it code", "RAM", "stack")
    row = "{:<20} {:<8} {:>8} {:>9} {:>10} {:>7} {:>6} {:>12}"
    print(row.format(*head, "instructions"))
    for name, net in cases.items():
        for dtype in ("int8", "float32"):
            for sparsity in (0.0, 0.9):
                program = c99.Program(pruned(net, sparsity, dtype))
                m = measure(program, core, "-Os")
                figures = (m.flash, m.code, m.ram, m.stack, m.instructions)
                print(row.format(name, dtype, sparsity, *(f"{f:,}" for f in figures)))
    print("\nOne layer of 784 to 300 in int8: instructions by core and sparsity\n")
    shares = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99)
    print(("{:<14}" + " {:>9}" * len(shares)).format("core", *shares))
    for name in ("cortex-m0plus", "cortex-m3", "cortex-m4f", "cortex-m7"):
        counts = [
            measure(
                c99.Program(pruned(mlp(784, 300), share, "int8")), CORES[name], "-Os"
            ).instructions
            for share in shares
        ]
        print(("{:<14}" + " {:>9,}" * len(shares)).format(name, *counts))


if __name__ == "__main__":
    main()
