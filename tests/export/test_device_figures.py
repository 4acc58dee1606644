"""What exported networks take on an emulated Cortex-M4, by `benchmarks.device`.

Bounds are the figures that docs/devices.md promises, a few per cent above what is
measured with gcc 12; another compiler may miss them without being wrong.
"""

import dataclasses
import sys

import pytest

from benchmarks import emlearn
from benchmarks.crossover import SPARSITIES, Curve
from benchmarks.emulator import TIMER, instructions, measure, numbers
from benchmarks.networks import named, pruned
from minprune.export import c99
from tests.export.compilers import CORES, CROSS_INSTALL, link, need

BOUNDS = {
    ("LeNet-300-100", "int8"): {
        "flash": 59_000,
        "code": 700,
        "ram": 450,
        "instructions": 210_000,
    },
    ("LeNet-300-100", "float32"): {"flash": 145_000},
    ("MLP 64-32-16-10", "int8"): {"flash": 1600, "code": 700, "ram": 48},
    ("conv 3x3x32x64, 8x8", "int8"): {"instructions": 530_000},
    ("small CNN, 8x8", "int8"): {"code": 1500},
}
"""Of networks pruned to 90 %: bytes, and executed instructions of one inference."""


COUNTED = """\
#include <stdint.h>
{timer}
int main(void)
{{
    timer_start();
    const uint32_t before = timer();
    __asm__ volatile(".rept {count}\\n nop\\n .endr");
    put_number(PASSED(before));
    return 0;
}}
"""


@pytest.mark.parametrize("name", CORES)
def test_the_timer_counts_the_instructions_between_two_readings(name, tmp_path):
    core = CORES[name]
    need(CROSS_INSTALL, core.compiler, core.emulator)
    ticks = []
    for count in (0, 400):
        main = COUNTED.format(timer=TIMER, count=count)
        ticks += numbers(core, link(core, tmp_path, main, "-Os", sources=()))
    # A reading is off by less than a tick, which is shorter than an instruction.
    assert abs(instructions(core, ticks[1] - ticks[0]) - 400) <= 1


@pytest.mark.parametrize("case", BOUNDS, ids="-".join)
def test_pruned_networks_stay_small_and_quick(case):
    core = CORES["cortex-m4f"]
    need(CROSS_INSTALL, core.compiler, core.emulator)
    name, dtype = case
    program = c99.Program(pruned(named()[name], 0.9, dtype))
    found = dataclasses.asdict(measure(program, core, "-Os"))
    for figure, bound in BOUNDS[case].items():
        assert found[figure] <= bound, (figure, found)


def test_a_crossing_lies_between_the_two_sparsities_around_it():
    falling = tuple(range(100 * len(SPARSITIES), 0, -100))
    one = Curve("core", 0, falling, None)
    assert one.crossing(falling[1]) == pytest.approx(SPARSITIES[1])
    halfway = (falling[1] + falling[2]) / 2
    assert one.crossing(halfway) == pytest.approx(sum(SPARSITIES[1:3]) / 2)
    assert one.crossing(None) is None
    assert one.crossing(falling[-1] - 1) is None  # dense is always better
    assert one.crossing(falling[0] + 1) == SPARSITIES[0]  # here or below


def test_without_emlearn_there_is_the_line_that_installs_it(tmp_path, monkeypatch):
    hidden = emlearn.GENERATE.replace("import emlearn", "import emlearn_is_not_here")
    monkeypatch.setattr(emlearn, "GENERATE", hidden)
    with pytest.raises(emlearn.Missing, match="pip install emlearn"):
        emlearn.generate(named()["MLP 64-32-16-10"], sys.executable)
