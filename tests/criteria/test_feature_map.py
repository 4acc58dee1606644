"""Feature-map criteria: exact ranks, other norms, limits, edges."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minprune.criteria.feature_map import chip, hrank
from tests.oracles import feature_map as oracle

SEEDS = pytest.mark.parametrize("seed", range(5))


@SEEDS
@pytest.mark.parametrize("places", [(3, 4), (4, 3), (1, 5)])
def test_hrank_is_the_mean_of_exact_ranks(seed, places):
    """Small whole numbers: exact rank and rank within a tolerance are the same."""
    rng = np.random.default_rng(seed)
    low = rng.integers(-2, 3, (6, 5, places[0], 2)) @ rng.integers(
        -2, 3, (6, 5, 2, places[1])
    )
    assert_array_equal(hrank(low.astype(float)), oracle.hrank(low))


@SEEDS
@pytest.mark.parametrize("places", [(), (5,), (2, 4)])
def test_chip_is_the_nuclear_norm_that_goes_with_the_row(seed, places):
    a = np.random.default_rng(seed).normal(size=(4, 3, *places))
    # The oracle takes roots of eigenvalues: half the digits where one is near zero.
    assert_allclose(chip(a), oracle.chip(a), rtol=1e-7, atol=1e-7)


@SEEDS
def test_chip_of_orthogonal_maps_is_their_length(seed):
    rng = np.random.default_rng(seed)
    basis, _ = np.linalg.qr(rng.normal(size=(6, 6)))
    length = rng.uniform(0.5, 2, 4)
    maps = (length[:, None] * basis[:4]).reshape(1, 4, 2, 3)
    assert_allclose(chip(maps), length, rtol=1e-13)


@SEEDS
def test_chip_lies_between_nothing_and_the_length_of_the_map(seed):
    a = np.random.default_rng(seed).normal(size=(3, 4, 2, 3))
    length = np.linalg.norm(a.reshape(3, 4, 6), axis=2).mean(axis=0)
    assert (chip(a) >= 0).all()
    assert (chip(a) <= length * (1 + 1e-12)).all()


def test_a_map_that_others_repeat_is_worth_less():
    maps = np.zeros((1, 3, 1, 4))
    maps[0, :2, 0, :2], maps[0, 2, 0, 2:] = 1.0, 1.0
    score = chip(maps)
    assert score[0] == pytest.approx(score[1], abs=1e-12)
    assert score[2] == pytest.approx(np.sqrt(2), abs=1e-12)
    # Two equal rows of length r: the nuclear norm is sqrt(2) r together and r alone.
    assert score[0] == pytest.approx((np.sqrt(2) - 1) * np.sqrt(2), abs=1e-12)


@SEEDS
def test_hrank_does_not_see_how_large_a_map_is(seed):
    a = np.random.default_rng(seed).normal(size=(3, 4, 3, 3))
    assert_array_equal(hrank(1e-20 * a), hrank(a))


def test_what_lies_below_float32s_spacing_is_no_rank():
    a = np.array([[[[1.0, 0.0], [0.0, 1e-8]], [[1.0, 0.0], [0.0, 1e-6]]]])
    assert_array_equal(hrank(a), [1.0, 2.0])
    assert_array_equal(hrank(a, tolerance=0.0), [2.0, 2.0])
    assert_array_equal(hrank(a, tolerance=0.1), [1.0, 1.0])


def test_the_longer_side_of_a_map_widens_the_tolerance():
    a = np.zeros((1, 1, 2, 10))
    a[0, 0, 0, 0], a[0, 0, 1, 1] = 1.0, 8 * np.finfo(np.float32).eps
    assert_array_equal(hrank(a), [1.0])
    assert_array_equal(hrank(a[..., :7]), [2.0])


def test_the_rank_is_averaged_over_examples():
    a = np.stack([np.eye(2), np.zeros((2, 2)), np.ones((2, 2)), np.eye(2)])[:, None]
    assert_array_equal(hrank(a), [1.25])


@pytest.mark.parametrize("score", [hrank, chip])
def test_nothing_to_look_at_is_refused(score):
    with pytest.raises(ValueError, match=f"{score.__name__}: activation has shape"):
        score(np.ones((0, 3, 2, 2)))
    with pytest.raises(ValueError, match="1 axes; expected 2 or 3 or 4"):
        score(np.ones(3))


@pytest.mark.parametrize("tolerance", [-1.0, np.nan])
def test_a_tolerance_below_zero_is_refused(tolerance):
    with pytest.raises(ValueError, match=r"hrank: tolerance is .* expected 0 or more"):
        hrank(np.ones((1, 1)), tolerance=tolerance)
