"""The generated C answers what the NumPy emulation answers, bit for bit."""

import os
import re
from dataclasses import replace

import numpy as np
import pytest

import minprune
from minprune import nn
from minprune.export import c99, player, tiny
from minprune.export.c99 import program as made
from minprune.export.c99.encode import ENCODINGS
from minprune.quantize import quantize
from minprune.quantize.arithmetic import AffineNumbers
from tests.export import compilers
from tests.export.compilers import CORES, CROSS_INSTALL, HOST_INSTALL
from tests.quantize.networks import NETWORKS, drawn

DTYPES = ("int8", "float32")

THOROUGH = os.environ.get("MINPRUNE_PROFILE") == "thorough"

HOST = {
    "gcc -O0": ("gcc", "-O0"),
    "gcc -O2": ("gcc", "-O2"),
    "gcc -Os": ("gcc", "-Os"),
    "gcc -O3 native": ("gcc", "-O3", "-march=native"),
    "gcc -m32": ("gcc", "-O2", "-m32", "-msse2", "-mfpmath=sse"),
    "gcc sanitized": ("gcc", "-O1", "-fsanitize=address,undefined"),
    "clang -O0": ("clang", "-O0"),
    "clang -O2": ("clang", "-O2"),
    "clang -Os": ("clang", "-Os"),
    "clang -O3 native": ("clang", "-O3", "-march=native"),
    "clang sanitized": ("clang", "-O1", "-fsanitize=address,undefined"),
}

QUICK_HOST = ("gcc -Os", "gcc sanitized", "clang -O3 native")
QUICK_CORES = ("cortex-m0plus", "cortex-m4f", "rv32imc")
QUICK_CASES = (("convolutional", "int8"), ("convolutional", "float32"))
"""What every run of the suite compiles; the thorough profile compiles all."""

EVERY_CASE = tuple((name, dtype) for name in NETWORKS for dtype in DTYPES)
CASES = EVERY_CASE if THOROUGH else QUICK_CASES


