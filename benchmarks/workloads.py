"""What is raced: each workload yields a row for every peer, checked before it is timed.

What is timed is what a user calls, packing and layout included: batches through the
public layers, single samples, whole networks and training steps through
`sparse.compile`.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

SPARSITIES = (0.8, 0.9, 0.95, 0.99)


@dataclass(frozen=True)
class Row:
    """One workload against one peer."""

    workload: str
    shape: str
    batch: int
    sparsity: float
    peer: str
    peer_us: float
    ours_us: float
    ratio: float
    limit_share: float


@dataclass(frozen=True)
class Scope:
    """How long to race, and which rows of a workload are wanted; empty for all."""

    seconds: float = 0.5
    sparsities: tuple[float, ...] = ()
    batches: tuple[int, ...] = ()
    deepsparse: str = ""
    """The interpreter of an environment that has DeepSparse."""
    apart: bool = False
    """One contender after the other: on several threads their pools would wait for
    each other."""

    def of(self, sparsities: tuple[float, ...] = SPARSITIES) -> tuple[float, ...]:
        """Those sparsities that are wanted."""
        return tuple(s for s in sparsities if s in (self.sparsities or sparsities))

    def batch(self, *batches: int) -> tuple[int, ...]:
        """Those batches that are wanted."""
        return tuple(b for b in batches if b in (self.batches or batches))


def linear(
    scope: Scope, shapes: tuple[tuple[int, int], ...] = ((1024, 1024),)
) -> Iterator[Row]:
    """A linear layer forward: batches through the layer, one sample through a plan."""
    import numpy as np

    from benchmarks import peers
    from minprune import nn, sparse

    rng = np.random.default_rng(0)
    for out, inside in shapes:
        for sparsity in scope.of():
            layer = _pruned(nn.Linear(inside, out, bias=False), sparsity, rng)
            weight = layer.weights()["weight"]
            for batch in scope.batch(1, 16, 128):
                x = _columns((inside, batch), rng)
                ours = _forward(layer, x, sparse)
                given = np.ascontiguousarray(x)
                if _planned(layer, batch):  # the same job: samples are rows in memory
                    given = np.asfortranarray(x)
                calls = peers.dense(weight, given) | peers.sparse(layer.matrix(), given)
                _check(ours(), weight @ x, calls)
                yield from _rows(
                    "linear",
                    f"{out}x{inside}",
                    batch,
                    sparsity,
                    2.0 * layer.pattern.stored * batch,
                    ours,
                    calls,
                    scope,
                    6 * layer.pattern.stored,
                )


def cells(scope: Scope) -> Iterator[Row]:
    """The other shapes of a linear layer, small inputs and large."""
    yield from linear(scope, ((1024, 784), (4096, 4096)))


def blocks(scope: Scope) -> Iterator[Row]:
    """Blocks of one column: (8, 1) in batches, (16, 1) for one sample."""
    import numpy as np

    from benchmarks import peers
    from minprune import nn, sparse

    rng, size = np.random.default_rng(1), 1024
    for batch, height in ((128, 8), (1, 16)):
        if not scope.batch(batch):
            continue
        for sparsity in scope.of():
            layer = _pruned(
                nn.Linear(size, size, bias=False), sparsity, rng, (height, 1)
            )
            weight, x = layer.weights()["weight"], _columns((size, batch), rng)
            ours = _forward(layer, x, sparse)
            calls = peers.dense(weight, np.ascontiguousarray(x))
            _check(ours(), weight @ x, calls)
            flops = 2.0 * layer.pattern.stored * batch
            yield from _rows(
                f"blocks {height}x1",
                f"{size}x{size}",
                batch,
                sparsity,
                flops,
                ours,
                calls,
                scope,
                4 * layer.pattern.stored,
            )


def backward(scope: Scope) -> Iterator[Row]:
    """Both gradients of a linear layer, batch 128."""
    import numpy as np

    from benchmarks import peers
    from minprune import nn

    rng, size, batch = np.random.default_rng(2), 1024, 128
    for sparsity in scope.of():
        layer = _pruned(nn.Linear(size, size, bias=False), sparsity, rng)
        weight = layer.weights()["weight"]
        x, dy = _columns((size, batch), rng), _columns((size, batch), rng)
        layer.forward(x)

        def ours(layer=layer, dy=dy):
            return layer.backward(dy)

        def by_numpy(weight=weight, x=x, dy=dy):
            return weight.T @ dy, dy @ x.T

        calls = {"numpy": by_numpy}
        if (t := peers.torch()) is not None:
            w, a, d = (t.from_numpy(np.ascontiguousarray(v)) for v in (weight, x, dy))
            calls["torch"] = lambda t=t, w=w, a=a, d=d: (t.mm(w.T, d), t.mm(d, a.T))
        _check(ours(), by_numpy()[0], {})
        _check(
            layer.pattern.scatter(layer.grads["weight"]),
            by_numpy()[1] * layer.masks["weight"],
            {},
        )
        flops = 4.0 * layer.pattern.stored * batch
        yield from _rows(
            "backward",
            f"{size}x{size}",
            batch,
            sparsity,
            flops,
            ours,
            calls,
            scope,
            10 * layer.pattern.stored,
        )


def conv(scope: Scope) -> Iterator[Row]:
    """3x3 convolutions: batch 32 through the layer, one sample through a plan."""
    import numpy as np

    from benchmarks import peers, twins
    from minprune import nn, sparse

    rng = np.random.default_rng(3)
    for channels, side in ((64, 28), (128, 14), (256, 7)):
        for sparsity in scope.of(SPARSITIES[:3]):
            dense = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
            layer = _pruned(dense, sparsity, rng)
            for batch in scope.batch(1, 32):
                x = _columns((channels, side, side, batch), rng)
                ours = _forward(layer, x, sparse)
                raw = np.ascontiguousarray(np.moveaxis(x, -1, 0))
                weight = layer.weights()["weight"]
                calls = {}
                if (t := peers.torch()) is not None:
                    w = t.from_numpy(weight).contiguous(memory_format=t.channels_last)
                    v = t.from_numpy(raw).contiguous(memory_format=t.channels_last)
                    calls["torch"] = twins.no_grad(
                        t, lambda t=t, w=w, v=v: t.conv2d(v, w, padding=1)
                    )
                model = twins.onnx_conv(weight, raw.shape)
                if model is not None:
                    calls["onnxruntime"] = peers.onnx_session(model, raw)
                elsewhere = _elsewhere(scope, model, raw)
                calls = {name: call for name, call in calls.items() if call is not None}
                dense.params["weight"][...] = weight
                _check(ours(), dense.forward(x), {})
                if not calls:
                    calls["numpy (minprune dense)"] = lambda d=dense, x=x: d.forward(x)
                flops = 2.0 * layer.macs((channels, side, side)) * batch
                yield from _rows(
                    "conv 3x3",
                    f"{channels}@{side}x{side}",
                    batch,
                    sparsity,
                    flops,
                    ours,
                    calls,
                    scope,
                    6 * layer.pattern.stored,
                    elsewhere,
                )


def conv_backward(scope: Scope) -> Iterator[Row]:
    """Both gradients of the same convolutions, batch 32."""
    import numpy as np

    from benchmarks import peers
    from minprune import nn

    rng, batch = np.random.default_rng(4), 32
    for channels, side in ((64, 28), (128, 14), (256, 7)):
        for sparsity in scope.of(SPARSITIES[1:3]):
            dense = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
            layer = _pruned(dense, sparsity, rng)
            x, dy = (_columns((channels, side, side, batch), rng) for _ in range(2))
            weight = layer.weights()["weight"]
            dense.params["weight"][...] = weight
            layer.forward(x)
            dense.forward(x)
            _check(layer.backward(dy), dense.backward(dy), {})
            calls = {}
            if (t := peers.torch()) is not None:
                last = t.channels_last
                w = t.from_numpy(weight).contiguous(memory_format=last)
                a, d = (
                    t.from_numpy(np.moveaxis(v, -1, 0).copy()).contiguous(
                        memory_format=last
                    )
                    for v in (x, dy)
                )
                calls["torch"] = lambda t=t, w=w, a=a, d=d: (
                    t.ops.aten.convolution_backward(
                        d,
                        a,
                        w,
                        None,
                        [1, 1],
                        [1, 1],
                        [1, 1],
                        False,
                        [0, 0],
                        1,
                        [True, True, False],
                    )
                )
            else:
                calls["numpy (minprune dense)"] = lambda n=dense, d=dy: n.backward(d)
            flops = 4.0 * layer.macs((channels, side, side)) * batch
            yield from _rows(
                "conv backward",
                f"{channels}@{side}x{side}",
                batch,
                sparsity,
                flops,
                lambda n=layer, d=dy: n.backward(d),
                calls,
                scope,
                10 * layer.pattern.stored,
            )


def training(scope: Scope) -> Iterator[Row]:
    """One step of an MLP, 784-1024-1024-10, batch 128, SGD, against eager PyTorch."""
    import numpy as np

    from benchmarks import peers, twins
    from minprune import nn, sparse
    from minprune.nn.loss import CrossEntropy

    rng, batch = np.random.default_rng(6), 128
    x = rng.random((batch, 784)).astype(np.float32)
    labels = rng.integers(10, size=batch)
    for sparsity in scope.of():
        net = nn.Network(nn.Sequential(*_mlp(nn)), (784,), seed=0)
        hidden = [name for name in net.weights() if name != "4.weight"]
        net.set_masks(
            {n: rng.random(net.weights()[n].shape) >= sparsity for n in hidden}
        )
        small = sparse.compress(net)
        step = sparse.compile(small, batch, loss=CrossEntropy(), optimizer=nn.SGD(1e-3))
        stored = sum(int(mask.sum()) for mask in net.masks().values())
        if (t := peers.torch()) is not None:
            call, first = twins.torch_step(t, net, x, labels)
            calls = {"torch eager": call}
        else:
            optimizer = nn.SGD(1e-3)
            call, first = _numpy_step(nn, net, optimizer, x, labels)
            calls = {"numpy (minprune dense)": call}
        _check(np.array(step(x, labels)), np.array(first), {})
        yield from _rows(
            "training",
            "784-1024-1024-10",
            batch,
            sparsity,
            6.0 * stored * batch,
            lambda s=step: s(x, labels),
            calls,
            scope,
            30 * stored,
        )


def two_threads(scope: Scope) -> Iterator[Row]:
    """The training step on two threads, in a process of its own, taking no turns."""
    from benchmarks import peers

    if peers.torch() is None:
        return
    command = [sys.executable, "-m", "benchmarks.sparse", "--json"]
    command += ["--only", "training", "--seconds", str(scope.seconds)]
    command += ["--threads", "2", "--apart"]
    if scope.sparsities:
        command += ["--sparsity", ",".join(map(str, scope.sparsities))]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    for row in json.loads(run.stdout)["rows"]:
        yield Row(**row | {"workload": "training, 2T"})


def iot(scope: Scope) -> Iterator[Row]:
    """A small convolutional network, one sample, one call."""
    import numpy as np

    from benchmarks import peers, twins
    from minprune import nn, sparse

    rng, sparsity = np.random.default_rng(7), 0.9
    root = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * 7 * 7, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )
    net = nn.Network(root, (1, 28, 28), seed=0)
    weights = net.weights()
    net.set_masks({n: rng.random(w.shape) >= sparsity for n, w in weights.items()})
    small = sparse.compress(net)
    run, x = sparse.compile(small), rng.random((1, 1, 28, 28)).astype(np.float32)
    calls = {"numpy (minprune dense)": lambda: net(x)}
    model = twins.onnx_network(net)
    if model is not None and (session := peers.onnx_session(model, x)) is not None:
        calls["onnxruntime"] = session
    if (t := peers.torch()) is not None:
        calls["torch"] = twins.no_grad(t, twins.torch_network(t, net, x))
    _check(run(x), net(x), calls)
    stored = sum(int(mask.sum()) for mask in net.masks().values())
    yield from _rows(
        "iot network",
        "1-16-32-128-10",
        1,
        sparsity,
        2.0 * small.macs(),
        lambda: run(x),
        calls,
        scope,
        6 * stored,
        _elsewhere(scope, model, x),
    )


def break_even(scope: Scope) -> Iterator[Row]:
    """Rows and blocks against the dense product where the choice between them lies."""
    import numpy as np

    from benchmarks import peers
    from minprune import nn, sparse

    rng, size, batch = np.random.default_rng(8), 1024, 128
    for name, block in (("rows", (1, 1)), ("blocks", (8, 1))):
        for sparsity in scope.of((0.2, 0.3, 0.4, 0.5, 0.6, 0.7)):
            dense = nn.Linear(size, size, bias=False)
            layer = _pruned(dense, sparsity, rng, block)
            weight, x = layer.weights()["weight"], _columns((size, batch), rng)
            ours = _forward(layer, x, sparse)
            calls = peers.dense(weight, np.ascontiguousarray(x))
            _check(ours(), weight @ x, calls)
            flops = 2.0 * layer.pattern.stored * batch
            yield from _rows(
                f"break even, {name}",
                f"{size}x{size}",
                batch,
                sparsity,
                flops,
                ours,
                calls,
                scope,
                6 * layer.pattern.stored,
            )


def scaling(scope: Scope) -> Iterator[Row]:
    """Time against stored weights, 10^3 to 10^7: it should grow in proportion."""
    import numpy as np

    from minprune import sparse

    rng = np.random.default_rng(5)
    for stored in (10**3, 10**4, 10**5, 10**6, 10**7):
        size = max(64, int(np.sqrt(stored * 10)))
        places = np.unique(rng.integers(0, size * size, stored))
        layer = sparse.SparseLinear(size, size, bias=False)
        pattern = sparse.CSR.from_positions((size, size), *divmod(places, size))
        layer.hold(pattern, rng.normal(size=pattern.stored).astype(np.float32))
        x = _columns((size, 16), rng)
        matrix = layer.matrix()
        packed = np.ascontiguousarray(x)
        calls = {"scipy csr": lambda m=matrix, x=packed: m @ x}
        flops = 2.0 * pattern.stored * 16
        yield from _rows(
            "scaling",
            f"{size}x{size}",
            16,
            1 - pattern.stored / size**2,
            flops,
            lambda n=layer, x=x: n.forward(x),
            calls,
            scope,
            6 * pattern.stored,
        )


WORKLOADS: dict[str, Callable[[Scope], Iterator[Row]]] = {
    "linear": linear,
    "cells": cells,
    "blocks": blocks,
    "backward": backward,
    "conv": conv,
    "conv_backward": conv_backward,
    "training": training,
    "two_threads": two_threads,
    "iot": iot,
    "break_even": break_even,
    "scaling": scaling,
}


def _pruned(dense, sparsity, rng, block=(1, 1)):
    """The sparse twin of a dense layer with random weights, pruned at random."""
    import numpy as np

    from minprune import nn, sparse

    dense.reset(rng)
    shape = dense.params["weight"].shape
    grid = (shape[0] // block[0], int(np.prod(shape[1:])) // block[1])
    kept = np.kron(rng.random(grid) >= sparsity, np.ones(block, bool))
    dense.set_mask("weight", kept.reshape(shape))
    kind = sparse.SparseLinear if isinstance(dense, nn.Linear) else sparse.SparseConv2d
    if block == (1, 1):
        return kind.from_dense(dense)
    return kind.from_dense(dense, "bsr", block)


def _columns(shape, rng):
    """Random activations in the memory that layers hand to each other."""
    from minprune._check import batch_array

    x = batch_array(shape)
    x[...] = rng.normal(size=shape)
    return x


def _planned(layer, batch):
    """Whether a user had better compile a plan: where the call itself is what costs.

    That is for one sample, and for a few if hardly anything is stored.
    """
    few = layer.pattern.stored < 0.02 * layer.pattern.shape[0] * layer.pattern.shape[1]
    return batch <= (16 if few else 1)


def _forward(layer, x, sparse):
    """What a user calls: the layer, or a plan, which takes samples as rows."""
    import numpy as np

    from minprune import nn

    batch = x.shape[-1]
    if not _planned(layer, batch):
        return lambda: layer.forward(x)
    plan = sparse.compile(nn.Network(nn.Sequential(layer), x.shape[:-1]), batch)
    raw = np.ascontiguousarray(np.moveaxis(x, -1, 0))
    return (lambda: plan(raw).T) if x.ndim == 2 else (lambda: plan(raw))


def _mlp(nn):
    """The layers of the network that is trained."""
    return (
        nn.Linear(784, 1024),
        nn.ReLU(),
        nn.Linear(1024, 1024),
        nn.ReLU(),
        nn.Linear(1024, 10),
    )


def _numpy_step(nn, net, optimizer, x, labels):
    """A step of the dense engine, masks applied after it, and its first loss."""
    from minprune.nn.loss import CrossEntropy

    loss = CrossEntropy()

    def call():
        value, delta = loss(net.forward(net.enter(x), nn.Mode(training=True)), labels)
        net.backward(delta)
        optimizer.step(net.parameters(), net.gradients())
        for _, layer in net.root.walk():
            layer.apply_masks()
        return value

    return call, loss(net(x).T, labels)[0]


def _check(got, want, calls):
    """Stop before anything is timed that is not right."""
    import numpy as np

    scale = np.abs(want).max()
    answers = {"ours": got} | {name: call() for name, call in calls.items()}
    for name, answer in answers.items():
        answer = np.asarray(answer).reshape(np.shape(want))
        # float32, sums of at most a few thousand products
        if not np.allclose(answer, want, rtol=1e-3, atol=1e-4 * scale):
            raise AssertionError(f"{name} computes something else")


def _elsewhere(scope, model, x):
    """Microseconds of DeepSparse on this model, in its own environment, just now."""
    if not scope.deepsparse or model is None:
        return {}
    from benchmarks.peers import deepsparse

    return {"deepsparse": deepsparse(scope.deepsparse, model, x, scope.seconds)}


def _rows(
    workload, shape, batch, sparsity, flops, ours, calls, scope, read_bytes, more=()
):
    """Race, and one row for each peer; dense peers also as the best of them.

    `more` are peers that were timed by themselves.
    """
    from benchmarks.timing import limits, race

    everyone, times = {"ours": ours} | calls, dict(more)
    if scope.apart:
        for name, call in everyone.items():
            times |= race({name: call}, scope.seconds)
    else:
        times |= race(everyone, scope.seconds)
    mine = times.pop("ours")
    dense = {n: t for n, t in times.items() if n in ("numpy", "torch", "onnxruntime")}
    if len(dense) > 1:
        times["best dense"] = min(dense.values())
    share = limits().share(mine, flops, read_bytes)
    for peer, us in times.items():
        yield Row(
            workload,
            shape,
            batch,
            round(sparsity, 4),
            peer,
            round(us, 2),
            round(mine, 2),
            round(us / mine, 2),
            round(share, 3),
        )
