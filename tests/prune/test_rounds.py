"""Pruning before training: rounds, what may come back, and no layer lost."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from minprune import nn, prune
from tests.prune.cases import NETWORKS, digits, kept, linear, size


def keeps(net, sparsity):
    return size(net) - round(Fraction(str(sparsity)) * size(net))


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("make", [prune.synflow, prune.force, prune.iterative_snip])
def test_the_last_round_reaches_the_exact_count(name, make):
    net = NETWORKS[name]()
    assert make("0.8", rounds=4).run(net, digits()).kept == kept(net) == keeps(net, 0.8)


def test_one_round_is_one_shot():
    once, rounds = linear(), linear()
    prune.OneShot("snip", sparsity=0.9).run(once, digits())
    prune.Rounds("snip", sparsity=0.9, rounds=1).run(rounds, digits())
    for name, mask in once.masks().items():
        assert_array_equal(rounds.masks()[name], mask)


def test_every_round_keeps_the_same_share_of_the_one_before():
    net, seen = linear(), []
    rounds = prune.synflow("0.99", rounds=4)
    inner = rounds.cut.masks

    def look(*given, **how):
        masks = inner(*given, **how)
        seen.append(sum(int(mask.sum()) for mask in masks.values()))
        return masks

    object.__setattr__(rounds.cut, "masks", look)
    rounds.run(net)
    want = [size(net) - round((1 - 0.01 ** (k / 4)) * size(net)) for k in (1, 2, 3, 4)]
    assert seen == want


def test_force_brings_weights_back_with_their_values_and_iterative_snip_does_not():
    dense = linear().weights()

    def rounds_of(make):
        net, seen = linear(), []
        rounds = make("0.95", rounds=6)
        inner = rounds.cut.masks

        def look(*given, **how):
            masks = inner(*given, **how)
            seen.append(np.concatenate([mask.ravel() for mask in masks.values()]))
            return masks

        object.__setattr__(rounds.cut, "masks", look)
        rounds.run(net, digits())
        for name, weight in net.weights().items():
            stays = net.masks()[name]
            assert_array_equal(weight[stays], dense[name][stays])
        return sum(
            int((later & ~earlier).sum()) for earlier, later in itertools.pairwise(seen)
        )

    assert rounds_of(prune.force) > 0
    assert rounds_of(prune.iterative_snip) == 0


def deep(widths=(64, 60, 60, 60, 10), seed=0):
    layers = [
        nn.Linear(into, out, bias=False) for into, out in itertools.pairwise(widths)
    ]
    chain = [layers[0]] + [x for layer in layers[1:] for x in (nn.ReLU(), layer)]
    return nn.Network(nn.Sequential(*chain), (widths[0],), seed=seed)


def connected(net):
    """Whether a path of kept weights leads from an input to an output."""
    reached = None
    for mask in net.masks().values():
        reached = mask.any(axis=1) if reached is None else (mask & reached).any(axis=1)
    return bool(reached.any())


def test_synflow_keeps_a_path_to_the_end_where_magnitude_collapses():
    """Tanaka et al. 2020: with one weight a layer left there is still a path."""
    sparsity = Fraction(size(deep()) - 4, size(deep()))
    flow, magnitude, once = deep(), deep(), deep()
    prune.synflow(str(sparsity), rounds=100, min_keep=0).run(flow)
    prune.OneShot("magnitude", sparsity=sparsity, min_keep=0).run(magnitude)
    prune.OneShot("synflow", sparsity=sparsity, min_keep=0).run(once)
    assert [int(mask.sum()) for mask in flow.masks().values()] == [1, 1, 1, 1]
    assert connected(flow)
    assert not connected(magnitude)
    assert not connected(once)


def test_an_allocation_gives_every_layer_its_count():
    net = deep()
    prune.OneShot("random", sparsity=0.9, allocation="erk").run(net)
    assert kept(net) == keeps(net, 0.9)
    density = [mask.mean() for mask in net.masks().values()]
    # (in + out) / (in out): 0.0323, 0.0333, 0.0333, 0.1167
    assert density[3] / density[1] == pytest.approx(0.11667 / 0.03333, rel=0.01)


def test_an_allocation_is_of_single_weights():
    with pytest.raises(ValueError, match="shares out single weights"):
        prune.OneShot("magnitude", sparsity=0.5, allocation="erk", granularity="row")


def test_a_pattern_of_groups_is_not_cut_in_rounds():
    with pytest.raises(ValueError, match="has one sparsity; use OneShot"):
        prune.Rounds("magnitude", sparsity=0.5, granularity="nm", keep=2, group=4)


def test_nothing_left_is_no_target_for_a_density_that_decays():
    with pytest.raises(ValueError, match="below 1"):
        prune.synflow(1)
