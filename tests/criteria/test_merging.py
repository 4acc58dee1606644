"""Data-free merging: exact fractions, networks that stay the same, the bound, edges."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minprune.criteria.merging import data_free_saliency, merge_neurons
from tests.oracles import merging as oracle

SEEDS = pytest.mark.parametrize("seed", range(5))
RELU = lambda z: np.maximum(z, 0.0)


def layers(seed, neurons=6):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(neurons, 3)), rng.normal(size=(2, neurons))


@SEEDS
def test_saliency_is_the_cheapest_pair(seed):
    given = layers(seed)
    want = oracle.data_free_saliency(*given)
    assert_allclose(data_free_saliency(*given), want, rtol=1e-14)


@SEEDS
@pytest.mark.parametrize("count", [0, 1, 3, 5])
def test_the_cheapest_pair_merges_again_and_again(seed, count):
    given = layers(seed)
    mask, moved = merge_neurons(*given, count=count)
    want_mask, want = oracle.merge_neurons(*given, count)
    assert_array_equal(mask, want_mask)
    assert_allclose(moved, want, rtol=1e-13)


@SEEDS
def test_merging_equal_neurons_leaves_the_network_as_it_was(seed):
    weight, reads = layers(seed)
    bias = np.random.default_rng(seed).normal(size=6)
    weight[[1, 4]], bias[[1, 4]] = weight[[0, 3]], bias[[0, 3]]
    mask, moved = merge_neurons(weight, reads, count=2, bias=bias)
    x = np.random.default_rng(seed).normal(size=(3, 20))
    before = reads @ RELU(weight @ x + bias[:, None])
    after = moved[:, mask] @ RELU(weight[mask] @ x + bias[mask, None])
    assert_allclose(after, before, rtol=1e-12, atol=1e-13)


@SEEDS
def test_one_merge_changes_an_output_by_no_more_than_the_bound(seed):
    """Srinivas and Babu 2015, Sec. 3: a ReLU never stretches a difference."""
    weight, reads = layers(seed)
    mask, moved = merge_neurons(weight, reads, count=1)
    gone = int(np.flatnonzero(~mask)[0])
    twin = int(np.flatnonzero((moved != reads).any(axis=0) & mask)[0])
    x = np.random.default_rng(seed).normal(size=(3, 50))
    change = np.abs(moved @ RELU(weight @ x) - reads @ RELU(weight @ x))
    gap = np.linalg.norm(weight[gone] - weight[twin]) * np.linalg.norm(x, axis=0)
    assert (change <= np.abs(reads[:, [gone]]) * gap + 1e-12).all()


def test_neurons_of_different_bias_are_no_twins():
    weight, reads = np.ones((2, 1)), np.ones((1, 2))
    assert_array_equal(data_free_saliency(weight, reads), [0.0, 0.0])
    got = data_free_saliency(weight, reads, bias=np.array([0.0, 3.0]))
    assert_array_equal(got, [9.0, 9.0])


def test_the_first_removal_is_the_lowest_saliency():
    for seed in range(20):
        given = layers(seed)
        mask, _ = merge_neurons(*given, count=1)
        assert int(np.argmin(data_free_saliency(*given))) == np.flatnonzero(~mask)[0]


def test_a_neuron_nobody_reads_is_free():
    weight, reads = layers(0)
    reads[:, 2] = 0.0
    assert data_free_saliency(weight, reads)[2] == 0.0


def test_places_of_a_kernel_are_summed_and_move_together():
    weight, reads = layers(0)
    kernel = np.stack([reads, 2 * reads], axis=2)
    assert_allclose(
        data_free_saliency(weight, kernel), 5 * data_free_saliency(weight, reads)
    )
    mask, moved = merge_neurons(weight, kernel, count=2)
    want_mask, want = merge_neurons(weight, reads, count=2)
    assert_array_equal(mask, want_mask)
    assert_allclose(moved, np.stack([want, 2 * want], axis=2), rtol=1e-15)


def test_the_only_neuron_is_compared_with_silence():
    got = data_free_saliency(np.array([[3.0, 4.0]]), np.array([[2.0], [0.0]]))
    assert_array_equal(got, [50.0])
    mask, moved = merge_neurons(np.ones((1, 2)), np.ones((1, 1)), count=0)
    assert mask.all()
    assert_array_equal(moved, [[1.0]])


def test_one_neuron_must_stay():
    with pytest.raises(ValueError, match="count is 2 but there are 1 to remove"):
        merge_neurons(np.ones((2, 2)), np.ones((1, 2)), count=2)


def test_layers_that_do_not_meet_are_refused():
    with pytest.raises(ValueError, match=r"next_weight has shape \(1, 3\) but weight"):
        data_free_saliency(np.ones((2, 2)), np.ones((1, 3)))
    with pytest.raises(ValueError, match=r"bias has shape \(3,\); expected \(2,\)"):
        merge_neurons(np.ones((2, 2)), np.ones((1, 2)), count=1, bias=np.ones(3))
