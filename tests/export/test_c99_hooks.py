"""Tables that lie elsewhere, kernels of a vendor, weights in a file of their own."""

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from minprune import nn
from minprune.export import c99
from minprune.export.c99.text import table
from minprune.quantize import quantize
from tests.export import compilers
from tests.export.compilers import HOST_INSTALL, PACKAGES
from tests.export.floating import floating
from tests.quantize.networks import drawn

AVR_INSTALL = f"apt-get install --no-install-recommends {PACKAGES['avr']}"

DEVICES = Path(__file__).parents[2] / "docs" / "devices.md"


def snippet(holding):
    """The piece of C in the documentation that holds this text."""
    pieces = re.findall(r"```c\n(.*?)```", DEVICES.read_text(), re.DOTALL)
    (found,) = [piece for piece in pieces if holding in piece]
    return found


def model(name):
    """A network in C's reach, with samples; int8 or 4 bits where that is named."""
    if name in ("squashing", "symbols", "gated"):
        return floating(name)
    net, x = drawn(name.partition(" ")[0])
    bits = {"int8": 8, "4 bits": 4}.get(name.partition(" ")[2])
    return (quantize(net, x, bits=bits) if bits else net), x


# Tables are read through the macros and in no other way.

MOVED_HOOKS = """\
#include <stdint.h>
extern intptr_t table_shift;
extern unsigned long table_reads;
#define MOVED(type, p) (++table_reads, *(const type *)((const char *)(p) + table_shift))
#define NET_TABLE __attribute__((section("tables"), aligned(4096)))
#define NET_READ_U8(p) MOVED(uint8_t, p)
#define NET_READ_I8(p) MOVED(int8_t, p)
#define NET_READ_I16(p) MOVED(int16_t, p)
#define NET_READ_I32(p) MOVED(int32_t, p)
#define NET_READ_F32(p) MOVED(float, p)
"""

MOVED_MAIN = """\
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include "net.h"

extern const char __start_tables[];
const char last_table[4096] __attribute__((section("tables"), aligned(4096))) = {1};
intptr_t table_shift;
unsigned long table_reads;

/* The tables are moved away, and the pages where they were are closed. */
int main(void)
{
    static float raw[NET_INPUT_LEN], logits[NET_OUTPUT_LEN];
    static float arena[NET_ARENA_F32_BYTES / 4U + 1U];
    const size_t bytes = (size_t)(last_table - __start_tables);
    char *copy = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(copy, __start_tables, bytes);
    table_shift = (intptr_t)copy - (intptr_t)__start_tables;
    if (mprotect((void *)(uintptr_t)__start_tables, bytes, PROT_NONE) != 0) {
        return 9;
    }
    while (fread(raw, sizeof raw, 1U, stdin) == 1U) {
        if (net_predict_f32(raw, logits, arena, sizeof arena) != NET_OK) {
            return 1;
        }
        fwrite(logits, sizeof logits, 1U, stdout);
    }
    return (table_reads == 0U) || (net_selftest(arena, sizeof arena) != NET_OK);
}
"""


@pytest.mark.parametrize(
    "name",
    [
        "convolutional int8",
        "dense 4 bits",
        "dense int8",
        "squashing",
        "symbols",
    ],
)
def test_every_table_is_read_through_its_macro(tmp_path, name):
    compilers.need(HOST_INSTALL, "gcc")
    small, x = model(name)
    program = c99.write(small, tmp_path, objective="flash").program
    assert program.codes == ("4 bits" in name)
    (tmp_path / "hooks.h").write_text(MOVED_HOOKS)
    (tmp_path / "main.c").write_text(MOVED_MAIN)
    compilers.run(
        *("gcc", "-std=c99", "-O1", f"-I{tmp_path}", '-DNET_HOOKS="hooks.h"'),
        *(tmp_path / "net.c", tmp_path / "main.c", "-o", tmp_path / "net"),
    )
    raw = x.reshape(len(x), -1).astype(np.float32)
    wanted = program(x).astype(np.float32)
    found = compilers.answers(tmp_path / "net", raw, wanted.shape[1])
    assert found.tobytes() == wanted.tobytes()


