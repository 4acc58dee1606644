"""Geometry criteria: pair by pair, what turns and flips change, edges."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minprune.criteria.geometry import (
    cosine_redundancy,
    fpgm,
    fpgm_of_squares,
    fpgm_two_stage,
)
from tests.oracles import geometry as oracle

SEEDS = pytest.mark.parametrize("seed", range(5))
SCORES = pytest.mark.parametrize(
    "score", [fpgm, fpgm_two_stage, fpgm_of_squares, cosine_redundancy]
)


def filters(seed, shape=(6, 2, 3, 3)):
    return np.random.default_rng(seed).normal(size=shape)


@SEEDS
def test_fpgm_sums_the_distances_to_all_others(seed):
    weight = filters(seed)
    assert_allclose(fpgm(weight), oracle.fpgm(weight), rtol=1e-14)


@SEEDS
@pytest.mark.parametrize("by_norm", range(7))
def test_the_two_stages_go_one_after_the_other(seed, by_norm):
    weight = filters(seed)
    got = fpgm_two_stage(weight, by_norm=by_norm)
    assert_array_equal(got, oracle.fpgm_two_stage(weight, by_norm))


@SEEDS
def test_fpgm_of_squares_measures_between_squares(seed):
    weight = filters(seed)
    want = oracle.fpgm_of_squares(weight)
    assert_allclose(fpgm_of_squares(weight), want, rtol=1e-14)


@SEEDS
def test_cosine_redundancy_is_the_chord_to_the_nearest_direction(seed):
    weight = filters(seed)
    want = oracle.cosine_redundancy(weight)
    assert_allclose(cosine_redundancy(weight), want, rtol=1e-13)


@SEEDS
def test_the_lowest_filter_is_nearest_to_the_geometric_median(seed):
    """No filter has a smaller sum of distances; the median itself has a smaller one."""
    weight = filters(seed, (9, 2))
    middle = weight[np.argmin(fpgm(weight))]
    sums = [
        np.linalg.norm(weight - at, axis=1).sum() for at in (middle, weight.mean(0))
    ]
    assert fpgm(weight).min() == pytest.approx(sums[0], rel=1e-14)
    point = middle
    for _ in range(200):  # Weiszfeld's steps towards the median never raise the sum
        away = np.maximum(np.linalg.norm(weight - point, axis=1), 1e-9)
        point = (weight / away[:, None]).sum(axis=0) / (1 / away).sum()
    assert np.linalg.norm(weight - point, axis=1).sum() <= sums[0]


@SEEDS
def test_turning_or_shifting_the_cloud_changes_no_distance(seed):
    weight = filters(seed, (6, 4))
    turn, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(4, 4)))
    assert_allclose(fpgm(weight @ turn + 3.0), fpgm(weight), rtol=1e-13)
    assert_allclose(
        cosine_redundancy(weight @ turn), cosine_redundancy(weight), rtol=1e-11
    )


@SEEDS
def test_flipping_one_filter_moves_fpgm_but_not_fpgm_of_squares(seed):
    weight = filters(seed)
    flipped = weight.copy()
    flipped[0] *= -1
    assert not np.allclose(fpgm(flipped), fpgm(weight))
    assert not np.allclose(cosine_redundancy(flipped), cosine_redundancy(weight))
    assert_array_equal(fpgm_of_squares(flipped), fpgm_of_squares(weight))
    for score in (fpgm, cosine_redundancy):  # flipping all of them does nothing
        assert_allclose(score(-weight), score(weight), rtol=1e-15)


@SEEDS
def test_without_a_first_stage_the_order_is_the_papers(seed):
    weight = filters(seed)
    assert_array_equal(np.argsort(fpgm_two_stage(weight)), np.argsort(fpgm(weight)))


def test_the_first_stage_moves_the_middle():
    weight = np.array([[0.0], [2.0], [5.0], [6.0]])
    assert np.argmin(fpgm(weight)) == 1
    assert_array_equal(np.argsort(fpgm_two_stage(weight, by_norm=1)), [0, 2, 3, 1])


def test_length_counts_for_fpgm_and_not_for_the_cosine():
    weight = np.array([[1.0, 0.0], [5.0, 0.0], [0.0, 1.0]])
    assert_array_equal(cosine_redundancy(weight), [0.0, 0.0, 1.0])
    assert fpgm(weight)[0] < fpgm(weight)[1]


def test_a_filter_of_zeros_is_redundant_and_makes_no_other_so():
    weight = np.array([[0.0, 0.0], [1.0, 0.0], [-1.0, 0.0]])
    assert_array_equal(cosine_redundancy(weight), [0.0, 1.0, 1.0])


def test_only_opposite_filters_are_as_far_apart_as_can_be():
    weight = np.array([[1.0, 0.0], [-2.0, 0.0]])
    assert_array_equal(cosine_redundancy(weight), [2.0, 2.0])


def test_equal_filters_go_from_the_front():
    assert_array_equal(fpgm_two_stage(np.ones((4, 2)), by_norm=2), [0, 1, 2, 3])


@SCORES
def test_a_single_filter_and_none_are_defined(score):
    single = 1.0 if score is cosine_redundancy else 0.0
    assert_array_equal(score(np.array([[2.0, 1.0]])), [single])
    assert score(np.ones((0, 3))).shape == (0,)


@SCORES
def test_a_number_is_no_layer(score):
    with pytest.raises(ValueError, match="0 axes; expected 1 or 2 or 3 or 4"):
        score(np.array(1.0))


def test_a_first_stage_that_is_no_count_is_refused():
    with pytest.raises(ValueError, match="by_norm is 3 but there are 2 filters"):
        fpgm_two_stage(np.ones((2, 2)), by_norm=3)
    with pytest.raises(TypeError, match=r"by_norm is 0.5; expected a whole number"):
        fpgm_two_stage(np.ones((2, 2)), by_norm=0.5)
