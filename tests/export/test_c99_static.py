"""What compilers and a checker of MISRA C:2012 say of the C, over all its kernels."""

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from minprune.export import c99
from minprune.export.c99 import program as made
from minprune.quantize import quantize
from tests.export import compilers
from tests.export.compilers import HOST_INSTALL
from tests.export.floating import FLOATING, floating
from tests.export.test_c99 import THOROUGH, few_values
from tests.quantize.networks import NETWORKS, drawn

DEVICES = Path(__file__).parents[2] / "docs" / "devices.md"


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """C of every layer in each type, and of every encoding."""
    folder, written = tmp_path_factory.mktemp("static"), {}
    for name in NETWORKS:
        net, x = drawn(name, 0.3)
        for dtype, model in (("int8", quantize(net, x)), ("float32", net)):
            written[f"{name} {dtype}"] = c99.write(model, folder / f"{name}_{dtype}")
    for name in FLOATING:
        written[name] = c99.write(floating(name)[0], folder / name, weights="separate")
    with pytest.MonkeyPatch.context() as patch:
        for encoding in ("dense", "nm16", "bitmask", "delta4", "block"):
            patch.setattr(
                made, "choose", lambda found, _, e=encoding: _forced(found, e)
            )
            written[encoding] = c99.write(_blocky(), folder / encoding)
        for encoding in ("dense", "delta8", "block"):
            few, path = few_values(_blocky()), folder / f"{encoding} codes"
            patch.setattr(
                made, "choose", lambda found, _, e=encoding: _forced(found, e)
            )
            written[f"{encoding} codes"] = c99.write(few, path, objective="flash")
            assert written[f"{encoding} codes"].program.codes
    return written


def _forced(found, encoding):
    """The candidate of that encoding, or the last."""
    wanted = [c for c in found if c.encoding.startswith(encoding)]
    return (wanted or found)[-1]


def _blocky():
    """Integers in blocks of two columns, in a convolution and in linear layers."""
    net, x = drawn("convolutional", 1.0)
    masks = {}
    for key, weight in net.weights().items():
        flat = np.zeros((len(weight), weight[0].size), bool)
        flat[:, : 2 * (flat.shape[1] // 4)] = True
        flat[:, 0] = True
        masks[key] = flat.reshape(weight.shape)
    net.set_masks(masks)
    return quantize(net, x)


def files(written):
    """The C files of one network."""
    return [written.source, *written.weights[1:]]


@pytest.mark.parametrize(
    "words",
    [
        ("clang", "-Weverything", "-Wno-padded", "-Wno-declaration-after-statement"),
        ("gcc", *compilers.STRICT, "-m32", "-msse2", "-mfpmath=sse"),
    ],
    ids=["clang", "gcc -m32"],
)
def test_compilers_find_nothing_to_warn_about(sources, words):
    compilers.need(HOST_INSTALL, words[0])
    for written in sources.values():
        for path in files(written):
            compilers.run(*words, "-std=c99", "-Werror", "-fsyntax-only", path)


def test_every_header_can_be_included_from_cpp(sources):
    compilers.need(HOST_INSTALL, "g++")
    for written in sources.values():
        main = written.header.with_name("main.cpp")
        main.write_text('#include "net.h"\nint main() { return NET_OK; }\n')
        compilers.run("g++", "-std=c++11", *compilers.STRICT[:6], "-fsyntax-only", main)


def test_misra_rules_are_broken_only_where_the_documentation_says(sources):
    compilers.need(HOST_INSTALL, "cppcheck")
    stated = set(re.findall(r"^\| (\d+\.\d+) \|", DEVICES.read_text(), re.MULTILINE))
    names = sources if THOROUGH else ("block", "symbols")
    found = []
    for name in names:  # one at a time: all of them are called net
        words = "--addon=misra", "--std=c99", "--enable=style", "-q"
        done = subprocess.run(
            [
                "cppcheck",
                *words,
                "--template={id} {file} {line}",
                *files(sources[name]),
            ],
            capture_output=True,
            text=True,
            timeout=300,
        )
        found += re.findall(r"misra-c2012-(\d+\.\d+) (\S+) (\d+)", done.stderr)
    outside = [where for where in found if where[0] not in stated]
    assert {rule for rule, *_ in found} == stated, outside
