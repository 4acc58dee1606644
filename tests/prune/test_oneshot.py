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


UNITS = {
    "row": {"granularity": "row"},
    "filter": {"granularity": "filter"},
    "channel": {"granularity": "channel"},
    "kernel": {"granularity": "kernel"},
    "column": {"granularity": "column"},
    "block": {"granularity": "block", "block": (4, 1)},
}


def unit(how, at, shape, groups):
    """The unit that a weight belongs to, by definition."""
    place = int(np.ravel_multi_index(at[1:], shape[1:]))
    return {
        "row": at[0],
        "filter": at[0],
        # The only grouped convolution here is depthwise: each output reads its own.
        "channel": at[1] if groups == 1 else at[0],
        "kernel": at[:2],
        "column": place,
        "block": (at[0] // 4, place),
    }[how["granularity"]]


@pytest.mark.parametrize("how", UNITS.values(), ids=UNITS)
@pytest.mark.parametrize("name", NETWORKS)
def test_units_stay_or_go_whole_and_the_count_of_units_is_exact(name, how):
    net = NETWORKS[name]()
    prune.OneShot("magnitude", sparsity=0.4, min_keep=0, **how).run(net)
    asked, gone = 0, 0
    names = list(net.weights())
    left_alone = {"row": names[-1], "filter": names[-1], "channel": names[0]}
    for weight, mask in net.masks().items():
        if weight == left_alone.get(how["granularity"]):
            assert mask.all()
            continue
        layer, _ = net.owner("test", weight)
        groups = getattr(layer, "groups", 1)
        units = {}
        for at in np.ndindex(mask.shape):
            units.setdefault(unit(how, at, mask.shape, groups), set()).add(
                bool(mask[at])
            )
        assert all(len(states) == 1 for states in units.values())
        asked += len(units)
        gone += sum(states == {False} for states in units.values())
    assert gone == round(Fraction(4, 10) * asked)


def test_two_of_every_four_inputs_stay():
    net = linear()
    dense = np.abs(net.weights()["fc1.weight"])
    prune.OneShot("magnitude", granularity="nm", keep=2, group=4).run(net)
    mask = net.masks()["fc1.weight"].reshape(-1, 4)
    groups = dense.reshape(-1, 4)
    for stays, group in zip(mask, groups, strict=True):
        assert stays.sum() == 2
        assert group[stays].min() >= group[~stays].max()


def test_a_filter_criterion_prunes_filters_without_being_told():
    net = NETWORKS["conv"]()
    norms = np.abs(net.weights()["conv.weight"]).sum(axis=(1, 2, 3))
    prune.OneShot("l1_norm", sparsity=0.5, scope="layer").run(net)
    stays = net.masks()["conv.weight"].any(axis=(1, 2, 3))
    assert stays.sum() == 3
    assert norms[stays].min() >= norms[~stays].max()


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"granularity": "blob", "sparsity": 0.5}, "did you mean 'block'"),
        ({"granularity": "block", "sparsity": 0.5}, "such as block=\\(4, 1\\)"),
        ({"granularity": "nm", "keep": 2}, "keep=2, group=4"),
        ({"granularity": "nm", "keep": 2, "group": 4, "sparsity": 0.5}, "others need"),
        ({}, "others need one"),
        ({"reduce": "median", "sparsity": 0.5}, "no reduction 'median'"),
    ],
)
def test_what_a_granularity_lacks_is_said(how, message):
    with pytest.raises(ValueError, match=message):
        prune.OneShot("magnitude", **how)


def test_filter_scores_cannot_choose_weights():
    with pytest.raises(ValueError, match="granularity 'weight' cannot use"):
        prune.OneShot("l1_norm", sparsity=0.5, granularity="weight").run(linear())


def test_scores_of_outputs_cannot_choose_inputs_even_where_the_numbers_agree():
    """A square layer has as many outputs as inputs: shapes cannot tell them apart."""
    with pytest.raises(
        ValueError, match="scores by filter, which granularity 'channel'"
    ):
        prune.OneShot("l1_norm", sparsity=0.5, granularity="channel")


def test_a_solver_is_no_score():
    with pytest.raises(ValueError, match="'sparsegpt' is a solver"):
        prune.OneShot("sparsegpt", sparsity=0.5)


def test_evidence_that_no_network_holds_has_to_be_given():
    with pytest.raises(ValueError, match="asks for dense_weight"):
        prune.OneShot("force", sparsity=0.5).run(linear(), digits())
