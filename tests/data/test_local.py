"""Public sets are found by what the files are: layouts, wrong names, missing files.

The sets here have a handful of 2 by 3 images, and a table of checksums of their own.
"""

import gzip
import hashlib
import struct

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from minprune import data
from minprune.data import cifar, local
from minprune.data.known import ROLES, KnownFile, KnownSet
from tests.data.server import good, serve

NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


class Small:
    """A published set in miniature: its arrays, its four files and its entry."""

    def __init__(self, name, seed, mirror="http://127.0.0.1:9/"):
        rng = np.random.default_rng(seed)
        self.x = rng.integers(0, 256, (12, 2, 3), np.uint8)
        self.y = (np.arange(12, dtype=np.uint8) + seed) % 2
        self.plain = {}
        for role, file, rows in zip(
            ROLES, NAMES, (slice(9), slice(9), slice(9, 12), slice(9, 12)), strict=True
        ):
            array = (self.x if "images" in role else self.y)[rows]
            axes = struct.pack(f">{array.ndim}I", *array.shape)
            self.plain[file] = (
                b"\0\0\x08" + bytes([array.ndim]) + axes + array.tobytes()
            )
        self.packed = {
            f"{file}.gz": gzip.compress(content, mtime=seed)
            for file, content in self.plain.items()
        }
        files = [*self.packed.items(), *self.plain.items()]
        self.known = KnownSet(
            name=name,
            title=name.upper(),
            files=tuple(
                KnownFile(role, file, len(c), hashlib.sha256(c).hexdigest())
                for role, (file, c) in zip(ROLES * 2, files, strict=True)
            ),
            mirrors=(mirror,),
            classes=("even", "odd"),
            attribution=f"made for {name}",
        )

    def check(self, ds):
        """All rows are there, the last two of training held out for validation."""
        assert ds.name == self.known.name
        assert ds.classes == ("even", "odd")
        assert ds.attribution == self.known.attribution
        for part, rows in zip(
            (ds.train, ds.val, ds.test),
            (slice(7), slice(7, 9), slice(9, 12)),
            strict=True,
        ):
            assert_array_equal(part.x[:, 0], self.x[rows])
            assert_array_equal(part.y, self.y[rows])
        assert_array_equal(ds.scale, np.float32(1 / 255).reshape(1, 1, 1))


@pytest.fixture
def sets(monkeypatch):
    """Two sets with the same file names; they are all that is known."""
    monkeypatch.setattr(local, "VALIDATION", 2)
    sets = {name: Small(name, seed) for seed, name in enumerate(("one", "two"))}
    for name in list(local.KNOWN):
        monkeypatch.delitem(local.KNOWN, name)
    for name, small in sets.items():
        monkeypatch.setitem(local.KNOWN, name, small.known)
    return sets


