"""Exact selection against the partition it is built on.

    python -m benchmarks.selection [--size 10000000] [--json]

`np.partition` alone finds the cut but decides no ties. Both take turns on the same
scores; the mask is checked for its count first. The bound aimed at is four partitions.
"""

import argparse
import json

import numpy as np

from benchmarks.timing import race
from minprune import masks


def main() -> int:
    """Print a line for each kind of scores."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", type=int, default=10_000_000)
    parser.add_argument("--seconds", type=float, default=3.0, help="timing of each")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    kinds = {
        "different": rng.normal(size=options.size),
        "float32": rng.normal(size=options.size).astype(np.float32),
        "ten values": rng.integers(10, size=options.size) * 1.0,
        "all equal": np.ones(options.size),
    }
    rows = []
    for kind, scores in kinds.items():
        count = masks.removed(scores.size, "0.9")
        kept = masks.select(scores, count=count)
        if int((~kept).sum()) != count:
            raise SystemExit(f"{kind}: the mask does not remove {count}")
        times = race(
            {
                "partition": lambda scores=scores, count=count: np.partition(
                    scores, count
                ),
                "select": lambda scores=scores, count=count: masks.select(
                    scores, count=count
                ),
            },
            options.seconds,
        )
        rows.append({"scores": kind, "size": options.size, **times})
        rows[-1]["ratio"] = times["select"] / times["partition"]
    if options.json:
        print(json.dumps(rows, indent=2))
    else:
        for row in rows:
            print(f"{row['scores']:<12}{row['ratio']:6.2f} partitions")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
