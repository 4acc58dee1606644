"""Layers that only floating point has: functions, norms, gates, recurrence."""

import numpy as np
import pytest
from scipy.special import expit, ndtr

import minprune
from minprune import nn
from minprune.export import c99, player, tiny
from minprune.export.c99 import elementary
from minprune.quantize import quantize
from tests.export import compilers
from tests.export.compilers import CORES, CROSS_INSTALL, HOST_INSTALL
from tests.export.floating import FLOATING, floating
from tests.export.test_c99 import HOST, THOROUGH

UNIT = 2.0**-24


def numbers(stride=257):
    """Every so many float32 numbers, of both signs, from zero to the largest."""
    positive = np.arange(0, 0x7F800000, stride, dtype=np.uint32).view(np.float32)
    return np.concatenate([positive, -positive])


# Functions: the exact value within the stated distance.


@pytest.mark.parametrize(
    ("function", "exact", "ulps", "low", "high"),
    [
        (elementary.exponential, np.exp, 1.0, -87, 0),
        (elementary.tanh, np.tanh, 2.5, -np.inf, np.inf),
        (elementary.sigmoid, expit, 2.4, -87, np.inf),
        (elementary.root, np.sqrt, 1.0, 2.0**-149, np.inf),
    ],
    ids=["exponential", "tanh", "sigmoid", "root"],
)
def test_a_function_is_as_exact_as_it_says(function, exact, ulps, low, high):
    x = numbers(25_700)
    x = x[(x >= low) & (x <= high)]
    with np.errstate(over="ignore"):
        found = function(x)
    wanted = exact(x.astype(np.float64))
    assert found.dtype == np.float32
    off = np.abs(found - wanted) / np.spacing(np.abs(wanted).astype(np.float32))
    assert off.max() <= ulps


def test_gelu_is_as_exact_as_it_says():
    x = numbers(25_700)
    x = x[np.abs(x) < 1e6]
    with np.errstate(over="ignore"):
        off = np.abs(elementary.gelu(x) - x.astype(float) * ndtr(x.astype(float)))
    assert (off <= 6 * UNIT * np.abs(x)).all()


def test_functions_meet_their_ends():
    ends = np.array([0, -100, 100, -np.inf, np.inf, np.nan], np.float32)
    with np.errstate(all="ignore"):
        assert elementary.tanh(ends).tolist()[:5] == [0, -1, 1, -1, 1]
        assert elementary.sigmoid(ends).tolist()[:5] == [0.5, 0, 1, 0, 1]
        assert elementary.exponential(ends[[0, 1, 3]]).tolist() == [1, 0, 0]
        for function in (elementary.tanh, elementary.sigmoid, elementary.gelu):
            assert np.isnan(function(ends[5:])).all()


# Networks: the C is the emulation bit for bit, and the emulation is near the network.


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Every network with its folder, program, raw samples and lengths."""

    def make(name):
        net, x = floating(name)
        folder = tmp_path_factory.mktemp(name)
        lengths = np.arange(len(x)) % (x.shape[-1] + 1)
        return net, folder, c99.write(net, folder).program, x, lengths

    return {name: make(name) for name in FLOATING}


@pytest.mark.parametrize("how", HOST if THOROUGH else ["gcc sanitized"])
@pytest.mark.parametrize("name", FLOATING)
def test_every_network_is_bit_equal_on_this_machine(written, name, how):
    compiler, *flags = HOST[how]
    compilers.need(HOST_INSTALL, compiler)
    _, folder, program, x, _ = written[name]
    wanted = program(x)
    built = compilers.build(folder, compiler, *flags)
    raw = x.reshape(len(x), -1)
    found = compilers.answers(built, raw, wanted.shape[1], "f32")
    assert found.tobytes() == wanted.tobytes()


@pytest.mark.parametrize("name", FLOATING)
def test_answers_are_near_those_of_the_network(written, name):
    net, _, program, x, lengths = written[name]
    exact = net.astype(np.float64)
    # No sum here has 300 terms, nor is any far above 1 behind the first layer; a
    # function adds 6 units, and nine steps of a signal hand on what is off.
    bound = {"rtol": 300 * UNIT, "atol": 300 * UNIT}
    np.testing.assert_allclose(program(x), exact(x), **bound)
    if program.length:
        found = program(x, lengths)
        np.testing.assert_allclose(found, exact(x, lengths), **bound)


@pytest.mark.parametrize("name", FLOATING)
def test_answers_are_near_those_of_both_players(written, tmp_path, name):
    net, _, program, x, _ = written[name]
    minprune.save(net, tmp_path / "net.safetensors")
    found = player.load(tmp_path / "net.safetensors")(x)
    bound = {"rtol": 600 * UNIT, "atol": 600 * UNIT}  # twice that of either
    np.testing.assert_allclose(program(x), found, **bound)
    plain = tiny.load(tmp_path / "net.safetensors")
    few = [plain(sample) for sample in x[:3].tolist()]
    np.testing.assert_allclose(program(x[:3]), few, **bound)


LENGTHS_MAIN = """\
#include <stdio.h>
#include <stdlib.h>
#include "net.h"

