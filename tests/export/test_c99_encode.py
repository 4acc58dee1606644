"""Encodings give the matrix back, cost what they say, and are chosen by it."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from minprune.export.c99.arena import Need, place
from minprune.export.c99.blocks import Block, block_of, find
from minprune.export.c99.choose import candidates, choose
from minprune.export.c99.encode import ENCODINGS, in_codes
from minprune.export.c99.text import literal


@st.composite
def matrices(draw):
    """Rows by 1 to 1030 columns, from empty to full, some rows of each kind."""
    rows, columns = draw(st.integers(1, 4)), draw(st.integers(1, 1030))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    density = draw(st.sampled_from([0.0, 0.01, 0.1, 0.5, 0.95, 1.0]))
    matrix = rng.integers(1, 128, (rows, columns)) * rng.choice(
        [-1, 1], (rows, columns)
    )
    matrix *= rng.random((rows, columns)) < density
    for row in draw(st.lists(st.integers(0, rows - 1), max_size=2)):
        matrix[row] = draw(st.sampled_from([0, 7]))
    return matrix.astype(draw(st.sampled_from([np.int8, np.float32])))


def edges():
    """Rows and segments at which a count, an index or an escape changes its size."""
    for kept in (0, 1, 254, 255):
        yield f"{kept} of 256", np.arange(256)[None] < kept
    for last in (14, 15, 16, 29, 30, 31, 255, 256, 257, 1029):
        yield f"only column {last}", np.arange(1030)[None] == last
    yield "first and last", np.isin(np.arange(1030), [0, 1029])[None]
    yield "one", np.ones((1, 1), bool)
    yield "none", np.zeros((3, 17), bool)


@pytest.mark.parametrize("name", ENCODINGS)
@given(matrix=matrices())
def test_what_is_encoded_comes_back(name, matrix):
    check(ENCODINGS[name], matrix)


@given(
    matrix=matrices(),
    tall=st.integers(1, 5),
    wide=st.sampled_from([1, 2, 3, 4, 8, 16]),
    aligned=st.booleans(),
)
def test_blocks_come_back(matrix, tall, wide, aligned):
    if aligned:  # columns that come out even; others are not held in blocks
        matrix = np.tile(matrix, wide)[:, : max(1030 // wide * wide, wide)]
    check(Block(tall, wide), matrix)


@pytest.mark.parametrize("pattern", list(edges()), ids=lambda pair: pair[0])
@pytest.mark.parametrize("name", [*ENCODINGS, "block2x1", "block1x2"])
def test_edges_come_back(name, pattern):
    check(find(name), pattern[1].astype(np.int8) * 3)


def check(encoding, matrix):
    kept = matrix != 0
    if not encoding.fits(kept):
        assert encoding.family in ("seg8", "block")
        return
    tables = encoding.encode(matrix)
    assert np.array_equal(encoding.decode(tables, matrix.shape), matrix)
    assert tables.bytes == encoding.bytes(kept, matrix.itemsize)
    for columns, _ in encoding.terms(tables, matrix.shape):
        assert encoding.name == "nm16" or (np.diff(columns) > 0).all()


@given(
    rows=st.integers(1, 6),
    columns=st.integers(1, 40),
    tall=st.integers(1, 4),
    wide=st.integers(1, 6),
    seed=st.integers(0, 99),
)
def test_blocks_that_were_pruned_are_found(rows, columns, tall, wide, seed):
    kept = np.random.default_rng(seed).random((rows, columns)) < 0.5
    mask = np.kron(kept, np.ones((tall, wide), bool))
    found = block_of(mask)
    for size, least, axis in zip(found, (tall, wide), (mask.T, mask), strict=True):
        starts = np.arange(axis.shape[1]) // size * size
        assert (axis == axis[:, starts]).all()
        assert size >= least or mask.all() or not mask.any()
    grouped = block_of(mask, tall)
    assert tall % grouped[0] == 0


@given(matrix=matrices())
def test_codes_are_half_bytes_that_name_the_weights(matrix):
    """By counting: each weight is the value its four bits name, in order."""
    few = (matrix // 10 * 10).astype(np.int8) % 100 - 50  # at most eleven values
    few = few * (matrix != 0)
    kept = few != 0
    values = len(np.unique(few[kept]))
    for offered in candidates(kept, 1, block=(2, 1), values=values):
        plain = find(offered.encoding).encode(few)
        held = in_codes(plain)
        assert len(held.weight) == -(-len(plain.weight) // 2)
        for k, weight in enumerate(plain.weight.tolist()):
            byte = int(held.weight[k // 2])
            assert held.book[byte // 16 if k % 2 else byte % 16] == weight
        assert offered.bytes == held.bytes


def test_a_full_run_of_blocks_does_not_fit_eight_bits():
    full = np.ones((3, 512), bool)
    assert not Block(2, 2).fits(full)
    assert Block(2, 2).fits(full[:, :510])
    assert Block(2, 4).fits(full)
    assert not Block(2, 4).fits(full[:, :510])


def test_blocks_cost_less_than_single_weights():
    kept = np.random.default_rng(0).random((16, 64)) < 0.1
    offered = {
        (tall, wide): {
            c.encoding: c
            for c in candidates(
                np.kron(kept, np.ones((tall, wide), bool)), 1, block=(tall, wide)
            )
        }
        for tall, wide in ((4, 1), (1, 4), (4, 4))
    }
    for (tall, wide), found in offered.items():
        block = found[f"block{tall}x{wide}"]
        assert block.bytes < min(c.bytes for c in found.values() if c is not block)
        assert (wide > 1) == (choose(list(found.values()), "speed") is block)
    assert len(candidates(kept, 1)) == len(ENCODINGS) - 1  # no strips: no delta8


def test_a_full_segment_does_not_fit_eight_bits():
    full = np.ones((2, 256), bool)
    assert not ENCODINGS["seg8"].fits(full)
    assert ENCODINGS["seg8"].fits(full[:, :255])
    assert {c.encoding for c in candidates(full, 1)} == ENCODINGS.keys() - {
        "seg8",
        "delta8",
    }


def test_columns_ascend_in_every_group_of_nm16():
    matrix = np.array([[0, 5, 0, 7, *[0] * 12, 1, 2]], np.int8)
    tables = ENCODINGS["nm16"].encode(matrix)
    ((columns, weights),) = ENCODINGS["nm16"].terms(tables, matrix.shape)
    assert columns.tolist() == [1, 3, 16, 17]
    assert weights.tolist() == [5, 7, 1, 2]


@pytest.mark.parametrize(
    ("density", "speed", "flash"),
    [(1.0, "dense", "dense"), (0.5, "seg8", "bitmask"), (0.1, "seg8", "delta4")],
)
def test_the_objective_decides(density, speed, flash):
    kept = np.random.default_rng(0).random((300, 784)) < density
    found = candidates(kept, 1)
    assert choose(found, "speed").encoding == speed
    assert choose(found, "flash").encoding == flash


# The third ends below the first and begins above the second: what comes after all
# three must stay clear of the highest end.
@example(spans=[(10, 0, 0), (5, 1, 0), (3, 1, 0), (2, 0, 1)])
@given(
    spans=st.lists(
        st.tuples(st.integers(1, 50), st.integers(0, 9), st.integers(0, 4)), max_size=12
    )
)
def test_what_is_needed_at_once_never_overlaps(spans):
    needs = [Need(str(i), n, a, a + d) for i, (n, a, d) in enumerate(spans)]
    offsets, size = place(needs)
    for step in range(15):
        live = [n for n in needs if n.first <= step <= n.last]
        ends = sorted((offsets[n.key], offsets[n.key] + n.size) for n in live)
        assert all(a[1] <= b[0] for a, b in pairwise(ends))
        assert all(end <= size for _, end in ends)
    assert size <= sum(need.size for need in needs)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float_constant_reads_back_as_itself(value):
    text = literal(np.float32(value))
    assert text.endswith("F")
    assert np.float32(float(text[:-1])).tobytes() == np.float32(value).tobytes()
