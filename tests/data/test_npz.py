"""A user's .npz: what is read, and that a hostile file costs one line, no memory.

Hostile archives are written byte by byte here, since NumPy would not write them.
"""

import contextlib
import io
import tracemalloc
import warnings
import zipfile

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minprune import data
from minprune.data.npz import read_arrays

RNG = np.random.default_rng(0)
X = RNG.normal(5, 3, (40, 2, 6))
Y = np.arange(40) % 4


@pytest.fixture
def path(tmp_path):
    return tmp_path / "mine.npz"


def header(shape, dtype="<f8"):
    """The bytes of a .npy header that promises `shape`, with nothing behind it."""
    out = io.BytesIO()
    meta = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(out, meta)
    return out.getvalue()


def archive(path, **members):
    """A zip of raw members, each a valid array unless bytes are given."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in members.items():
            if not isinstance(content, bytes):
                stream = io.BytesIO()
                np.save(stream, content)
                content = stream.getvalue()
            out.writestr(f"{name}.npy", content)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_what_was_saved_is_what_is_read(path, save):
    split = np.repeat([0, 1, 2], [20, 10, 10])
    lengths = np.arange(40) % 6 + 1
    save(path, x=X, y=Y, split=split, lengths=lengths, classes=list("abcd"), junk=X)
    ds = data.load(path)
    assert ds.name == "mine"
    assert ds.classes == ("a", "b", "c", "d")
    for i, part in enumerate((ds.train, ds.val, ds.test)):
        assert_array_equal(part.x, X[split == i])
        assert_array_equal(part.y, Y[split == i])
        assert_array_equal(part.lengths, lengths[split == i])


@pytest.mark.parametrize("dtype", [">f4", "<i2", ">u2", "bool", "float16"])
def test_any_real_type_and_byte_order_is_read(path, dtype):
    x = X.astype(dtype)
    np.savez(path, x=np.asfortranarray(x), y=Y)
    ds = data.load(str(path))
    assert ds.train.x.dtype.isnative
    everything = np.concatenate([ds.train.x, ds.val.x, ds.test.x])
    assert_array_equal(
        np.sort(everything.ravel()), np.sort(x.astype(ds.train.x.dtype).ravel())
    )


def test_a_stated_scale_is_kept_and_otherwise_channels_are_standardized(path):
    np.savez(path, x=X, y=Y, scale=2.0, offset=[[1.0], [2.0]])
    ds = data.load(path)
    assert_array_equal(ds.scale, [[2]])
    assert_array_equal(ds.offset, [[1], [2]])
    np.savez(path, x=X, y=Y)
    ds = data.load(path)
    real = ds.train.x * ds.scale + ds.offset
    assert_allclose(real.mean(axis=(0, 2)), 0, atol=1e-6)


def test_parts_in_their_own_arrays(path):
    np.savez(path, x_train=X[:30], y_train=Y[:30], x_test=X[30:], y_test=Y[30:])
    ds = data.load(path)
    assert_array_equal(ds.test.x, X[30:])
    assert len(ds.train) + len(ds.val) == 30
    parts = {"train": slice(0, 20), "val": slice(20, 28), "test": slice(28, 40)}
    arrays = {f"x_{p}": X[s] for p, s in parts.items()}
    arrays |= {f"y_{p}": Y[s] for p, s in parts.items()}
    np.savez(path, **arrays)
    ds = data.load(path)
    for part in parts:
        assert_array_equal(getattr(ds, part).x, X[parts[part]])
        assert_array_equal(getattr(ds, part).y, Y[parts[part]])


def test_regression_is_asked_for_in_the_file(path):
    np.savez(path, x=X, y=X[:, 0, :2], task="regression")
    ds = data.load(path)
    assert ds.task == "regression"
    assert ds.outputs == 2


def test_objects_are_never_unpickled(path):
    class Bomb:
        def __reduce__(self):
            return pytest.fail, ("unpickled",)

    np.savez(path, x=np.array([Bomb()] * 40), y=Y)
    with pytest.raises(
        ValueError, match=r"mine.npz: x holds Python objects.*unpickled"
    ):
        data.load(path)


def test_a_header_that_claims_ten_gigabytes_takes_no_memory(path):
    archive(path, x=header((1_342_177_280,)) + b"\0" * 64, y=Y)
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"x claims .* 10737418240 bytes, .* holds 64"):
        data.load(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20  # bytes


def test_a_zip_bomb_is_refused_by_the_limit_before_it_is_unpacked(path):
    archive(path, x=header((2**23,)) + bytes(2**26), y=Y)
    assert path.stat().st_size < 2**17  # 64 MB packed a thousandfold
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"take 67109\d+ bytes .* limit is 1000000;"):
        data.read_npz(path, limit=1_000_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20  # bytes


def test_many_arrays_are_counted_together(path):
    np.savez(path, x=np.zeros((100, 10)), y=np.zeros(100))
    with pytest.raises(ValueError, match=r"the arrays take 9056 bytes"):
        data.read_npz(path, limit=9000)
    assert set(read_arrays(path, ["y"], limit=9000)) == {"y"}


def of(**members):
    """The members of one archive."""
    return members


BROKEN = {
    "no x": (of(z=X, y=Y), r"there is no array 'x'; expected x and y"),
    "no y": (of(x=X), r"there is no array 'y'"),
    "half": (of(x_train=X, y_train=Y, x_test=X), r"y is there for 1 of the parts"),
    "shapes": (
        of(x_train=X, y_train=Y, x_test=X[:, :1], y_test=Y),
        r"x has shapes \(40, 2, 6\), \(40, 1, 6\) in the parts train, test",
    ),
    "mixed": (
        of(x_train=X, y_train=Y, x_test=X, y_test=Y.astype(str)),
        r"y has types int64, <U\d+ in the parts",
    ),
    "struct": (of(x=np.zeros(3, "i4,f4"), y=Y), r"x holds values of type"),
    "dates": (of(x=np.zeros(3, "M8[s]"), y=Y), r"x holds values of type datetime"),
    "nan": (of(x=X * np.nan, y=Y), r"x holds 480 non-finite"),
    "labels": (of(x=X, y=Y - 7), r"y is -7 at index 0"),
    "past": (of(x=X, y=Y, classes=list("abc")), r"y is 3 at index 3; .* 3 classes"),
    "fraction": (of(x=X, y=Y / 2), r"y is 0.5 at index 1; .*task='regression'"),
    "task": (of(x=X, y=Y, task="guess"), r"task is 'guess'"),
    "not npy": (of(x=b"hello", y=Y), r"x cannot be read \(.*\); write it again"),
    "later": (of(x=b"\x93NUMPY\2\0" + bytes(99), y=Y), r"has version \(2, 0\)"),
    "no bytes": (of(x=b"", y=Y), r"x cannot be read"),
    "negative": (of(x=header((-1, 4)), y=Y), r"x claims shape \(-1, 4\)"),
    "negative twice": (
        of(x=header((-1, -4)) + bytes(32), y=Y),
        r"x claims shape \(-1, -4\)",
    ),
    "nonsense": (of(x=header("abc"), y=Y), r"x cannot be read"),
    "long": (of(x=header((1,)) + bytes(16), y=Y), r"x claims shape .* holds 16"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_a_bad_file_gives_one_line_with_file_and_field(path, case):
    members, message = BROKEN[case]
    archive(path, **members)
    with pytest.raises(ValueError, match=message) as error:
        data.load(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_a_file_cut_short_anywhere_is_a_clear_error(path):
    np.savez_compressed(path, x=X, y=Y)
    whole = path.read_bytes()
    for size in range(0, len(whole), 97):
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match=r"mine.npz: .*; write it again"):
            data.load(path)


def test_a_flipped_byte_is_noticed_or_harmless(path):
    np.savez_compressed(path, x=X, y=Y, scale=1.0)
    whole = bytearray(path.read_bytes())
    want = data.load(path)
    for at in range(0, len(whole), 41):
        damaged = whole.copy()
        damaged[at] ^= 0x55
        path.write_bytes(damaged)
        with contextlib.suppress(ValueError):
            got = data.load(path)  # what was hit is a time stamp of the archive, say
            assert_array_equal(got.train.x, want.train.x)
            assert_array_equal(got.train.y, want.train.y)


def test_an_array_stored_twice_is_refused(path):
    with (
        warnings.catch_warnings(action="ignore"),
        zipfile.ZipFile(path, "w") as out,
    ):
        out.writestr("x.npy", b"")
        out.writestr("x.npy", b"")
    with pytest.raises(ValueError, match=r"'x' is stored twice"):
        data.load(path)


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none.npz: no such file; give"):
        data.load(tmp_path / "none.npz")
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(FileNotFoundError, match=r"folder.npz: a folder, not a file"):
        data.load(tmp_path / "folder.npz")
