"""Sparse layers against dense and sparse peers, one thread, the same run.

    python -m benchmarks.sparse [--only linear,conv] [--batch 1] [--sparsity 0.9,0.95]
        [--seconds 0.5] [--deepsparse PYTHON] [--chart FILE.svg] [--json]

Every row is checked against the dense product before it is timed; what is timed is in
`workloads`. A ratio is the peer's time over ours; `limit_share` is the least time the
machine could take, from its measured dense product and memory bandwidth, over ours.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict

from benchmarks.workloads import WORKLOADS, Row, Scope

EVERYTHING = Scope()
"""Every row of a workload."""


def rows(only: tuple[str, ...] = (), scope: Scope = EVERYTHING) -> Iterator[Row]:
    """The rows of these workloads, or of all."""
    unknown = set(only) - set(WORKLOADS)
    if unknown:
        raise ValueError(
            f"bench: there is no workload {sorted(unknown)[0]!r}; known: "
            f"{', '.join(WORKLOADS)}"
        )
    for name, workload in WORKLOADS.items():
        if not only or name in only:
            yield from workload(scope)


def factors(found: list[Row]) -> dict[str, float]:
    """What a stored weight costs beside a dense one: the model of `sparse.compress`.

    Medians over the sparsities at which the choice between the two lies, at batch 128,
    against numpy.
    """
    from statistics import median

    costs: dict[str, list[float]] = {}
    for row in found:
        kind, _, name = row.workload.partition(", ")
        if kind == "break even" and row.peer == "numpy":
            cost = 1 / (row.ratio * (1 - row.sparsity))
            costs.setdefault(name, []).append(cost)
    return {name: round(median(each), 2) for name, each in costs.items()}


def points(found: list[Row]) -> list[tuple[int, float]]:
    """Stored weights and microseconds of the scaling rows."""
    made = []
    for row in found:
        if row.workload == "scaling":
            size = int(row.shape.partition("x")[0])
            made.append((round((1 - row.sparsity) * size**2), row.ours_us))
    return made


def slope(found: list[Row]) -> float:
    """The exponent with which time grows in the stored weights; 1 is in proportion.

    Least squares through the logarithms of the two decades from 10^5 on, where a call's
    own cost no longer shows.
    """
    import numpy as np

    stored, us = np.log([point for point in points(found) if point[0] > 5e4]).T
    return float(np.polyfit(stored, us, 1)[0])


def chart(found: list[Row]) -> str:
    """Time against stored weights as an SVG: one decade is 100 units wide and high."""
    from math import log10

    made = points(found)
    low = min(int(log10(us)) for _, us in made)
    place = [(100 * log10(n) - 240, 520 - 100 * (log10(us) - low)) for n, us in made]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in place)
    text = [
        f'<text x="{100 * k - 240}" y="555" text-anchor="middle">10^{k}</text>'
        for k in range(3, 8)
    ]
    text += [
        f'<text x="50" y="{525 - 100 * k}" text-anchor="end">10^{low + k}</text>'
        for k in range(6)
    ]
    grid = [f"M{100 * k - 240} 20V530" for k in range(3, 8)]
    grid += [f"M55 {520 - 100 * k}H480" for k in range(6)]
    dots = [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4"/>' for x, y in place]
    return "\n".join(
        [
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 520 600" '
            'font-family="sans-serif" font-size="14">',
            '<rect width="520" height="600" fill="white"/>',
            f'<path d="{"".join(grid)}" stroke="#ddd"/>',
            f'<polyline points="{path}" fill="none" stroke="black"/>',
            *dots,
            *text,
            '<text x="270" y="585" text-anchor="middle">stored weights</text>',
            f'<text x="70" y="35">microseconds, batch 16; slope {slope(found):.2f}'
            "</text>",
            "</svg>",
            "",
        ]
    )


def summary(found: list[Row]) -> list[str]:
    """Geometric means of the ratios of each workload, batch and sparsity by peer."""
    from math import exp, fsum, log

    groups: dict[tuple[str, str], list[float]] = {}
    for row in found:
        if row.workload == "linear" and "dense" not in row.peer:
            groups.setdefault(("all linear cells", row.peer), []).append(row.ratio)
        elif row.workload.startswith("conv"):
            what = f"{row.workload}, batch {row.batch}, {row.sparsity:.0%}"
            groups.setdefault((what, row.peer), []).append(row.ratio)
    return [
        f"{what}, {peer}: least {min(each):.2f}, geometric mean "
        f"{exp(fsum(map(log, each)) / len(each)):.2f} of {len(each)}"
        for (what, peer), each in groups.items()
    ]


def _numbers(text: str, kind: type) -> tuple:
    """Numbers between commas."""
    return tuple(kind(word) for word in text.split(",") if word)


def main() -> None:
    """Set the threads before BLAS is loaded, race, and print as it goes."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="", help=", ".join(WORKLOADS))
    parser.add_argument("--batch", default="", help="only these, as in 1,16")
    parser.add_argument("--sparsity", default="", help="only these, as in 0.9,0.95")
    parser.add_argument("--seconds", type=float, default=0.5, help="for each contender")
    parser.add_argument("--threads", type=int, default=1, help="of peers and ours")
    parser.add_argument(
        "--deepsparse", default="", help="Python of an environment that has DeepSparse"
    )
    parser.add_argument("--apart", action="store_true", help="take no turns")
    parser.add_argument("--chart", default="", help="an SVG of the scaling rows")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    for name in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
        os.environ[f"{name}_NUM_THREADS"] = str(options.threads)
    if options.apart:  # a pool of NumPy's would go on spinning beside the peer's
        os.environ["OPENBLAS_NUM_THREADS"] = "1"
    from benchmarks.peers import install_lines
    from benchmarks.timing import limits

    print("\n".join(install_lines(options.deepsparse)), file=sys.stderr)
    only = tuple(name for name in options.only.split(",") if name)
    scope = Scope(
        options.seconds,
        _numbers(options.sparsity, float),
        _numbers(options.batch, int),
        options.deepsparse,
        options.apart,
    )
    found = []
    for row in rows(only, scope):
        found.append(row)
        if not options.json:
            print(
                f"{row.workload:<14}{row.shape:<13}{row.batch:>4}{row.sparsity:>7.2f}  "
                f"{row.peer:<24}{row.peer_us:>10.1f}{row.ours_us:>10.1f} us"
                f"{row.ratio:>8.2f}x{100 * row.limit_share:>6.0f} %",
                flush=True,
            )
    print("\n".join(summary(found)), file=sys.stderr)
    if points(found):
        print(f"time grows as stored^{slope(found):.2f}", file=sys.stderr)
        if options.chart:
            with open(options.chart, "w", encoding="utf-8") as file:
                file.write(chart(found))
    if measured := factors(found):
        print(f"a stored weight costs, beside a dense one: {measured}", file=sys.stderr)
    if options.json:
        print(
            json.dumps(
                {
                    "limits": asdict(limits()),
                    "factors": measured,
                    "rows": [asdict(row) for row in found],
                },
                indent=1,
            )
        )


if __name__ == "__main__":
    main()
