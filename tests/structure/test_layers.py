"""Dropping layers: what stays is what a shortcut leaves, and each score by hand."""

import numpy as np
import pytest

from minprune import data, nn
from minprune.criteria.layer import linear_cka
from minprune.nn.train import default_loss
from minprune.structure import (
    drop_layers,
    droppable,
    layer_ablations,
    layer_scales,
    layer_similarities,
    merge_linear,
)


def blocks():
    """Two residual blocks, one with a projection, and a layer that keeps the shape."""

    def body(inner):
        return nn.Sequential(
            nn.Linear(6, inner), nn.ReLU(), nn.Linear(inner, 6), nn.BatchNorm(6)
        )

    root = nn.Sequential(
        {
            "flatten": nn.Flatten(),
            "in": nn.Linear(64, 6),
            "first": nn.Residual(body(4)),
            "second": nn.Residual(body(3), nn.Linear(6, 6)),
            "same": nn.Linear(6, 6),
            "relu": nn.ReLU(),
            "out": nn.Linear(6, 10),
        }
    )
    return nn.Network(root, (1, 8, 8), scale=1 / 16, seed=0)


def test_blocks_and_layers_that_keep_the_shape_can_go():
    assert droppable(blocks()) == [
        "first",
        "first.body.3",
        "second",
        "second.body.3",
        "same",
    ]


def test_of_a_block_the_shortcut_stays():
    net, x = blocks(), np.random.default_rng(0).normal(size=(3, 64))
    shorter = drop_layers(net, ["first", "second"])
    weights = {name: w.astype(float) for name, w in net.parameters().items()}
    y = weights["in.weight"] @ (x.T / 16) + weights["in.bias"][:, None]
    for name in ("second.shortcut", "same"):
        y = weights[f"{name}.weight"] @ y + weights[f"{name}.bias"][:, None]
    y = weights["out.weight"] @ np.maximum(y, 0) + weights["out.bias"][:, None]
    # float32 against float64
    np.testing.assert_allclose(shorter(x), y.T, rtol=1e-4, atol=1e-5)
    merged = merge_linear(shorter)
    np.testing.assert_allclose(merged(x), y.T, rtol=1e-4, atol=1e-5)
    assert list(merged.root.children) == ["flatten", "in", "relu", "out"]


def test_what_stays_keeps_its_name_and_shares_no_memory():
    net = blocks()
    shorter = drop_layers(net, ["same"])
    kept = net.parameters().keys() - {"same.weight", "same.bias"}
    assert shorter.parameters().keys() == kept
    for name, array in shorter.parameters().items():
        assert not np.shares_memory(array, net.parameters()[name])


def test_the_ablation_is_the_rise_of_the_loss():
    digits = data.load("digits")
    net, loss = blocks(), default_loss(digits)
    scores = layer_ablations(net, digits.val, loss)
    assert list(scores) == droppable(net)

    def mean_loss(each):
        values, _ = loss(np.moveaxis(each(digits.val.x), 0, -1), digits.val.y)
        return values

    want = mean_loss(drop_layers(net, ["first"])) - mean_loss(net)
    # Float32 sums, taken in other batches.
    assert scores["first"] == pytest.approx(want, abs=1e-5)


def test_scales_are_those_of_the_last_norm_before_the_sum():
    net = blocks()
    net.parameters()["first.body.3.weight"][:] = [1, -1, 2, -2, 3, -3]
    net.parameters()["second.body.3.weight"][:] = 0
    assert layer_scales(net) == {
        "first": 2.0,
        "first.body.3": 2.0,
        "second": 0.0,
        "second.body.3": 0.0,
    }


def test_a_block_that_adds_nothing_is_like_its_input():
    net, x = blocks(), np.random.default_rng(0).normal(size=(20, 64))
    for name in ("weight", "bias"):
        net.parameters()[f"first.body.3.{name}"][:] = 0
    for found in (
        layer_similarities(net, x),
        layer_similarities(net, x, criterion=linear_cka),
    ):
        assert found["first"] == pytest.approx(0, abs=1e-12)
        assert found["same"] > 1e-3


def test_what_cannot_be_dropped_is_named():
    with pytest.raises(ValueError, match="no layer that can be dropped 'out'"):
        drop_layers(blocks(), ["out"])
    with pytest.raises(ValueError, match=r"first.body.3 stands inside first"):
        drop_layers(blocks(), ["first", "first.body.3"])
