"""Small data and small networks that every procedure is put to."""

from dataclasses import replace

import numpy as np

from minprune import data, nn
from minprune.data import Split
from minprune.prune import gating

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


def gated(seed=0):
    """The convolutions with half of the first one's channels off for every sample."""
    return gating.boosted(conv(seed), "conv", 0.5, seed)


def heads(seed=0):
    """A trunk of 12 with two heads: the digit, and how gray its image is."""
    answers = nn.Heads({"digit": nn.Linear(12, 10), "gray": nn.Linear(12, 1)})
    trunk = nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.ReLU())
    whole = digits()
    return nn.Network(
        nn.Sequential({"trunk": trunk, "heads": answers}),
        whole.input_shape,
        scale=whole.scale,
        offset=whole.offset,
        seed=seed,
    )


def two_tasks():
    """Labels of the digits in column 0, the mean gray of each image in column 1."""

    def both(split):
        gray = split.x.reshape(len(split), -1).mean(axis=1)
        # Further columns belong to no task; they make as many targets as outputs.
        rest = np.zeros((len(split), 9))
        return Split(split.x, np.column_stack([split.y, gray, rest]))

    whole = digits()
    return replace(
        whole,
        train=both(whole.train),
        val=both(whole.val),
        test=both(whole.test),
        task="regression",
        classes=tuple(str(i) for i in range(11)),
    )


def tasks():
    """Which outputs and targets are whose, and the loss of each."""
    return nn.Tasks(
        rows={"digit": slice(0, 10), "gray": slice(10, 11)},
        losses={"digit": nn.cross_entropy, "gray": nn.mean_squared_error},
        columns={"digit": 0, "gray": slice(1, 2)},
    )


NETWORKS = {"linear": linear, "conv": conv}
SPECIAL = {"gated": gated, "heads": heads}
"""For what only some procedures, or some tests, are about."""


def learned(network):
    """What a network of this name is trained on: data and loss, for `nn.train`."""
    if network == "heads":
        return {"data": two_tasks(), "loss": tasks()}
    return {"data": digits()}


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
