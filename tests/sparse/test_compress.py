"""compress: the cheapest form by the stated model, with its reason, and no other."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minprune import nn, sparse
from minprune.sparse.compress import BLOCKS, ROWS, choose


def network(masks):
    root = nn.Sequential(
        nn.Conv2d(2, 8, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Residual(nn.Sequential(nn.Linear(128, 128))),
        nn.Linear(128, 5),
    )
    net = nn.Network(root, (2, 4, 4), classes=tuple("abcde"), scale=0.5, seed=0)
    net.set_masks(masks)
    return net


def masks(rng):
    """A convolution at a tenth, a linear layer in blocks, and one left alone."""
    return {
        "0.weight": rng.random((8, 2, 3, 3)) < 0.1,
        "3.body.0.weight": np.repeat(rng.random((8, 128)) < 0.2, 16, axis=0),
    }


def test_each_layer_gets_its_form_and_its_reason():
    net = network(masks(np.random.default_rng(0)))
    small = sparse.compress(net)
    kinds = {name: layer.kind for name, layer in small.layers().items()}
    assert kinds["0"] == "SparseConv2d"
    assert kinds["3.body.0"] == "SparseLinear"
    assert kinds["4"] == "Linear"
    assert small.layers()["3.body.0"].pattern.block == (16, 1)
    reasons = sparse.explain(small)
    assert reasons["0"].startswith("csr: ")
    assert reasons["3.body.0"].startswith("bsr 16x1: ")
    assert reasons["4"] == "dense: nothing is pruned"


def test_the_function_stays_and_the_given_network_too():
    net = network(masks(np.random.default_rng(1)))
    before = {name: array.copy() for name, array in net.parameters().items()}
    small = sparse.compress(net)
    x = np.random.default_rng(2).normal(size=(6, 2, 4, 4))
    # float32, sums of at most 129 products of magnitude near one
    assert_allclose(small(x), net(x), rtol=1e-5, atol=1e-5)
    assert small.classes == net.classes
    assert small.bytes() < net.bytes()
    assert small.macs() < net.macs()
    assert_array_equal(small.masks()["0.weight"], net.masks()["0.weight"])
    for name, array in net.parameters().items():
        assert_array_equal(array, before[name])
        assert not any(np.shares_memory(array, a) for a in small.parameters().values())


def test_compressing_twice_changes_nothing():
    net = network(masks(np.random.default_rng(3)))
    once = sparse.compress(net)
    twice = sparse.compress(once)
    assert sparse.explain(twice) == sparse.explain(once)


@pytest.mark.parametrize("density", np.linspace(0.05, 1, 20))
def test_sparse_is_chosen_only_where_the_model_says_it_pays(density):
    rng = np.random.default_rng(int(100 * density))
    mask = rng.random((64, 96)) < density
    choice = choose(mask, blocks=())
    kept = mask.mean()
    size = (8 * mask.sum() + 4 * 65) / (4 * mask.size)
    assert (choice.format == "csr") == (ROWS * kept < 1 and size <= 1)


def test_blocks_win_where_the_mask_consists_of_them():
    rng = np.random.default_rng(0)
    mask = np.repeat(rng.random((8, 50)) < 0.5, 8, axis=0)
    choice = choose(mask)
    assert (choice.format, choice.block) == ("bsr", (8, 1))
    assert choice.time == pytest.approx(BLOCKS * mask.mean())
    mask[0, np.argmax(mask[0])] = False
    assert choose(mask).block != (8, 1)


def test_an_empty_mask_is_the_cheapest_of_all():
    assert choose(np.zeros((20, 30), bool)).format != "dense"
