"""The three data sets that come with the package: real, small, and free to pass on.

Each is one `.npz` under `shipped/` (290 KB together) with a fixed split; licenses and
what was changed are in `shipped/ATTRIBUTION.txt` and inside each file.
"""

from pathlib import Path

from minprune.data.arrays import from_arrays
from minprune.data.dataset import Dataset
from minprune.data.npz import read_arrays

FOLDER = Path(__file__).parent / "shipped"


def digits() -> Dataset:
    """Handwritten digits, 8 by 8 pixels of 0 to 16: 1197 train, 240 val, 360 test.

    The split mixes the thirteen writers. One test image is 0.28 points of accuracy, so
    differences below a point mean little without several seeds.
    """
    arrays = read_arrays(FOLDER / "digits.npz")
    return from_arrays(
        arrays["images"][:, None],
        arrays["labels"],
        split=arrays["split"],
        classes=[str(digit) for digit in range(10)],
        scale=1 / 16,
        name="digits",
        attribution=str(arrays["attribution"]),
    )


def watch() -> Dataset:
    """Shoulder exercises felt by a smartwatch: 7 classes, 6 channels, 4 s at 10 Hz.

    Split by person: 1 to 6 train (658 windows), 7 and 8 validation (247), 9 and 10 test
    (247). A random split would look twenty points better and promise what a watch on a
    new wrist does not keep.
    """
    arrays = read_arrays(FOLDER / "watch.npz")
    return from_arrays(
        arrays["X"],
        arrays["labels"],
        split=arrays["split"],
        classes=arrays["classes"].tolist(),
        scale=arrays["scale"][:, None],
        name="watch",
        attribution=str(arrays["attribution"]),
    )


def jvowels() -> Dataset:
    """Nine speakers saying /ae/: 12 cepstrum coefficients over 7 to 29 frames.

    216 train and 54 validation utterances, and the official 370 for test. The nearest
    thing to audio that is small enough to ship.
    """
    arrays = read_arrays(FOLDER / "jvowels.npz")
    return from_arrays(
        arrays["X"],
        arrays["labels"],
        split=arrays["split"],
        lengths=arrays["length"],
        classes=[f"speaker {number}" for number in range(1, 10)],
        scale=arrays["scale"][:, None],
        name="jvowels",
        attribution=str(arrays["attribution"]),
    )