int main(void)
{
    static float raw[NET_INPUT_LEN], logits[NET_OUTPUT_LEN];
    void *arena = malloc(NET_ARENA_F32_BYTES);
    unsigned char steps;
    while (fread(&steps, 1U, 1U, stdin) == 1U &&
           fread(raw, sizeof raw, 1U, stdin) == 1U) {
        if (net_predict_f32_steps(raw, steps, logits, arena, NET_ARENA_F32_BYTES)) {
            return 1;
        }
        fwrite(logits, sizeof logits, 1U, stdout);
    }
    free(arena);
    return 0;
}
"""


@pytest.mark.parametrize("name", ["gated", "symbols"] if THOROUGH else ["gated"])
def test_signals_may_end_before_their_last_step(written, name):
    compilers.need(HOST_INSTALL, "gcc")
    _, folder, program, x, lengths = written[name]
    wanted = program(x, lengths)
    flags = "-O1", "-fsanitize=address,undefined"
    built = compilers.build(folder, "gcc", *flags, main=LENGTHS_MAIN)
    stdin = b"".join(
        bytes([n]) + sample.tobytes() for n, sample in zip(lengths, x, strict=True)
    )
    assert compilers.run(built, stdin=stdin) == wanted.tobytes()
    assert (program(x, lengths + 100) == program(x)).all()


@pytest.mark.parametrize("core", CORES if THOROUGH else ["cortex-m0plus"])
def test_every_network_is_bit_equal_on_an_emulated_core(written, core):
    # Linked without any library, so that this also shows that none is called.
    target = CORES[core]
    compilers.need(CROSS_INSTALL, target.compiler, target.emulator)
    for _, folder, program, x, _ in written.values():
        inside = program.enter(x[:3])
        wanted = program.run(inside)
        assert compilers.emulate(target, folder, inside, wanted, "-Os") == 0


def test_a_symbol_without_a_row_is_an_error(tmp_path, written):
    compilers.need(HOST_INSTALL, "gcc")
    _, folder, *_ = written["symbols"]
    main = """\
#include <math.h>
#include "net.h"
int main(void)
{
    static float x[NET_INPUT_LEN], y[NET_OUTPUT_LEN], a[NET_ARENA_BYTES / 4U];
    const float wrong[] = {-1.0F, 11.0F, 0.5F, 1e30F, NAN, -INFINITY};
    int good = net_predict(x, y, a, sizeof a) == NET_OK;
    for (unsigned i = 0U; i < sizeof wrong / sizeof *wrong; ++i) {
        x[3] = wrong[i];
        good &= net_predict(x, y, a, sizeof a) == NET_ERROR_INPUT;
    }
    return !good;
}
"""
    flags = "-O1", "-fsanitize=address,undefined"
    compilers.run(compilers.build(folder, "gcc", *flags, main=main))


def test_integers_refuse_them_by_name():
    for layer, kind in ((nn.Tanh(), "Tanh"), (nn.GRU(2, 3, last=True), "GRU")):
        shape = (2, 4) if kind == "GRU" else (3,)
        layers = {"a": layer, "out": nn.Linear(3, 2)}
        net = nn.Network(nn.Sequential(layers), shape, seed=0)
        with pytest.raises(ValueError, match=f"layer a is a {kind}, which has no int"):
            quantize(net, np.ones((2, *shape)))
