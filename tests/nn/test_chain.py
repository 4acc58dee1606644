"""Chains: what goes through several layers is what the layers do, one by one."""

import numpy as np
import pytest
from hypothesis import given
from numpy.testing import assert_allclose

from minprune import nn
from tests.nn.drawn import Case, assert_like_its_oracle, batches, seeds
from tests.oracles import layers as oracle


def dense(params, name, x):
    return oracle.linear(x, params[f"{name}.weight"], params[f"{name}.bias"])


class Flat(nn.Layer):
    """A chain whose parameters and gradients lie flat, as those of one layer do."""

    def __init__(self, root):
        super().__init__()
        self.children["root"] = root
        self.params = nn.Network(root, (3,)).parameters()

    def clone(self, dtype=None):
        return Flat(self.children["root"].clone(dtype))

    def output_shape(self, shape):
        return self.children["root"].output_shape(shape)

    def forward(self, x, mode=nn.EVAL):
        return self.children["root"].forward(x, mode)

    def backward(self, dy):
        dx = self.children["root"].backward(dy)
        self.grads = nn.Network(self.children["root"], (3,)).gradients()
        return dx


def compare(root, function, batch, seed):
    def whole(params, x):
        return np.array([function(params, sample) for sample in x])

    assert_like_its_oracle(Case(Flat(root), (3,), batch, whole, seed=seed))


@given(batches, seeds)
def test_sequential_is_composition(batch, seed):
    compare(
        nn.Sequential({"a": nn.Linear(3, 4), "f": nn.Tanh(), "b": nn.Linear(4, 2)}),
        lambda p, x: dense(p, "b", np.tanh(dense(p, "a", x))),
        batch,
        seed,
    )


@given(batches, seeds)
def test_residual_adds_the_way_around(batch, seed):
    compare(
        nn.Residual(nn.Linear(3, 3)),
        lambda p, x: dense(p, "body", x) + x,
        batch,
        seed,
    )
    compare(
        nn.Residual(nn.Linear(3, 2), nn.Linear(3, 2)),
        lambda p, x: dense(p, "body", x) + dense(p, "shortcut", x),
        batch,
        seed,
    )


@given(batches, seeds)
def test_concat_and_heads_stack(batch, seed):
    for kind in (nn.Concat, nn.Heads):
        compare(
            kind({"a": nn.Linear(3, 2), "b": nn.Linear(3, 1)}),
            lambda p, x: np.concatenate([dense(p, "a", x), dense(p, "b", x)]),
            batch,
            seed,
        )


@given(batches, seeds)
def test_squeeze_and_excite_multiplies_by_its_gate(batch, seed):
    gate = nn.Sequential(nn.Linear(3, 3), nn.Sigmoid())
    compare(
        nn.SqueezeExcite(gate),
        lambda p, x: x * oracle.sigmoid(dense(p, "gate.0", x)),
        batch,
        seed,
    )


def test_the_gate_of_planes_is_one_number_a_channel():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 3, 3, 4))
    layer = nn.SqueezeExcite(nn.Sequential(nn.GlobalAvgPool(), nn.Sigmoid()))
    gate = oracle.sigmoid(x.mean(axis=(1, 2)))
    assert_allclose(layer.forward(x), x * gate[:, None, None], rtol=1e-14)


def test_unnamed_layers_are_numbered():
    net = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.ReLU(), nn.Linear(2, 1)))
    assert [name for name, _ in net.walk()] == ["", "0", "1", "1.0", "1.1"]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: nn.Sequential({"a": nn.Linear(4, 3), "b": nn.Linear(2, 1)}),
            r"layer 1 \(b\): Linear was given samples of shape \(3,\); expected \(2,\)",
        ),
        (
            lambda: nn.Sequential(nn.Flatten(), nn.Conv2d(1, 1, 3)),
            r"layer 1 \(1\): Conv2d .* shape \(4,\); expected \(1, H, W\)",
        ),
        (
            lambda: nn.Sequential(nn.Sequential(nn.Linear(4, 3), nn.Linear(4, 3))),
            r"layer 0 \(0\): layer 1 \(1\): Linear",
        ),
        (
            lambda: nn.Residual(nn.Linear(4, 3)),
            r"they give \(3,\) and \(4,\); add a projection as shortcut",
        ),
        (lambda: nn.Sequential(nn.BatchNorm(3)), r"BatchNorm .*expected \(3, \.\.\.\)"),
        (lambda: nn.LayerNorm(3), r"LayerNorm .*expected \(3,\)"),
        (lambda: nn.GRU(4, 2), r"GRU .*expected \(4, L\)"),
        (lambda: nn.GlobalAvgPool(), r"expected \(C, L\) or \(C, H, W\)"),
        (
            lambda: nn.SqueezeExcite(nn.Linear(4, 3)),
            r"a gate that gives \(4,\), not \(3,\)",
        ),
    ],
)
def test_shapes_that_do_not_chain_are_refused_when_the_network_is_built(build, message):
    with pytest.raises(ValueError, match=message):
        nn.Network(build(), (4,))


def test_branches_may_differ_in_channels_only():
    branches = nn.Concat(nn.Conv2d(1, 1, 3), nn.Conv2d(1, 2, 1))
    with pytest.raises(ValueError, match="branches that differ in channels only"):
        nn.Network(branches, (1, 4, 4))


def test_a_window_larger_than_its_plane_is_refused():
    with pytest.raises(
        ValueError, match=r"layer 0 \(0\): .* 4 x 4; .*hold a window of"
    ):
        nn.Network(nn.Sequential(nn.Conv2d(1, 1, 5)), (1, 4, 4))