AVR_MAIN = """\
#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/sleep.h>
#include "net.h"
{samples}
{wanted}
static float arena[NET_ARENA_BYTES / 4U + 1U];

static void put(char letter)
{{
    while ((UCSR0A & (1U << UDRE0)) == 0U) {{
    }}
    UDR0 = (uint8_t)letter;
}}

int main(void)
{{
    static net_value_t out[NET_OUTPUT_LEN];
    UCSR0B = 1U << TXEN0;
    char right = (net_selftest(arena, sizeof arena) == NET_OK) ? 'y' : 'n';
    for (unsigned n = 0U; n < {count}U; ++n) {{
        net_predict(&samples[n * NET_INPUT_LEN], out, arena, sizeof arena);
        for (unsigned i = 0U; i < sizeof out; ++i) {{
            if (((const char *)out)[i] !=
                ((const char *)&wanted[n * NET_OUTPUT_LEN])[i]) {{
                right = 'n';
            }}
        }}
    }}
    put(right);
    put('\\n');
    cli();
    sleep_enable();
    sleep_cpu(); /* without interrupts: the emulator ends */
    return 0;
}}
"""


@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_an_arduino_reads_its_tables_from_flash(tmp_path, dtype):
    compilers.need(AVR_INSTALL, "avr-gcc", "avr-size", "simavr")
    net = nn.Network(
        nn.Sequential(nn.Linear(40, 24), nn.ReLU(), nn.Linear(24, 5)), (40,), seed=0
    )
    rng = np.random.default_rng(0)
    net.set_masks({k: rng.random(w.shape) < 0.4 for k, w in net.weights().items()})
    x = rng.normal(size=(4, 40)).astype(np.float32)
    program = c99.write(quantize(net, x) if dtype == "int8" else net, tmp_path).program
    inside = program.enter(x)
    main = AVR_MAIN.format(
        samples=table("static const", "samples", inside),
        wanted=table("static const", "wanted", program.run(inside)),
        count=len(x),
    )
    (tmp_path / "main.c").write_text(main)
    (tmp_path / "hooks.h").write_text(snippet("pgm_read_byte"))
    memory = {}
    for hooks in ((), ('-DNET_HOOKS="hooks.h"', f"-I{tmp_path}")):
        compilers.run(
            *("avr-gcc", "-std=c99", "-Os", "-mmcu=atmega2560", *hooks),
            *(tmp_path / "net.c", tmp_path / "main.c", "-o", tmp_path / "net.elf"),
        )
        _, data, bss = compilers.run("avr-size", tmp_path / "net.elf").split()[6:9]
        memory[bool(hooks)] = int(data) + int(bss)
    gone = memory[False] - memory[True]
    assert gone >= program.table_bytes - 8  # a table is padded by a byte at most
    words = "simavr", "-m", "atmega2560", "-f", "16000000", tmp_path / "net.elf"
    done = subprocess.run(words, capture_output=True, timeout=60)
    assert b"y." in done.stdout + done.stderr  # the end of the line shows as a point


# A kernel of the vendor.

VENDOR_LINEAR = """\
#include <math.h>
#include "hooks.h"

/* As a vendor would write it: plain arguments, sums in 64 bits. */
int vendor_calls;
int vendor_fully_connected(const int8_t *x, const int8_t *weight, const int32_t *bias,
                           const int32_t *multiplier, const int8_t *exponent,
                           int per_channel, int rows, int columns, int zero, int low,
                           int high, int8_t *y)
{
    ++vendor_calls;
    for (int r = 0; r < rows; ++r) {
        int64_t sum = bias[r];
        for (int c = 0; c < columns; ++c) {
            sum += (int64_t)weight[r * columns + c] * x[c];
        }
        const int e = exponent[per_channel ? r : 0];
        const int64_t m = multiplier[per_channel ? r : 0];
        sum = (int64_t)floor(ldexp((double)(sum * ((e > 0) ? 1 << e : 1)) * (double)m,
                                   -31) + 0.5);
        const double scaled = ldexp((double)sum, (e < 0) ? e : 0);
        const double rounded = (scaled < 0) ? ceil(scaled - 0.5) : floor(scaled + 0.5);
        const double level = rounded + zero;
        y[r] = (int8_t)((level < low) ? low : (level > high) ? high : level);
    }
    return 0;
}
"""


