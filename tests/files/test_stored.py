"""Stored weights: every form returns what it was given, the smallest form is taken."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import bsr_array, csr_array

from minprune.files import decode, encode, encode_pattern, pattern, stored_bytes
from minprune.files import stored as forms

DENSITIES = st.sampled_from([0.0, 0.01, 0.1, 0.5, 0.9, 1.0])


@st.composite
def masked(draw):
    """A weight and a mask; some kept weights are zero, some pruned ones are not."""
    shape = tuple(draw(st.lists(st.integers(1, 9), min_size=2, max_size=4)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    mask = rng.random(shape) < draw(DENSITIES)
    weight = rng.normal(size=shape).astype(draw(st.sampled_from(["f2", "f4", "f8"])))
    weight[rng.random(shape) < 0.2] = 0
    return weight, mask


@st.composite
def blocked(draw):
    """A weight, a mask that consists of whole blocks, and the blocks' shape."""
    rows, columns = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    block = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kept = rng.random((rows, columns)) < draw(DENSITIES)
    mask = np.kron(kept, np.ones(block, bool))[:rows, :columns]
    return rng.normal(size=(rows, columns)), mask, block


def assert_returns(tensors, weight, mask):
    found, kept = decode("w", tensors, weight.shape)
    if kept is None:
        kept = np.ones(weight.shape, bool)
    np.testing.assert_array_equal(kept, mask)
    np.testing.assert_array_equal(found, np.where(mask, weight, 0))
    assert found.dtype == weight.dtype
    assert found.flags.c_contiguous


@given(masked())
def test_the_smallest_form_returns_weight_and_mask(given):
    weight, mask = given
    assert_returns(encode("w", weight, mask), weight, mask)


@given(masked())
def test_csr_is_what_scipy_says(given):
    weight, mask = given
    rows = len(weight), -1
    tensors = forms.csr("w", weight, mask)
    ours = pattern("w", tensors, weight.shape)
    theirs = csr_array(mask.reshape(rows))
    np.testing.assert_array_equal(ours.indptr, theirs.indptr)
    np.testing.assert_array_equal(ours.indices, theirs.indices)
    np.testing.assert_array_equal(ours.values, weight.reshape(rows)[theirs.nonzero()])
    assert_returns(tensors, weight, mask)


@given(blocked())
def test_blocks_return_weight_and_mask(given):
    weight, mask, block = given
    (tensors,) = forms.bsr("w", weight, mask, block)
    assert_returns(tensors, weight, mask)


@given(blocked())
def test_blocks_are_what_scipy_says(given):
    weight, mask, (height, width) = given
    (tensors,) = forms.bsr("w", weight, mask, (height, width))
    ours = pattern("w", tensors, weight.shape)
    padded = np.pad(
        np.where(mask, weight, 0),
        [(0, -weight.shape[0] % height), (0, -weight.shape[1] % width)],
    )
    theirs = bsr_array(
        (ours.values, ours.indices.astype(int), ours.indptr.astype(int)), padded.shape
    )
    np.testing.assert_array_equal(theirs.toarray(), padded)


