"""Activation criteria: counted, then what ties them together, then the edges."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose, assert_array_equal

from minprune.criteria.activation import (
    activation_entropy,
    activation_variance,
    apoz,
    mean_activation,
)
from minprune.criteria.feature_map import hrank
from tests.oracles import activation as oracle

SEEDS = pytest.mark.parametrize("seed", range(5))
UNITS = [apoz, mean_activation, activation_variance, activation_entropy]

shapes = hnp.array_shapes(min_dims=2, max_dims=4, min_side=1, max_side=4)
activations = hnp.arrays(
    np.float64, shapes, elements=st.integers(-3, 6).map(lambda n: max(n, 0) / 4)
)
"""Outputs behind a ReLU, in quarters: zeros and ties are common."""


@given(activations)
def test_apoz_counts_what_is_not_zero(a):
    assert_allclose(apoz(a), oracle.apoz(a), rtol=1e-15)


@given(activations)
def test_mean_activation_is_the_mean(a):
    assert_allclose(mean_activation(a), oracle.mean_activation(a), rtol=1e-14)


@given(activations)
def test_variance_is_half_the_mean_squared_difference_of_all_pairs(a):
    want = oracle.activation_variance(a)
    assert_allclose(activation_variance(a), want, rtol=1e-13, atol=1e-15)  # output^2


@SEEDS
@pytest.mark.parametrize("bins", [1, 2, 10])
@pytest.mark.parametrize("places", [(), (3,), (2, 2)])
def test_entropy_is_the_mean_surprise_of_an_examples_bin(seed, bins, places):
    a = np.random.default_rng(seed).normal(size=(30, 3, *places))
    want = oracle.activation_entropy(a, bins)
    assert_allclose(activation_entropy(a, bins=bins), want, rtol=1e-13, atol=1e-15)


def test_a_value_on_a_boundary_belongs_to_the_bin_above_but_the_highest():
    a = np.array([[0.0], [1.0], [2.0], [3.0], [4.0]])
    want = oracle.activation_entropy(a, 4)
    assert_allclose(activation_entropy(a, bins=4), want, rtol=1e-14)
    assert_allclose(want, -(3 * 0.2 * np.log(0.2) + 0.4 * np.log(0.4)), rtol=1e-14)


@given(hnp.arrays(np.float64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=5)))
def test_for_single_outputs_apoz_is_the_mean_rank(a):
    """A matrix of one entry has rank one unless the entry is zero."""
    a = np.where(np.isfinite(a), a, 0.0)
    assert_array_equal(apoz(a), hrank(a))


@pytest.mark.parametrize("loud", [9.0, 9.1])
def test_loud_and_constant_is_first_by_mean_and_last_by_variance_and_entropy(loud):
    a = np.stack([np.full(7, loud), np.arange(7.0) / 8], axis=1)
    assert np.argmax(mean_activation(a)) == 0
    assert_array_equal(activation_variance(a)[0], 0.0)
    assert_array_equal(activation_entropy(a)[0], 0.0)


def test_entropy_does_not_see_units_or_offset():
    a = np.random.default_rng(0).integers(0, 16, size=(40, 3)).astype(float)
    assert_array_equal(activation_entropy(4 * a + 16), activation_entropy(a))


@pytest.mark.parametrize("score", UNITS)
@pytest.mark.parametrize("shape", [(0, 3), (2, 3, 0), (2, 0)])
def test_nothing_to_look_at_is_refused(score, shape):
    with pytest.raises(ValueError, match=f"{score.__name__}: activation has shape"):
        score(np.ones(shape))


@pytest.mark.parametrize("score", UNITS)
def test_an_axis_of_units_is_needed(score):
    with pytest.raises(ValueError, match="1 axes; expected 2 or 3 or 4"):
        score(np.ones(3))


def test_one_bin_or_more_is_needed():
    assert_array_equal(activation_entropy(np.arange(4.0)[:, None], bins=1), [0.0])
    with pytest.raises(ValueError, match="bins is 0; expected 1 or more"):
        activation_entropy(np.ones((2, 2)), bins=0)