def test_a_vendors_kernel_takes_dense_layers(tmp_path):
    compilers.need(HOST_INSTALL, "gcc")
    shapes = nn.Linear(30, 16), nn.ReLU(), nn.Linear(16, 12), nn.Linear(12, 4)
    net = nn.Network(nn.Sequential(*shapes), (30,), seed=0)
    rng = np.random.default_rng(0)
    net.set_masks({"2.weight": rng.random((12, 16)) < 0.1})
    x = rng.normal(size=(50, 30)).astype(np.float32)
    program = c99.write(quantize(net, x, linear_by_row=True), tmp_path).program
    chosen = [layer.chosen.encoding for layer in program.layers.values()]
    assert chosen == ["dense", "seg8", "dense"]
    (tmp_path / "hooks.h").write_text("#include <stdint.h>\n" + snippet("NET_DENSE"))
    wanted = program.run(program.enter(x))
    assert vendor_answers(tmp_path, VENDOR_LINEAR, 102, program, x) == wanted.tobytes()


CONV_HOOKS = """\
#include <stdint.h>
int vendor_convolve(const int8_t *x, int8_t *y, const int8_t *weight,
                    const int32_t *bias, const int32_t *multiplier,
                    const int8_t *exponent, const int *sizes);
#define NET_CONV(c, x, y) \\
    (vendor_convolve((x), (y), (c)->affine.weight, (c)->affine.bias, \\
        (c)->affine.multiplier, (c)->affine.exponent, (const int[]){ \\
            (c)->groups, (c)->window.channels, (c)->affine.rows, \\
            (c)->window.height, (c)->window.width, \\
            (c)->window.out_height, (c)->window.out_width, \\
            (c)->window.rows, (c)->window.columns, \\
            (c)->window.stride_rows, (c)->window.stride_columns, \\
            (c)->window.dilation_rows, (c)->window.dilation_columns, \\
            (c)->window.top, (c)->window.left, (c)->window.border, \\
            (c)->affine.zero, (c)->affine.low, (c)->affine.high}) == 0)
"""

VENDOR_CONV = """\
#include <math.h>
#include "hooks.h"

/* The definition of a convolution, in 64 bits; groups it leaves to others. */
int vendor_calls;
int vendor_convolve(const int8_t *x, int8_t *y, const int8_t *weight,
                    const int32_t *bias, const int32_t *multiplier,
                    const int8_t *exponent, const int *s)
{
    const int channels = s[1], height = s[3], width = s[4];
    ++vendor_calls;
    if (s[0] != 1) return 1;
    for (int o = 0; o < s[2]; ++o)
        for (int p = 0; p < s[5]; ++p)
            for (int q = 0; q < s[6]; ++q) {
                const int8_t *w = &weight[o * channels * s[7] * s[8]];
                int64_t sum = bias[o];
                for (int c = 0; c < channels; ++c)
                    for (int i = 0; i < s[7]; ++i)
                        for (int j = 0; j < s[8]; ++j, ++w) {
                            const int row = p * s[9] + i * s[11] - s[13];
                            const int column = q * s[10] + j * s[12] - s[14];
                            const int in = row >= 0 && row < height && column >= 0 &&
                                           column < width;
                            const int at = (c * height + row) * width + column;
                            sum += (int64_t)*w * (in ? x[at] : s[15]);
                        }
                const int e = exponent[o];
                sum = sum * ((e > 0) ? 1 << e : 1) * multiplier[o];
                const double scaled =
                    ldexp(floor(ldexp((double)sum, -31) + 0.5), (e < 0) ? e : 0);
                const double level = s[16] + ((scaled < 0) ? ceil(scaled - 0.5)
                                                           : floor(scaled + 0.5));
                y[(o * s[5] + p) * s[6] + q] =
                    (int8_t)((level < s[17]) ? s[17] : (level > s[18]) ? s[18] : level);
            }
    return 0;
}
"""


