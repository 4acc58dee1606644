"""Patterns of keep out of group: groups against loops, squares against all squares."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from minprune.masks import best_square, greedy_square, keep_of_group
from minprune.masks.nm import _patterns
from tests.oracles import pattern as oracle

VALUES = st.integers(-2, 2).map(float)  # exact sums, many ties


@st.composite
def lines(draw):
    group = draw(st.integers(1, 5))
    keep = draw(st.integers(0, group))
    return draw(st.lists(VALUES, max_size=17)), keep, group


@st.composite
def squares(draw, largest=3):
    group = draw(st.integers(1, largest))
    keep = draw(st.integers(0, group))
    down, across = draw(st.integers(0, 2)), draw(st.integers(0, 2))
    shape = (down * group, across * group)
    flat = draw(st.lists(VALUES, min_size=math.prod(shape), max_size=math.prod(shape)))
    return np.array(flat).reshape(shape), keep, group


@given(lines())
def test_every_group_keeps_its_highest(line):
    scores, keep, group = line
    got = keep_of_group(np.array(scores), keep=keep, group=group, remainder="short")
    assert got.tolist() == oracle.keep_of_group(scores, keep, group)


@given(lines())
def test_a_kept_remainder_is_whole_and_the_rest_is_as_ever(line):
    scores, keep, group = line
    got = keep_of_group(np.array(scores), keep=keep, group=group, remainder="keep")
    full = len(scores) // group * group
    assert got[full:].all()
    assert got[:full].tolist() == oracle.keep_of_group(scores[:full], keep, group)


@pytest.mark.parametrize("axis", [0, 1, 2, 3, -1, -3])
def test_groups_follow_the_axis(axis):
    scores = np.random.default_rng(0).normal(size=(4, 8, 4, 12))
    got = keep_of_group(scores, keep=1, group=4, axis=axis)
    lines_in = np.moveaxis(scores, axis, -1).reshape(-1, scores.shape[axis])
    lines_out = np.moveaxis(got, axis, -1).reshape(-1, scores.shape[axis])
    for line, mask in zip(lines_in, lines_out, strict=True):
        assert mask.tolist() == oracle.keep_of_group(line.tolist(), 1, 4)


def test_the_same_two_numbers_mean_one_thing():
    """One of four stays, where "1:4" elsewhere may make one of four zero."""
    assert keep_of_group(np.arange(4.0), keep=1, group=4).sum() == 1


def test_equal_scores_lose_the_first():
    """Scores [1, 1, 1, 2]: a cut by value removes three of four."""
    got = keep_of_group(np.array([1.0, 1.0, 1.0, 2.0]), keep=2, group=4)
    assert_array_equal(got, [False, False, True, True])


@given(squares())
def test_the_exhaustive_square_is_the_best_of_all(drawn):
    scores, keep, group = drawn
    got = best_square(scores, keep=keep, group=group)
    for i in range(0, scores.shape[0], group):
        for j in range(0, scores.shape[1], group):
            part = (slice(i, i + group), slice(j, j + group))
            want = oracle.best_square(scores[part].tolist(), keep, group)
            assert got[part].tolist() == want


@given(squares(largest=4))
def test_the_greedy_square_takes_the_highest_first(drawn):
    scores, keep, group = drawn
    got = greedy_square(scores, keep=keep, group=group)
    for i in range(0, scores.shape[0], group):
        for j in range(0, scores.shape[1], group):
            part = (slice(i, i + group), slice(j, j + group))
            want = oracle.greedy_square(scores[part].tolist(), keep, group)
            assert got[part].tolist() == want


def test_two_of_four_by_four_has_ninety_patterns():
    """The number of 4 x 4 matrices of zeros and ones with all line sums 2."""
    assert len(_patterns(2, 4)) == 90
    assert len(_patterns(1, 5)) == math.factorial(5)
    assert len(_patterns(2, 5)) == 2040


def test_the_best_is_never_worse_than_the_greedy():
    scores = np.abs(np.random.default_rng(1).normal(size=(40, 40)))
    best = best_square(scores, keep=2, group=4)
    greedy = greedy_square(scores, keep=2, group=4)
    assert (best.reshape(10, 4, 10, 4).sum(axis=(1, 3)) == 8).all()
    assert scores[best].sum() > scores[greedy].sum()


def test_the_best_of_the_transpose_is_the_transpose_of_the_best():
    scores = np.random.default_rng(2).normal(size=(8, 12))  # no ties
    best = best_square(scores, keep=2, group=4)
    assert_array_equal(best_square(scores.T, keep=2, group=4), best.T)


def test_the_greedy_square_may_keep_fewer():
    """The last row and column that have room meet where nothing is left to take."""
    scores = np.array([[9.0, 1.0, 8.0], [1.0, 1.0, 1.0], [7.0, 1.0, 1.0]])
    scores[1, 1] = 6.0
    got = greedy_square(scores, keep=2, group=3)
    assert (got.sum(axis=0) <= 2).all()
    assert (got.sum(axis=1) <= 2).all()
    assert got.sum() == 5


def test_a_kept_remainder_of_squares_is_whole():
    scores = np.arange(15.0).reshape(3, 5)
    for square in (best_square, greedy_square):
        got = square(scores, keep=1, group=2, remainder="keep")
        assert got[2:].all()
        assert got[:, 4:].all()
        assert_array_equal(got[:2, :4], square(scores[:2, :4], keep=1, group=2))


@pytest.mark.parametrize("scores", [np.ones(4), np.zeros(4)])
def test_all_equal_scores_have_a_definite_mask(scores):
    assert_array_equal(keep_of_group(scores, keep=1, group=2), [0, 1, 0, 1])
    want = [[False, True], [True, False]]
    assert_array_equal(best_square(scores.reshape(2, 2), keep=1, group=2), want)
    want = [[True, False], [False, True]]
    assert_array_equal(greedy_square(scores.reshape(2, 2), keep=1, group=2), want)


def test_keeping_none_or_all_of_a_group():
    scores = np.arange(4.0)
    assert not keep_of_group(scores, keep=0, group=4).any()
    assert keep_of_group(scores, keep=4, group=4).all()


def test_the_empty_tensor_and_the_single_weight():
    assert keep_of_group(np.empty((3, 0)), keep=2, group=4).shape == (3, 0)
    assert keep_of_group(np.empty((0, 4)), keep=2, group=4).shape == (0, 4)
    assert best_square(np.empty((0, 4)), keep=2, group=4).shape == (0, 4)
    assert greedy_square(np.empty((4, 0)), keep=2, group=4).shape == (4, 0)
    assert keep_of_group(np.ones(1), keep=1, group=1).tolist() == [True]
    assert keep_of_group(np.ones(1), keep=0, group=2, remainder="short").tolist() == [
        False
    ]


def test_scores_are_left_alone():
    scores = np.random.default_rng(0).normal(size=(4, 4))
    scores.flags.writeable = False
    for mask in (
        keep_of_group(scores, keep=2, group=4),
        best_square(scores, keep=2, group=4),
        greedy_square(scores, keep=2, group=4),
    ):
        mask[...] = True


def test_groups_that_do_not_divide_are_refused_with_the_place():
    with pytest.raises(ValueError, match=r"axis -1 has 6 .* at index 4 has only 2"):
        keep_of_group(np.ones((2, 6)), keep=2, group=4)
    with pytest.raises(ValueError, match=r"axis 0 has 3 .* at index 2 has only 1"):
        best_square(np.ones((3, 4)), keep=1, group=2)
    with pytest.raises(ValueError, match=r"axis 1 has 3 .* at index 2 has only 1"):
        greedy_square(np.ones((4, 3)), keep=1, group=2)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match=r"keep is 5 of a group of 4"):
        keep_of_group(np.ones(4), keep=5, group=4)
    with pytest.raises(ValueError, match=r"group is 0"):
        keep_of_group(np.ones(4), keep=0, group=0)
    with pytest.raises(ValueError, match=r"did you mean 'keep'"):
        keep_of_group(np.ones(5), keep=2, group=4, remainder="keeps")
    with pytest.raises(ValueError, match=r"no remainder policy 'short'"):
        greedy_square(np.ones((5, 5)), keep=2, group=4, remainder="short")
    with pytest.raises(ValueError, match=r"at index \(1, 2\)"):
        keep_of_group(np.array([[0, 0, 0, 0], [0, 0, np.nan, 0]]), keep=2, group=4)
    with pytest.raises(ValueError, match=r"groups of up to 5; use greedy_square"):
        best_square(np.ones((6, 6)), keep=3, group=6)
    with pytest.raises(ValueError, match=r"shape \(4,\), that is 1 axes; expected 2"):
        best_square(np.ones(4), keep=1, group=2)
    with pytest.raises(ValueError, match=r"axis is 2, but scores has shape \(4, 4\)"):
        keep_of_group(np.ones((4, 4)), keep=1, group=2, axis=2)
