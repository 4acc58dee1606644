"""Programs on emulated cores: what they take, and the instructions they execute.

Instructions are counted by the emulator (``-icount``) between two readings of a timer:
exact and repeatable, and not cycles. Flash is what linking a call of ``predict`` adds
to a program that has none.
"""

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from minprune._random import stream
from minprune.export import c99
from minprune.export.c99.text import table
from tests.export.compilers import CROSS_INSTALL, Core, link, start

SHIFT = 6
"""An instruction takes 2**6 ns of emulated time. 24 bits of a timer then hold 8 to 10
million of them, and a tick is shorter than an instruction."""

TIMER = """\
void put_text(const char *text);

#if defined(__riscv)
static void timer_start(void)
{
}
static uint32_t timer(void)
{
    uint32_t now;
    __asm__ volatile(".option arch, +zicsr\\n csrr %0, mcycle" : "=r"(now));
    return now;
}
#define PASSED(from) (timer() - (from))
#else
#define SYSTICK ((volatile uint32_t *)0xE000E010U)
static void timer_start(void)
{
    SYSTICK[1] = 0xFFFFFFU; /* counts down from here */
    SYSTICK[2] = 0U;
    SYSTICK[0] = 5U;
}
static uint32_t timer(void)
{
    return SYSTICK[2];
}
#define PASSED(from) (((from) - timer()) & 0xFFFFFFU)
#endif

static void put_number(uint32_t number)
{
    char text[12];
    char *at = &text[11];
    *at = 0;
    do {
        *--at = (char)('0' + number % 10U);
        number /= 10U;
    } while (number != 0U);
    put_text(at);
    put_text("\\n");
}
"""

MAIN = """\
#include "net.h"
{timer}
{samples}
{wanted}
static float arena[NET_ARENA_BYTES / 4U + 1U];
static net_value_t out[NET_OUTPUT_LEN];

int main(void)
{{
    timer_start();
    const uint32_t before = timer();
    {call};
    put_number(PASSED(before));
    for (unsigned i = 0U; {check} i < sizeof out; ++i) {{
        if (((const unsigned char *)out)[i] != ((const unsigned char *)wanted)[i]) {{
            return 1;
        }}
    }}
    return 0;
}}
"""

CALL = "net_predict(samples, out, arena, sizeof arena)"
TOUCH = "((volatile net_value_t *)out)[0] = *(const volatile net_value_t *)samples"
"""The empty program touches the same arrays, so that only ``predict`` differs."""


@dataclass(frozen=True)
class Footprint:
    """What one network takes on one core."""

    flash: int
    """Bytes of code and tables."""
    code: int
    """Of these, bytes of code."""
    ram: int
    """Bytes of the arena; nothing else is kept in memory."""
    stack: int | None
    """Bytes, at most: the frames of all functions added up; None where unknown."""
    instructions: int
    """Of one inference."""


def require(*cores: Core) -> None:
    """Leave, with the line that installs them, where tools are missing."""
    for core in cores:
        for tool in (core.compiler, core.emulator):
            if shutil.which(tool) is None:
                raise SystemExit(f"{tool} is not installed: {CROSS_INSTALL}")


def measure(program: c99.Program, core: Core, *flags: str) -> Footprint:
    """Compile, run, compare with the emulation in NumPy, and count."""
    x = stream(0, "device").integers(-128, 128, (1, program.graph.sizes[0]))
    x = x.astype(np.int8) if program.dtype == "int8" else (x / 64).astype(np.float32)
    wanted = program.run(x).astype(x.dtype)
    with tempfile.TemporaryDirectory() as name:
        folder = write(program, Path(name))

        def build(call: str, check: str, *sources: str) -> Path:
            main = MAIN.format(
                timer=TIMER,
                samples=table("static const", "samples", x),
                wanted=table("static const", "wanted", wanted),
                call=call,
                check=check,
            )
            return link(core, folder, main, *flags, "-fstack-usage", sources=sources)

        empty = size(core, build(TOUCH, ""))
        (idle,) = numbers(core, build("(void)0", "0 &&"))
        full = build(CALL, "", "net.c")
        (ticks,) = numbers(core, full)
        flash = size(core, full) - empty
        return Footprint(
            flash,
            flash - program.table_bytes,
            program.arena_bytes,
            frames(folder, "predict"),
            instructions(core, ticks - idle),
        )


def write(program: c99.Program, folder: Path) -> Path:
    """net.c and net.h in a folder."""
    text = c99.generate(program)
    (folder / "net.c").write_text(text.body)
    (folder / "net.h").write_text(text.header)
    return folder


def size(core: Core, program: Path) -> int:
    """Bytes of text and of initialized data."""
    tool = core.compiler.removesuffix("gcc") + "size"
    out = subprocess.run([tool, program], capture_output=True, text=True, check=True)
    text, data = out.stdout.splitlines()[1].split()[:2]
    return int(text) + int(data)


def frames(folder: Path, *used: str) -> int:
    """Stack frames of net.c, by the compiler; of the interface only what is used."""
    lines = [
        line.split("\t")
        for path in folder.glob("*net.su")
        for line in path.read_text().splitlines()
    ]
    interface = re.compile(r"net_(?!(" + "|".join(used) + r")$)\w+$")
    return sum(int(line[1]) for line in lines if not interface.search(line[0]))


def numbers(core: Core, program: Path) -> list[int]:
    """The numbers that a program prints, after it has ended well."""
    done = start(core, program, "-icount", f"shift={SHIFT}")
    if done.returncode:
        raise SystemExit(f"{program.name} on {core.machine}: {done.returncode}")
    return [int(line) for line in (done.stderr or done.stdout).split()]


def instructions(core: Core, ticks: float) -> int:
    """Instructions executed in so many ticks."""
    return round(ticks * core.tick / 2**SHIFT)