@st.composite
def coded(draw):
    """int8 weights of few values in all, or in each row, and a mask."""
    shape = tuple(draw(st.lists(st.integers(1, 40), min_size=2, max_size=2)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    books = draw(st.sampled_from([1, shape[0]]))
    book = rng.integers(-127, 128, (books, draw(st.integers(1, 16)))).astype(np.int8)
    rows = np.arange(shape[0])[:, None] % books
    weight = book[rows, rng.integers(0, book.shape[1], shape)]
    return weight, rng.random(shape) < draw(DENSITIES)


@given(coded())
def test_codes_return_weight_and_mask_in_every_form(given):
    weight, mask = given
    every = np.ones(mask.shape, bool)
    whole = forms.coded_form("w", {"w": weight}, weight, every)
    assert sorted(whole) == ["w.codebook", "w.codes"]
    assert_returns(whole, weight, every)
    bits = {"w.bits": np.packbits(mask.reshape(-1), bitorder="little")}
    for form in (forms.csr("w", weight, mask), bits):
        tensors = forms.coded_form("w", form, weight, mask)
        assert len(tensors["w.codes"]) == (int(mask.sum()) + 1) // 2
        assert_returns(tensors, weight, mask)
        assert sorted(forms.names("w", tensors)) == sorted(tensors)
    taken = encode("w", weight, mask, coded=True)
    assert stored_bytes(taken) <= stored_bytes(encode("w", weight, mask))
    assert_returns(taken, weight, mask)


def test_more_than_sixteen_values_in_a_row_are_not_coded():
    weight = np.arange(17, dtype=np.int8)[None]
    every = np.ones(weight.shape, bool)
    assert forms.coded_form("w", {"w": weight}, weight, every) == {}


def test_the_first_of_two_codes_lies_in_the_lower_half():
    weight = np.array([[-5, 9, 9]], np.int8)
    every = np.ones(weight.shape, bool)
    tensors = forms.coded_form("w", {"w": weight}, weight, every)
    assert tensors["w.codebook"].tolist() == [[-5] + [9] * 15]
    assert tensors["w.codes"].tolist() == [0x10, 0x01]


@given(masked(), blocked())
def test_no_form_is_smaller_than_the_one_taken(given, in_blocks):
    for weight, mask, block in [(*given, None), in_blocks]:
        kept, n, item = int(mask.sum()), mask.size, weight.itemsize
        taken = stored_bytes(encode("w", weight, mask, block=block))
        if mask.all():
            assert taken == n * item
            continue
        widest = int(
            mask.reshape(len(mask), -1).any(axis=0).nonzero()[0].max(initial=0)
        )
        index, pointer = (1 if m < 256 else 2 for m in (widest, kept))
        assert taken <= -(-n // 8) + kept * item
        assert taken <= (len(mask) + 1) * pointer + kept * (index + item)
        if block is not None:
            assert taken <= stored_bytes(forms.bsr("w", weight, mask, block)[0])


@pytest.mark.parametrize("share", ["row", "column", "corner"])
def test_a_block_kept_in_part_is_no_block(share):
    mask = np.ones((4, 6), bool)
    if share == "row":
        mask[1, :] = False
    elif share == "column":
        mask[:, 3] = False
    else:
        mask[3, 5] = False
    assert forms.bsr("w", np.ones((4, 6)), mask, (2, 2)) == []


@pytest.mark.parametrize(
    ("columns", "kept", "index", "pointer"),
    [
        (256, 255, "uint8", "uint8"),
        (257, 256, "uint16", "uint16"),
        (65536, 256, "uint16", "uint16"),
        (65537, 1, "uint32", "uint8"),
    ],
)
def test_indices_take_the_smallest_type(columns, kept, index, pointer):
    mask = np.zeros((1, columns), bool)
    mask[0, columns - kept :] = True
    tensors = forms.csr("w", np.ones((1, columns), "f4"), mask)
    assert tensors["w.indices"].dtype == index
    assert tensors["w.indptr"].dtype == pointer
    assert_returns(tensors, np.ones((1, columns), "f4"), mask)


@pytest.mark.parametrize("width", [1, 2, 7, 8, 9, 255, 256, 257, 1030])
@pytest.mark.parametrize("rows", ["empty", "full", "one of each"])
def test_empty_and_full_rows_return(width, rows):
    mask = np.zeros((3, width), bool)
    if rows == "full":
        mask[...] = True
    elif rows == "one of each":
        mask[1] = True
    weight = np.arange(1.0, 3 * width + 1, dtype="f4").reshape(3, width)
    assert_returns(encode("w", weight, mask), weight, mask)
    assert_returns(forms.csr("w", weight, mask), weight, mask)


def test_a_stored_zero_is_not_pruned():
    mask = np.array([[True, False], [True, True]])
    weight = np.zeros((2, 2), "f4")
    for tensors in (
        encode("w", weight, mask),
        forms.csr("w", weight, mask),
        *forms.bsr("w", weight, mask, (1, 1)),
    ):
        np.testing.assert_array_equal(decode("w", tensors, (2, 2))[1], mask)


def test_dense_is_taken_without_a_mask_or_with_one_that_keeps_all():
    weight = np.zeros((2, 3), "f4")
    assert encode("w", weight)["w"] is weight
    assert set(encode("w", weight, np.ones((2, 3), bool))) == {"w"}
    assert set(encode("w", np.ones((0, 3)), np.ones((0, 3), bool))) == {"w"}


def test_a_pattern_keeps_its_order_and_loses_only_width():
    indptr, indices = np.array([0, 2, 2, 3]), np.array([1, 300, 0])
    tensors = encode_pattern("w", indptr, indices, np.array([1.0, 0.0, 3.0]))
    found = pattern("w", tensors, (3, 301))
    np.testing.assert_array_equal(found.indptr, indptr)
    np.testing.assert_array_equal(found.indices, indices)
    assert (found.indptr.dtype, found.indices.dtype) == (np.uint8, np.uint16)


def u(*numbers):
    return np.array(numbers, np.uint8)


GOOD = {"w.indptr": u(0, 2, 3), "w.indices": u(0, 2, 1), "w.values": np.ones(3)}
BLOCKS = {"w.indptr": u(0, 1), "w.indices": u(1), "w.values": np.ones((1, 2, 2))}
BITS = {"w.bits": u(0b010101), "w.values": np.ones(3)}
CODED = {"w.codes": u(0x10, 0x32, 0x54), "w.codebook": np.ones((1, 16))}
FAULTS = [
    (GOOD | {"w.indptr": u(1, 2, 3)}, "w.indptr: it must rise from 0 to the 3 values"),
    (GOOD | {"w.indptr": u(0, 4, 3)}, "w.indptr: it must rise from 0 to the 3 values"),
    (GOOD | {"w.indptr": u(0, 2, 4)}, "w.indptr: it must rise from 0 to the 3 values"),
    (GOOD | {"w.indptr": u(0, 3)}, r"w.indptr: its shape is \(2,\); 2 rows need 3"),
    (GOOD | {"w.indptr": np.array([0, 2, 3])}, "w.indptr: its type is int64; indices"),
    (GOOD | {"w.indices": u(0, 3, 1)}, "w.indices: entry 1 is 3; there are 3 columns"),
    (GOOD | {"w.indices": u(2, 0, 1)}, "w.indices: entry 1 is 0 after 2 in the same"),
    (GOOD | {"w.indices": u(2, 2, 1)}, "w.indices: entry 1 is 2 after 2 in the same"),
    (GOOD | {"w.indices": u(0, 2)}, r"w.indices: its shape is \(2,\); there are 3"),
    (GOOD | {"w.values": np.array([1, np.nan, 1])}, "w.values: .* non-finite"),
    (GOOD | {"w.values": np.ones(3, bool)}, "w.values: its type is bool; weights are"),
    (
        GOOD | {"w.values": np.ones((3, 1))},
        r"w.values: its shape is \(3, 1\); expected",
    ),
    (GOOD | {"w.values": np.ones((3, 0, 1))}, "w.values: its blocks are of 0 by 1"),
    ({k: v for k, v in GOOD.items() if k != "w.indices"}, "w.indices: it is missing"),
    ({}, "w.indptr: it is missing from the file"),
    (BLOCKS, "w.values: a block holds a weight beyond the edge"),
    (BITS | {"w.bits": u(0b1010101)}, "w.bits: a bit beyond the last of 6 positions"),
    (BITS | {"w.bits": u(1, 0)}, r"w.bits: it is uint8 of shape \(2,\); 6 positions"),
    (BITS | {"w.bits": u(0b11)}, r"w.values: its shape is \(3,\); the bits keep 2"),
    (CODED | {"w.codes": u(0, 0, 0, 0)}, r"w.codes: it is uint8 of shape \(4,\); 6"),
    (CODED | {"w.codes": np.zeros(3)}, "w.codes: it is float64 of shape"),
    (CODED | {"w.bits": u(0b11111)}, "w.codes: there is a code behind the last of 5"),
    (CODED | {"w.codes": u()}, "w.codes: its codes are fewer than the 6 weights"),
    (CODED | {"w.codebook": np.ones((1, 15))}, r"w.codebook: its shape is \(1, 15\)"),
    (CODED | {"w.codebook": np.ones((3, 16))}, r"w.codebook: its shape is \(3, 16\)"),
    (CODED | {"w.codebook": np.full((1, 16), np.nan)}, "w.codebook: .* non-finite"),
    ({"w.codes": CODED["w.codes"]}, "w.codebook: it is missing from the file"),
    ({"w": np.ones((3, 2))}, r"w: its shape is \(3, 2\); the layer expects \(2, 3\)"),
    ({"w": np.full((2, 3), np.inf)}, "w: .* 6 non-finite"),
    ({"w": np.ones((2, 3), complex)}, "w: its type is complex128; weights are"),
]


@pytest.mark.parametrize(("tensors", "fault"), FAULTS)
def test_a_contradiction_is_refused(tensors, fault):
    with pytest.raises(ValueError, match=fault):
        decode("w", tensors, (2, 3))


def test_the_good_arrays_of_these_faults_are_good():
    for tensors in (GOOD, BITS, BLOCKS | {"w.indices": u(0)}):
        assert decode("w", tensors, (2, 3))[1].any()


def test_a_sparse_weight_cannot_claim_any_size():
    tensors = {"w.indptr": u(0, 0), "w.indices": u(), "w.values": np.ones(0)}
    with pytest.raises(ValueError, match="needs more than 4294967296 bytes"):
        decode("w", tensors, (1, 2**40))
    for block in [(2**40, 1), (1, 2**40), (1025, 1), (1, 1025)]:
        blocks = tensors | {"w.values": np.ones((0, *block))}
        with pytest.raises(ValueError, match="expected 1 to 1024 each way"):
            decode("w", blocks, (1, 1))


def test_what_is_not_finite_is_not_stored():
    with pytest.raises(ValueError, match="encode w: weight holds 1 non-finite"):
        encode("w", np.array([[1.0, np.nan]]))
    with pytest.raises(ValueError, match="encode w: values holds 1 non-finite"):
        encode_pattern("w", u(0, 1), u(0), np.array([np.inf]))


def test_a_mask_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"mask has shape \(3, 2\) but weight"):
        encode("w", np.ones((2, 3)), np.ones((3, 2), bool))
