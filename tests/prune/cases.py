"""Small data and small networks that every procedure is put to."""

from dataclasses import replace

import numpy as np

from minprune import data, nn
from minprune.data import Split

ROWS = 192


def digits():
    """A few of the digits: 192 to train on, 64 to validate, 64 to test."""
    whole = data.load("digits")
    cut = lambda split, rows: Split(split.x[:rows], split.y[:rows])
    return replace(
        whole,
        train=cut(whole.train, ROWS),
        val=cut(whole.val, 64),
        test=cut(whole.test, 64),
    )


def linear(seed=0):
    """64-12-10, fully connected."""
    return nn.models.build("mlp", digits(), hidden=(12,), seed=seed)


def conv(seed=0):
    """A convolution with batch norm, a depthwise one, and a linear head."""
    root = nn.Sequential(
        {
            "conv": nn.Conv2d(1, 6, 3, stride=2, padding=1, bias=False),
            "norm": nn.BatchNorm(6),
            "relu": nn.ReLU(),
            "depthwise": nn.Conv2d(6, 6, 3, padding=1, groups=6),
            "relu2": nn.ReLU(),
            "pool": nn.GlobalAvgPool(),
            "head": nn.Linear(6, 10),
        }
    )
    whole = digits()
    return nn.Network(
        root,
        whole.input_shape,
        classes=whole.classes,
        scale=whole.scale,
        offset=whole.offset,
        seed=seed,
    )


NETWORKS = {"linear": linear, "conv": conv}


def kept(net):
    """Weights kept in all."""
    return sum(int(np.count_nonzero(mask)) for mask in net.masks().values())


def size(net):
    """Weights in all."""
    return sum(weight.size for weight in net.weights().values())


class Watch(nn.Procedure):
    """Notes, after every step, whatever it is told to look at."""

    def __init__(self, look):
        self.look, self.seen = look, []

    def after_step(self, run):
        self.seen.append(self.look(run))
