"""Networks drawn at random: every kind of layer and joint, any stride and padding."""

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from minprune import nn
from minprune.structure import find_spaces

BENT = (nn.ReLU, nn.ReLU6, nn.LeakyReLU)
"""Activations for which a rounding bound is derived."""
SMOOTH = (nn.Sigmoid, nn.Tanh, nn.GELU)


def few(draw, low=1, high=4):
    return draw(st.integers(low, high))


def finish(draw, channels, activations):
    """Behind a layer: perhaps a batch norm, perhaps an activation."""
    layers = []
    if draw(st.booleans()):
        layers.append(nn.BatchNorm(channels, affine=draw(st.booleans())))
    if draw(st.booleans()):
        layers.append(draw(st.sampled_from(activations))())
    return layers


def conv(draw, axes, channels, out, *, same=False, groups=1):
    """A convolution; `same` keeps the plane."""
    kernel = draw(st.sampled_from([1, 3] if same else [1, 2, 3]))
    make = nn.Conv1d if axes == 1 else nn.Conv2d
    return make(
        channels,
        out,
        kernel,
        stride=1 if same else few(draw, 1, 2),
        padding=kernel // 2 if same else few(draw, 0, 2),
        dilation=1 if same else few(draw, 1, 2),
        groups=groups,
        bias=draw(st.booleans()),
    )


def plain(draw, axes, channels, bends):
    out = few(draw)
    return [conv(draw, axes, channels, out), *finish(draw, out, bends)], out


def grouped(draw, axes, channels, bends):
    """Convolutions in groups, a wide one before so that there is something to split."""
    groups, inner, out = few(draw, 2, 3), few(draw, 1, 3), few(draw, 1, 3)
    return [
        conv(draw, axes, channels, groups * inner, same=True),
        *finish(draw, groups * inner, bends),
        conv(draw, axes, groups * inner, groups * out, groups=groups),
        *finish(draw, groups * out, bends),
    ], groups * out


def depthwise(draw, axes, channels, bends):
    times = few(draw, 1, 2)
    return [
        conv(draw, axes, channels, channels * times, groups=channels),
        *finish(draw, channels * times, bends),
    ], channels * times


def residual(draw, axes, channels, bends):
    """With a projection, or around a body that keeps the shape."""
    inner, project = few(draw), draw(st.booleans())
    out = few(draw) if project else channels
    body = nn.Sequential(
        conv(draw, axes, channels, inner, same=True),
        *finish(draw, inner, bends),
        conv(draw, axes, inner, out, same=True),
        *finish(draw, out, bends),
    )
    shortcut = conv(draw, axes, channels, out, same=True) if project else None
    return [nn.Residual(body, shortcut), *finish(draw, out, bends)], out


def inverted(draw, axes, channels, bends):
    """Widen, filter each channel by itself, narrow; a shortcut where shapes allow."""
    inner, out = channels * few(draw, 1, 3), few(draw)
    body = nn.Sequential(
        conv(draw, axes, channels, inner, same=True),
        *finish(draw, inner, bends),
        conv(draw, axes, inner, inner, same=True, groups=inner),
        *finish(draw, inner, bends),
        conv(draw, axes, inner, out, same=True),
        *finish(draw, out, bends),
    )
    return [nn.Residual(body) if out == channels else body], out


def concat(draw, axes, channels, bends):
    widths = [few(draw, 1, 3) for _ in range(few(draw, 2, 3))]
    ways = [
        nn.Sequential(
            conv(draw, axes, channels, out, same=True), *finish(draw, out, bends)
        )
        for out in widths
    ]
    if draw(st.booleans()):  # what came is itself one of the branches
        ways.append(nn.Sequential())
        widths.append(channels)
    return [nn.Concat(*ways)], sum(widths)


def squeeze(draw, axes, channels, bends):
    inner = few(draw, 1, 3)
    gate = nn.Sequential(
        nn.GlobalAvgPool(),
        nn.Linear(channels, inner),
        nn.ReLU(),
        nn.Linear(inner, channels),
        nn.Sigmoid(),
    )
    return [nn.SqueezeExcite(gate)], channels


def pooled(draw, axes, channels, bends):
    make = {
        1: (nn.MaxPool1d, nn.AvgPool1d),
        2: (nn.MaxPool2d, nn.AvgPool2d),
    }[axes]
    pool = draw(st.sampled_from(make))
    return [pool(2, stride=few(draw, 1, 2), padding=few(draw, 0, 1))], channels


