"""Small networks that between them hold every step there is."""

import numpy as np

from minprune import nn
from minprune._random import stream


def convolutional():
    """2-D: strided, dilated, grouped, depthwise, uneven padding, every pool."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False),
        nn.BatchNorm(8),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, 1),
        nn.Residual(
            nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.ReLU6()),
            nn.Conv2d(8, 8, 1, groups=2),
        ),
        nn.ReLU(),
        nn.Concat(nn.Conv2d(8, 4, 3, padding=2, dilation=2), nn.Sequential()),
        nn.BatchNorm(12),
        nn.Conv2d(12, 6, (2, 3), stride=(1, 2), padding=[[1, 0], [0, 1]]),
        nn.AvgPool2d(2, 1, 1),
        nn.ReLU(),
        nn.GlobalAvgPool(),
        nn.Linear(6, 5),
    ), (3, 9, 7)


def signal():
    """1-D, with an identity shortcut, dropout and a hidden layer."""
    return nn.Sequential(
        nn.Conv1d(4, 6, 5, stride=2, padding=2),
        nn.ReLU(),
        nn.Residual(nn.Sequential(nn.Conv1d(6, 6, 3, padding=1), nn.BatchNorm(6))),
        nn.MaxPool1d(2),
        nn.AvgPool1d(3, 1, 1),
        nn.Dropout(0.3),
        nn.Flatten(),
        nn.Linear(6 * 5, 12),
        nn.ReLU6(),
        nn.Linear(12, 3, bias=False),
    ), (4, 20)


def dense():
    """Three linear layers over more than one segment of 256 columns."""
    return nn.Sequential(
        nn.Linear(300, 20),
        nn.ReLU(),
        nn.Linear(20, 17),
        nn.BatchNorm(17),
        nn.ReLU(),
        nn.Linear(17, 4),
    ), (300,)


NETWORKS = {"convolutional": convolutional, "signal": signal, "dense": dense}


def drawn(name, density=0.4, seed=0):
    """A network with drawn weights and statistics, pruned, and samples for it."""
    root, shape = NETWORKS[name]()
    rng = stream(seed, "networks", name)
    scale = rng.uniform(0.5, 2, (shape[0], *(1,) * (len(shape) - 1)))
    net = nn.Network(root, shape, scale=scale, offset=0.25, seed=seed)
    for layer in net.layers().values():
        if isinstance(layer, nn.BatchNorm):
            n = layer.num_features
            layer.params["weight"][:] = rng.uniform(0.5, 1.5, n)
            layer.params["bias"][:] = rng.normal(size=n) / 2
            layer.buffers["running_mean"][:] = rng.normal(size=n) / 4
            layer.buffers["running_var"][:] = rng.uniform(0.2, 2, n)
    masks = {key: rng.random(w.shape) < density for key, w in net.weights().items()}
    for mask in masks.values():
        mask.reshape(len(mask), -1)[:, 0] |= ~mask.reshape(len(mask), -1).any(axis=1)
    net.set_masks(masks)
    return net, rng.normal(size=(40, *shape)).astype(np.float32)
