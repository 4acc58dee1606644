"""CIFAR in binary form, on files of ten records instead of ten thousand."""

import io
import tarfile

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from minprune.data import cifar
from minprune.data.known import CIFAR10, CIFAR100

BATCHES = {"data_batch_1.bin": 10, "data_batch_2.bin": 10}
SETS = {
    "cifar10": (CIFAR10, 1, BATCHES, "test_batch.bin"),
    "cifar100": (CIFAR100, 2, {"train.bin": 20}, "test.bin"),
}


@pytest.fixture(params=SETS)
def small(request, monkeypatch):
    """A known set with few records: the set, its pictures and labels, and its files."""
    known, label_bytes, train, test = SETS[request.param]
    sizes = {**train, test: 10}
    monkeypatch.setitem(cifar.MEMBERS, known.name, sizes)
    rng = np.random.default_rng(0)
    # Written as the format is described: label bytes, then all red, green, blue.
    x = rng.integers(0, 256, (30, 3, 32, 32), np.uint8)
    y = rng.integers(0, len(known.classes), 30)
    files, row = {}, 0
    for name, count in sizes.items():
        content = b""
        for i in range(row, row + count):
            content += bytes([255] * (label_bytes - 1) + [y[i]])  # a coarse label first
            content += b"".join(x[i, color].tobytes() for color in range(3))
        files[name], row = content, row + count
    return known, x, y, files


def write(tmp_path, files, packed):
    """The files in a folder, or in an archive as it is published."""
    if not packed:
        for name, content in files.items():
            (tmp_path / name).write_bytes(content)
        return tmp_path
    path = tmp_path / "set.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, content in {"readme.html": b"<p>", **files}.items():
            member = tarfile.TarInfo(f"batches/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


@pytest.mark.parametrize("packed", [False, True])
def test_pictures_and_fine_labels_come_back(tmp_path, small, packed):
    known, x, y, files = small
    ds = cifar.read_cifar(write(tmp_path, files, packed), known, validation=5)
    assert ds.input_shape == (3, 32, 32)
    assert ds.classes == known.classes
    for part, rows in (
        (ds.train, slice(15)),
        (ds.val, slice(15, 20)),
        (ds.test, slice(20, 30)),
    ):
        assert_array_equal(part.x, x[rows])
        assert_array_equal(part.y, y[rows])


def test_names_beside_the_records_are_used_if_there_are_a_hundred(tmp_path, small):
    known, _, _, files = small
    names = [f"name_{i}" for i in range(len(known.classes))]
    files[cifar.NAMES] = "\n".join(names).encode()
    ds = cifar.read_cifar(write(tmp_path, files, False), known, validation=5)
    assert ds.classes == tuple(names)
    files[cifar.NAMES] = b"only\ntwo"
    ds = cifar.read_cifar(write(tmp_path, files, False), known, validation=5)
    assert ds.classes == known.classes


@pytest.mark.parametrize("packed", [False, True])
def test_a_missing_or_short_file_is_named_with_where_to_get_it(tmp_path, small, packed):
    known, _, _, files = small
    first, *_, last = files
    files[first] = files[first][:-1]
    with pytest.raises(ValueError, match=rf"{first} has \d+9 bytes; .* get cifar-10"):
        cifar.read_cifar(write(tmp_path, files, packed), known)
    del files[last]
    files[first] += b"\0"
    (tmp_path / last).unlink(missing_ok=True)
    with pytest.raises(ValueError, match=rf"{last} has 0 bytes; expected"):
        cifar.read_cifar(write(tmp_path, files, packed), known)


def test_a_label_out_of_range_is_refused(tmp_path, small):
    known, _, _, files = small
    name = next(iter(files))
    content = bytearray(files[name])
    content[cifar.LABEL_BYTES[known.name] - 1] = 200
    files[name] = bytes(content)
    with pytest.raises(ValueError, match=r"y is 200 at index 0; expected 0 to 9"):
        cifar.read_cifar(write(tmp_path, files, False), known)


def test_a_damaged_archive_is_named(tmp_path, small):
    known, _, _, files = small
    path = write(tmp_path, files, True)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ValueError, match=r"set.tar.gz: damaged"):
        cifar.read_cifar(path, known)


def test_the_published_sizes():
    """As stated on the data set's page: 10000 records of 3073 bytes are 30,730,000."""
    assert set(cifar.MEMBERS["cifar10"].values()) == {10_000}
    assert len(cifar.MEMBERS["cifar10"]) == 6
    assert cifar.LABEL_BYTES["cifar10"] + cifar.PIXELS == 3073
    assert cifar.LABEL_BYTES["cifar100"] + cifar.PIXELS == 3074
    assert cifar.MEMBERS["cifar100"] == {"train.bin": 50_000, "test.bin": 10_000}
