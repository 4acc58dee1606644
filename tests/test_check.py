"""Argument checks: what passes comes back, what does not is named in one line."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from minprune._check import (
    ALIGNMENT,
    LANE,
    as_batch_array,
    batch_array,
    dimensions,
    finite,
    float64,
    is_batch_array,
    not_negative,
    number,
    one_of,
    positive_int,
    same_shape,
)


def test_what_is_real_and_finite_comes_back_in_float64():
    whole, narrow = float64("me", a=np.arange(3), b=np.ones(2, np.float32))
    assert whole.dtype == narrow.dtype == np.float64
    assert_array_equal(whole, [0.0, 1.0, 2.0])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_the_first_bad_value_is_named_with_its_place(bad):
    array = np.array([[0.0, 1.0], [bad, bad]])
    message = rf"me: a holds 2 non-finite values, the first \({bad}\) at index \(1, 0\)"
    for given_ in (array, array.tolist()):
        with pytest.raises(ValueError, match=message):
            finite("me", a=given_)


@pytest.mark.parametrize("array", [np.array(["1"]), np.array([None]), ["a"]])
def test_what_is_no_number_is_refused_by_its_type(array):
    with pytest.raises(TypeError, match=r"me: a has type .*; expected numbers"):
        finite("me", a=array)


def test_a_complex_number_does_not_lose_its_imaginary_part():
    finite("me", a=np.array([1j]))
    with pytest.raises(TypeError, match="me: a has type complex128; expected real"):
        float64("me", a=np.array([1j]))


def test_shapes_and_axes_are_told_apart():
    same_shape("me", a=np.ones((2, 3)), b=np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"b has shape \(3,\) but a has shape \(2,\)"):
        same_shape("me", a=[1.0, 2.0], b=[1.0, 2.0, 3.0])
    dimensions("me", 1, 2, a=np.ones((2, 3)))
    with pytest.raises(
        ValueError, match=r"a has shape \(\), that is 0 axes; .* 1 or 2"
    ):
        dimensions("me", 1, 2, a=np.float64(3))


def test_what_must_not_be_below_zero_is_named_with_its_place():
    not_negative("me", a=np.array([0.0, -0.0, 1.0]))
    with pytest.raises(
        ValueError, match=r"me: a is -2\.0 at index \(1, 0\); expected 0"
    ):
        not_negative("me", a=np.array([[0.0, 1.0], [-2.0, -3.0]]))


def test_an_unknown_name_is_met_with_the_nearest():
    known = ["layer", "network"]
    assert one_of("me", "scope", "layer", known) == "layer"
    with pytest.raises(
        ValueError, match=r"did you mean .layer.\? known: layer, network"
    ):
        one_of("me", "scope", "layers", known)
    many = [f"name{i}" for i in range(40)]
    with pytest.raises(ValueError, match="40 are known, the nearest are name7, "):
        one_of("me", "thing", "name7x", many)
    with pytest.raises(ValueError, match=r"there is no thing .a.; known: $"):
        one_of("me", "thing", "a", [])


def test_a_whole_number_is_neither_a_truth_nor_a_fraction():
    assert positive_int("me", "n", np.int16(3)) == 3
    for value in (True, 1.0, "1", None, np.bool_(True)):
        with pytest.raises(TypeError, match=r"n is .*; expected a whole number, 1 or"):
            positive_int("me", "n", value)
    with pytest.raises(ValueError, match="n is 0; expected 1 or more"):
        positive_int("me", "n", 0)


shapes = st.lists(st.integers(0, 5), min_size=1, max_size=4).map(tuple)


@given(shapes, st.sampled_from([np.float32, np.float64, np.complex128]))
def test_batch_memory_begins_on_a_line_and_rows_keep_whole_lanes(shape, dtype):
    memory = batch_array(shape, dtype)
    assert memory.shape == shape
    assert memory.dtype == dtype
    assert is_batch_array(memory)
    if memory.size:
        assert memory.ctypes.data % ALIGNMENT == 0
    if memory.size and len(shape) > 1:
        assert memory.strides[-2] % (LANE * memory.itemsize) == 0


@given(shapes, st.integers(0, 7))
def test_a_copy_is_made_only_where_one_is_needed(shape, skip):
    raw = np.arange(skip + int(np.prod(shape)), dtype=np.float32)[skip:].reshape(shape)
    lies = as_batch_array(raw)
    assert_array_equal(lies, raw)
    assert is_batch_array(lies)
    assert (lies is raw) == is_batch_array(raw)
    assert as_batch_array(lies) is lies


@pytest.mark.parametrize("value", [0, 2.5, np.float32(1), np.int8(3)])
def test_a_number_is_returned_as_a_float(value):
    found = number("me", "n", value)
    assert type(found) is float
    assert found == value


def test_a_number_may_be_below_zero_where_that_is_said():
    assert number("me", "n", -2, -math.inf) == -2.0
    assert number("me", "n", 1, 1) == 1.0


@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf, -math.inf])
def test_a_number_out_of_range_is_refused(value):
    with pytest.raises(ValueError, match=r"n is .*; .* finite number, 0 or more"):
        number("me", "n", value)
    if not math.isfinite(value):
        with pytest.raises(ValueError, match=r"n is .*; .* a finite number$"):
            number("me", "n", value, -math.inf)


@pytest.mark.parametrize("value", [True, "1", None])
def test_what_is_not_a_number_is_refused(value):
    with pytest.raises(TypeError, match="expected a number"):
        number("me", "n", value)
