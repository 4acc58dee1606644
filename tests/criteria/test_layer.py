"""Layer criteria: blocks left out, features against features, invariances, edges."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minprune.criteria.layer import (
    block_ablation,
    block_influence,
    layer_scale,
    linear_cka,
)
from tests.oracles import layer as oracle

SEEDS = pytest.mark.parametrize("seed", range(5))


def pair(seed, shape=(8, 3, 2)):
    return np.random.default_rng(seed).normal(size=(2, *shape))


@SEEDS
def test_zeroing_a_residual_block_is_the_network_without_it(seed):
    rng = np.random.default_rng(seed)
    blocks, (x, target) = rng.normal(size=(3, 4, 4)), rng.normal(size=(2, 10, 4))
    error = lambda parts: np.mean((oracle.respond(parts, x) - target) ** 2)
    for b, want in enumerate(oracle.block_ablation(blocks, x, target)):
        silent = [w * (k != b) for k, w in enumerate(blocks)]
        change = np.array(error(silent) - error(blocks))
        assert_allclose(block_ablation(change), want, atol=1e-13)  # squared output


@SEEDS
def test_layer_scale_is_the_mean_size(seed):
    scale = np.random.default_rng(seed).normal(size=9)
    assert_allclose(layer_scale(scale), oracle.layer_scale(scale), rtol=1e-14)


@SEEDS
def test_cka_by_examples_is_cka_by_features(seed):
    x, y = pair(seed)
    assert_allclose(linear_cka(x, y), oracle.linear_cka(x, y), rtol=1e-12)
    fewer = y[:, :1]
    assert_allclose(linear_cka(x, fewer), oracle.linear_cka(x, fewer), rtol=1e-12)


@SEEDS
def test_influence_is_one_minus_the_mean_cosine(seed):
    x, y = pair(seed)
    assert_allclose(block_influence(x, y), oracle.block_influence(x, y), rtol=1e-12)


@SEEDS
def test_cka_does_not_see_turns_scales_or_shifts(seed):
    x, y = pair(seed, (8, 4))
    turn, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(4, 4)))
    assert_allclose(linear_cka(x, 3 * y @ turn + 7), linear_cka(x, y), rtol=1e-10)
    assert_allclose(linear_cka(x, 3 * x @ turn + 7), 0.0, atol=1e-12)
    assert_allclose(linear_cka(x, y), linear_cka(y, x), rtol=1e-13)


@SEEDS
def test_influence_sees_turns_but_no_scale(seed):
    x, y = pair(seed)
    assert_allclose(block_influence(x, 3 * y), block_influence(x, y), rtol=1e-13)
    assert_allclose(block_influence(x, 5 * x), 0.0, atol=1e-15)
    assert_allclose(block_influence(x, -x), 2.0, rtol=1e-15)
    assert block_influence(x, x[:, ::-1]) > 0.1


def test_unrelated_examples_are_not_alike():
    x, y = np.array([[1.0], [1.0], [-1.0], [-1.0]]), np.array([[1.0], [-1.0]] * 2)
    assert_array_equal(linear_cka(x, y), 1.0)


def test_vectors_of_zeros_have_a_place():
    zero, one = np.zeros((1, 2)), np.ones((1, 2))
    assert_array_equal(block_influence(zero, zero), 0.0)
    assert_array_equal(block_influence(zero, one), 1.0)
    assert_array_equal(block_influence(one, zero), 1.0)


def test_a_side_that_does_not_vary_is_like_nothing():
    x = np.arange(4.0)[:, None]
    assert_array_equal(linear_cka(x, np.ones((4, 2))), 1.0)
    assert_array_equal(linear_cka(np.ones((4, 2)), x), 1.0)
    for still in (np.ones((3, 2)), np.full((3, 2), 0.1)):  # whose mean is not 0.1
        assert_array_equal(linear_cka(still, still), 1.0)


def test_the_measured_rise_is_handed_on_as_a_copy():
    rise = np.array(-0.5)
    score = block_ablation(rise)
    score[...] = 1.0
    assert_array_equal(rise, -0.5)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="1 axes; expected 0"):
        block_ablation(np.ones(2))
    with pytest.raises(ValueError, match="bn_scale is empty"):
        layer_scale(np.ones(0))
    with pytest.raises(
        ValueError, match=r"block_input has shape \(1, 2\) .* two or mor"
    ):
        linear_cka(np.ones((1, 2)), np.ones((1, 2)))
    with pytest.raises(ValueError, match="expected the same examples"):
        linear_cka(np.ones((3, 2)), np.ones((4, 2)))
    with pytest.raises(ValueError, match=r"block_output has shape \(2, 3\)"):
        block_influence(np.ones((2, 2)), np.ones((2, 3)))
    with pytest.raises(ValueError, match="holds no vector"):
        block_influence(np.ones((0, 2)), np.ones((0, 2)))
