"""A user's arrays: what comes out, how it is split, and what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from minprune.data import from_arrays

X = np.arange(24.0).reshape(12, 2)
Y = np.arange(12) % 3


def parts(ds):
    return ds.train, ds.val, ds.test


def rows(ds):
    """The sample numbers in each part; sample i holds the value i."""
    return [sorted(part.x[:, 0].astype(int).tolist()) for part in parts(ds)]


@given(st.lists(st.integers(0, 4), min_size=12, max_size=120), st.integers(0, 9))
def test_the_drawn_split_takes_its_share_of_every_class(labels, seed):
    labels = np.array([*labels, *range(3)] * 3)  # every class has three samples or more
    ds = from_arrays(np.arange(len(labels))[:, None], labels, seed=seed)
    train, val, test = rows(ds)
    assert sorted(train + val + test) == list(range(len(labels)))
    for label in np.unique(labels):
        count = int((labels == label).sum())
        held = max(1, count * 15 // 100)
        assert [int((labels[part] == label).sum()) for part in (train, val, test)] == [
            count - 2 * held,
            held,
            held,
        ]


def test_the_drawn_split_depends_on_the_seed_only():
    x, y = np.arange(200)[:, None], np.arange(200) % 2
    assert rows(from_arrays(x, y, seed=1)) == rows(from_arrays(x, y, seed=1))
    assert rows(from_arrays(x, y, seed=1)) != rows(from_arrays(x, y, seed=2))


def test_a_class_of_two_stays_in_training():
    labels = np.array([0] * 9 + [1] * 2)
    train, _, _ = rows(from_arrays(np.arange(11)[:, None], labels))
    assert {9, 10} <= set(train)


def test_a_given_split_is_taken_as_it_is_and_in_order():
    ds = from_arrays(
        np.arange(6)[:, None], [0, 1, 0, 1, 0, 1], split=[2, 0, 1, 0, 0, 2]
    )
    assert [part.x[:, 0].tolist() for part in parts(ds)] == [[1, 3, 4], [2], [0, 5]]
    assert [part.y.tolist() for part in parts(ds)] == [[1, 1, 0], [0], [0, 1]]


def test_validation_is_drawn_from_training_when_only_test_is_marked():
    split = np.repeat([0, 2], [20, 10])
    ds = from_arrays(np.arange(30)[:, None], np.arange(30) % 2, split=split)
    train, val, test = rows(ds)
    assert len(val) == 2
    assert sorted(train + val) == list(range(20))
    assert test == list(range(20, 30))
    assert split[val].tolist() == [0, 0]  # the caller's array is left alone


def test_labels_may_be_names():
    names = np.array(["b", "a", "c"] * 4)
    ds = from_arrays(X, names)
    assert ds.classes == ("a", "b", "c")
    for part in parts(ds):
        for x, y in zip(part.x, part.y, strict=True):
            assert ds.classes[y] == names[int(x[0]) // 2]
    ds = from_arrays(X, names, classes=["c", "b", "a", "never met"])
    assert ds.classes == ("c", "b", "a", "never met")
    assert ds.classes[ds.train.y[0]] == names[int(ds.train.x[0, 0]) // 2]


def test_regression_targets_are_always_two_dimensional():
    ds = from_arrays(X, np.arange(12), task="regression")
    assert ds.task == "regression"
    assert ds.classes == ()
    assert ds.train.y.shape == (len(ds.train), 1)
    assert ds.train.y.dtype == np.float64
    assert ds.outputs == 1
    two = from_arrays(X, X.astype(np.float32), task="regression")
    assert two.outputs == 2
    assert two.train.y.dtype == np.float32


def test_samples_keep_their_type_and_scale_has_the_axes_of_a_sample():
    x = np.zeros((9, 2, 3), np.int8)
    ds = from_arrays(x, np.arange(9) % 3, scale=[[0.5], [2]], offset=1)
    assert ds.train.x.dtype == np.int8
    assert ds.input_shape == (2, 3)
    assert ds.scale.shape == (2, 1)
    assert ds.offset.shape == (1, 1)
    assert ds.scale.dtype == ds.offset.dtype == np.float32


def test_later_changes_do_not_reach_the_data_set():
    x, y = X.copy(), Y.copy()
    ds = from_arrays(x, y, split=np.arange(12) % 3)
    x[:], y[:] = -1, -1
    assert ds.train.x.min() >= 0
    assert ds.train.y.min() >= 0


def test_lengths_follow_their_samples():
    x = np.arange(9)[:, None, None] * np.ones((9, 2, 5))
    ds = from_arrays(x, np.arange(9) % 3, lengths=np.arange(9) % 5 + 1)
    for part in parts(ds):
        assert_array_equal(part.lengths, part.x[:, 0, 0].astype(int) % 5 + 1)


def nan_at(i, j):
    x = X.copy()
    x[i, j] = np.nan
    return x


REFUSED = {
    "one axis": ((X[:, 0], Y), {}, r"x has shape \(12,\); expected \(N, features\)"),
    "empty sample": ((X[:, :0], Y), {}, r"a sample holds no values"),
    "nan": ((nan_at(7, 1), Y), {}, r"x holds 1 non-finite .* index \(7, 1\)"),
    "complex": ((X + 1j, Y), {}, r"x has type complex128; expected real numbers"),
    "objects": ((X.astype(object), Y), {}, r"x has type object"),
    "text": ((X.astype(str), Y), {}, r"x has type <U"),
    "length": ((X, Y[:5]), {}, r"y has shape \(5,\) but x has 12 samples"),
    "one-hot": ((X, np.eye(12)), {}, r"y has shape \(12, 12\); expected \(12,\)"),
    "negative": ((X, Y - 1), {}, r"y is -1 at index 0; expected 0 to 11"),
    "huge": ((X, Y * 10**9), {}, r"y is 1000000000 at index 1; .*give classes="),
    "past classes": ((X, Y), {"classes": "ab"}, r"y is 2 at index 2; .* 2 classes"),
    "fraction": ((X, Y + 0.5), {}, r"y is 0.5 at index 0; .*task='regression'"),
    "beyond integers": ((X, Y + 1e300), {}, r"y is 1e\+300 at index 0; expected whole"),
    "class twice": ((X, Y), {"classes": "aba"}, r"classes names one twice: a, b, a"),
    "nan label": ((X, Y + np.nan), {}, r"y holds 12 non-finite"),
    "name": (
        (X, np.array(["a", "b"] * 6)),
        {"classes": ["a"]},
        r"y holds the class 'b', which is not among",
    ),
    "task": ((X, Y), {"task": "ranking"}, r"task is 'ranking'; expected 'class"),
    "nan target": (
        (X, X[:, 0] * np.nan),
        {"task": "regression"},
        r"y holds 12 non-finite",
    ),
    "cube target": (
        (X, np.ones((12, 2, 2))),
        {"task": "regression"},
        r"y has shape \(12, 2, 2\); expected \(N,\) or \(N, outputs\)",
    ),
    "split value": ((X, Y), {"split": [0] * 11 + [3]}, r"split is 3 at index 11"),
    "split size": ((X, Y), {"split": [0, 1, 2]}, r"split has shape \(3,\)"),
    "no test": ((X, Y), {"split": [0, 1] * 6}, r"the test split is empty"),
    "too few": ((X[:2], Y[:2]), {}, r"the val split is empty \(2 samples in all\)"),
    "none": ((X[:0], Y[:0]), {}, r"the train split is empty"),
    "lengths": ((X, Y), {"lengths": Y + 1}, r"only sequences \(N, C, L\)"),
    "long": (
        (X.reshape(12, 1, 2), Y),
        {"lengths": Y + 1},
        r"lengths is 3 at index 2; expected 1 to 2",
    ),
    "scale": ((X, Y), {"scale": [1, 2, 3]}, r"scale has shape \(3,\); .* shape \(2,\)"),
    "scale axes": ((X, Y), {"scale": np.ones((1, 2))}, r"scale has shape \(1, 2\)"),
    "offset": ((X, Y), {"offset": np.inf}, r"offset holds 1 non-finite"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_used_is_refused_in_one_line(case):
    arrays, options, message = REFUSED[case]
    with pytest.raises(ValueError, match=message) as error:
        from_arrays(*arrays, source="here", **options)
    assert str(error.value).startswith("here: ")
    assert "\n" not in str(error.value)
