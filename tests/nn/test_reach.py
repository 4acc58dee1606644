"""What a correct engine reaches on the shipped data: the mean test accuracy of 3 seeds.

The floors are those of a plain NumPy implementation of the same networks less about a
point (a test split of 360 digits moves in steps of 0.28 points, one of 247 windows in
steps of 0.4). MNIST-1D takes minutes; it runs under ``MINPRUNE_PROFILE=thorough``.
"""

import os
from dataclasses import replace

import numpy as np
import pytest

from minprune import data, nn

SEEDS = 3
thorough = pytest.mark.skipif(
    os.environ.get("MINPRUNE_PROFILE") != "thorough",
    reason="takes minutes: set MINPRUNE_PROFILE=thorough",
)


def mean_accuracy(ds, build, epochs, batch_size, lr, rate=nn.rates.cosine):
    """Per cent on the test split, with Adam."""
    reached = []
    for seed in range(SEEDS):
        net = build(seed)
        nn.train(
            net,
            ds,
            epochs=epochs,
            batch_size=batch_size,
            optimizer=nn.Adam(lr),
            rate=rate,
            seed=seed,
        )
        reached.append(100 * nn.evaluate(net, ds.test, nn.cross_entropy)[1])
    return np.mean(reached)


@pytest.mark.parametrize(
    ("name", "model", "epochs", "batch_size", "lr", "floor"),
    [
        ("digits", "mlp", 30, 48, 4e-3, 97.0),
        ("digits", "small_cnn", 12, 48, 4e-3, 97.5),
        ("watch", "cnn1d", 15, 32, 3e-3, 72.0),
        ("jvowels", "mlp", 25, 16, 2e-3, 95.0),
    ],
)
def test_shipped_data(name, model, epochs, batch_size, lr, floor):
    ds = data.load(name)

    def build(seed):
        return nn.models.build(model, ds, seed=seed)

    assert mean_accuracy(ds, build, epochs, batch_size, lr) >= floor


def logistic():
    return nn.Sequential(nn.Linear(40, 10))


def mlp():
    """15,210 parameters: the second hidden layer adds to the first."""
    second = nn.Residual(nn.Sequential(nn.Linear(100, 100), nn.ReLU()))
    return nn.Sequential(nn.Linear(40, 100), nn.ReLU(), second, nn.Linear(100, 10))


def cnn():
    """5,210 parameters."""
    return nn.Sequential(
        nn.Conv1d(1, 25, 5, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv1d(25, 25, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv1d(25, 25, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(125, 10),
    )


NETS = [
    (logistic, (40,), 410, 30, nn.rates.cosine, 30.5, 33.0),
    (mlp, (40,), 15_210, 100, nn.rates.constant, 63.0, 69.0),
    (cnn, (1, 40), 5210, 60, nn.rates.cosine, 90.0, 94.0),
]


@pytest.mark.parametrize(("root", "shape", "parameters"), [case[:3] for case in NETS])
def test_the_networks_of_mnist1d_have_their_published_sizes(root, shape, parameters):
    net = nn.Network(root(), shape)
    assert sum(p.size for p in net.parameters().values()) == parameters


@thorough
@pytest.mark.parametrize("case", NETS)
def test_mnist1d(case):
    """As published: all 4000 samples but the test, Adam at 1e-2, batches of 100."""
    root, shape, _, epochs, rate, low, high = case
    ds = data.mnist1d()
    parts = [(part.x, part.y) for part in (ds.train, ds.val)]
    x, y = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))

    def build(seed):
        return nn.Network(root(), shape, seed=seed)

    everything = replace(ds, train=data.Split(x, y))
    assert low <= mean_accuracy(everything, build, epochs, 100, 1e-2, rate) <= high
