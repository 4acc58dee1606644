"""NISP against every path, and the bound it stands for."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minprune.criteria.propagation import nisp
from tests.oracles import propagation as oracle

SEEDS = pytest.mark.parametrize("seed", range(5))


@SEEDS
def test_three_layers_of_nisp_sum_over_all_paths(seed):
    rng = np.random.default_rng(seed)
    weights = [rng.normal(size=s) for s in ((4, 3), (2, 4), (3, 2))]
    importance = rng.uniform(0, 2, 3)
    score = importance
    for w in reversed(weights):
        score = nisp(w, next_score=score)
    assert_allclose(score, oracle.nisp(weights, importance), rtol=1e-13)


@SEEDS
def test_the_places_of_a_kernel_are_paths(seed):
    w = np.random.default_rng(seed).normal(size=(3, 4, 2, 2))
    assert_allclose(nisp(w), oracle.nisp([w], np.ones(3)), rtol=1e-13)


@SEEDS
def test_nisp_bounds_the_change_of_the_final_response(seed):
    """Yu et al. 2018, Sec. 3.3: a ReLU never stretches a difference."""
    rng = np.random.default_rng(seed)
    w2, w3 = rng.normal(size=(4, 5)), rng.normal(size=(3, 4))
    importance, relu = rng.uniform(0, 2, 3), lambda z: np.maximum(z, 0)
    respond = lambda a: relu(w3 @ relu(w2 @ a))
    score = nisp(w2, next_score=nisp(w3, next_score=importance))
    a = relu(rng.normal(size=5))
    for c in range(5):
        without = np.where(np.arange(5) == c, 0.0, a)
        change = importance @ np.abs(respond(a) - respond(without))
        assert change <= score[c] * a[c] + 1e-12


def test_outputs_count_alike_unless_told_otherwise():
    w = np.array([[1.0, -2.0], [3.0, 4.0]])
    assert_array_equal(nisp(w), [4.0, 6.0])
    assert_array_equal(nisp(w, next_score=np.array([0.0, 2.0])), [6.0, 8.0])


@pytest.mark.parametrize("given", [np.ones(3), np.ones((2, 1)), np.array([1.0, -1.0])])
def test_importances_that_do_not_fit_are_refused(given):
    with pytest.raises(ValueError, match="nisp: next_score has shape"):
        nisp(np.ones((2, 2)), next_score=given)


def test_importances_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match="next_score holds 1 non-finite"):
        nisp(np.ones((2, 2)), next_score=np.array([1.0, np.nan]))
