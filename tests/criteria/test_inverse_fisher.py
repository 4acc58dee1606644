"""OBS on the empirical Fisher: the matrix written out, limits, edges."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minprune.criteria.inverse_fisher import mfac, obert, woodfisher
from tests.oracles import inverse_fisher as oracle

SEEDS = pytest.mark.parametrize("seed", range(5))
ROUNDING = {"rtol": 1e-9, "atol": 1e-13}
"""With a ridge of 0.1 the Fisher's condition number stays under 1e3."""


def problem(seed, shape=(2, 5), examples=4):
    """Fewer examples than weights, so that the ridge matters."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=shape), rng.normal(size=(examples, *shape))


@SEEDS
@pytest.mark.parametrize("block", [1, 3, 4, 10, 64])
def test_woodfisher_is_the_constrained_minimum_in_blocks(seed, block):
    weight, grads = problem(seed)
    got = woodfisher(weight, grads, block=block, ridge=0.1)
    assert_allclose(got, oracle.woodfisher(weight, grads, block, 0.1), **ROUNDING)


@SEEDS
def test_mfac_is_the_constrained_minimum_of_the_whole_layer(seed):
    weight, grads = problem(seed)
    got = mfac(weight, grads, ridge=0.1)
    assert_allclose(got, oracle.mfac(weight, grads, 0.1), **ROUNDING)


@SEEDS
@pytest.mark.parametrize(("group", "block"), [(1, 4), (2, 4), (4, 4), (3, 6), (4, 48)])
def test_obert_is_the_constrained_minimum_of_a_group(seed, group, block):
    weight, grads = problem(seed, shape=(3, 7))
    got = obert(weight, grads, group=group, block=block, ridge=0.1)
    assert_allclose(got, oracle.obert(weight, grads, group, block, 0.1), **ROUNDING)


@SEEDS
def test_a_block_of_one_is_the_diagonal_fisher(seed):
    """Singh and Alistarh 2020: without cross terms nothing but the diagonal is left."""
    weight, grads = problem(seed)
    diagonal = 0.5 * weight**2 * (0.1 + np.mean(grads**2, axis=0))
    assert_allclose(woodfisher(weight, grads, block=1, ridge=0.1), diagonal, rtol=1e-12)


@SEEDS
def test_one_block_for_all_is_mfac(seed):
    weight, grads = problem(seed, shape=(4, 2, 3, 3), examples=6)
    whole = woodfisher(weight, grads, block=weight.size, ridge=0.1)
    assert_allclose(mfac(weight, grads, ridge=0.1), whole, **ROUNDING)


@SEEDS
def test_groups_of_one_are_woodfisher_row_by_row(seed):
    weight, grads = problem(seed)
    rows = [
        woodfisher(w, grads[:, i], block=2, ridge=0.1) for i, w in enumerate(weight)
    ]
    assert_allclose(obert(weight, grads, group=1, block=2, ridge=0.1), rows, **ROUNDING)


@SEEDS
def test_a_pair_costs_no_less_than_its_dearer_half(seed):
    """More constraints cannot lower a minimum."""
    weight, grads = problem(seed, shape=(2, 6))
    one = obert(weight, grads, group=1, block=6, ridge=0.1)
    two = obert(weight, grads, group=2, block=6, ridge=0.1)
    assert (two >= one.reshape(2, 3, 2).max(axis=2) * (1 - 1e-12)).all()


@SEEDS
def test_without_a_gradient_all_that_is_left_is_the_ridge(seed):
    weight, grads = problem(seed)
    for score in (woodfisher, mfac):
        got = score(weight, 0 * grads, ridge=0.5)
        assert_allclose(got, 0.25 * weight**2, rtol=1e-14)


@pytest.mark.parametrize("score", [woodfisher, mfac, obert])
def test_the_order_of_the_examples_does_not_matter(score):
    weight, grads = problem(0, examples=9)
    back = score(weight, grads[::-1], ridge=0.1)
    assert_allclose(back, score(weight, grads, ridge=0.1), **ROUNDING)


def test_blocks_run_on_in_c_order_and_may_end_short():
    rng = np.random.default_rng(0)
    weight, grads = rng.normal(size=(2, 3)), rng.normal(size=(4, 2, 3))
    flat = woodfisher(weight.ravel(), grads.reshape(4, 6), block=4)
    assert_array_equal(woodfisher(weight, grads, block=4).ravel(), flat)


@pytest.mark.parametrize("score", [woodfisher, mfac, obert])
@pytest.mark.parametrize("ridge", [0.0, -1.0, np.nan, np.inf])
def test_a_ridge_of_nothing_is_refused(score, ridge):
    with pytest.raises(ValueError, match=f"{score.__name__}: ridge is .* positive"):
        score(np.ones((1, 2)), np.ones((1, 1, 2)), ridge=ridge)


@pytest.mark.parametrize("score", [woodfisher, mfac, obert])
@pytest.mark.parametrize("size", [1e6, 1e37])
def test_a_ridge_that_is_lost_beside_the_gradients_is_refused(score, size):
    """With gradients of 1e6 the recursion gave negative scores, or none at all."""
    weight, grads = problem(0, examples=64)
    with pytest.raises(ValueError, match=f"{score.__name__}: ridge is 1e-05 but"):
        score(weight, size * grads)
    assert (score(weight, 1e2 * grads) > 0).all()


@pytest.mark.parametrize("score", [woodfisher, mfac, obert])
@pytest.mark.parametrize("shape", [(0, 1, 2), (3, 1, 3), (1, 2)])
def test_gradients_are_one_array_for_every_example(score, shape):
    with pytest.raises(ValueError, match="grad_by_example has shape"):
        score(np.ones((1, 2)), np.ones(shape))


def test_a_block_that_splits_a_group_is_refused():
    with pytest.raises(ValueError, match="block is 6 and group is 4; expected a mult"):
        obert(np.ones((1, 8)), np.ones((1, 1, 8)), group=4, block=6)


def test_a_block_of_none_is_refused():
    with pytest.raises(ValueError, match="block is 0; expected 1 or more"):
        woodfisher(np.ones(2), np.ones((1, 2)), block=0)
