"""IDX files, written here from the format's description with `struct` alone."""

import gzip
import struct
import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from minprune.data import read_idx, read_idx_images

CODES = {0x08: "B", 0x09: "b", 0x0B: "h", 0x0C: "i", 0x0D: "f", 0x0E: "d"}


def idx(code, shape, values):
    """The bytes of an IDX file: magic number, axes, items, all big-endian."""
    out = struct.pack(f">BBBB{len(shape)}I", 0, 0, code, len(shape), *shape)
    return out + struct.pack(f">{len(values)}{CODES[code]}", *values)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("code", CODES)
def test_every_type_comes_back_in_native_order(tmp_path, code, packed):
    values = [1, 2, 3, 100, 5, 6]
    content = idx(code, (2, 3), values)
    path = tmp_path / "any-name"  # gzip is told by content, not by a suffix
    path.write_bytes(gzip.compress(content) if packed else content)
    array = read_idx(path)
    assert_array_equal(array, [[1, 2, 3], [100, 5, 6]])
    assert array.dtype.isnative
    assert array.dtype.char == CODES[code]
    array[0, 0] = 7  # the caller may write to it


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"not an IDX file; it begins with nothing"),
        (b"\1\0\x08\1", r"not an IDX file; it begins with 01 00 08 01"),
        (b"\0\0\x07\1", r"not an IDX file"),
        (b"\0\0\x08\0", r"not an IDX file"),
        (b"\0\0\x08\3\0\0\0\1", r"ends within its header"),
        (idx(8, (3,), [1, 2]), r"claims shape \(3,\), 3 bytes, but only 2 follow"),
        (idx(8, (3,), [1, 2, 3, 4]), r"claims shape \(3,\), 3 bytes, but more follow"),
        (
            b"\0\0\x08\3" + b"\xff" * 12,
            r"claims shape .* 79228162458924105385300197375 bytes; the limit is",
        ),
    ],
)
def test_a_bad_file_gives_one_line(tmp_path, content, message, packed):
    path = tmp_path / "bad"
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(ValueError, match=message) as error:
        read_idx(path)
    assert str(error.value).startswith(f"{path}: ")


def test_damaged_gzip_is_named(tmp_path):
    whole = gzip.compress(idx(8, (300,), [7] * 300))
    path = tmp_path / "bad.gz"
    for content in (whole[:-10], whole[:-8] + b"\0" * 8, whole[:4] + b"\xff" * 30):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"bad.gz: the gzip data are damaged"):
            read_idx(path)


def test_a_gzip_bomb_is_read_no_further_than_its_header_says(tmp_path):
    path = tmp_path / "bomb"
    path.write_bytes(gzip.compress(idx(8, (4,), []) + bytes(2**24)))
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"4 bytes, but more follow"):
        read_idx(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20  # bytes


@pytest.fixture
def four(tmp_path):
    """Paths of two small sets of images and their labels."""
    content = {
        "a": idx(8, (12, 2, 3), [*range(72)]),
        "b": idx(8, (12,), [0, 1] * 6),
        "c": idx(8, (2, 2, 3), [*range(100, 112)]),
        "d": idx(8, (2,), [1, 0]),
    }
    for name, data in content.items():
        (tmp_path / name).write_bytes(data)
    return {name: tmp_path / name for name in content}


def test_images_get_a_channel_and_the_last_training_ones_are_held_out(four):
    ds = read_idx_images(*four.values(), validation=4)
    assert ds.input_shape == (1, 2, 3)
    assert_array_equal(ds.train.x.ravel(), np.arange(48))
    assert_array_equal(ds.val.x.ravel(), np.arange(48, 72))
    assert_array_equal(ds.test.x.ravel(), np.arange(100, 112))
    assert ds.train.y.tolist() == [0, 1] * 4
    assert ds.test.y.tolist() == [1, 0]
    assert float(ds.scale[0, 0, 0]) == np.float32(1 / 255)


@pytest.mark.parametrize(
    ("swapped", "message"),
    [
        ("ba", r"b: holds shape \(12,\) of uint8; expected images"),
        ("ad", r"d: holds shape \(2,\); expected 12 labels, one for each image of .*a"),
    ],
)
def test_files_that_do_not_belong_together_are_refused(four, swapped, message):
    with pytest.raises(ValueError, match=message):
        read_idx_images(*(four[name] for name in swapped), four["c"], four["d"])


def test_images_of_two_sizes_are_refused(four):
    four["c"].write_bytes(idx(8, (2, 3, 2), [*range(12)]))
    with pytest.raises(ValueError, match=r"images of \(3, 2\) pixels, but those of"):
        read_idx_images(*four.values())
