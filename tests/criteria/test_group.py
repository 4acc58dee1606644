"""Coupled channels: exact fractions, then what each function leaves alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose, assert_array_equal

from minprune.criteria import group as family
from minprune.criteria.norm import squared_norm
from minprune.criteria.relative import lamp
from tests.oracles import group as oracle

NORMALIZATIONS = {
    "sum": family.normalize_sum,
    "mean": family.normalize_mean,
    "max": family.normalize_max,
    "range": family.normalize_range,
    "gaussian": family.normalize_gaussian,
    "sentinel": lambda score: family.normalize_sentinel(score, quantile=0.5),
    "lamp": family.normalize_lamp,
}
positive = st.integers(1, 64).map(lambda n: n / 4)
scores = hnp.arrays(np.float64, st.integers(2, 8), elements=positive)


@given(st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_a_channel_is_worth_the_weights_that_go_with_it(channels, seed):
    """A layer that writes, a batch norm, and two that read the same channels."""
    rng = np.random.default_rng(seed)
    write, read = rng.normal(size=(channels, 3, 2, 2)), rng.normal(size=(4, channels))
    scale, conv = rng.normal(size=channels), rng.normal(size=(2, channels, 3))
    norms = [
        squared_norm(write),
        squared_norm(scale),
        squared_norm(read.T),
        squared_norm(conv.swapaxes(0, 1)),
    ]
    members = [
        [write[c].ravel().tolist() for c in range(channels)],
        [[scale[c]] for c in range(channels)],
        [read[:, c].tolist() for c in range(channels)],
        [conv[:, c].ravel().tolist() for c in range(channels)],
    ]
    got, want = family.group_magnitude(np.stack(norms)), oracle.group_magnitude(members)
    assert_allclose(got, want, rtol=1e-13)


@given(scores)
def test_a_group_of_one_layer_ranks_as_its_own_norm(score):
    order = np.argsort(family.group_magnitude(score[None]), kind="stable")
    assert_array_equal(order, np.argsort(score, kind="stable"))


@pytest.mark.parametrize("name", NORMALIZATIONS)
@given(score=scores)
def test_no_normalization_turns_two_channels_round(name, score):
    normal = NORMALIZATIONS[name](score)
    order = np.argsort(score, kind="stable")
    assert (np.diff(normal[order]) >= -1e-12).all()


@pytest.mark.parametrize("name", NORMALIZATIONS)
@given(score=scores)
def test_a_normalization_takes_the_scale_out(name, score):
    assert_array_equal(NORMALIZATIONS[name](4 * score), NORMALIZATIONS[name](score))


@given(scores)
def test_each_normalization_fixes_what_it_is_named_for(score):
    assert family.normalize_sum(score).sum() == pytest.approx(1)
    assert family.normalize_mean(score).mean() == pytest.approx(1)
    assert family.normalize_max(score).max() == 1
    median = np.sort(score)[len(score) // 2]
    half = family.normalize_sentinel(score, quantile=0.5)
    assert half[score == median].tolist() == [1.0] * int((score == median).sum())
    assert_array_equal(family.normalize_lamp(score**2), lamp(score))


@given(scores.filter(lambda score: len(np.unique(score)) > 1))
def test_range_and_gaussian_fix_two_moments(score):
    stretched, counted = family.normalize_range(score), family.normalize_gaussian(score)
    assert (stretched.min(), stretched.max()) == (0, 1)
    assert counted.mean() == pytest.approx(0, abs=1e-12)
    assert counted.std(ddof=1) == pytest.approx(1)


@given(hnp.arrays(np.float64, (3, 4), elements=positive))
def test_reductions_are_what_their_names_say(coupled):
    rows = coupled.tolist()
    columns = list(zip(*rows, strict=True))
    assert family.reduce_sum(coupled).tolist() == [sum(c) for c in columns]
    assert_allclose(family.reduce_mean(coupled), [sum(c) / 3 for c in columns])
    assert family.reduce_max(coupled).tolist() == [max(c) for c in columns]
    assert family.reduce_product(coupled).tolist() == [a * b * c for a, b, c in columns]
    assert family.reduce_first(coupled).tolist() == rows[0]
    assert family.reduce_last(coupled).tolist() == rows[-1]


@pytest.mark.parametrize("name", NORMALIZATIONS)
def test_a_group_of_zeros_scores_zero(name):
    assert_array_equal(NORMALIZATIONS[name](np.zeros(3)), np.zeros(3))


@pytest.mark.parametrize("name", NORMALIZATIONS)
def test_a_group_without_channels_has_no_scores(name):
    assert NORMALIZATIONS[name](np.zeros(0)).shape == (0,)


@pytest.mark.parametrize("value", [2.0, 0.1])
def test_equal_channels_have_no_range_and_no_deviation(value):
    equal = np.full(3, value)  # three times 0.1 over 3 is not 0.1
    assert_array_equal(family.normalize_range(equal), np.zeros(3))
    assert_array_equal(family.normalize_gaussian(equal), np.zeros(3))
    assert_array_equal(family.normalize_gaussian(np.ones(1)), np.zeros(1))


def test_what_is_reduced_is_a_copy():
    coupled = np.ones((2, 3))
    for reduce in (family.reduce_first, family.reduce_last):
        assert not np.shares_memory(reduce(coupled), coupled)


@pytest.mark.parametrize("quantile", [-0.1, 1.0, float("nan")])
def test_a_sentinel_outside_the_group_is_refused(quantile):
    with pytest.raises(ValueError, match="expected 0 or more, below 1"):
        family.normalize_sentinel(np.ones(3), quantile=quantile)


def test_a_group_without_members_is_refused():
    with pytest.raises(ValueError, match=r"shape \(0, 3\), that is no member"):
        family.group_magnitude(np.zeros((0, 3)))
