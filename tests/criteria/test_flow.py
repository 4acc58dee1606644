"""Flow criteria: every path, then the conservation theorems, then the edges."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from minprune.criteria import flow as family
from tests.oracles import flow as oracle

POWER = {"synflow": 1, "synflow_l2": 2}


@st.composite
def chains(draw):
    """Weights of two to four linear layers, in quarters, some of them zero."""
    widths = draw(st.lists(st.integers(1, 3), min_size=3, max_size=5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return [
        rng.integers(-8, 9, size=shape) / 4
        for shape in zip(widths[1:], widths[:-1], strict=True)
    ]


def through(weights, power):
    """Of the flow R = 1' |W_L|^p ... |W_1|^p 1: its value, and every gradient."""
    sizes = [np.abs(w) ** power for w in weights]
    ahead = [np.ones(sizes[0].shape[1])]
    for size in sizes:
        ahead.append(size @ ahead[-1])
    behind = [np.ones(len(sizes[-1]))]
    for size in reversed(sizes):
        behind.append(size.T @ behind[-1])
    into, out_of = ahead[:-1], behind[-2::-1]
    return ahead[-1].sum(), [np.outer(b, a) for a, b in zip(into, out_of, strict=True)]


def scores(name, weights):
    flow, grads = through(weights, POWER[name])
    function = getattr(family, name)
    return flow, [function(w, g) for w, g in zip(weights, grads, strict=True)]


@pytest.mark.parametrize("name", POWER)
@given(weights=chains())
def test_the_score_is_the_sum_over_all_paths_through_a_weight(name, weights):
    _, got = scores(name, weights)
    for score, want in zip(got, getattr(oracle, name)(weights), strict=True):
        assert_allclose(score, want, rtol=1e-13)


@pytest.mark.parametrize("name", POWER)
@given(weights=chains())
def test_every_layer_carries_the_whole_flow(name, weights):
    """Tanaka et al. 2020, Theorem 2: the scores of each layer sum to R."""
    flow, layers = scores(name, weights)
    for score in layers:
        assert score.sum() == pytest.approx(flow, rel=1e-12)


@pytest.mark.parametrize("name", POWER)
@given(weights=chains())
def test_a_unit_sends_on_what_it_receives(name, weights):
    """Tanaka et al. 2020, Theorem 1."""
    _, layers = scores(name, weights)
    for before, after in itertools.pairwise(layers):
        assert_allclose(before.sum(axis=1), after.sum(axis=0), rtol=1e-12)


@given(chains(), st.integers(-3, 3))
def test_moving_scale_from_layer_to_layer_changes_no_score(weights, exponent):
    factor = 2.0**exponent
    moved = [weights[0] * factor, weights[1] / factor, *weights[2:]]
    for name in POWER:
        before, after = scores(name, weights)[1], scores(name, moved)[1]
        for one, other in zip(before, after, strict=True):
            assert_allclose(one, other, rtol=1e-13)


def test_many_small_paths_or_one_large_one():
    """Sizes add up where squares do not: that is what tells the two apart."""
    first = np.array([[0.6, 0.6], [1.0, 0.0]])
    second = np.array([[1.0, 1.0]])
    by_size, by_square = (scores(name, [first, second])[1][1] for name in POWER)
    assert by_size[0, 0] > by_size[0, 1]
    assert by_square[0, 0] < by_square[0, 1]


def test_which_shape_is_wrong_is_said():
    with pytest.raises(ValueError, match=r"synflow: flow_grad has shape \(3,\)"):
        family.synflow(np.ones(2), np.ones(3))
    with pytest.raises(ValueError, match=r"synflow_l2: path_grad has shape \(3,\)"):
        family.synflow_l2(np.ones(2), np.ones(3))
