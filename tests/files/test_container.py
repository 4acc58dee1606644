"""The container: values return, the official package agrees, no lie is believed."""

import json
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minprune.files import container, read, write

TYPES = [dtype.str for dtype in container.NAMES]


@st.composite
def arrays(draw):
    dtype = draw(st.sampled_from(TYPES))
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
    return draw(hnp.arrays(dtype, shape))


TENSORS = st.dictionaries(st.text(max_size=8), arrays(), max_size=5)
METADATA = st.dictionaries(st.text(max_size=8), st.text(max_size=20), max_size=3)


def assert_equal(found, wanted):
    assert set(found) == set(wanted)
    for name, array in wanted.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes(), name  # NaN and -0.0 included


def raw(header, body=b"", length=None):
    """A file put together by hand, so that it can lie."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + body


@given(tensors=TENSORS, metadata=METADATA)
def test_what_is_written_returns_bit_for_bit(tmp_path_factory, tensors, metadata):
    path = tmp_path_factory.mktemp("files") / "a"
    write(path, tensors, metadata)
    assert path.stat().st_size == container.size(tensors, metadata)
    found, strings = read(path)
    assert_equal(found, tensors)
    assert strings == metadata


@given(metadata=METADATA)
def test_the_arrays_begin_at_a_multiple_of_eight(tmp_path_factory, metadata):
    path = tmp_path_factory.mktemp("files") / "a"
    write(path, {"a": np.ones(1)}, metadata)
    assert int.from_bytes(path.read_bytes()[:8], "little") % 8 == 0


@given(tensors=TENSORS, metadata=METADATA)
def test_the_official_package_reads_what_is_written(
    tmp_path_factory, tensors, metadata
):
    official = pytest.importorskip("safetensors", reason="safetensors is not installed")
    from safetensors.numpy import load_file

    path = tmp_path_factory.mktemp("files") / "a"
    write(path, tensors, metadata)
    assert_equal(load_file(path), tensors)
    with official.safe_open(path, "np") as file:
        assert (file.metadata() or {}) == metadata


@given(tensors=TENSORS, metadata=METADATA)
def test_what_the_official_package_writes_is_read(tmp_path_factory, tensors, metadata):
    pytest.importorskip("safetensors", reason="safetensors is not installed")
    from safetensors.numpy import save_file

    path = tmp_path_factory.mktemp("files") / "a"
    # Of metadata that is there but empty, safetensors 0.8.0 writes malformed JSON.
    save_file(tensors, path, metadata or None)
    found, strings = read(path)
    assert_equal(found, tensors)
    assert strings == metadata


def test_the_bytes_are_those_of_the_format(tmp_path):
    """Length, header padded to eight, widest items first, little-endian."""
    write(
        tmp_path / "a",
        {"small": np.array([7], "u1"), "wide": np.array([[1], [2]], ">u4")},
        {"by": "hand"},
    )
    header = (
        b'{"__metadata__":{"by":"hand"},'
        b'"wide":{"dtype":"U32","shape":[2,1],"data_offsets":[0,8]},'
        b'"small":{"dtype":"U8","shape":[1],"data_offsets":[8,9]}}'
    )
    header += b" " * (-len(header) % 8)
    length = len(header).to_bytes(8, "little")
    body = b"\1\0\0\0\2\0\0\0\7"
    assert (tmp_path / "a").read_bytes() == length + header + body


def test_a_view_is_written_as_the_values_it_shows(tmp_path):
    array = np.arange(24.0).reshape(4, 6)
    views = {"t": array.T, "step": array[::2, ::-3], "one": np.float32(1.5)}
    write(tmp_path / "a", views)
    found, _ = read(tmp_path / "a")
    assert_equal(found, {name: np.asarray(view) for name, view in views.items()})
    np.testing.assert_array_equal(array, np.arange(24.0).reshape(4, 6))


def test_what_is_read_is_aligned_and_may_be_changed(tmp_path):
    write(tmp_path / "a", {"b": np.ones(3, bool), "f": np.ones(5, "f4")})
    for array in read(tmp_path / "a")[0].values():
        assert array.flags.writeable
        assert array.flags.aligned
        assert array.flags.owndata or array.base.base is None


def entry(dtype="U8", shape=(2,), offsets=(0, 2), **more):
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets, **more}


LIES = {
    "an empty file": (b"", "the header length: it claims 0 bytes but the file has 0"),
    "seven bytes": (b"1234567", "the header length: .* but the file has 7"),
    "a header of 10 GB": (
        raw(b"{}", length=10 * 2**30),
        "the header length: it claims 10737418240 bytes but the file has 10",
    ),
    "a header that the file does not quite hold": (
        raw(b"{}      ", length=12),
        "the header length: it claims 12 bytes but the file has 16",
    ),
    "a length of 2^64 - 1": (
        raw(b"{}", length=2**64 - 1),
        "it claims 18446744073709551615 bytes",
    ),
    "no JSON": (raw(b"{nothing}"), "the header: it is not JSON"),
    "no UTF-8": (raw(b'{"\xff\xfe":1}'), "the header: it is not JSON"),
    "brackets without end": (raw(b"[" * 100_000), "the header: it is not JSON"),
    "a number of 5000 digits": (raw(b"1" * 5000), "the header: it is not JSON"),
    "a list": (raw([]), r"the header: it is \[\], not a JSON object"),
    "a name twice": (
        raw(
            b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},'
            b'"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
            b"x",
        ),
        "a name occurs twice",
    ),
    "a number as entry": (raw({"a": 3}), "'a': it is 3; expected dtype, shape and"),
    "a field too few": (raw({"a": {"dtype": "U8"}}), "'a': .* expected dtype, shape"),
    "a field too many": (raw({"a": entry(more=1)}, b"xy"), "'a': .* expected dtype"),
    "an unknown type": (raw({"a": entry("C64")}, b"xy"), "'a': dtype is 'C64'; known"),
    "a list as type": (raw({"a": entry([])}, b"xy"), r"'a': dtype is \[\]; known"),
    "a negative size": (raw({"a": entry(shape=[-2])}, b"xy"), r"shape is \[-2\]"),
    "a size that is a fraction": (raw({"a": entry(shape=[2.0])}, b"xy"), "shape is"),
    "a size that is true": (raw({"a": entry(shape=[True])}, b"x"), "shape is"),
    "a shape that is a number": (raw({"a": entry(shape=2)}, b"xy"), "shape is 2"),
    "33 axes": (raw({"a": entry(shape=[1] * 33)}, b"xy"), "expected up to 32 sizes"),
    "a product that wraps to 2": (
        raw({"a": entry(shape=[2**32, 2**32, 2])}, b"xy"),
        "'a': shape is .*, which is too large",
    ),
    "a product that a zero hides": (
        raw({"a": entry(shape=[0, 2**40, 2**40], offsets=(0, 0))}),
        "'a': shape is .*, which is too large",
    ),
    "a size of 4000 digits": (
        raw(b'{"a":{"dtype":"U8","shape":[%s],"data_offsets":[0,2]}}' % (b"9" * 4000)),
        "'a': ",
    ),
    "a product that is not the bytes": (
        raw({"a": entry("F32")}, b"xy"),
        r"shape \[2\] of F32 needs 8 bytes, data_offsets give it 2",
    ),
    "more bytes than the product": (
        raw({"a": entry(shape=[1])}, b"xy"),
        r"shape \[1\] of U8 needs 1 bytes, data_offsets give it 2",
    ),
    "three offsets": (raw({"a": entry(offsets=[0, 1, 2])}, b"xy"), "begin and end"),
    "offsets of text": (raw({"a": entry(offsets="02")}, b"xy"), "begin and end"),
    "offsets backwards": (raw({"a": entry(offsets=[2, 0])}, b"xy"), "data_offsets is"),
    "offsets beyond the end": (raw({"a": entry(offsets=[1, 3])}, b"xy"), "holds 2"),
    "a gap": (
        raw({"a": entry(), "b": entry(offsets=[3, 5])}, b"xy-xy"),
        "'b': it begins at byte 3 but the array before ends at 2",
    ),
    "an overlap": (
        raw({"a": entry(), "b": entry(offsets=[1, 3])}, b"xyz"),
        "'b': it begins at byte 1 but the array before ends at 2",
    ),
    "bytes nobody names": (
        raw({"a": entry()}, b"xyz"),
        "its arrays end at byte 2 but 3 bytes follow",
    ),
    "a BOOL of 2": (raw({"a": entry("BOOL")}, b"\1\2"), "a BOOL is 2; expected 0 or 1"),
    "metadata that is a list": (raw({"__metadata__": []}), r"__metadata__: it is \[\]"),
    "metadata of numbers": (
        raw({"__metadata__": {"n": 1}}),
        "__metadata__: 'n' is 1; expected text",
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_refused_in_one_line(tmp_path, lie):
    content, fault = LIES[lie]
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=fault) as e:
        read(path)
    message = str(e.value)
    assert message.startswith(f"{path}: ")
    assert "fetch or save it anew" in message
    assert "\n" not in message
    assert len(message) < 400 + len(str(path))


def test_a_lie_costs_no_memory(tmp_path):
    """Two bytes of array that claim to be four gigabytes."""
    path = tmp_path / "a"
    path.write_bytes(raw({"a": entry(shape=[2**32], offsets=[0, 2**32])}, b"xy"))
    tracemalloc.start()
    with pytest.raises(ValueError, match="the file holds 2"):
        read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000  # bytes


def test_every_truncation_is_refused(tmp_path):
    path = tmp_path / "a"
    write(path, {"w": np.ones((3, 5), "f4"), "n": np.array(3)}, {"by": "hand"})
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="a: "):
            read(path)


def test_a_file_over_the_limit_is_refused_unread(tmp_path):
    write(tmp_path / "a", {"w": np.ones(1000, "f4")})
    size = (tmp_path / "a").stat().st_size
    read(tmp_path / "a", limit_bytes=size)
    with pytest.raises(ValueError, match=f"over the limit of {size - 1}; raise limit_"):
        read(tmp_path / "a", limit_bytes=size - 1)


def test_a_long_header_is_refused_before_it_is_parsed(tmp_path):
    (tmp_path / "a").write_bytes(raw(b" " * (container.HEADER_LIMIT_BYTES + 1)))
    with pytest.raises(ValueError, match=r"the header length: .* over the limit"):
        read(tmp_path / "a")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(
        FileNotFoundError, match="gone cannot be read: there is no such"
    ):
        read(tmp_path / "gone")


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(ValueError, match="it is not a regular file; name a model file"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("tensors", "fault"),
    [
        ({"a": np.ones(2, complex)}, "'a': its type is complex128; known: bool"),
        ({"a": np.array(["x"])}, "'a': its type is <U1"),
        ({"a": np.array([None])}, "'a': its type is object"),
        ({"__metadata__": np.ones(2)}, "this cannot name an array; rename it"),
        ({3: np.ones(2)}, "3: this cannot name an array; rename it"),
        ({"a": np.ones((1,) * 33)}, "'a': it has 33 axes; reshape it"),
    ],
)
def test_what_cannot_be_stored_is_refused_before_a_file_exists(
    tmp_path, tensors, fault
):
    with pytest.raises(ValueError, match=fault):
        write(tmp_path / "a", tensors)
    assert list(tmp_path.iterdir()) == []


def test_metadata_must_be_text(tmp_path):
    with pytest.raises(ValueError, match="__metadata__: 'n' is 3; expected text"):
        write(tmp_path / "a", {}, {"n": 3})
