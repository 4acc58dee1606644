"""Whole channels by any criterion: one path, exact counts, and nothing comes back."""

from itertools import pairwise

import numpy as np
import pytest

from minprune import nn, prune, structure
from minprune.criteria import CATALOG
from minprune.masks import removed
from tests.prune import cases

FILTERS = [
    n for n, c in CATALOG.items() if c.kind == "score" and c.granularity == "filter"
]
CHANNELS = [
    n for n, c in CATALOG.items() if c.kind == "score" and c.granularity == "channel"
]
WEIGHTS = ["magnitude", "taylor", "snip", "random"]


def normed(seed=0):
    """Two convolutions with batch norms, a plain chain to the head."""
    root = nn.Sequential(
        {
            **{"conv1": nn.Conv2d(1, 6, 3, padding=1), "norm1": nn.BatchNorm(6)},
            **{"relu1": nn.ReLU(), "pool": nn.MaxPool2d(2)},
            **{"conv2": nn.Conv2d(6, 8, 3, padding=1), "norm2": nn.BatchNorm(8)},
            **{"relu2": nn.ReLU(), "flat": nn.Flatten()},
            "fc": nn.Linear(8 * 16, 10),
        }
    )
    return nn.Network(root, (1, 8, 8), scale=1 / 16, seed=seed)


@pytest.mark.parametrize(
    ("criterion", "granularity"),
    [
        *((name, "filter") for name in FILTERS),
        *((name, "channel") for name in CHANNELS),
        *((name, side) for name in WEIGHTS for side in ("filter", "channel")),
    ],
)
def test_every_criterion_of_filters_or_channels_takes_out_half(criterion, granularity):
    net, digits = normed(), cases.digits()
    channels = prune.Channels(criterion, granularity, scope="layer", examples=64)
    choice = channels.choice(net, digits, 0.5)
    assert {name: len(gone) for name, gone in choice.removal.items()} == {
        "conv1": 3,
        "conv2": 4,
    }
    masked = structure.mask_units(net, choice.removal)
    smaller = structure.remove(net, choice.removal)
    x = digits.test.x[:8]
    # Float32 sums in another order.
    np.testing.assert_allclose(smaller(x), masked(x), rtol=0, atol=1e-5)


def test_the_lowest_filters_go():
    net = normed()
    norms = np.abs(net.weights()["conv1.weight"]).sum(axis=(1, 2, 3))
    choice = prune.Channels("l1_norm", scope="layer").choice(net, None, 0.5)
    assert set(choice.removal["conv1"]) == set(np.argsort(norms)[:3])


def test_group_magnitude_looks_at_all_members():
    net = normed()
    net.parameters()["norm1.weight"][:] = [0, 9, 0, 9, 0, 9]
    choice = prune.Channels("group_magnitude", scope="layer").choice(net, None, 0.5)
    assert list(choice.removal["conv1"]) == [0, 2, 4]


def test_a_share_of_multiply_adds_is_not_overshot():
    net = normed()
    channels = prune.Channels("l2_norm", cost=structure.multiply_adds)
    smaller = structure.remove(net, channels.choice(net, None, 0.6).removal)
    assert 0.4 * net.macs() <= smaller.macs() < 0.55 * net.macs()


@pytest.mark.parametrize("criterion", ["l1_norm", "random_filter", "mean_activation"])
def test_along_a_schedule_units_go_and_do_not_return(criterion):
    net, digits, seen = normed(), cases.digits(), []

    class Watch(nn.Procedure):
        def after_step(self, run):
            gone = structure.emptied(run.net)
            seen.append({(n, int(u)) for n, units in gone.items() for u in units})

    channels = prune.Channels(criterion, examples=64)
    gradual = prune.GradualChannels(channels, sparsity=0.5, end=1.0, frequency=0.25)
    nn.train(net, digits, epochs=2, procedures=[gradual, Watch()], seed=0)

    for before, after in pairwise(seen):
        assert before <= after
    assert len({len(gone) for gone in seen}) > 2
    assert len(seen[-1]) == removed(14, 0.5)
    smaller, x = structure.shrink(net), digits.test.x[:8]
    assert (
        sum(
            len(layer.params["bias"])
            for layer in smaller.layers().values()
            if layer.kind == "Conv2d"
        )
        == 7
    )
    np.testing.assert_allclose(smaller(x), net(x), rtol=0, atol=1e-4)


def test_a_smaller_network_can_be_pruned_further_and_recover():
    """Channels first, then weights, with training in between."""
    net, digits = normed(), cases.digits()
    smaller = structure.remove(
        net, prune.Channels("taylor_filter").choice(net, digits, 0.3).removal
    )
    trained = prune.recover(smaller, digits, epochs=1)
    count = prune.OneShot("magnitude", sparsity=0.5).run(trained, digits)
    assert count.kept == count.weights - removed(count.weights, 0.5)
    prune.recover(trained, digits, epochs=1)


def test_what_does_not_score_units_is_refused():
    with pytest.raises(ValueError, match=r"'l1_norm' scores by filter.*channel"):
        prune.Channels("l1_norm", "channel")
    with pytest.raises(ValueError, match="no granularity 'row'"):
        prune.Channels("l1_norm", "row")
    with pytest.raises(ValueError, match="has a cost"):
        prune.GradualChannels(
            prune.Channels("l1_norm", cost=structure.weights), sparsity=0.5
        )
