"""Networks with half of their channels: smaller, and faster by how much of what is due.

    python -m benchmarks.structure [--batch 32] [--threads 1] [--json]

LeNet-5 on 28x28, and ResNet-20 and MobileNetV2 (width 0.35) on 32x32. The lower half of
the units of every space goes, by L1 norm. Before anything is timed, the smaller network
is checked against the masked one, to the rounding bound. Then all take turns: each
network called, and each compiled by `sparse.compile`. Of the multiply-adds a share
goes, of the time a share goes; what is due is the second over the first, and it is
asked of the faster way to run each network. Thread counts are set before BLAS is
loaded, so each is a run of its own.
"""

import argparse
import json
import os
from functools import partial
from typing import Any

CASES = {
    "lenet5": ((1, 28, 28), {}),
    "resnet20": ((3, 32, 32), {}),
    "mobilenet_v2": ((3, 32, 32), {"width": 0.35}),
}

WAYS = ("called", "compiled")

DUE = 0.6
"""The share of what the multiply-adds promise that the time has to keep."""


def main() -> int:
    """Print a line for each network; 1 if one of them is slower than is due."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=4.0, help="timing of each")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(options.threads)

    rows = [halved(name, options.batch, options.seconds) for name in CASES]
    if options.json:
        print(json.dumps(rows, indent=2))
    else:
        for row in rows:
            print(f"{row['network']}, batch {row['batch']}")
            for what, before in row["before"].items():
                after = row["after"][what]
                gone = 1 - after / before
                print(f"  {what:<14}{before:>14,.10g}{after:>14,.10g}{gone:>9.1%} gone")
            for way in WAYS:
                due = row[f"of_due_{way}"]
                print(f"  time gone, {way + ',':<10} of what is due: {due:.2f}")
    return 0 if all(row["of_due"] >= DUE for row in rows) else 1


def halved(name: str, batch: int, seconds: float) -> dict[str, Any]:
    """One network before and after, checked and timed."""
    import numpy as np

    from benchmarks.timing import Call, race
    from minprune import metrics, nn, prune, sparse, structure

    shape, options = CASES[name]
    net = nn.Network(nn.models.MODELS[name](shape, 10, **options), shape, seed=0)
    choice = prune.Channels("l1_norm", scope="layer").choice(net, None, 0.5)
    smaller = structure.remove(net, choice.removal)
    masked = structure.mask_units(net, choice.removal)
    x = np.random.default_rng(0).random((batch, *shape), np.float32)
    found = metrics.agreement(masked(x), smaller(x), metrics.rounding_bound(masked, x))
    if not found.agree:
        raise RuntimeError(f"{name}: masked and smaller differ beyond rounding")

    calls: dict[str, Call] = {}
    for when, each in (("before", net), ("after", smaller)):
        plan = sparse.compile(each, batch=batch)
        agreed = metrics.agreement(plan(x), each(x), metrics.rounding_bound(each, x))
        if not agreed.agree:
            raise RuntimeError(f"{name}: compiled and called differ beyond rounding")
        calls[f"{when} called"] = partial(each, x)
        calls[f"{when} compiled"] = partial(plan, x)
    times = {key: us / 1e3 for key, us in race(calls, seconds).items()}
    row: dict[str, Any] = {"network": name, "batch": batch}
    for when, each in (("before", net), ("after", smaller)):
        row[when] = {
            "weights": int(structure.weights(each)),
            "bytes": int(structure.stored_bytes(each)),
            "macs": int(structure.multiply_adds(each)),
            "ms, called": round(times[f"{when} called"], 3),
            "ms, compiled": round(times[f"{when} compiled"], 3),
        }
        row[when]["ms"] = min(row[when][f"ms, {way}"] for way in WAYS)
    of_work = 1 - row["after"]["macs"] / row["before"]["macs"]
    for way in ("ms", *(f"ms, {way}" for way in WAYS)):
        of_time = 1 - row["after"][way] / row["before"][way]
        row["of_due" + way.removeprefix("ms").replace(", ", "_")] = of_time / of_work
    return row


if __name__ == "__main__":
    raise SystemExit(main())