def model(name, dtype, density=0.3):
    net, x = drawn(name, density)
    return (quantize(net, x) if dtype == "int8" else net), x


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Every network in both types, with raw samples and the answers to come."""

    def make(name, dtype):
        small, x = model(name, dtype)
        folder = tmp_path_factory.mktemp(f"{name}_{dtype}")
        program = c99.write(small, folder).program
        inside = program.enter(x)
        return folder, program, x, inside, program.run(inside)

    return {(name, dtype): make(name, dtype) for name in NETWORKS for dtype in DTYPES}


@pytest.mark.parametrize("how", HOST if THOROUGH else QUICK_HOST)
def test_every_network_is_bit_equal_on_this_machine(written, how):
    compiler, *flags = HOST[how]
    compilers.need(HOST_INSTALL, compiler)
    compilers.need_libraries(HOST_INSTALL, compiler, *flags)
    for key in CASES:
        folder, _, _, inside, wanted = written[key]
        net = compilers.build(folder, compiler, *flags)
        found = compilers.answers(net, inside, wanted.shape[1])
        assert found.tobytes() == wanted.astype(inside.dtype).tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NETWORKS)
def test_raw_samples_give_the_logits_of_the_emulation(written, name, dtype):
    compilers.need(HOST_INSTALL, "gcc")
    folder, program, x, _, _ = written[name, dtype]
    x = np.concatenate([x, 1e6 * x[:2], -1e6 * x[:2]])
    net = compilers.build(folder, "gcc", "-O2", "-fsanitize=address,undefined")
    wanted = program(x)
    raw = x.reshape(len(x), -1).astype(np.float32)
    found = compilers.answers(net, raw, wanted.shape[1], "f32")
    assert found.tobytes() == wanted.astype(np.float32).tobytes()


@pytest.mark.parametrize("name", NETWORKS)
def test_one_file_gives_the_same_integers_everywhere(tmp_path, name):
    compilers.need(HOST_INSTALL, "gcc")
    small, x = model(name, "int8")
    minprune.save(small, tmp_path / "net.safetensors")
    program = c99.write(minprune.load(tmp_path / "net.safetensors"), tmp_path).program
    raw = x.reshape(len(x), -1)
    built = compilers.build(tmp_path, "gcc", "-O1")
    found = compilers.answers(built, raw, len(program(x)[0]), "f32")
    assert found.tobytes() == small(x).tobytes()
    assert found.tobytes() == player.load(tmp_path / "net.safetensors")(x).tobytes()
    plain = tiny.load(tmp_path / "net.safetensors")
    few = np.array([plain(sample) for sample in x[:3].tolist()], np.float32)
    assert found[:3].tobytes() == few.tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_encoding_is_bit_equal(tmp_path, monkeypatch, encoding, dtype):
    compilers.need(HOST_INSTALL, "gcc")

    def forced(found, objective):
        return next((c for c in found if c.encoding == encoding), found[0])

    monkeypatch.setattr(made, "choose", forced)
    for name in ("dense", "convolutional"):
        small, x = model(name, dtype)
        program = c99.write(small, tmp_path).program
        for layer in program.layers.values():  # delta8 is for convolutions alone
            absent = encoding == "delta8" and layer.strip is None
            assert layer.chosen.encoding == ("dense" if absent else encoding)
        net = compilers.build(tmp_path, "gcc", "-O1", "-fsanitize=address,undefined")
        inside = program.enter(x)
        wanted = program.run(inside)
        found = compilers.answers(net, inside, wanted.shape[1])
        assert found.tobytes() == wanted.astype(inside.dtype).tobytes()


def few_values(small):
    """An integer network whose weights have fourteen values beside zero."""
    for y, numbers in small.numbers.items():
        if isinstance(numbers, AffineNumbers):
            weight = (np.rint(numbers.weight / 18) * 18).astype(np.int8)
            small.numbers[y] = replace(numbers, weight=weight)
    return small


@pytest.mark.parametrize("core", ["host", *(QUICK_CORES if THOROUGH else [])])
@pytest.mark.parametrize(
    "encoding", [*(ENCODINGS if THOROUGH else ["dense", "delta4", "delta8"]), "block"]
)
def test_every_encoding_is_bit_equal_in_codes(tmp_path, monkeypatch, encoding, core):
    def forced(found, objective):
        return next((c for c in found if c.encoding.startswith(encoding)), found[0])

    monkeypatch.setattr(made, "choose", forced)
    monkeypatch.setattr(made, "_held", lambda layers: -bool(in_four(layers)))
    small, x = blocky("int8") if encoding == "block" else model("convolutional", "int8")
    program = c99.Program(few_values(small), "flash")
    assert program.codes
    found = [one.chosen.encoding for one in program.layers.values()]
    linear = "dense" if encoding == "delta8" else encoding
    assert all(name.startswith((encoding, linear)) for name in found)
    text = c99.generate(program)
    (tmp_path / "net.c").write_text(text.body)
    (tmp_path / "net.h").write_text(text.header)
    inside = program.enter(x)
    wanted = program.run(inside).astype(np.int8)
    if core == "host":
        compilers.need(HOST_INSTALL, "gcc")
        built = compilers.build(tmp_path, "gcc", "-O1", "-fsanitize=address,undefined")
        answers = compilers.answers(built, inside, wanted.shape[1])
        assert answers.tobytes() == wanted.tobytes()
        return
    compilers.need(CROSS_INSTALL, CORES[core].compiler, CORES[core].emulator)
    few = inside[:4], wanted[:4]
    assert compilers.emulate(CORES[core], tmp_path, *few, "-Os") == 0


def in_four(layers):
    """Whether these are held in codes."""
    return all(layer.tables.book.size for layer in layers.values())


def test_codes_are_for_flash_where_they_take_less():
    net = nn.Network(nn.Sequential(nn.Linear(40, 30), nn.Linear(30, 5)), (40,), seed=0)
    x = np.random.default_rng(0).normal(size=(20, 40)).astype(np.float32)
    four, eight = quantize(net, x, bits=4), quantize(net, x)
    small = c99.Program(four, "flash")
    assert small.codes
    assert small.weight_bits == 4
    assert small.table_bytes < 0.6 * c99.Program(eight, "flash").table_bytes
    books = quantize(net, x, bits=4, linear_by_row=True)  # one for each row
    plain = (four, "speed"), (eight, "flash"), (net, "flash"), (books, "flash")
    assert not any(c99.Program(*one).codes for one in plain)
    tiny = nn.Network(nn.Sequential(nn.Linear(8, 3)), (8,), seed=0)
    assert not c99.Program(quantize(tiny, x[:, :8], bits=4), "flash").codes


def blocky(dtype):
    """Masks of three block shapes; groups, short rows of blocks, two segments."""
    net = nn.Network(
        nn.Sequential(
            nn.Conv2d(4, 6, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(6, 6, (1, 2), groups=3),
            nn.Flatten(),
            nn.Linear(6 * 5 * 20, 9),
        ),
        (4, 5, 21),
        seed=0,
    )
    rng = np.random.default_rng(1)
    tiles = {"0.weight": (4, 1), "2.weight": (2, 2), "4.weight": (2, 2)}
    masks = {}
    for key, weight in net.weights().items():
        flat = weight.reshape(len(weight), -1).shape
        tile = tiles[key]
        kept = rng.random([-(-n // m) for n, m in zip(flat, tile, strict=True)]) < 0.4
        mask = np.kron(kept, np.ones(tile, bool))[: flat[0], : flat[1]]
        masks[key] = mask.reshape(weight.shape)
    net.set_masks(masks)
    x = rng.normal(size=(20, 4, 5, 21)).astype(np.float32)
    return (quantize(net, x) if dtype == "int8" else net), x


@pytest.mark.parametrize("dtype", DTYPES)
def test_weights_in_blocks_are_bit_equal(tmp_path, monkeypatch, dtype):
    compilers.need(HOST_INSTALL, "gcc")
    monkeypatch.setattr(made, "choose", lambda found, objective: found[-1])
    small, x = blocky(dtype)
    program = c99.write(small, tmp_path).program
    chosen = [layer.chosen.encoding for layer in program.layers.values()]
    assert chosen == ["block4x1", "block2x2", "block2x2"]
    built = compilers.build(tmp_path, "gcc", "-O1", "-fsanitize=address,undefined")
    inside = program.enter(x)
    wanted = program.run(inside)
    found = compilers.answers(built, inside, wanted.shape[1])
    assert found.tobytes() == wanted.astype(inside.dtype).tobytes()


@pytest.mark.parametrize("core", CORES if THOROUGH else QUICK_CORES)
def test_every_network_is_bit_equal_on_an_emulated_core(written, core):
    target = CORES[core]
    compilers.need(CROSS_INSTALL, target.compiler, target.emulator)
    for key in CASES:
        folder, _, _, inside, wanted = written[key]
        wanted = wanted[:4].astype(inside.dtype)
        assert compilers.emulate(target, folder, inside[:4], wanted, "-Os") == 0


def test_the_emulated_comparison_can_fail(written):
    target = CORES["cortex-m4f"]
    compilers.need(CROSS_INSTALL, target.compiler, target.emulator)
    folder, _, _, inside, wanted = written["dense", "int8"]
    wrong = wanted[:4].copy()
    wrong[2, 0] ^= 1
    assert compilers.emulate(target, folder, inside[:4], wrong, "-Os") == 3


# What the files are.


def test_float_answers_are_near_those_of_the_network(written):
    for (name, dtype), (_, program, x, _, _) in written.items():
        if dtype == "float32":
            exact = drawn(name, 0.3)[0].astype(np.float64)(x)
            np.testing.assert_allclose(program(x), exact, rtol=1e-4, atol=1e-4)


def test_nothing_is_called_that_the_file_does_not_hold(written):
    compilers.need(HOST_INSTALL, "gcc", "nm")
    for folder, *_ in written.values():
        target = folder / "net.o"
        compilers.run("gcc", "-std=c99", "-Os", "-c", folder / "net.c", "-o", target)
        assert compilers.run("nm", "--undefined-only", target) == b""


ARENA = """\
#include <stdlib.h>
#include <string.h>
#include "net.h"