def put(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


@pytest.mark.parametrize("layout", ["ONE/raw", "one", "."])
@pytest.mark.parametrize("form", ["plain", "packed", "both"])
def test_every_layout_is_found(tmp_path, sets, layout, form):
    one = sets["one"]
    if form != "packed":
        put(tmp_path / layout, one.plain)
    if form != "plain":
        put(tmp_path / layout, one.packed)
    one.check(data.load("one", root=tmp_path))
    one.check(data.load(tmp_path))


def test_equal_names_are_told_apart_by_content(tmp_path, sets):
    for name, small in sets.items():
        put(tmp_path / name, small.plain)
    # In each other's folder, as happens when a download is unpacked in the wrong place.
    put(tmp_path / "one", sets["two"].plain)
    put(tmp_path / "two", sets["one"].plain)
    for name, small in sets.items():
        small.check(data.load(name, root=tmp_path))
    with pytest.raises(ValueError, match=r"holds several data sets \(one, two\)"):
        data.load(tmp_path)


def test_names_do_not_matter_at_all(tmp_path, sets):
    one = sets["one"]
    put(tmp_path, {f"{i}.bin": c for i, c in enumerate(one.plain.values())})
    one.check(data.load("one", root=tmp_path))


def test_missing_and_altered_files_are_named(tmp_path, sets):
    one = sets["one"]
    put(tmp_path, one.plain)
    (tmp_path / NAMES[1]).unlink()
    altered = bytearray(one.plain[NAMES[2]])
    altered[-1] ^= 1
    (tmp_path / NAMES[2]).write_bytes(altered)
    with pytest.raises(
        FileNotFoundError,
        match=rf"ONE needs {NAMES[1]}.gz, {NAMES[2]}.gz \(told by checksum.*127.0.0",
    ) as error:
        data.load("one", root=tmp_path)
    assert "\n" not in str(error.value)
    with pytest.raises(
        FileNotFoundError, match=rf"ONE needs {NAMES[1]}.gz, {NAMES[2]}"
    ):
        data.load(tmp_path)


def test_a_folder_without_any_of_them_is_refused(tmp_path, sets):
    put(tmp_path, {"notes": b"nothing"})
    with pytest.raises(
        ValueError, match=r"holds none of the known data sets; name one"
    ):
        data.load(tmp_path)


def test_a_root_that_is_not_there_is_like_an_empty_one(tmp_path, sets):
    with pytest.raises(FileNotFoundError, match=r"ONE needs"):
        data.load("one", root=tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_the_root_may_come_from_the_environment(tmp_path, sets, monkeypatch):
    put(tmp_path, sets["one"].packed)
    monkeypatch.setenv("MINPRUNE_DATA", str(tmp_path))
    sets["one"].check(data.load("one"))


def test_only_what_is_missing_is_downloaded_and_only_when_asked(tmp_path, sets):
    one = sets["one"]
    put(tmp_path, {NAMES[0]: one.plain[NAMES[0]]})

    def mirror(handler):
        good(one.packed[handler.path.rpartition("/")[2]])(handler)

    with serve(mirror) as server:
        url = server.url.removesuffix("file.gz")
        here = Small("one", 0, mirror=url)
        with pytest.raises(FileNotFoundError):
            local.read_known(tmp_path, here.known)
        assert server.log == []
        here.check(local.read_known(tmp_path, here.known, download=True))
        assert len(server.log) == 3
        here.check(local.read_known(tmp_path, here.known, download=True))
        assert len(server.log) == 3
    assert (tmp_path / "one" / f"{NAMES[1]}.gz").exists()


def test_keras_keeps_all_in_one_npz(tmp_path, sets, monkeypatch):
    one = sets["one"]
    path = tmp_path / "mnist.npz"
    np.savez(
        path, x_train=one.x[:9], y_train=one.y[:9], x_test=one.x[9:], y_test=one.y[9:]
    )
    content = path.read_bytes()
    file = KnownFile(
        "npz", "mnist.npz", len(content), hashlib.sha256(content).hexdigest()
    )
    known = KnownSet("one", "ONE", (file,), (), ("even", "odd"), "made for one")
    one.check(local.read_known(tmp_path, known))
    monkeypatch.setitem(local.KNOWN, "one", known)
    one.check(data.load(path))
    np.savez(path, x=one.x, y=one.y)
    assert data.load(path).input_shape == (2, 3)  # another file of that name


def test_cifar_is_found_packed_or_not_and_the_pickled_form_explained(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(local, "VALIDATION", 2)
    monkeypatch.setitem(
        cifar.MEMBERS, "cifar10", {"data_batch_1.bin": 5, "test.bin": 3}
    )
    pickled = b"(dp0\n."
    known = KnownSet(
        "cifar10",
        "CIFAR-10",
        (
            KnownFile("archive", "binary.tar.gz", 1, "0" * 32),
            KnownFile("pickled", "x", len(pickled), hashlib.md5(pickled).hexdigest()),
        ),
        ("http://127.0.0.1:9/",),
        tuple("ab"),
        "",
    )
    put(tmp_path / "cifar-10-batches-py", {"data_batch_1": pickled})
    with pytest.raises(
        ValueError, match=r"data_batch_1: this is CIFAR-10 in pickled .* get binary.tar"
    ):
        local.read_known(tmp_path, known)
    records = b"".join(bytes([i % 2]) + bytes([i]) * 3072 for i in range(8))
    put(
        tmp_path / "cifar-10-batches-bin",
        {"data_batch_1.bin": records[: 5 * 3073], "test.bin": records[5 * 3073 :]},
    )
    ds = local.read_known(tmp_path, known)
    assert ds.train.x[:, 0, 0, 0].tolist() == [0, 1, 2]
    assert ds.test.y.tolist() == [1, 0, 1]
