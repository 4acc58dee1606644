"""emlearn's C for the same fully connected networks, measured on the same core.

emlearn (PyPI) turns scikit-learn and Keras models into C; its generator is given our
weights here. It computes in float32, with a softmax at the end, and stores every
weight, pruned or not. Its int8 inference did not work in the version at hand.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.emulator import TIMER, Footprint, instructions, numbers, size
from minprune import nn
from minprune._random import stream
from minprune.export.c99.text import table
from tests.export.compilers import Core, link

LIBRARIES = ("-lm", "-lc_nano")
"""For the exponential of its softmax."""

INSTALL = (
    "emlearn is not installed: python -m venv emlearn && "
    "emlearn/bin/pip install emlearn, then --emlearn emlearn/bin/python"
)

GENERATE = """
import importlib.metadata, json, sys
import emlearn, numpy as np
from emlearn.net import c_generate_net_loadable
net = json.load(sys.stdin)
arrays = [[np.array(a, np.float32) for a in net[key]] for key in ("weights", "biases")]
code = c_generate_net_loadable(net["activations"], *arrays, "net")
version = importlib.metadata.version("emlearn")
print(json.dumps({"code": code, "include": emlearn.includedir, "version": version}))
"""

MAIN = """\
#include <stddef.h>
#include <stdint.h>
{include}
{timer}
{samples}

int main(void)
{{
    timer_start();
    const uint32_t before = timer();
    const int found = {call};
    put_number(PASSED(before));
    put_number((uint32_t)found);
    return 0;
}}
"""


class Missing(Exception):
    """There is no emlearn; the message is how to get it."""


def generate(net: nn.Network, python: str = sys.executable) -> dict[str, str]:
    """The C that emlearn writes for a network, where its headers are, its version."""
    layers = [layer for layer in net.layers().values() if isinstance(layer, nn.Linear)]
    model = {
        "weights": [layer.params["weight"].T.tolist() for layer in layers],
        "biases": [layer.params["bias"].tolist() for layer in layers],
        "activations": ["relu"] * (len(layers) - 1) + ["softmax"],
    }
    done = subprocess.run(
        [python, "-W", "ignore", "-c", GENERATE],
        input=json.dumps(model),
        capture_output=True,
        text=True,
        cwd=os.path.dirname(sys.executable),
    )
    if "ModuleNotFoundError" in done.stderr:
        raise Missing(INSTALL)
    done.check_returncode()
    found: dict[str, str] = json.loads(done.stdout)
    return found


def measure(net: nn.Network, core: Core, code: dict[str, str]) -> Footprint:
    """Compile, run, compare the class with ours, and count."""
    x = stream(0, "device").normal(size=(1, *net.input_shape)).astype(np.float32)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "emlearn_net.h").write_text(code["code"])

        def build(call: str, include: str = '#include "emlearn_net.h"') -> Path:
            main = MAIN.format(
                include=include,
                timer=TIMER,
                samples=table("static const", "samples", x),
                call=call,
            )
            flags = "-Os", "-I", code["include"], "-DNDEBUG"
            return link(core, folder, main, *flags, sources=(), libraries=LIBRARIES)

        empty = build("(int)((volatile const float *)samples)[0]", "")
        held = np.array([size(core, empty), memory(core, empty)])
        idle, _ = numbers(core, empty)
        full = build(f"net_predict(samples, {x.size})")
        flash, ram = np.array([size(core, full), memory(core, full)]) - held
        ticks, found = numbers(core, full)
        if found != int(net.predict(x)[0]):
            raise SystemExit(f"emlearn says class {found}, the network another")
        weights = sum(4 * (w.size + len(w)) for w in net.weights().values())
        count = instructions(core, ticks - idle)
        return Footprint(int(flash), int(flash) - weights, int(ram), None, count)


def memory(core: Core, program: Path) -> int:
    """Bytes of initialized and of empty data."""
    tool = core.compiler.removesuffix("gcc") + "size"
    out = subprocess.run([tool, program], capture_output=True, text=True, check=True)
    _, data, bss = out.stdout.splitlines()[1].split()[:3]
    return int(data) + int(bss)
