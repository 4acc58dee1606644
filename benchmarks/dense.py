"""A training step of the dense engine against PyTorch's, side by side in one run.

    python benchmarks/dense.py [--threads 1] [--repeats 30] [--json]

Two networks, SGD with momentum, float32: LeNet-300-100 at batch 128 and LeNet-5 at
batch 64. Both engines start from the same weights and take the same first step, which
is checked before anything is timed; then steps alternate between them, so that whatever
else the machine does falls on both. Times are medians in milliseconds; a ratio below 1
is in favor of minprune. Thread counts are set before BLAS is loaded, so each is a run
of its own.
"""

import argparse
import json
import os
import time
from statistics import median

CASES = {"lenet_300_100": 128, "lenet5": 64}


def main() -> None:
    """Parse, set the threads, then import what reads them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=30, help="steps to time")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(options.threads)
    try:
        import torch
    except ImportError:
        parser.exit(2, "benchmarks/dense.py: needs torch: pip install torch==2.13.0\n")
    torch.set_num_threads(options.threads)

    rows = []
    for name, batch in CASES.items():
        ours, peer = steps(name, batch, torch)
        times = alternate(ours, peer, options.repeats)
        rows.append(
            {
                "workload": f"train {name}",
                "batch": batch,
                "threads": options.threads,
                "peer": f"torch {torch.__version__} eager",
                "peer_ms": round(times[1], 3),
                "ours_ms": round(times[0], 3),
                "ratio": round(times[0] / times[1], 3),
            }
        )
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    line = "{workload:<22} batch {batch:<4} threads {threads}  "
    line += "ours {ours_ms:8.3f} ms  torch {peer_ms:8.3f} ms  ours/torch {ratio:.2f}"
    for row in rows:
        print(line.format(**row))


def steps(name, batch, torch):
    """One training step of each engine on the same weights and data, checked equal."""
    import numpy as np

    from minprune import nn
    from minprune.nn.layer import Mode

    shape = (1, 28, 28)
    rng = np.random.default_rng(0)
    x = rng.random((batch, *shape), np.float32)
    y = rng.integers(10, size=batch)
    net = nn.Network(nn.models.MODELS[name](shape, 10), shape, seed=0)
    twin = like(net, torch)
    optimizer, peer = nn.SGD(0.01, 0.9), torch.optim.SGD(twin.parameters(), 0.01, 0.9)
    entropy, mode = torch.nn.CrossEntropyLoss(), Mode(training=True)
    tx, ty = torch.from_numpy(x), torch.from_numpy(y)

    def ours():
        _, gradient = nn.cross_entropy(net.forward(net.enter(x), mode), y)
        net.learn(gradient)
        optimizer.step(net.parameters(), net.gradients())

    def theirs():
        peer.zero_grad()
        entropy(twin(tx), ty).backward()
        peer.step()

    ours()
    theirs()
    for mine, its in zip(net.parameters().values(), twin.parameters(), strict=True):
        np.testing.assert_allclose(
            mine, its.detach().numpy(), rtol=1e-4, atol=1e-5, err_msg=name
        )
    return ours, theirs


def like(net, torch):
    """The same network in PyTorch, with the same weights."""
    layers = []
    for layer in net.root.children.values():
        args = layer.arguments()
        if layer.kind == "Conv2d":
            args["padding"] = tuple(side[0] for side in args["padding"])
        if layer.kind == "MaxPool2d":
            args = {"kernel_size": args["kernel_size"]}
        layers.append(getattr(torch.nn, layer.kind)(**args))
    twin = torch.nn.Sequential(*layers)
    with torch.no_grad():
        for mine, its in zip(net.parameters().values(), twin.parameters(), strict=True):
            its.copy_(torch.from_numpy(mine.copy()))
    return twin


def alternate(ours, theirs, repeats):
    """Median milliseconds of both, taken in turns after a few steps of warming up."""
    times = ([], [])
    for index in range(repeats + 5):
        for function, spent in zip((ours, theirs), times, strict=True):
            begin = time.perf_counter()
            function()
            if index >= 5:
                spent.append(1e3 * (time.perf_counter() - begin))
    return [median(spent) for spent in times]


if __name__ == "__main__":
    main()
