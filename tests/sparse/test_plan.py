"""compile: one call computes what the network computes, without allocating."""

import os
import tracemalloc

import numba
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minprune import nn, sparse

BATCHES = [1, 16, 20]


def every_layer():
    """A network with every layer that has a compiled form, and shapes of every sort."""
    residual = nn.Residual(
        nn.Sequential(nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()),
        nn.Sequential(nn.Conv2d(8, 8, 1)),
    )
    branches = nn.Concat(
        nn.Sequential(nn.Conv2d(8, 4, 1), nn.ReLU()),
        nn.Sequential(nn.ReLU(), nn.Conv2d(8, 5, 3, padding=(2, 1), dilation=(2, 1))),
    )
    root = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, stride=2),
        nn.BatchNorm(8),
        nn.ReLU(),
        residual,
        branches,
        nn.MaxPool2d(2, padding=1),
        nn.AvgPool2d(2, stride=1),
        nn.Conv2d(9, 6, 2, groups=3),
        nn.Residual(nn.Sequential(nn.Conv2d(6, 6, 3, padding=1, groups=6))),
        nn.ReLU6(),
        nn.Flatten(),
        nn.Linear(24, 7),
        nn.ReLU(),
        nn.ReLU6(),
        nn.Linear(7, 5),
    )
    net = nn.Network(root, (3, 14, 12), scale=0.5, offset=0.1, seed=1)
    norm = net.layers()["1"]
    rng = np.random.default_rng(0)
    norm.buffers["running_mean"][...] = rng.normal(size=8)
    norm.buffers["running_var"][...] = rng.random(8) + 0.5
    return net


def signal():
    """One axis, a global mean and no flattening."""
    root = nn.Sequential(
        nn.Conv1d(2, 6, 5, stride=2, padding=2),
        nn.ReLU(),
        nn.MaxPool1d(2),
        nn.Conv1d(6, 4, 3),
        nn.GlobalAvgPool(),
    )
    return nn.Network(root, (2, 21), seed=2)


def mlp():
    """Wide enough for panels."""
    root = nn.Sequential(nn.Linear(300, 40), nn.ReLU(), nn.Linear(40, 3))
    return nn.Network(root, (300,), seed=3)


def pruned(net, density):
    rng = np.random.default_rng(4)
    net.set_masks({n: rng.random(w.shape) < density for n, w in net.weights().items()})
    return sparse.compress(net)


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("make", [every_layer, signal, mlp])
@pytest.mark.parametrize("density", [0.3, 1.0])
def test_a_plan_computes_what_the_network_computes(make, density, batch):
    net = pruned(make(), density)
    run = sparse.compile(net, batch)
    x = np.random.default_rng(5).normal(size=(37, *net.input_shape)).astype(np.float32)
    want = net(x)
    # float32; activations near one, at most 301 products in a sum, nine layers
    for count in (1, batch, 37):
        assert_allclose(run(x[:count]), want[:count], rtol=1e-4, atol=1e-5)
    assert_array_equal(run(x[:1]), run(x[:1].copy()), "a call leaves nothing behind")


@pytest.mark.parametrize("columns", [2, 3, 7, 11, 19, 40])
def test_rows_of_any_length(columns):
    """Planes are copied, and pooled by two, in strips that may lie over each other."""
    root = nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(2, 3, 3, padding=1), nn.ReLU6())
    net = nn.Network(root, (2, 5, columns), seed=9)
    x = np.random.default_rng(10).normal(size=(1, 2, 5, columns)).astype(np.float32)
    run = sparse.compile(net)
    assert_allclose(run(x), net(x), rtol=1e-4, atol=1e-5)
    x[0, 1, 3, -1] = np.nan
    assert_array_equal(np.isnan(run(x)), np.isnan(net(x)))
    pool = nn.Network(nn.Sequential(nn.MaxPool2d(2)), (2, 5, columns))
    assert_array_equal(sparse.compile(pool)(x), pool(x))


@pytest.mark.parametrize("samples", [1, 3, 4, 6, 16])
@pytest.mark.parametrize("features", [1, 3, 16, 22])
def test_samples_become_columns_and_rows_again(features, samples):
    """In squares of four, and one by one at the edges."""
    net = nn.Network(nn.Sequential(nn.Flatten()), (features,), scale=0.5, offset=0.25)
    x = np.random.default_rng(11).normal(size=(samples, features)).astype(np.float32)
    for batch in (1, 6, 16):
        assert_array_equal(sparse.compile(net, batch)(x), net(x))


