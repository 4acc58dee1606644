"""Small sparse networks and samples for them, made without touching a kernel."""

import numpy as np

from minprune import nn, sparse


def networks():
    """A linear one, one in blocks, and a convolution."""
    rng = np.random.default_rng(0)
    for root, shape, block in (
        (nn.Sequential(nn.Linear(60, 8)), (60,), 1),
        (nn.Sequential(nn.Linear(60, 8)), (60,), 8),
        (nn.Sequential(nn.Conv2d(2, 6, 3, stride=2, padding=1)), (2, 7, 8), 1),
    ):
        net = nn.Network(root, shape, seed=1)
        weight = net.weights()["0.weight"]
        kept = rng.random((len(weight) // block, *weight.shape[1:])) < 0.2
        net.set_masks({"0.weight": np.repeat(kept, block, axis=0)})
        yield sparse.compress(net), rng.normal(size=(5, *shape)).astype(np.float32)
