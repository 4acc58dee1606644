"""Batches name every sample once; standardizing is what it says, padding left out."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minprune.data import batches, from_arrays, standardized


@given(st.integers(0, 50), st.integers(1, 60), st.booleans())
def test_batches_name_every_sample_once(n, size, shuffled):
    rng = np.random.default_rng(0) if shuffled else None
    parts = list(batches(n, size, rng))
    assert all(len(rows) == size for rows in parts[:-1])
    assert all(0 < len(rows) <= size for rows in parts)
    assert sorted(int(i) for rows in parts for i in rows) == list(range(n))


def test_batches_come_in_order_unless_shuffled():
    assert [rows.tolist() for rows in batches(5, 3)] == [[0, 1, 2], [3, 4]]
    one, two = (
        [rows.tolist() for rows in batches(100, 9, np.random.default_rng(seed))]
        for seed in (3, 3)
    )
    assert one == two
    assert one != [rows.tolist() for rows in batches(100, 9)]


@pytest.mark.parametrize(
    ("n", "size", "message"),
    [(-1, 2, r"n is -1; expected 0 or more"), (3, 0, r"batch_size is 0; expected 1")],
)
def test_batches_refuse_what_cannot_be(n, size, message):
    with pytest.raises(ValueError, match=message):
        batches(n, size)


@pytest.mark.parametrize("shape", [(5,), (3, 7), (2, 4, 5)])
def test_standardized_has_mean_zero_and_deviation_one_per_channel(shape):
    rng = np.random.default_rng(1)
    x = rng.normal(50, 7, (60, *shape)) * rng.uniform(
        1, 9, (shape[0], *[1] * len(shape[1:]))
    )
    ds = standardized(from_arrays(x, np.arange(60) % 3))
    real = ds.train.x * ds.scale + ds.offset
    for channel in range(shape[0]):
        values = real[:, channel]
        assert_allclose(values.mean(), 0, atol=2e-5)  # 50/7 in float32, 24 bits
        assert_allclose(values.std(), 1, rtol=1e-6)
    assert ds.scale.shape == ds.offset.shape == (shape[0], *[1] * len(shape[1:]))
    assert ds.scale.dtype == np.float32


def test_standardized_does_not_look_at_padding_nor_at_validation_and_test():
    rng = np.random.default_rng(2)
    x, lengths = rng.normal(3, 2, (30, 2, 8)), rng.integers(1, 9, 30)
    split = np.repeat([0, 1, 2], 10)
    spoiled = x.copy()
    spoiled[np.broadcast_to(np.arange(8) >= lengths[:, None, None], x.shape)] = 1e6
    spoiled[split > 0] = -1e6
    a, b = (
        standardized(from_arrays(v, split * 0, split=split, lengths=lengths))
        for v in (x, spoiled)
    )
    assert_array_equal(a.scale, b.scale)
    assert_array_equal(a.offset, b.offset)


@pytest.mark.parametrize("value", [4.0, 0.1])
def test_standardized_only_centers_a_channel_that_never_changes(value):
    """A mean of many times 0.1 misses it by a rounding, which is no spread."""
    x = np.stack([np.full(20, value), np.arange(20.0)], axis=1)
    ds = standardized(from_arrays(x, np.arange(20) % 2))
    real = ds.test.x * ds.scale + ds.offset
    assert_array_equal(ds.scale[0], 1)
    assert_allclose(real[:, 0], 0, atol=1e-8)  # the offset is in float32


def test_a_data_set_cannot_be_changed_by_assignment():
    ds = from_arrays(np.zeros((9, 2)), np.arange(9) % 3)
    with pytest.raises(dataclasses.FrozenInstanceError):
        ds.name = "other"