@pytest.mark.parametrize("height", [4, 16])
def test_blocks_are_planned_too(height):
    root = nn.Sequential(nn.Linear(30, 48), nn.ReLU(), nn.Linear(48, 3))
    net = nn.Network(root, (30,), seed=3)
    rng = np.random.default_rng(6)
    kept = rng.random((48 // height, 30)) < 0.3
    net.set_masks({"0.weight": np.repeat(kept, height, axis=0)})
    small = sparse.compress(net)
    assert small.layers()["0"].pattern.block == (height, 1)
    x = rng.normal(size=(20, 30)).astype(np.float32)
    for batch in BATCHES:
        assert_allclose(sparse.compile(small, batch)(x), net(x), rtol=1e-4, atol=1e-5)


def test_offsets_that_just_do_not_fit_sixteen_bits():
    """65536 inputs: the last has offset 65535, the zero behind them does not fit."""
    layer = sparse.SparseLinear(2**16, 17)
    rows = np.arange(17)
    pattern = sparse.CSR.from_positions((17, 2**16), rows, 2**16 - 1 - rows)
    layer.hold(pattern, np.ones(17, np.float32))
    run = sparse.compile(nn.Network(nn.Sequential(layer), (2**16,)))
    x = np.zeros((1, 2**16), np.float32)
    x[0, -17:] = np.arange(17)
    assert_array_equal(run(x), [np.arange(17)[::-1]])


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="plain Python allocates")
def test_a_call_does_not_allocate():
    net = pruned(every_layer(), 0.3)
    x = np.ones((16, *net.input_shape), np.float32)
    run = sparse.compile(net, 16)
    run(x)
    tracemalloc.start()
    for _ in range(10):
        run(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4096, "views of the arenas, and no array"


def test_the_memory_is_stated_beforehand():
    net = pruned(mlp(), 0.3)
    run = sparse.compile(net, 16)
    kept = sum(int(mask.sum()) for mask in net.masks().values())
    activations = 4 * 16 * (300 + 40 + 3)
    assert run.memory_bytes >= activations + 6 * kept  # a float and a 16-bit offset
    assert run.memory_bytes < 2 * (activations + 6 * kept) + 8192


def test_a_nan_is_not_lost():
    net = pruned(every_layer(), 1.0)
    x = np.full((2, *net.input_shape), np.nan, np.float32)
    for batch in BATCHES:
        assert np.isnan(sparse.compile(net, batch)(x)).all()


@pytest.mark.skipif(
    os.environ.get("MINPRUNE_PROFILE") != "thorough", reason="compiles the loop again"
)
def test_double_precision():
    net = pruned(signal(), 0.5).astype(np.float64)
    x = np.random.default_rng(7).normal(size=(3, 2, 21))
    assert_allclose(sparse.compile(net, 3)(x), net(x), rtol=1e-12, atol=1e-13)


def test_any_memory_will_do():
    net = pruned(mlp(), 0.3)
    run = sparse.compile(net, 4)
    x = np.random.default_rng(8).normal(size=(4, 300)).astype(np.float32)
    want, out = run(x).copy(), np.empty((4, 3), np.float32)
    read_only = x.copy()
    read_only.flags.writeable = False
    for given in (read_only, np.asfortranarray(x), x.astype(np.float64), x.tolist()):
        assert_array_equal(run(given), want)
    assert run(x, out) is out
    assert_array_equal(out, want)
    assert run(x[:0]).shape == (0, 3)


def test_what_cannot_be_planned_is_refused():
    net = nn.Network(nn.Sequential(nn.Linear(3, 4), nn.Tanh()), (3,), seed=0)
    with pytest.raises(ValueError, match="layer 1 is a Tanh, which has no compiled"):
        sparse.compile(net)
    with pytest.raises(ValueError, match="batch is 129; a pass carries 128 at most"):
        sparse.compile(mlp(), 129)
    run = sparse.compile(mlp(), 2)
    with pytest.raises(ValueError, match=r"shape \(2, 4\); expected 300 numbers"):
        run(np.ones((2, 4)))
    with pytest.raises(ValueError, match=r"out is float64 of shape \(2, 3\)"):
        run(np.ones((2, 300)), np.empty((2, 3)))


@pytest.mark.parametrize("batch", [1, 3])
def test_relu6_cuts_on_both_sides_and_lets_nan_through(batch):
    root = nn.Sequential(nn.ReLU6(), nn.ReLU())
    net = nn.Network(root, (5,), seed=0)
    row = np.array([-2.0, 3.0, 6.0, 9.0, np.nan], np.float32)
    got = sparse.compile(net, batch=batch)(np.tile(row, (batch, 1)))
    assert_array_equal(got, np.tile([0, 3, 6, 6, np.nan], (batch, 1)))
