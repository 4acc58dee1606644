"""Compiling generated C and running it, on this machine and on emulated ones."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from minprune.export.c99.text import table

DEVICE = Path(__file__).parent / "device"

STRICT = (
    *("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"),
    *("-Wdouble-promotion", "-Wcast-qual", "-Wstrict-prototypes"),
    *("-Wmissing-prototypes", "-Wundef", "-Wvla"),
)

PACKAGES = dict(
    line.split(": ") for line in (DEVICE / "packages.txt").read_text().splitlines()
)
HOST_INSTALL, CROSS_INSTALL = (
    f"apt-get install --no-install-recommends {PACKAGES[kind]}"
    for kind in ("host", "cross")
)


@dataclass(frozen=True)
class Core:
    """An emulated processor: how to compile for it and how to start it."""

    compiler: str
    flags: tuple[str, ...]
    start: str
    script: str
    emulator: str
    machine: str
    tick: float
    """Nanoseconds between two ticks of the timer that `benchmarks.emulator` reads."""


def _arm(flags, machine, script="mps2.ld", tick=40.0):
    words = ("-mthumb", *flags.split())
    names = "startup.c", script, "qemu-system-arm"
    return Core("arm-none-eabi-gcc", words, *names, machine, tick)


def _riscv(arch, abi):
    words = (f"-march={arch}", f"-mabi={abi}", "-mcmodel=medany")
    names = "riscv.S", "riscv.ld", "qemu-system-riscv32"
    return Core("riscv64-unknown-elf-gcc", words, *names, "virt", 1.0)


CORES = {
    "cortex-m0plus": _arm("-mcpu=cortex-m0plus", "mps2-an385"),
    "cortex-m3": _arm("-mcpu=cortex-m3", "mps2-an385"),
    "cortex-m4f": _arm(
        "-mcpu=cortex-m4 -mfloat-abi=hard -mfpu=fpv4-sp-d16", "mps2-an386"
    ),
    "cortex-m7": _arm("-mcpu=cortex-m7 -mfloat-abi=hard -mfpu=fpv5-d16", "mps2-an500"),
    "cortex-m55": _arm(
        "-mcpu=cortex-m55 -mfloat-abi=hard", "mps3-an547", "mps3.ld", 31.25
    ),
    "rv32imc": _riscv("rv32imc", "ilp32"),
    "rv32emac": _riscv("rv32emac", "ilp32e"),
}


def need(install, *programs):
    """Skip, with what to install, where a program is missing."""
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed: {install}")


def need_libraries(install, compiler, *flags):
    """Skip, with what to install, where nothing can be linked with these flags."""
    words = (compiler, *flags, "-x", "c", "-", "-o", os.devnull)
    done = subprocess.run(words, input=b"int main(void) { return 0; }")
    if done.returncode:
        pytest.skip(f"{compiler} {' '.join(flags)} does not link: {install}")


def run(*words, stdin=b""):
    """What a program prints; a failure shows what it complained about."""
    done = subprocess.run(
        [str(word) for word in words], input=stdin, capture_output=True, timeout=120
    )
    assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stderr.decode()}"
    return done.stdout


HOST_MAIN = """\
#include <stdio.h>
#include <stdlib.h>
#include "net.h"

/* Samples from stdin, answers to stdout; the arena is as small as the header says. */
int main(int argc, char **argv)
{
    static net_value_t in[NET_INPUT_LEN];
    static net_value_t out[NET_OUTPUT_LEN];
    static float raw[NET_INPUT_LEN];
    static float logits[NET_OUTPUT_LEN];
    const int real = argc > 1;
    const size_t bytes = real ? NET_ARENA_F32_BYTES : NET_ARENA_BYTES;
    void *arena = malloc(bytes);
    int status = net_selftest(arena, bytes);
    (void)argv;
    if (real) {
        while (status == NET_OK && fread(raw, sizeof raw, 1U, stdin) == 1U) {
            status = net_predict_f32(raw, logits, arena, bytes);
            fwrite(logits, sizeof logits, 1U, stdout);
        }
    } else {
        while (status == NET_OK && fread(in, sizeof in, 1U, stdin) == 1U) {
            status = net_predict(in, out, arena, bytes);
            fwrite(out, sizeof out, 1U, stdout);
        }
    }
    free(arena);
    return -status;
}
"""


def build(folder, compiler, *flags, main=HOST_MAIN):
    """An executable of net.c and a main, for this machine."""
    (folder / "main.c").write_text(main)
    target = folder / "net"
    strict = ("-std=c99", *STRICT) if "++" not in compiler else ()
    run(compiler, *strict, *flags, folder / "net.c", folder / "main.c", "-o", target)
    return target


def answers(executable, x, outputs, *words):
    """What an executable makes of samples (N, inputs)."""
    found = run(executable, *words, stdin=np.ascontiguousarray(x).tobytes())
    return np.frombuffer(found, x.dtype).reshape(len(x), outputs)


DEVICE_MAIN = """\
#include "net.h"
{samples}
{wanted}

static float arena[NET_ARENA_BYTES / 4U + 1U];
static net_value_t out[NET_OUTPUT_LEN];

/* 0 if every answer is right to the last bit, else the number of the sample. */
int main(void)
{{
    if (net_selftest(arena, sizeof arena) != NET_OK) {{
        return 98;
    }}
    for (unsigned n = 0U; n < {count}U; ++n) {{
        const unsigned char *const found = (const unsigned char *)out;
        const unsigned char *const right =
            (const unsigned char *)&wanted[n * NET_OUTPUT_LEN];
        if (net_predict(&samples[n * NET_INPUT_LEN], out, arena, sizeof arena)) {{
            return 97;
        }}
        for (unsigned i = 0U; i < sizeof out; ++i) {{
            if (found[i] != right[i]) {{
                return (int)n + 1;
            }}
        }}
    }}
    return 0;
}}
"""


def emulate(core, folder, x, wanted, *flags):
    """Run samples on an emulated core and compare there; 0 if all bits are right."""
    main = DEVICE_MAIN.format(
        samples=table("static const", "samples", x),
        wanted=table("static const", "wanted", wanted),
        count=len(x),
    )
    return launch(core, link(core, folder, main, *flags))


def link(core, folder, main, *flags, sources=("net.c",), libraries=()):
    """The program that a core starts from."""
    (folder / "main.c").write_text(main)
    target = folder / "device.elf"
    run(
        *(core.compiler, "-std=c99", *flags, *core.flags, "-ffreestanding"),
        *("-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections"),
        *("-nostartfiles", "-nostdlib", "-T", DEVICE / core.script, "-I", folder),
        *(DEVICE / core.start, folder / "main.c", *(folder / name for name in sources)),
        *(*libraries, "-lgcc"),
        *("-o", target),
    )
    return target


def launch(core, program, *words):
    """Start a program on an emulated core; its exit code."""
    return start(core, program, *words).returncode


def start(core, program, *words):
    """Run a program on an emulated core; what it prints may come by either stream."""
    bios = ("-bios", "none") if "riscv" in core.emulator else ()
    return subprocess.run(
        [
            *(core.emulator, "-M", core.machine, *bios, *words),
            *("-display", "none", "-monitor", "none", "-serial", "none"),
            *("-semihosting-config", "enable=on,target=native", "-kernel", program),
        ],
        capture_output=True,
        timeout=120,
    )
