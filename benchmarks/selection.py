"""Exact selection against the partition it is built on.

    python -m benchmarks.selection [--size 10000000] [--json]

`np.partition` alone finds the cut but decides no ties. Both take turns on the same
scores; the mask is checked for its count first. The bound aimed at is four partitions.
"""

import argparse
import json
from functools import partial

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
    half = options.size // 2
    equal, narrow = kinds["all equal"], kinds["float32"]
    layers = {"a": equal[:half], "b": equal[half:]}
    before = masks.select(narrow, sparsity="0.5")
    count = masks.removed(options.size, "0.9")
    cases = {
        kind: (scores, partial(masks.select, scores, count=count))
        for kind, scores in kinds.items()
    }
    cases["equal, network"] = (
        equal,
        partial(masks.select, layers, sparsity="0.9", scope="network"),
    )
    cases["float32, again"] = (
        narrow,
        partial(masks.select, narrow, sparsity="0.9", previous=before),
    )
    rows = []
    for kind, (scores, select) in cases.items():
        kept = select()
        parts = kept.values() if isinstance(kept, dict) else [kept]
        if sum(int((~part).sum()) for part in parts) != count:
            raise SystemExit(f"{kind}: the mask does not remove {count}")
        partition = partial(np.partition, scores, count)
        times = race({"partition": partition, "select": select}, options.seconds)
        rows.append({"scores": kind, "size": options.size, **times})
        rows[-1]["ratio"] = times["select"] / times["partition"]
    if options.json:
        print(json.dumps(rows, indent=2))
    else:
        for row in rows:
            print(f"{row['scores']:<16}{row['ratio']:6.2f} partitions")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
