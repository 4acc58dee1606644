"""Norms: exact fractions, then what each is to the others, then the edges."""

import numpy as np
import pytest
from hypothesis import given
from numpy.testing import assert_allclose, assert_array_equal

from minprune.criteria import norm as family
from minprune.criteria.magnitude import layer_magnitude
from tests.criteria.strategies import weights
from tests.oracles import norm as oracle

FILTER_NORMS = ["l1_norm", "l2_norm", "squared_norm", "max_norm", "mean_magnitude"]


@pytest.mark.parametrize("name", FILTER_NORMS)
@given(weight=weights())
def test_the_norm_is_what_exact_arithmetic_gives(name, weight):
    got, want = getattr(family, name)(weight), getattr(oracle, name)(weight)
    assert_allclose(got, want, rtol=1e-14)  # quarters are exact but for root and mean


@given(weights(min_dims=2))
def test_a_channels_norm_is_what_exact_arithmetic_gives(weight):
    assert_array_equal(family.channel_l1_norm(weight), oracle.channel_l1_norm(weight))


@given(weights())
def test_no_norm_is_below_the_largest_weight_or_above_the_sum(weight):
    largest, length = family.max_norm(weight), family.l2_norm(weight)
    assert (largest <= length * (1 + 1e-15)).all()
    assert (length <= family.l1_norm(weight) * (1 + 1e-15)).all()


@given(weights())
def test_the_l1_norm_is_the_largest_output_for_inputs_up_to_one(weight):
    x = np.sign(weight).reshape(len(weight), -1)
    outputs = np.einsum("ck,ck->c", weight.reshape(len(weight), -1), x)
    assert_array_equal(family.l1_norm(weight), outputs)


@given(weights(min_dims=2))
def test_filters_and_channels_share_out_the_same_sum(weight):
    assert family.channel_l1_norm(weight).sum() == family.l1_norm(weight).sum()


@given(weights())
def test_the_mean_over_filters_is_the_mean_over_the_layer(weight):
    mean = family.mean_magnitude(weight).mean()
    assert mean == pytest.approx(float(layer_magnitude(weight)))


def test_a_vector_is_one_weight_for_every_filter():
    for name in FILTER_NORMS:
        assert_array_equal(getattr(family, name)(np.array([-1.0, 1.0])), [1.0, 1.0])


@pytest.mark.parametrize("name", FILTER_NORMS)
def test_filters_without_weights_score_zero(name):
    assert_array_equal(getattr(family, name)(np.zeros((2, 0))), np.zeros(2))
    assert getattr(family, name)(np.zeros((0, 3))).shape == (0,)


@pytest.mark.parametrize("name", FILTER_NORMS)
def test_a_scalar_has_no_filters(name):
    with pytest.raises(ValueError, match=rf"{name}: weight has shape \(\), .* 0 axes"):
        getattr(family, name)(np.float64(1.0))


def test_a_vector_has_no_input_channels():
    with pytest.raises(ValueError, match=r"channel_l1_norm: weight has shape \(3,\)"):
        family.channel_l1_norm(np.ones(3))
