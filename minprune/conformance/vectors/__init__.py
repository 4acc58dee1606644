"""Test vectors: questions and exact answers as files, for toolkits in any language.

The questions are those of the seeded kind, the answers are by `definition`, never by
the engine. All numbers given are dyadic fractions of a few bits. Sums and products of
them are exact in float64, scores and solvers are computed to sixty digits and rounded
once, and so the same bytes come out on every machine.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from minprune._check import AnyArray
from minprune._random import stream
from minprune.conformance.report import SPECIFICATION
from minprune.conformance.vectors import (
    amounts,
    criteria,
    layers,
    patterns,
    selection,
)
from minprune.conformance.vectors._vector import Rng, Vector
from minprune.files import atomic

VERSION = 2
"""Of the layout; it changes when a field changes its meaning."""

TYPES = {"f": "<f8", "b": "|u1", "i": "<i8", "u": "<i8"}


def write(folder: str | Path, seed: int = 0) -> int:
    """Write the set into a folder that is empty or not there yet; returns how many.

    Parameters
    ----------
    folder : str or Path
        Gets ``index.json``, ``arrays.bin`` and ``README.md``, which describes every
        field.
    seed : int
        Of the questions.

    Raises
    ------
    ValueError
        If the folder holds something.
    """
    folder = Path(folder)
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(
            f"conformance: {folder} is not empty; expected a new folder for vectors"
        )
    folder.mkdir(parents=True, exist_ok=True)
    data: list[bytes] = []
    vectors = [
        {key: _stored(value, data) for key, value in vector.items()}
        for kind, make in KINDS.items()
        for vector in make(stream(seed, "vectors", kind))
    ]
    for number, vector in enumerate(vectors):
        vector["id"] = number
    index = {
        "format": "minprune test vectors",
        "version": VERSION,
        "specification": SPECIFICATION,
        "seed": seed,
        "vectors": vectors,
    }
    with (folder / "arrays.bin").open("wb") as file:
        file.writelines(data)
    readme = Path(__file__).with_name("README.md").read_text(encoding="utf-8")
    atomic.write_text(folder / "README.md", readme)
    atomic.write_text(folder / "index.json", json.dumps(index, indent=1) + "\n")
    return len(vectors)


def _stored(value: Any, data: list[bytes]) -> Any:
    """Arrays as places in ``arrays.bin``, everything else as JSON has it."""
    if isinstance(value, np.ndarray):
        kind = TYPES[value.dtype.kind]
        start = sum(len(part) for part in data)
        raw = np.ascontiguousarray(value).astype(kind).tobytes()
        data.append(raw + bytes(-len(raw) % 8))
        names = {"<f8": "float64", "|u1": "uint8", "<i8": "int64"}
        return {"type": names[kind], "shape": list(value.shape), "offset": start}
    if isinstance(value, dict):
        return {key: _stored(entry, data) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_stored(entry, data) for entry in value]
    return value


KINDS: dict[str, Callable[[Rng], Iterator[Vector]]] = {
    make.__name__: make
    for make in (
        selection.select,
        selection.select_again,
        selection.select_network,
        selection.select_groups,
        selection.threshold,
        patterns.keep_of_group,
        patterns.square,
        patterns.select_units,
        amounts.schedule,
        amounts.ladder,
        amounts.adaptive,
        amounts.allocate,
        amounts.allocate_by_sensitivity,
        amounts.allocate_by_scores,
        amounts.allocate_by_cost,
        criteria.score,
        criteria.solve,
        layers.product,
        layers.convolve,
        layers.shrink,
        layers.compact,
    )
}


def read(folder: str | Path, place: Mapping[str, Any]) -> AnyArray:
    """The array at a place of the index, as any reader of the set does it."""
    kinds = {"float64": "<f8", "uint8": "|u1", "int64": "<i8"}
    count = prod(place["shape"])
    raw = (Path(folder) / "arrays.bin").read_bytes()
    found = np.frombuffer(raw, kinds[place["type"]], count, place["offset"])
    return found.reshape(place["shape"])
