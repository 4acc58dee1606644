"""Magnitude criteria: exact arithmetic, then thresholds, then the edges."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minprune.criteria import magnitude as family
from tests.criteria.strategies import weights
from tests.oracles import magnitude as oracle

CRITERIA = ["magnitude", "deviation_magnitude", "layer_magnitude"]


@pytest.mark.parametrize("name", CRITERIA)
@given(weight=weights())
def test_the_score_is_what_exact_arithmetic_gives(name, weight):
    got = getattr(family, name)(weight)
    # Sums of under 300 terms, then at most a root and two divisions.
    assert_allclose(got, getattr(oracle, name)(weight), rtol=1e-13)


@given(weights(), st.sampled_from([0.0, 0.5, 1.0, 2.0]))
def test_the_deviation_mask_keeps_what_scores_its_quality(weight, quality):
    if len(np.unique(weight)) < 2:
        return  # no deviation: see the edges
    kept = family.deviation_mask(weight, quality=quality)
    score = oracle.deviation_magnitude(weight)
    clear = np.abs(score - quality) > 1e-12  # rounding decides nearer than that
    assert_array_equal(kept[clear], (score >= quality)[clear])


def test_the_deviation_mask_keeps_what_stands_on_the_threshold():
    assert family.deviation_mask(np.array([1.0, -1.0]), quality=1.0).all()


@pytest.mark.parametrize("value", [2.0, 0.1])
def test_a_layer_without_deviation_scores_zero_and_is_kept(value):
    """Three times 0.1 over 3 is not 0.1: the mean itself may be off by a rounding."""
    equal = np.full(3, value)
    assert_array_equal(family.deviation_magnitude(equal), np.zeros(3))
    assert family.deviation_mask(equal, quality=0.5).all()


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
