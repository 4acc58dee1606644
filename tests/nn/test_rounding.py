"""The bound that comparisons with PyTorch use: it holds, and it is worth something."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minprune import nn
from minprune.nn import Mode
from tests.nn.networks import POINTWISE, networks
from tests.nn.rounding import bounds


def evaluated(net, inside, labels, training):
    """Outputs, loss, and all gradients by name."""
    logits = net.forward(inside, Mode(training))
    loss, gradient = nn.cross_entropy(logits, labels)
    found = {"outputs": logits, "loss": loss, "input": net.backward(gradient)}
    return found | net.gradients()


# SciPy's erf, in GELU, knows double precision only.
SMOOTH = [bend for bend in POINTWISE if bend is not nn.GELU]


@settings(max_examples=40)
@given(networks(SMOOTH), st.integers(2, 5), st.booleans(), st.integers(0, 999))
def test_it_holds_between_two_precisions(net, batch, training, seed):
    """Eleven bits more stand for the exact evaluation, which is off by half of it."""
    net, rng = net.astype(np.float64), np.random.default_rng(seed)
    x, labels = rng.normal(size=(*net.input_shape, batch)), rng.integers(3, size=batch)
    limits = bounds(net, x, labels, training)
    exact = evaluated(
        net.astype(np.longdouble), x.astype(np.longdouble), labels, training
    )
    for name, value in evaluated(net, x, labels, training).items():
        assert (np.abs(value - exact[name]) <= limits[name] / 2).all(), name


@pytest.mark.parametrize("training", [False, True])
def test_it_shows_a_wrong_term(training):
    """On a plain network it is far below the effect of any slip in a formula."""
    root = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm(4), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(36, 3),
    )  # fmt: skip
    net = nn.Network(root, (2, 6, 6), seed=0).astype(np.float64)
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(2, 6, 6, 8)), rng.integers(3, size=8)
    limits = bounds(net, x, labels, training)
    for name, value in evaluated(net, x, labels, training).items():
        if training and name == "0.bias":
            continue  # zero but for rounding: the norm takes any shift out again
        assert np.max(limits[name]) < 1e-10 * np.max(np.abs(value)), name
