"""Flash, memory and executed instructions of exported networks on emulated cores.

    python -m benchmarks.device [--json] [--plot FILE] [PART...]

Parts: `networks`, drawn and pruned by magnitude, dense and at 90 %, beside emlearn
where it is installed; `trained`, on the data sets that ship with the package, trained,
pruned and run there on the whole test split; `crossover`, from which sparsity an
encoding beats a dense kernel. Without a part, all of them (some minutes).

Needs the extra `test`, and the cross compilers and the emulators of
`tests/export/compilers.py`. Instructions are counted by the emulator, not estimated,
and they are not cycles. Before anything is counted, every answer is compared with the
emulation in NumPy, bit for bit.
"""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import crossover, emlearn, trained
from benchmarks.emulator import measure, require
from benchmarks.networks import named, pruned
from minprune.export import c99
from minprune.nn import Network
from tests.export.compilers import CORES

CORE = "cortex-m4f"
CURVES = (
    "cortex-m0plus",
    "cortex-m3",
    "cortex-m4f",
    "cortex-m7",
    "cortex-m55",
    "rv32imc",
)

Row = dict[str, Any]


def networks(python: str) -> list[Row]:
    """One row for each network, type and sparsity, and for emlearn's float32."""
    rows = []
    for name, net in named().items():
        for dtype in ("int8", "4 bits", "float32"):
            for sparsity in (0.0, 0.9):
                objective = "flash" if dtype == "4 bits" else "speed"
                program = c99.Program(pruned(net, sparsity, dtype), objective)
                found = measure(program, CORES[CORE], "-Os")
                row = {"network": name, "by": "minprune", "type": dtype}
                rows.append(row | {"sparsity": sparsity} | asdict(found))
                say(f"{name}, {dtype}, {sparsity}: {found.instructions:,}")
        if all(weight.ndim == 2 for weight in net.weights().values()):
            rows += beside(name, net, python)
    return rows


def beside(name: str, net: Network, python: str) -> list[Row]:
    """The rows of emlearn, or none and the line that installs it."""
    rows = []
    for sparsity in (0.0, 0.9):
        small = pruned(net, sparsity, "float32")
        try:
            code = emlearn.generate(small, python)
        except emlearn.Missing as why:
            say(str(why))
            return []
        found = emlearn.measure(small, CORES[CORE], code)
        row = {"network": name, "by": f"emlearn {code['version']}", "type": "float32"}
        rows.append(row | {"sparsity": sparsity} | asdict(found))
    return rows


def on_the_whole_test_split() -> list[Row]:
    """One row for each trained network."""
    return [asdict(trained.run(case, CORES[CORE], say)) for case in trained.CASES]


def crossovers(path: Path | None) -> list[Row]:
    """One row for each core, and the plot."""
    curves = []
    for core in CURVES:
        say(f"crossover on {core}")
        curves.append(crossover.curve(core))
    if path is not None:
        crossover.plot(curves, path)
        say(f"wrote {path}")
    return [
        asdict(one)
        | {
            "crossing": one.crossing(one.dense),
            "crossing_vendor": one.crossing(one.vendor),
        }
        for one in curves
    ]


def markdown(rows: list[Row]) -> str:
    """A table of all columns."""
    lines = [[key.replace("_", " ") for key in rows[0]], ["---"] * len(rows[0])]
    lines += [[cell(value) for value in row.values()] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def cell(value: object) -> str:
    """A number as it is read, several one after the other."""
    match value:
        case None:
            return "-"
        case bool() | str():
            return str(value)
        case int():
            return f"{value:,}"
        case float():
            return f"{value:.3f}" if value <= 1 else f"{value:,.0f}"
        case tuple():
            return ", ".join(map(cell, value))
    raise TypeError(f"no cell for {value!r}")


def say(line: str) -> None:
    """Progress, to stderr."""
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    """Measure the parts asked for and print them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parts = "networks", "trained", "crossover"
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(parts))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--plot", type=Path, help="file for a picture of the crossover")
    parser.add_argument(
        "--emlearn", default=sys.executable, help="a Python that has emlearn"
    )
    options = parser.parse_args()
    wanted = options.parts or list(parts)
    if unknown := set(wanted) - set(parts):
        parser.error(f"no part {min(unknown)!r}; expected {', '.join(parts)}")
    require(*(CORES[name] for name in CURVES))
    found: dict[str, list[Row]] = {}
    if "networks" in wanted:
        found["networks"] = networks(options.emlearn)
    if "trained" in wanted:
        found["trained"] = on_the_whole_test_split()
    if "crossover" in wanted:
        found["crossover"] = crossovers(options.plot)
    if options.json:
        print(json.dumps(found, indent=1))
        return
    print("-Os; bytes, and executed instructions of one inference")
    for name, rows in found.items():
        print(f"\n{name}\n\n{markdown(rows)}")


if __name__ == "__main__":
    main()
