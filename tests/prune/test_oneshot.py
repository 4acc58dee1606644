"""Pruning all at once: the count, what is left alone, and what is refused."""

from fractions import Fraction

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from minprune import nn, prune
from tests.prune.cases import NETWORKS, digits, kept, linear, size


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("sparsity", [0, 0.29, 0.5, 0.9])
@pytest.mark.parametrize("criterion", ["magnitude", "taylor", "random"])
def test_the_number_removed_is_exact(name, sparsity, criterion):
    net = NETWORKS[name]()
    want = size(net) - round(Fraction(str(sparsity)) * size(net))

    count = prune.OneShot(criterion, sparsity=sparsity).run(net, digits())

    assert count.kept == kept(net) == want
    assert sum(np.count_nonzero(w) for w in net.weights().values()) == want


@pytest.mark.parametrize("name", NETWORKS)
def test_with_layer_scope_every_layer_loses_its_share(name):
    net = NETWORKS[name]()
    prune.OneShot("magnitude", sparsity=0.5, scope="layer").run(net)
    for mask in net.masks().values():
        assert mask.sum() == mask.size - round(Fraction(1, 2) * mask.size)


def test_the_smallest_weights_of_the_network_go():
    net = linear()
    dense = np.concatenate([np.abs(w).ravel() for w in net.weights().values()])
    prune.OneShot("magnitude", sparsity=0.8).run(net)
    left = np.concatenate([m.ravel() for m in net.masks().values()])
    assert dense[left].min() >= dense[~left].max()


def test_what_stays_keeps_its_value_and_the_rest_of_the_network_too():
    net = linear()
    before = net.copy().parameters()
    prune.OneShot("magnitude", sparsity=0.8).run(net)
    masks = net.masks()
    for name, after in net.parameters().items():
        stays = masks.get(name, np.ones(after.shape, bool))
        assert_array_equal(after[stays], before[name][stays])


def test_pruning_again_counts_from_the_original_size():
    net = linear()
    prune.OneShot("random", sparsity=0.5).run(net)
    first = net.masks()
    prune.OneShot("magnitude", sparsity=0.75).run(net)
    for name, mask in net.masks().items():
        assert not (mask & ~first[name]).any()
    assert kept(net) == size(net) // 4


def test_no_layer_is_emptied_where_layers_compete():
    net = linear()
    net.parameters()["fc1.weight"][:] *= 1e-6
    prune.OneShot("magnitude", sparsity=0.9, min_keep=3).run(net)
    assert net.masks()["fc1.weight"].sum() == 3


def test_a_criterion_that_draws_gives_the_same_masks_for_the_same_seed_only():
    first, same, other = linear(), linear(), linear()
    prune.OneShot("random", sparsity=0.5, seed=1).run(first)
    prune.OneShot("random", sparsity=0.5, seed=1).run(same)
    prune.OneShot("random", sparsity=0.5, seed=2).run(other)
    assert_array_equal(first.masks()["fc1.weight"], same.masks()["fc1.weight"])
    assert (first.masks()["fc1.weight"] != other.masks()["fc1.weight"]).any()


def test_inside_a_run_it_acts_before_the_first_step_and_only_what_stays_is_trained():
    net = linear()
    masks = prune.Cut("magnitude").masks(net, None, 0.9)
    nn.train(
        net, digits(), epochs=1, procedures=[prune.OneShot("magnitude", sparsity=0.9)]
    )
    for name, weight in net.weights().items():
        assert_array_equal(weight != 0, masks[name])


def test_an_unknown_criterion_brings_up_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'magnitude'"):
        prune.OneShot("magnitud", sparsity=0.5)


@pytest.mark.parametrize("sparsity", [-0.1, 1.1, float("nan"), "most"])
def test_a_sparsity_out_of_range_is_refused(sparsity):
    with pytest.raises(ValueError, match="expected a number from 0 to 1"):
        prune.OneShot("magnitude", sparsity=sparsity)


def test_a_criterion_that_looks_at_data_says_that_there_are_none():
    with pytest.raises(ValueError, match="'taylor' asks for weight, grad"):
        prune.OneShot("taylor", sparsity=0.5).run(linear())
