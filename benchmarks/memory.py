"""Peak memory of training, sparse from the start against dense.

    python -m benchmarks.memory [--sparsity 0.99] [--json]

An MLP of 20 million dense weights takes three steps of SGD with momentum at batch
128, once held densely and once built sparse, no dense array ever made. Each runs in a
process of its own; what counts is the peak above the interpreter with its imports.
"""

import argparse
import json
import resource
import subprocess
import sys
from itertools import pairwise

WIDTHS = (4096, 3072, 2048, 512, 10)
"""20.2 million weights in all."""


def peak(form: str, sparsity: float) -> int:
    """Bytes above the imports, in a fresh interpreter."""
    command = [sys.executable, "-m", "benchmarks.memory", "--form", form]
    command += ["--sparsity", str(sparsity)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(done.stdout)


def measure(form: str, sparsity: float) -> int:
    """Train for three steps here; the peak above what the imports took."""
    import numpy as np

    from minprune import nn, sparse
    from minprune.nn.loss import CrossEntropy

    rng = np.random.default_rng(0)
    warm = sparse.SparseLinear(64, 64)
    warm.hold(sparse.CSR.from_mask(np.eye(64, dtype=bool)), np.ones(64, np.float32))
    for batch in (16, 128):  # load the kernels: they are imports, in effect
        x = np.ones((64, batch), np.float32)
        warm.backward(warm.forward(x))
    before = _resident()

    layers: list[nn.Layer] = []
    for inputs, outputs in pairwise(WIDTHS):
        if form == "dense":
            layers.append(nn.Linear(inputs, outputs))
        else:
            layer = sparse.SparseLinear(inputs, outputs)
            count = round((1 - sparsity) * inputs * outputs)
            places = np.unique(rng.integers(0, inputs * outputs, count))
            pattern = sparse.CSR.from_positions(
                (outputs, inputs), *divmod(places, inputs)
            )
            layer.hold(pattern, np.zeros(pattern.stored, np.float32))
            layers.append(layer)
        layers.append(nn.ReLU())
    net = nn.Network(nn.Sequential(*layers[:-1]), WIDTHS[:1], seed=0)
    optimizer, loss = nn.SGD(0.01, momentum=0.9), CrossEntropy()
    x = rng.random((128, WIDTHS[0])).astype(np.float32)
    labels = rng.integers(10, size=128)
    for _ in range(3):
        _, delta = loss(net.forward(net.enter(x), nn.Mode(training=True)), labels)
        net.backward(delta)
        optimizer.step(net.parameters(), net.gradients())
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before


def _resident() -> int:
    """Bytes of memory in use now."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def main() -> None:
    """Compare the two forms, or measure one."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sparsity", type=float, default=0.99)
    parser.add_argument("--form", choices=("dense", "sparse"), help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.form:
        print(measure(options.form, options.sparsity))
        return
    dense, ours = (peak(form, options.sparsity) for form in ("dense", "sparse"))
    row = {"dense_bytes": dense, "sparse_bytes": ours, "share": round(ours / dense, 3)}
    if options.json:
        print(json.dumps(row))
    else:
        print("dense {dense_bytes:,} bytes, sparse {sparse_bytes:,}".format(**row))
        print("sparse takes {share:.1%} of dense".format(**row))


if __name__ == "__main__":
    main()