#define GUARD 64U
static unsigned char memory[GUARD + NET_ARENA_F32_BYTES + GUARD + 16U];
static net_value_t in[NET_INPUT_LEN], out[NET_OUTPUT_LEN];
static float raw[NET_INPUT_LEN], logits[NET_OUTPUT_LEN];

/* Whether all bytes but `bytes` behind the guard are what they were. */
static int guarded(size_t bytes)
{
    int good = 1;
    for (size_t i = 0U; i < sizeof memory; ++i) {
        good &= (i >= GUARD && i < GUARD + bytes) || memory[i] == 0xA5U;
    }
    return good;
}

int main(void)
{
    void *arena = &memory[GUARD];
    int good = 1;
    memset(memory, 0xA5, sizeof memory);
    memset(out, 77, sizeof out);
    for (size_t n = 0U; n < NET_ARENA_BYTES; ++n) {
        good &= net_predict(in, out, arena, n) == NET_ERROR_ARENA;
        good &= net_selftest(arena, n) == NET_ERROR_ARENA;
    }
    for (size_t n = 0U; n < NET_ARENA_F32_BYTES; ++n) {
        good &= net_predict_f32(raw, logits, arena, n) == NET_ERROR_ARENA;
    }
    good &= net_predict(in, out, NULL, NET_ARENA_BYTES) == NET_ERROR_ARENA;
    if (sizeof(net_value_t) > 1U) {
        char *odd = &((char *)arena)[1];
        good &= net_predict(in, out, odd, NET_ARENA_BYTES) == NET_ERROR_ARENA;
    }
    for (size_t i = 0U; i < sizeof out; ++i) {
        good &= ((const unsigned char *)out)[i] == 77U;
    }
    good &= guarded(0U);
    good &= net_predict(in, out, arena, NET_ARENA_BYTES) == NET_OK;
    good &= guarded(NET_ARENA_BYTES);
    good &= net_predict_f32(raw, logits, arena, NET_ARENA_F32_BYTES) == NET_OK;
    good &= guarded(NET_ARENA_F32_BYTES);
    return !good;
}
"""


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NETWORKS if THOROUGH else ["convolutional"])
def test_no_byte_is_written_but_those_of_an_arena_that_does(written, name, dtype):
    compilers.need(HOST_INSTALL, "gcc")
    folder, *_ = written[name, dtype]
    compilers.run(compilers.build(folder, "gcc", "-O1", main=ARENA))


def test_a_layer_without_c_is_refused_by_name_before_anything_is_written(tmp_path):
    boosted = nn.FeatureBoost(nn.Conv1d(1, 2, 1), off=1)
    layers = {"a": nn.Conv1d(1, 1, 3), "g": nn.GELU(), "f": boosted}
    net = nn.Network(nn.Sequential(layers), (1, 3))
    with pytest.raises(ValueError, match="layer f is a FeatureBoost"):
        c99.write(net, tmp_path / "out")
    with pytest.raises(ValueError, match="layer g is a GELU, which has no integer"):
        c99.write(quantize(net, np.ones((1, 1, 3))), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_bad_arguments_are_refused(tmp_path):
    net = nn.Network(nn.Sequential(nn.Linear(3, 2)), (3,))
    for name in ("Net", "3net", "my-net", ""):
        with pytest.raises(ValueError, match="expected a C identifier"):
            c99.write(net, tmp_path, name)
    with pytest.raises(ValueError, match=r"float\.h is a header of C"):
        c99.write(net, tmp_path, "float")
    with pytest.raises(ValueError, match="no objective 'sped'"):
        c99.write(net, tmp_path, objective="sped")
    wide = nn.Network(nn.Sequential(nn.Linear(70_000, 1)), (70_000,))
    with pytest.raises(ValueError, match="layer 0 handles 70000 numbers"):
        c99.write(wide, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_no_name_in_a_file_ends_the_comment_it_is_put_into(tmp_path):
    compilers.need(HOST_INSTALL, "gcc")
    names = ("*\\ int wrong; /*", "**//", "/*/*", "*???/\n/", "\\", "\ud800\u2028é")
    layers = {name.replace(".", ""): nn.Linear(1, 1) for name in names[:-1]}
    layers["last"] = nn.Linear(1, len(names))
    net = nn.Network(nn.Sequential(layers), (1,), classes=names, seed=0)
    header = c99.write(net, tmp_path).header
    comment = header.read_text().partition("#ifndef")[0]
    assert (comment.count("/*"), comment.count("*/")) == (1, 1)
    assert not re.search(r"[^\n -~é]|\\|\?\?", comment)
    compilers.build(tmp_path, "gcc", "-O1", "-Wcomment", "-Wtrigraphs")


def test_equal_models_give_equal_files(tmp_path):
    for folder in ("a", "b"):
        c99.write(model("signal", "int8")[0], tmp_path / folder, "net")
    for name in ("net.c", "net.h"):
        one, other = ((tmp_path / f / name).read_bytes() for f in ("a", "b"))
        assert one == other


def test_two_networks_live_in_one_program(tmp_path):
    compilers.need(HOST_INSTALL, "gcc")
    for name in ("first", "second"):
        c99.write(model("dense", "int8")[0], tmp_path, name)
    (tmp_path / "main.c").write_text(
        '#include "first.h"\n#include "second.h"\n'
        "int main(void) { static char a[FIRST_ARENA_BYTES];\n"
        "return first_selftest(a, sizeof a) | second_selftest(a, sizeof a); }\n"
    )
    sources = [tmp_path / f"{name}.c" for name in ("first", "second", "main")]
    compilers.run("gcc", "-std=c99", *sources, "-o", tmp_path / "both")
    compilers.run(tmp_path / "both")


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_layer_that_is_pruned_away_keeps_its_bias(tmp_path, dtype):
    compilers.need(HOST_INSTALL, "gcc")
    net = nn.Network(nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2)), (4,), seed=0)
    net.set_masks({"0.weight": np.zeros((3, 4), bool)})
    x = np.ones((1, 4), np.float32)
    program = c99.write(quantize(net, x) if dtype == "int8" else net, tmp_path).program
    inside = program.enter(x)
    wanted = program.run(inside)
    built = compilers.build(tmp_path, "gcc", "-O1", "-fsanitize=address,undefined")
    found = compilers.answers(built, inside, 2)
    assert found.tobytes() == wanted.astype(inside.dtype).tobytes()
    np.testing.assert_allclose(program(x), net(x), atol=0.02)
