"""The shipped sets: the very files, their splits, and the license texts beside them."""

import hashlib

import numpy as np
import pytest

from minprune import data
from minprune.data.shipped import FOLDER

SHA256 = {
    "digits.npz": "3d1875c51a76d5facc0150eb02cb724171bb155f8ca70321e5c3c46c925c55ac",
    "watch.npz": "37681b23738b74d0ab95b4c0f4e982ae8d8b6d3bed79436904bba1735686046b",
    "jvowels.npz": "3f98cde65190c1f01c29edc5ab7e836872aee4256fe6f847d4d4de9f62700f82",
}
NAMES = [name.removesuffix(".npz") for name in SHA256]


@pytest.mark.parametrize("name", SHA256)
def test_the_file_is_the_one_that_was_prepared(name):
    assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == SHA256[name]


@pytest.mark.parametrize(
    ("name", "shape", "classes", "sizes"),
    [
        ("digits", (1, 8, 8), 10, (1197, 240, 360)),
        ("watch", (6, 40), 7, (658, 247, 247)),
        ("jvowels", (12, 29), 9, (216, 54, 370)),
        ("mnist1d", (1, 40), 10, (3500, 500, 1000)),
    ],
)
def test_shapes_and_splits(name, shape, classes, sizes):
    ds = data.load(name)
    assert ds.name == name
    assert ds.task == "classification"
    assert ds.input_shape == shape
    assert len(ds.classes) == ds.outputs == classes
    assert ds.attribution
    for part, size in zip((ds.train, ds.val, ds.test), sizes, strict=True):
        assert len(part) == size
        assert part.x.shape == (size, *shape)
        assert part.y.shape == (size,)
        assert part.y.dtype == np.int64
        assert set(part.y) == set(range(classes))
    for array in (ds.scale, ds.offset):
        assert array.dtype == np.float32
        assert array.ndim == len(shape)


def test_digits_become_zero_to_one():
    ds = data.load("digits")
    real = ds.train.x * ds.scale + ds.offset
    assert real.dtype == np.float32
    assert (real.min(), real.max()) == (0, 1)


def test_watch_wearers_are_in_one_split_only():
    stored = np.load(FOLDER / "watch.npz", allow_pickle=False)
    people = [set(stored["subject"][stored["split"] == part]) for part in range(3)]
    assert people == [{1, 2, 3, 4, 5, 6}, {7, 8}, {9, 10}]


def test_watch_arms_are_mirrored_onto_each_other():
    stored = np.load(FOLDER / "watch.npz", allow_pickle=False)
    gravity = (stored["X"] * stored["scale"][:, None])[:, 0].mean(axis=1)  # g, along ax
    for label in range(7):
        left, right = (
            gravity[(stored["labels"] == label) & (stored["side"] == side)].mean()
            for side in (0, 1)
        )
        # Unmirrored, five of the seven exercises would differ by 0.9 g and more.
        assert abs(left - right) < 0.15


def test_jvowels_are_silent_behind_their_length():
    ds = data.load("jvowels")
    for part in (ds.train, ds.val, ds.test):
        assert part.lengths.min() >= 7
        padding = np.arange(29) >= part.lengths[:, None]
        assert not part.x.transpose(0, 2, 1)[padding].any()
        ends = part.x[np.arange(len(part)), :, part.lengths - 1]
        assert ends.any(axis=1).all()  # the last frame counted is a real one


@pytest.mark.parametrize("name", NAMES)
def test_the_attribution_is_handed_on_in_full(name):
    texts = "".join(file.read_text() for file in FOLDER.glob("*.txt"))
    assert data.load(name).attribution in " ".join(texts.split())


def test_the_licenses_are_shipped():
    notice = (FOLDER / "SEGLEARN_LICENSE.txt").read_text()
    assert "Copyright (c) 2018, David M. Burns" in notice
    assert "Redistributions in binary form must reproduce" in notice
    total = sum(file.stat().st_size for file in FOLDER.glob("*.npz"))
    assert total == 290_073  # bytes; the package stays small