def test_a_vendors_kernel_takes_dense_convolutions(tmp_path):
    compilers.need(HOST_INSTALL, "gcc")
    layers = (
        nn.Conv2d(3, 4, (3, 2), stride=(1, 2), padding=[[2, 1], [0, 1]]),
        nn.ReLU(),
        nn.Conv2d(4, 6, 2, dilation=2, groups=2),
        nn.Conv2d(6, 5, 3, padding=1),
    )
    net = nn.Network(nn.Sequential(*layers, nn.Flatten()), (3, 6, 9), seed=0)
    rng = np.random.default_rng(0)
    net.set_masks({"3.weight": rng.random((5, 6, 3, 3)) < 0.1})
    x = rng.normal(size=(20, 3, 6, 9)).astype(np.float32) + 1  # zero is no middle level
    program = c99.write(quantize(net, x), tmp_path).program
    chosen = [layer.chosen.encoding for layer in program.layers.values()]
    assert chosen == ["dense", "dense", "delta8"]
    (tmp_path / "hooks.h").write_text(CONV_HOOKS)
    wanted = program.run(program.enter(x))
    assert vendor_answers(tmp_path, VENDOR_CONV, 42, program, x) == wanted.tobytes()


def vendor_answers(folder, kernel, calls, program, x):
    """Bytes of the answers, if the vendor's kernel is asked so many times."""
    main = compilers.HOST_MAIN.replace(
        "return -status", f"return (vendor_calls != {calls}) - status"
    ).replace('#include "net.h"', '#include "net.h"\nextern int vendor_calls;')
    (folder / "vendor.c").write_text(kernel)
    words = f"-I{folder}", '-DNET_HOOKS="hooks.h"', folder / "vendor.c", "-lm"
    built = compilers.build(folder, "gcc", "-O1", *words, main=main)
    return compilers.run(built, stdin=program.enter(x).tobytes())


# Weights in a file of their own.


@pytest.mark.parametrize("name", ["convolutional int8", "squashing", "gated"])
def test_separate_weights_give_the_same_answers(tmp_path, name):
    compilers.need(HOST_INSTALL, "gcc", "g++")
    small, x = model(name)
    written = c99.write(small, tmp_path, weights="separate")
    _, source = written.weights
    assert not re.search(r"_weight\[\d+\] = ", written.source.read_text())
    flags = "-O1", "-fsanitize=address,undefined", source
    built = compilers.build(tmp_path, "gcc", *flags)
    raw = x.reshape(len(x), -1).astype(np.float32)
    wanted = written.program(x).astype(np.float32)
    found = compilers.answers(built, raw, wanted.shape[1], "f32")
    assert found.tobytes() == wanted.tobytes()


def test_new_weights_of_the_same_pattern_change_their_file_alone(tmp_path):
    net, _ = drawn("dense")
    other = net.copy()
    for weight in other.weights().values():
        weight *= 2
    for folder, one in (("one", net), ("other", other)):
        c99.write(one, tmp_path / folder, weights="separate")
    texts = [
        {path.name: path.read_text() for path in (tmp_path / folder).iterdir()}
        for folder in ("one", "other")
    ]
    differ = {name for name in texts[0] if texts[0][name] != texts[1][name]}
    assert differ == {"net_weights.c", "net.c"}
    selftest = re.compile(r"selftest_out\[\d+\] = \{.*?\};", re.DOTALL)
    assert len({selftest.sub("", text["net.c"]) for text in texts}) == 1


def test_an_unknown_place_for_weights_is_refused(tmp_path):
    net = nn.Network(nn.Sequential(nn.Linear(3, 2)), (3,))
    with pytest.raises(ValueError, match="no weights 'apart'"):
        c99.write(net, tmp_path / "out", weights="apart")
    assert not (tmp_path / "out").exists()
