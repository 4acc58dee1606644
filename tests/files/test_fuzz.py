"""Damaged files: only a ValueError with a message comes out, in bounded space and time.

``MINPRUNE_PROFILE=thorough`` reads 200,000 of them instead of 2,000.
"""

import os
import time
import tracemalloc

import numpy as np

from minprune.files import decode, encode, pattern, read, stored, write
from tests.files.mutations import damaged

COUNT = 200_000 if os.environ.get("MINPRUNE_PROFILE") == "thorough" else 2_000
SHAPES = {"dense": (3, 5), "csr": (6, 60), "bits": (4, 3, 2, 2), "bsr": (7, 9)}
SHAPES |= {f"coded_{form}": SHAPES[form] for form in ("dense", "csr", "bits")}


def example(path):
    """A file that holds one weight in each form."""
    rng = np.random.default_rng(0)
    masks = {name: np.zeros(shape, bool) for name, shape in SHAPES.items()}
    masks["csr"][[0, 3, 3, 5], [59, 0, 7, 30]] = True
    masks["bits"][rng.random(SHAPES["bits"]) < 0.5] = True
    masks["bsr"][2:4, 3:6] = masks["bsr"][6:, :3] = True
    masks |= {f"coded_{name}": masks[name] for name in ("dense", "csr", "bits")}
    weights = {name: rng.normal(size=shape) for name, shape in SHAPES.items()}
    tensors = encode("dense", weights["dense"].astype("f4"))
    tensors |= stored.csr("csr", weights["csr"].astype("f2"), masks["csr"])
    tensors |= encode("bits", weights["bits"].astype("f4"), masks["bits"])
    tensors |= stored.bsr("bsr", weights["bsr"], masks["bsr"], (2, 3))[0]
    for name in ("dense", "csr", "bits"):
        few = rng.integers(-8, 8, SHAPES[name]).astype(np.int8)
        kept = np.ones(few.shape, bool) if name == "dense" else masks[name]
        plain = {f"coded_{name}": few}
        if name == "csr":
            plain = stored.csr("coded_csr", few, kept)
        elif name == "bits":
            bits = np.packbits(kept.reshape(-1), bitorder="little")
            plain = {"coded_bits.bits": bits}
        tensors |= stored.coded_form(f"coded_{name}", plain, few, kept)
    write(path, tensors, {"minprune": '{"format": 1}'})


def test_the_example_has_every_form(tmp_path):
    example(tmp_path / "a")
    tensors, _ = read(tmp_path / "a")
    assert "dense" in tensors
    assert "bits.bits" in tensors
    for form in ("dense", "csr", "bits"):
        assert f"coded_{form}.codes" in tensors
    assert tensors["csr.values"].ndim == 1
    assert tensors["bsr.values"].ndim == 3


def outcome(path):
    """The message of the reader's refusal, or None if it took the file."""
    try:
        tensors, _ = read(path)
        for name, shape in SHAPES.items():
            decode(name, tensors, shape)
        pattern("csr", tensors, SHAPES["csr"])
    except ValueError as why:
        return str(why)
    return None


def test_damaged_files_are_read_right_or_refused_in_words(tmp_path):
    path = tmp_path / "a"
    example(path)
    refused, slowest = 0, 0.0
    tracemalloc.start()
    for content in damaged(path, COUNT):
        start = time.process_time()
        message = outcome(path)
        slowest = max(slowest, time.process_time() - start)
        if message is not None:
            refused += 1
            assert ": " in message, content
            assert "\n" not in message, content
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 0.7 * COUNT < refused < COUNT  # some damage only changes a value
    assert peak < 2**20  # bytes; a file here has about 1,500
    assert slowest < 2.0  # seconds of the processor
