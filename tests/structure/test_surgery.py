"""Shrinking what masks have emptied, sparse layers, and training what is masked."""

import numpy as np
import pytest

from minprune import data, nn, sparse
from minprune.structure import emptied, mask_units, remove, shrink


def mlp(seed=0):
    root = nn.Sequential(
        *(nn.Linear(4, 6), nn.BatchNorm(6), nn.Sigmoid(), nn.Linear(6, 5)),
        *(nn.ReLU(), nn.Linear(5, 2)),
    )
    return nn.Network(root, (4,), seed=seed)


def test_rows_or_columns_that_are_masked_empty_a_unit():
    net = mlp()
    row, column = np.ones((6, 4), bool), np.ones((5, 6), bool)
    row[2], column[:, 4] = False, False
    net.set_masks({"0.weight": row, "3.weight": column})
    assert {name: list(units) for name, units in emptied(net).items()} == {"0": [2, 4]}
    assert shrink(net).weights()["0.weight"].shape == (4, 4)


def test_unread_units_change_nothing_when_they_go():
    net, x = mlp(), np.random.default_rng(0).normal(size=(5, 4))
    column = np.ones((5, 6), bool)
    column[:, [1, 4]] = False
    net.set_masks({"3.weight": column})
    np.testing.assert_allclose(shrink(net)(x), net(x), rtol=1e-5)


def test_a_unit_left_in_one_of_two_tied_layers_stays():
    body = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 3))
    root = nn.Sequential(nn.Linear(4, 3), nn.Residual(body), nn.Linear(3, 2))
    net = nn.Network(root, (4,), seed=0)
    row = np.ones((3, 4), bool)
    row[1] = False
    net.set_masks({"0.weight": row})
    assert emptied(net) == {}


def test_masks_that_empty_a_space_are_refused():
    net = mlp()
    net.set_masks({"0.weight": np.zeros((6, 4), bool)})
    with pytest.raises(ValueError, match=r"empty space '0' .made by 0.*min_keep=1"):
        shrink(net)


def test_masks_of_weights_that_stay_are_kept():
    net = mlp()
    mask = np.random.default_rng(1).random((5, 6)) < 0.5
    net.set_masks({"3.weight": mask})
    smaller = remove(net, {"0": [0], "3": [4]})
    np.testing.assert_array_equal(smaller.masks()["3.weight"], mask[:4, 1:])


def test_sparse_layers_are_cut_like_dense_ones():
    net = mlp()
    net.set_masks({"0.weight": np.random.default_rng(2).random((6, 4)) < 0.2})
    held = sparse.compress(net)
    assert any("Sparse" in layer.kind for layer in held.layers().values())
    want, found = remove(net, {"0": [1, 3]}), remove(held, {"0": [1, 3]})
    assert found.manifest() == want.manifest()
    for name, array in want.state().items():
        np.testing.assert_array_equal(found.state()[name], array)


def test_trained_alike_the_masked_network_stays_the_smaller_one():
    """No gradient reaches a masked unit, nor does one leave it."""
    digits = data.load("digits")
    net = nn.models.build("mlp", digits, hidden=(32, 16), seed=0)
    removal = {"fc1": range(20), "fc2": [1, 2, 3]}
    masked, smaller = mask_units(net, removal), remove(net, removal)
    for each in (masked, smaller):
        optimizer = nn.SGD(0.05, momentum=0.9)
        nn.train(each, digits, epochs=1, optimizer=optimizer, seed=0)
    x = digits.test.x[:50]
    # Float32 sums in another order through some 20 steps: they drift, and stay close.
    np.testing.assert_allclose(masked(x), smaller(x), rtol=0, atol=1e-3)
    assert shrink(masked).manifest() == smaller.manifest()
