"""Networks of the layers that have a form in floating point alone."""

import numpy as np

from minprune import nn
from minprune._random import stream


def squashing():
    """Functions of one number, on planes and on features, gates and norms."""
    return nn.Sequential(
        nn.Conv2d(2, 6, 3, padding=1),
        nn.GELU(),
        nn.SqueezeExcite(nn.Sequential(nn.GlobalAvgPool(), nn.Linear(6, 6), nn.Tanh())),
        nn.LayerNorm((6, 5, 4)),
        nn.LeakyReLU(0.2),
        nn.Softmax(),
        nn.Concat(nn.Sigmoid(), nn.Sequential(nn.LayerNorm((6, 5, 4), affine=False))),
        nn.Flatten(),
        nn.Linear(240, 7),
        nn.Softmax(),
    ), (2, 5, 4)


def gated():
    """Recurrent layers one upon the other, in both directions, with all their steps."""
    return nn.Sequential(
        nn.GRU(3, 5, num_layers=2, bidirectional=True),
        nn.LSTM(10, 4, bidirectional=True),
        nn.RNN(8, 6, bias=False, last=True),
        nn.Linear(6, 3),
    ), (3, 9)


def remembered():
    """The final state of both directions, behind a convolution that shortens."""
    return nn.Sequential(
        nn.Conv1d(3, 4, 3),
        nn.ReLU(),
        nn.LSTM(4, 7, bidirectional=True, last=True),
        nn.Linear(14, 5),
        nn.Sigmoid(),
    ), (3, 11)


def symbols():
    """Whole numbers that are looked up."""
    return nn.Sequential(
        nn.Embedding(11, 4),
        nn.GRU(4, 6, last=True),
        nn.BatchNorm(6),
        nn.ReLU(),
        nn.Heads(nn.Linear(6, 3), nn.Linear(6, 1)),
    ), (8,)


FLOATING = {
    "squashing": squashing,
    "gated": gated,
    "remembered": remembered,
    "symbols": symbols,
}


def floating(name, density=0.5):
    """A network with drawn weights, pruned, and samples for it."""
    root, shape = FLOATING[name]()
    rng = stream(0, "floating", name)
    real = name != "symbols"
    net = nn.Network(root, shape, scale=1.5 if real else 1, offset=0.25 * real, seed=0)
    for layer in net.layers().values():
        if isinstance(layer, nn.LayerNorm) and layer.params:
            layer.params["weight"][...] = rng.uniform(0.5, 1.5, layer.shape)
            layer.params["bias"][...] = rng.normal(size=layer.shape)
    net.set_masks({k: rng.random(w.shape) < density for k, w in net.weights().items()})
    x = rng.normal(size=(30, *shape)) if real else rng.integers(0, 11, (30, *shape))
    return net, x.astype(np.float32)
