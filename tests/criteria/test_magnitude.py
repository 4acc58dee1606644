"""Magnitude criteria: exact fractions, then theorems, then the edges."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose, assert_array_equal

from minprune.criteria import magnitude as family
from tests.oracles import magnitude as oracle

CRITERIA = [
    "magnitude",
    "normalized_magnitude",
    "deviation_magnitude",
    "relative_importance",
    "lamp",
    "layer_magnitude",
]

# Quarters up to 8: few values, so that ties and zeros are common, and exact in binary.
quarters = st.integers(-32, 32).map(lambda n: n / 4)
weights = hnp.arrays(
    np.float64, hnp.array_shapes(max_dims=4, max_side=3), elements=quarters
)


@pytest.mark.parametrize("name", CRITERIA)
@given(weight=weights)
def test_the_score_is_what_exact_arithmetic_gives(name, weight):
    got = getattr(family, name)(weight)
    # Sums of under 300 terms, then at most a root and two divisions.
    assert_allclose(got, getattr(oracle, name)(weight), rtol=1e-13)


@given(weights)
def test_lamp_ranks_a_layer_as_magnitude_does_ties_included(weight):
    by_lamp = np.argsort(family.lamp(weight), axis=None, kind="stable")
    by_size = np.argsort(family.magnitude(weight), axis=None, kind="stable")
    assert_array_equal(by_lamp, by_size)


@given(weights.filter(np.any))
def test_lamp_gives_the_largest_weight_exactly_one_and_nothing_more(weight):
    score = family.lamp(weight)
    assert score.max() == 1.0
    assert (score == 1.0).sum() == 1


def test_lamp_keeps_the_tail_of_a_large_layer():
    """Subtracting float32 sums from the total gives 0.15 to 0.22 for the top weight."""
    weight = np.random.default_rng(0).normal(size=200_000).astype(np.float32)
    score = family.lamp(weight)
    order = np.argsort(np.abs(weight), kind="stable")
    second, top = (Fraction(float(weight[i])) ** 2 for i in order[-2:])
    assert score[order[-1]] == 1.0
    assert score[order[-2]] == pytest.approx(float(second / (second + top)), rel=1e-15)


@given(weights.filter(np.any))
def test_normalized_magnitude_has_length_one(weight):
    assert np.sum(family.normalized_magnitude(weight) ** 2) == pytest.approx(1)


@given(weights.filter(np.any))
def test_relative_importance_hands_every_live_row_and_column_one_share(weight):
    """The shares of each row sum to 1, those of each column too."""
    units = len(weight)
    size = np.abs(weight).reshape(units, -1)
    live = np.any(size, axis=1).sum() + np.any(size, axis=0).sum()
    assert family.relative_importance(weight).sum() == pytest.approx(live)


@given(weights, st.sampled_from([0.0, 0.5, 1.0, 2.0]))
def test_the_deviation_mask_keeps_what_scores_its_quality(weight, quality):
    if len(np.unique(weight)) < 2:
        return  # no deviation: see the edges
    kept = family.deviation_mask(weight, quality=quality)
    score = oracle.deviation_magnitude(weight)
    clear = np.abs(score - quality) > 1e-12  # rounding decides nearer than that
    assert_array_equal(kept[clear], (score >= quality)[clear])


def test_the_deviation_mask_keeps_what_stands_on_the_threshold():
    assert family.deviation_mask(np.array([1.0, -1.0]), quality=1.0).all()


def test_a_layer_without_deviation_scores_zero_and_is_kept():
    assert_array_equal(family.deviation_magnitude(np.full(3, 2.0)), np.zeros(3))
    assert family.deviation_mask(np.full(3, 2.0), quality=0.5).all()


@pytest.mark.parametrize("quality", [-0.1, float("nan")])
def test_a_quality_below_zero_is_refused(quality):
    with pytest.raises(ValueError, match=rf"quality is {quality}; expected 0 or more"):
        family.deviation_mask(np.ones(2), quality=quality)


@pytest.mark.parametrize("name", CRITERIA)
@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0)])
def test_an_empty_layer_has_an_empty_score(name, shape):
    score = getattr(family, name)(np.zeros(shape))
    assert score.shape == (() if name == "layer_magnitude" else shape)
    assert not score.any()


@pytest.mark.parametrize("name", CRITERIA)
def test_a_layer_of_zeros_scores_zero(name):
    assert not getattr(family, name)(np.zeros((2, 3))).any()
