"""One layer for two computes the same; constants move and nothing changes."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from minprune import nn
from minprune.structure import (
    find_spaces,
    fold_constants,
    merge_batch_norms,
    merge_linear,
    shrink,
)
from tests.structure import networks


def kinds(net):
    return [layer.kind for layer in net.layers().values()]


def close(got, want):
    """Float64 and some hundred roundings, relative to the largest output."""
    atol = 1e-10 * max(1.0, np.abs(want).max(initial=0))
    assert_allclose(got, want, rtol=0, atol=atol)


@given(networks.anything())
def test_norms_behind_weights_vanish_and_the_function_stays(net):
    merged, x = merge_batch_norms(net), networks.samples(net)
    close(merged(x), net(x))
    for layer in merged.layers().values():
        if isinstance(layer, nn.Sequential):
            chain = [child.kind for child in layer.children.values()]
            for first, second in pairwise(chain):
                assert second != "BatchNorm" or first not in ("Linear", "Conv2d")


@given(networks.anything())
def test_products_of_linear_layers_compute_the_same(net):
    merged, x = merge_linear(net), networks.samples(net)
    close(merged(x), net(x))


def test_several_in_a_row_become_one():
    root = nn.Sequential(
        *(nn.Linear(4, 3, bias=False), nn.Linear(3, 5), nn.Linear(5, 2, bias=False)),
        *(nn.ReLU(), nn.Linear(2, 2)),
    )
    net = nn.Network(root, (4,), seed=0)
    assert list(merge_linear(net).layers()) == ["", "0", "3", "4"]


def test_masks_survive_a_norm_that_is_merged():
    net = nn.Network(nn.Sequential(nn.Linear(3, 2), nn.BatchNorm(2)), (3,), seed=0)
    mask = np.array([[True, False, True], [False, True, True]])
    net.set_masks({"0.weight": mask})
    merged = merge_batch_norms(net)
    np.testing.assert_array_equal(merged.masks()["0.weight"], mask)
    assert (merged.weights()["0.weight"][~mask] == 0).all()


# Constants.


@st.composite
def with_silent_filters(draw):
    """A network without borders in which some rows of some layers are masked."""
    net = draw(networks.anything().filter(lambda net: not _pads(net)))
    masks = {}
    for name, weight in net.weights().items():
        mask = np.ones(weight.shape, bool)
        mask[draw(st.lists(st.integers(0, len(weight) - 1), max_size=2))] = False
        masks[name] = mask
    net.set_masks(masks)
    return net


def _pads(net):
    windows = [getattr(layer, "window", None) for layer in net.layers().values()]
    return any(np.any(window.padding) for window in windows if window)


@given(with_silent_filters())
def test_without_borders_folding_changes_nothing(net):
    folded, x = fold_constants(net), networks.samples(net)
    close(folded(x), net(x))


def silent_cnn(padding, activation=nn.Sigmoid):
    """Filters 1 and 2 of the first convolution are zero; they emit 0.5 and more."""
    root = nn.Sequential(
        *(nn.Conv2d(2, 4, 3), nn.BatchNorm(4), activation()),
        *(nn.Conv2d(4, 3, 3, padding=padding, bias=False), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(3 * (2 + 2 * padding) ** 2, 2)),
    )
    net = nn.Network(root, (2, 6, 6), seed=0).astype(np.float64)
    net.parameters()["1.bias"][:] = [0.1, 0.4, -0.3, 0.2]
    mask = np.ones((4, 2, 3, 3), bool)
    mask[1:3] = False
    net.set_masks({"0.weight": mask})
    return net


def test_what_is_folded_can_be_taken_out_and_nothing_changes():
    net, x = silent_cnn(padding=0), np.random.default_rng(0).normal(size=(5, 2, 6, 6))
    smaller = shrink(fold_constants(net))
    assert smaller.weights()["0.weight"].shape == (2, 2, 3, 3)
    assert "bias" in smaller.layers()["3"].params
    close(smaller(x), net(x))
    # Taking out without folding makes the channels zero instead: another function.
    assert np.abs(shrink(net)(x) - net(x)).max() > 1e-3


def test_at_a_border_of_zeros_folding_is_refused():
    with pytest.raises(ValueError, match=r"reaches layer 3, which pads with zeros"):
        fold_constants(silent_cnn(padding=1))


def test_away_from_the_border_the_interior_value_is_right():
    net, x = silent_cnn(padding=1), np.random.default_rng(0).normal(size=(5, 2, 6, 6))
    folded = fold_constants(net, border="interior")
    planes = [
        nn.Sequential(*list(each.root.children.values())[:4]).forward(each.enter(x))
        for each in (net, folded)
    ]
    close(planes[1][:, 1:-1, 1:-1], planes[0][:, 1:-1, 1:-1])
    assert np.abs(planes[1] - planes[0])[:, 0].max() > 1e-3


def test_a_constant_zero_passes_any_border():
    net = silent_cnn(padding=1, activation=nn.ReLU)
    net.parameters()["1.bias"][:] = -1.0
    net.parameters()["1.weight"][:] = [1, 0, 0, 1]
    x = np.random.default_rng(0).normal(size=(5, 2, 6, 6))
    smaller = shrink(fold_constants(net))
    assert smaller.weights()["0.weight"].shape == (2, 2, 3, 3)
    close(smaller(x), net(x))


def test_a_constant_reaches_a_recurrent_layer_without_bias():
    root = nn.Sequential(
        *(nn.Conv1d(2, 3, 1), nn.GRU(3, 4, bias=False, bidirectional=True)),
        *(nn.Flatten(), nn.Linear(8 * 5, 2)),
    )
    net = nn.Network(root, (2, 5), seed=0).astype(np.float64)
    mask = np.ones((3, 2, 1), bool)
    mask[1] = False
    net.set_masks({"0.weight": mask})
    x = np.random.default_rng(0).normal(size=(4, 2, 5))
    smaller = shrink(fold_constants(net))
    assert len(find_spaces(smaller)["0"]) == 2
    close(smaller(x), net(x))
