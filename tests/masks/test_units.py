"""Units: each weight in one, against loops over indices; then the edges."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minprune.masks import select, units
from tests.oracles import pattern as oracle

CONV = (6, 4, 3, 2)
NAMED = pytest.mark.parametrize("name", units.UNITS)


def scores_of(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize("shape", [CONV, (6, 4), (6, 4, 5)])
@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("row", lambda at: at[0]),
        ("neuron", lambda at: at[0]),
        ("filter", lambda at: at[0]),
        ("channel", lambda at: at[1]),
        ("kernel", lambda at: at[:2]),
        ("column", lambda at: at[1:]),
        ("weight", lambda at: at),
        ("layer", lambda at: ()),
    ],
)
def test_a_unit_is_what_shares_its_indices(name, index, shape):
    scores, parts = scores_of(shape), {}
    for at in np.ndindex(shape):
        parts.setdefault(index(at), []).append(scores[at])
    made = units.UNITS[name](shape)
    parts = [values for _, values in sorted(parts.items())]
    want = [math.fsum(values) for values in parts]
    # Sums of up to 144 numbers of size 1, each rounding by at most 2^-53 of the total.
    assert_allclose(made.sum(scores).reshape(-1), want, rtol=0, atol=1e-13)
    assert_array_equal(made.max(scores).reshape(-1), [max(values) for values in parts])
    assert made.sizes.reshape(-1).tolist() == [len(values) for values in parts]


def test_the_shapes_of_unit_scores():
    shapes = {name: made(CONV).shape for name, made in units.UNITS.items()}
    assert shapes == {
        "weight": CONV,
        "row": (6,),
        "neuron": (6,),
        "filter": (6,),
        "column": (24,),
        "channel": (4,),
        "kernel": (6, 4),
        "layer": (),
    }


@pytest.mark.parametrize("groups", [1, 2, 3, 6])
def test_each_group_of_a_convolution_has_its_own_input_channels(groups):
    scores, want = scores_of(CONV), np.zeros(groups * CONV[1])
    for out, inside, *place in np.ndindex(CONV):
        want[oracle.channel(out, inside, CONV, groups)] += scores[out, inside, *place]
    made = units.channels(CONV, groups)
    assert_allclose(made.sum(scores), want, rtol=0, atol=1e-13)
    assert made.shape == (groups * CONV[1],)


@given(
    st.tuples(st.integers(0, 7), st.integers(0, 7)),
    st.tuples(st.integers(1, 8), st.integers(1, 8)),
)
def test_blocks_tile_the_matrix_and_may_be_ragged(shape, block):
    scores, made = scores_of(shape), units.blocks(shape, block)
    parts = oracle.blocks(shape, block)
    assert made.shape == (-(-shape[0] // block[0]), -(-shape[1] // block[1]))
    assert len(parts) == math.prod(made.shape)
    for at, places in parts.items():
        values = [scores[place] for place in places]
        assert made.sizes[at] == len(values)
        assert made.sum(scores)[at] == pytest.approx(math.fsum(values), abs=1e-13)
        mean = math.fsum(values) / len(values)
        assert made.mean(scores)[at] == pytest.approx(mean, abs=1e-14)
        assert made.max(scores)[at] == max(values)
        assert made.l2(scores)[at] == pytest.approx(math.hypot(*values), rel=1e-14)


def test_blocks_of_a_convolution_tile_its_matrix_of_rows():
    scores = scores_of(CONV)
    flat = units.blocks((6, 24), (4, 5)).sum(scores.reshape(6, 24))
    assert_array_equal(units.blocks(CONV, (4, 5)).sum(scores), flat)


@NAMED
def test_a_mask_of_units_spreads_to_their_weights(name):
    made = units.UNITS[name](CONV)
    mask = np.asarray(scores_of(made.shape) > 0)
    spread = made.expand(mask)
    for at in np.ndindex(CONV):
        assert spread[at] == mask.reshape(-1)[made.of[at]]
    assert made.expand(np.ones(made.shape, bool)).all()


@NAMED
def test_an_expanded_mask_belongs_to_the_caller(name):
    made = units.UNITS[name](CONV)
    made.expand(np.ones(made.shape, bool))[...] = False
    assert made.expand(np.ones(made.shape, bool)).all()


def test_filters_selected_and_spread():
    weight = scores_of(CONV)
    filters = units.filters(CONV)
    mask = filters.expand(select(filters.l2(weight), count=2))
    norms = [math.hypot(*row) for row in weight.reshape(6, -1)]
    gone = sorted(range(6), key=lambda i: norms[i])[:2]
    assert sorted(np.flatnonzero(~mask.any(axis=(1, 2, 3)))) == sorted(gone)
    assert mask.sum() == 4 * 24


def test_a_block_that_cancels_is_not_an_empty_block():
    """[+1, -1] sums to zero, and its mask still comes from the mask of blocks."""
    made = units.blocks((1, 2), (1, 2))
    assert made.sum(np.array([[1.0, -1.0]])) == 0
    assert made.expand(np.array([[True]])).all()


def test_units_without_weights_score_zero():
    made = units.rows((3, 0))
    for reduce in (made.sum, made.mean, made.max, made.l2):
        assert_array_equal(reduce(np.empty((3, 0))), [0.0, 0.0, 0.0])
    assert made.expand(np.ones(3, bool)).shape == (3, 0)


def test_layers_without_units():
    made = units.rows((0, 3))
    assert made.shape == made.sum(np.empty((0, 3))).shape == (0,)
    assert units.channels((0, 3, 1, 1), 2).shape == (6,)
    assert units.blocks((0, 0), (2, 2)).shape == (0, 0)


def test_the_single_weight():
    for made in units.UNITS.values():
        assert made((1, 1)).sum(np.array([[5.0]])) == 5.0


def test_integer_scores_do_not_wrap():
    made = units.rows((1, 2))
    assert made.sum(np.array([[200, 100]], np.uint8)).tolist() == [300.0]
    assert made.l2(np.array([[200, 0]], np.uint8)).tolist() == [200.0]


def test_bad_input_is_named():
    made = units.rows((2, 3))
    with pytest.raises(
        ValueError, match=r"scores has shape \(3, 2\); expected \(2, 3\)"
    ):
        made.sum(np.ones((3, 2)))
    with pytest.raises(ValueError, match=r"scores has shape \(2,\); expected \(2, 3\)"):
        made.l2(np.ones(2))
    with pytest.raises(ValueError, match=r"scores has shape \(6,\); expected \(2, 3\)"):
        made.max(np.ones(6))
    with pytest.raises(ValueError, match=r"mask has shape \(3,\); expected \(2,\)"):
        made.expand(np.ones(3, bool))
    with pytest.raises(TypeError, match="mask has type float64; expected bool"):
        made.expand(np.ones(2))
    with pytest.raises(ValueError, match="4 groups do not divide 6 outputs"):
        units.channels(CONV, 4)
    with pytest.raises(ValueError, match="block is 0"):
        units.blocks((2, 3), (0, 1))
    for block in (2, (2,), (1, 2, 3)):
        with pytest.raises(TypeError, match=r"block is .*expected \(rows, columns\)"):
            units.blocks((2, 3), block)
    for make in (units.columns, units.kernels, units.channels):
        with pytest.raises(ValueError, match=r"weights have shape \(3,\); expected"):
            make((3,))
    with pytest.raises(ValueError, match=r"rows: weights have shape \(\)"):
        units.rows(())
