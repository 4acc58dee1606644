"""Storage: exact round trips, edits that lose nothing, and refusal of what is wrong."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy.sparse import bsr_array, csr_array

from minprune.sparse import BSR, CSR


@st.composite
def weights(draw):
    """A matrix with a mask: stored zeros, empty rows, empty and full matrices."""
    shape = draw(st.integers(1, 7)), draw(st.integers(1, 7))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    weight = rng.integers(-2, 3, shape).astype(np.float32)
    return weight, rng.random(shape) < draw(st.sampled_from([0, 0.4, 1]))


@given(weights())
def test_rows_give_back_weight_and_mask(drawn):
    weight, mask = drawn
    pattern = CSR.from_mask(mask)
    values = pattern.gather(weight)
    assert_array_equal(values, weight[mask])
    assert_array_equal(pattern.mask(), mask)
    assert_array_equal(pattern.scatter(values), np.where(mask, weight, 0))
    assert pattern.stored == mask.sum() == pattern.matrix(values).nnz


@given(weights(), st.integers(1, 4), st.integers(1, 4))
def test_blocks_give_back_weight_and_mask(drawn, height, width):
    weight, seed = drawn
    grid = -(-weight.shape[0] // height), -(-weight.shape[1] // width)
    kept = np.resize(seed, grid)
    mask = np.kron(kept, np.ones((height, width), bool))
    mask = mask[: weight.shape[0], : weight.shape[1]]
    pattern = BSR.from_mask(mask, (height, width))
    values = pattern.gather(weight)
    assert values.shape == (kept.sum(), height, width)
    assert_array_equal(pattern.mask(), mask)
    assert_array_equal(pattern.scatter(values), np.where(mask, weight, 0))
    assert pattern.stored == mask.sum()
    dense, (rows, columns) = pattern.matrix(values).toarray(), mask.shape
    assert_array_equal(dense[:rows, :columns], np.where(mask, weight, 0))
    assert not dense[rows:].any()
    assert not dense[:, columns:].any()


def test_the_matrix_lives_on_the_same_memory():
    for pattern in (
        CSR.from_mask(np.eye(4, dtype=bool)),
        BSR.from_mask(np.eye(4, dtype=bool), (1, 1)),
    ):
        values = np.ones(pattern.values_shape, np.float32)
        matrix = pattern.matrix(values)
        assert np.shares_memory(matrix.data, values)
        assert np.shares_memory(matrix.indices, pattern.indices)
        assert np.shares_memory(matrix.indptr, pattern.indptr)


def test_a_stored_zero_is_not_a_pruned_weight():
    pattern, values = CSR.from_matrix(csr_array(([0.0], [1], [0, 1]), shape=(1, 2)))
    assert pattern.stored == 1
    assert values == [0.0]
    assert_array_equal(pattern.mask(), [[False, True]])


def test_foreign_matrices_are_put_in_order():
    """Unsorted columns are sorted, repeated positions summed; nothing is changed."""
    given = csr_array(([5.0, 1.0, 2.0], [2, 0, 2], [0, 3, 3]), shape=(2, 3))
    pattern, values = CSR.from_matrix(given)
    assert_array_equal(pattern.indices, [0, 2])
    assert_array_equal(values, [1.0, 7.0])
    assert_array_equal(given.indices, [2, 0, 2])

    data = np.arange(8.0).reshape(2, 2, 2) + 1
    given = bsr_array((data, [1, 0], [0, 2]), shape=(2, 4))
    pattern, values = BSR.from_matrix(given, (1, 3))
    assert_array_equal(pattern.indices, [0, 1])
    assert_array_equal(values, [[[5, 6], [0, 0]], [[1, 0], [0, 0]]])
    assert pattern.stored == 3


class Forged:
    """What a hostile caller may pass for a scipy matrix, which would not make it."""

    def __init__(self, **changes):
        self.shape, self.data = (2, 3), np.ones(2)
        self.indptr, self.indices = np.array([0, 1, 2]), np.array([0, 2])
        vars(self).update(changes)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"shape": (3,)}, r"shape is \(3,\); expected \(rows, columns\)"),
        ({"indptr": [0, 1, 2]}, "indptr is list; expected an integer array"),
        ({"indices": np.array([0.0, 2.0])}, "indices is float64; expected an integer"),
        ({"indptr": np.array([0, 2])}, r"shape \(2,\); 2 rows need \(3,\)"),
        ({"indices": np.array([0])}, "but 2 values are stored"),
        ({"indptr": np.array([0, 1, 3])}, "from 0 to 3; expected from 0 to 2"),
        ({"indptr": np.array([0, 3, 2])}, "falls from 3 to 2 at row 1"),
        ({"indices": np.array([0, 3])}, r"indices\[1\] is 3; expected 0 to 2"),
        ({"indices": np.array([-1, 2])}, r"indices\[0\] is -1; expected 0 to 2"),
    ],
)
def test_index_arrays_that_lie_are_refused(changes, fault):
    with pytest.raises(ValueError, match=fault):
        CSR.from_matrix(Forged(**changes))


def test_a_block_kept_in_part_is_refused():
    mask = np.ones((4, 4), bool)
    mask[3, 1] = False
    with pytest.raises(ValueError, match=r"rows from 2 and columns from 0 is kept in"):
        BSR.from_mask(mask, (2, 2))


@given(weights(), st.data())
def test_what_is_dropped_and_grown_moves_nothing_else(drawn, data):
    weight, mask = drawn
    pattern = CSR.from_mask(mask)
    rows, columns = np.nonzero(~mask)
    new = data.draw(st.permutations(range(len(rows))))[: len(rows) // 2]
    edit = pattern.grow(rows[new], columns[new])
    grown = mask.copy()
    grown[rows[new], columns[new]] = True
    assert_array_equal(edit.pattern.mask(), grown)
    values = np.zeros(edit.pattern.stored, np.float32)
    values[edit.moved] = pattern.gather(weight)
    assert_array_equal(edit.pattern.scatter(values), np.where(mask, weight, 0))

    places = data.draw(st.permutations(range(edit.pattern.stored)))
    places = np.array(places[: len(places) // 2], int)
    less = edit.pattern.drop(places)
    assert less.pattern.stored == edit.pattern.stored - len(places)
    assert (less.moved[places] == -1).all()
    kept = less.moved >= 0
    old = edit.pattern.gather(weight)
    assert_array_equal(less.pattern.gather(weight)[less.moved[kept]], old[kept])


@pytest.mark.parametrize(
    ("row", "column", "fault"),
    [
        ([0], [3], r"\(0, 3\) lies outside the matrix of shape \(2, 3\)"),
        ([-1], [0], r"\(-1, 0\) lies outside"),
        ([0], [1], r"\(0, 1\) is stored already or given twice"),
        ([1, 1], [2, 2], r"\(1, 2\) is stored already or given twice"),
    ],
)
def test_a_position_has_one_place(row, column, fault):
    pattern = CSR.from_mask(np.array([[False, True, False], [False, False, False]]))
    with pytest.raises(ValueError, match=fault):
        pattern.grow(row, column)