STAGES = (plain, grouped, depthwise, residual, inverted, concat, squeeze, pooled)
BOUNDED = (plain, grouped, depthwise, residual, inverted, concat, pooled)


def dense_end(draw, features, bends):
    """Perhaps a hidden layer, perhaps with a shortcut; then the outputs."""
    layers = []
    if draw(st.booleans()):
        width = few(draw)
        layers += [nn.Linear(features, width), *finish(draw, width, bends)]
        features = width
    if draw(st.booleans()):
        inner = few(draw)
        body = nn.Sequential(
            nn.Linear(features, inner), nn.ReLU(), nn.Linear(inner, features)
        )
        layers.append(nn.Residual(body))
    last = nn.Linear(features, few(draw, 1, 2), draw(st.booleans()))
    if bends == BENT or draw(st.booleans()):
        return [*layers, last]
    more = draw(st.sampled_from([nn.Dropout(0.5), nn.LayerNorm(features)]))
    return [*layers, more, nn.Heads({"one": last, "other": nn.Linear(features, 1)})]


@st.composite
def convolutional(draw, bounded=False):
    """Images or signals through a few stages, pooled or flattened into a dense end."""
    axes = draw(st.sampled_from([1, 2]))
    bends = BENT if bounded else BENT + SMOOTH
    shape = (few(draw, 1, 3), *(few(draw, 4, 7) for _ in range(axes)))
    layers, channels = [], shape[0]
    stages = BOUNDED if bounded else STAGES
    for stage in draw(st.lists(st.sampled_from(stages), min_size=1, max_size=4)):
        more, channels = stage(draw, axes, channels, bends)
        layers += more
    layers.append(draw(st.sampled_from([nn.Flatten, nn.GlobalAvgPool]))())
    try:
        (features,) = nn.Sequential(*layers).output_shape(shape)
    except ValueError:
        assume(False)  # a window that no longer fits
    layers += dense_end(draw, features, bends)
    return filled(draw, layers, shape)


@st.composite
def recurrent(draw):
    """Sequences through recurrent layers, and what may stand around them."""
    bends = BENT + SMOOTH
    shape = (few(draw), few(draw, 2, 5))
    layers, features = [], shape[0]
    if draw(st.booleans()):
        more, features = plain(draw, 1, features, bends)
        layers += more
    elif draw(st.booleans()):
        shape, features = (shape[1],), few(draw)
        layers.append(nn.Embedding(3, features))
    for last in draw(st.sampled_from([(True,), (False,), (False, True)])):
        make = draw(st.sampled_from([nn.RNN, nn.LSTM, nn.GRU]))
        hidden, both = few(draw), draw(st.booleans())
        layers.append(
            make(features, hidden, few(draw, 1, 2), draw(st.booleans()), both, last)
        )
        features = hidden * (1 + both)
    if not last:
        layers.append(draw(st.sampled_from([nn.Flatten, nn.GlobalAvgPool]))())
    try:
        (features,) = nn.Sequential(*layers).output_shape(shape)
    except ValueError:
        assume(False)
    layers += dense_end(draw, features, bends)
    return filled(draw, layers, shape)


def filled(draw, layers, shape):
    """The network in float64 with nothing in it that is one or zero by custom."""
    net = nn.Network(nn.Sequential(*layers), shape).astype(np.float64)
    rng = np.random.default_rng(few(draw, 0, 2**16))
    for layer in net.layers().values():
        layer.reset(rng)
        for name, array in (layer.params | layer.buffers).items():
            if array.ndim == 1:
                array[...] = rng.uniform(0.3, 1.5, array.shape)
                if name != "running_var":
                    array *= rng.choice([-1, 1], array.shape)
    return net


def anything():
    """A network of either family, two of three convolutional."""
    return convolutional() | convolutional() | recurrent()


@st.composite
def removals(draw, net):
    """Some units of some spaces, never all of one."""
    removal = {}
    for name, space in find_spaces(net).free().items():
        order = draw(st.permutations(range(len(space))))
        removal[name] = order[: draw(st.integers(0, len(space) - 1))]
    return removal


def samples(net, count=3, seed=0):
    """Inputs for a network, whole numbers where it begins with an embedding."""
    rng = np.random.default_rng(seed)
    shape = (count, *net.input_shape)
    if any(layer.kind == "Embedding" for layer in net.layers().values()):
        return rng.integers(3, size=shape).astype(np.float64)
    return rng.normal(size=shape)
