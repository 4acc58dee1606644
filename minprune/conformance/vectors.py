"""Test vectors: questions and exact answers as files, for toolkits in any language.

The questions are those of the seeded kind, the answers are by `definition`, never by
the engine. All numbers are dyadic fractions of a few bits, so that sums and products of
them are exact in float64, and the same bytes come out on every machine.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from minprune._check import AnyArray, FloatArray
from minprune._random import stream
from minprune.conformance import definition
from minprune.conformance.checks.scores import FORMULAS
from minprune.conformance.registry import Case
from minprune.conformance.report import SPECIFICATION
from minprune.files import atomic

VERSION = 1
"""Of the layout; it changes when a field changes its meaning."""

Rng = np.random.Generator
Vector = dict[str, Any]
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
    readme = Path(__file__).with_name("vectors.md").read_text(encoding="utf-8")
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


def numbers(rng: Rng, *shape: int) -> FloatArray:
    """Multiples of 2^-16 from -8 to 8."""
    return rng.integers(-(2**19), 2**19, shape) / 2.0**16


def _selections(rng: Rng) -> Iterator[Vector]:
    """One layer: sizes, sparsities and ties where toolkits part."""
    for size in (1, 2, 5, 7, 10, 64, 100):
        for sparsity in (0.0, 0.05, 0.29, 0.3, 0.5, 0.57, 0.7, 0.9, 0.95, 1.0):
            for score in (numbers(rng, size), rng.integers(3, size=size) * 1.0):
                mask = definition.mask({"w": score}, sparsity, "layer")["w"]
                yield _vector(
                    "select", "M.1 M.2 M.3", {"scores": score, "sparsity": sparsity}
                ) | {"mask": mask}


def _networks(rng: Rng) -> Iterator[Vector]:
    """Two layers that compete, with floors."""
    for floor in (0, 1, 2):
        for sparsity in (0.1, 0.3, 0.5, 0.75):
            for ties in (False, True):
                scores = [numbers(rng, 6), 2 + numbers(rng, 14)]
                if ties:
                    scores = [np.round(score) + 0.0 for score in scores]
                named = {str(i): score for i, score in enumerate(scores)}
                masks = definition.mask(named, sparsity, "network", floor)
                given = {"scores": scores, "sparsity": sparsity, "min_keep": floor}
                found = {"masks": list(masks.values())}
                yield _vector("select_network", "M.1 M.2 M.3 M.4", given) | found


def _groups(rng: Rng) -> Iterator[Vector]:
    """Keep of group along either axis, with and without ties."""
    for keep, group in ((2, 4), (1, 4), (3, 4), (1, 2), (4, 8)):
        for axis in (0, 1):
            for scores in (numbers(rng, 8, 16), rng.integers(2, size=(8, 16)) * 1.0):
                mask = definition.keep_of_group(scores, keep, group, axis)
                given = {"scores": scores, "keep": keep, "group": group, "axis": axis}
                yield _vector("keep_of_group", "P.7", given) | {"mask": mask}


def _units(rng: Rng) -> Iterator[Vector]:
    """Rows, channels and blocks, ragged ones included."""
    for shape in ((6, 8), (5, 7), (4, 3, 2, 2)):
        for sparsity in (0.25, 0.5):
            for unit, block in (
                ("row", None),
                ("channel", None),
                ("block", (2, 2)),
                ("block", (2, 3)),
            ):
                scores = np.abs(numbers(rng, *shape))
                mask = definition.unit_mask(scores, unit, sparsity, block)
                given = {"scores": scores, "unit": unit, "sparsity": sparsity}
                given |= {"block": list(block) if block else None}
                yield _vector("select_units", "P.2 P.4 P.5 P.6", given) | {"mask": mask}


def _schedules(rng: Rng) -> Iterator[Vector]:
    """Every step of frames that the frequency divides and does not divide."""
    for curve in ("linear", "cubic", "cosine", "exponential"):
        for begin, end, frequency in ((0, 10, 1), (5, 25, 5), (3, 20, 4), (4, 4, 1)):
            for initial in (0.0, 0.25):
                frame: Case = {"final": 0.9, "begin": begin, "end": end}
                frame |= {"frequency": frequency, "initial": initial}
                steps = range(end + 3)
                values = [definition.schedule(curve, s, **frame) for s in steps]
                given = {"curve": curve, "steps": len(steps), **frame}
                yield _vector(
                    "schedule", "S.1 S.2 S.3 S.4", given, 1e-12, "a few roundings"
                ) | {"sparsities": [round(value, 13) for value in values]}


def _allocations(rng: Rng) -> Iterator[Vector]:
    """LeNet-300-100 and a small convolution network."""
    nets = (
        [(300, 784), (100, 300), (10, 100)],
        [(8, 3, 3, 3), (16, 8, 3, 3), (10, 64)],
    )
    for shapes in nets:
        for method in ("uniform", "er", "erk"):
            for sparsity in (0.5, 0.8, 0.95):
                named = {str(i): shape for i, shape in enumerate(shapes)}
                counts = definition.allocation(method, named, sparsity)
                given = {"method": method, "shapes": shapes, "sparsity": sparsity}
                total = definition.removed(sum(map(prod, shapes)), sparsity)
                found = {"counts": list(counts.values()), "total": total}
                yield _vector("allocate", "A.1 A.2 A.3", given) | found


def _scores(rng: Rng) -> Iterator[Vector]:
    """The criteria whose formula is a line of the conformance checks."""
    for name, (needs, formula) in FORMULAS.items():
        for shape in ((2, 3), (4, 6), (1, 1)):
            drawn = {need: numbers(rng, *shape) for need in needs}
            if "input_norm" in drawn:
                drawn["input_norm"] = np.abs(numbers(rng, shape[1]))
            for need in drawn.keys() & {"hess_diag", "fisher_diag"}:
                drawn[need] = np.abs(drawn[need])
            score = np.asarray(formula(**drawn), np.float64)
            yield _vector(
                "score",
                "C.2",
                {"criterion": name, "evidence": drawn},
                1e-6,
                "relative to the largest score: float32 arithmetic, a dozen roundings",
            ) | {"score": np.round(score, 12)}


def _products(rng: Rng) -> Iterator[Vector]:
    """Forward and backward of a masked layer, also as compressed rows."""
    for out, into, batch in ((5, 7, 4), (1, 1, 1), (8, 16, 3)):
        for density in (0.0, 0.2, 0.5, 1.0):
            weight = rng.integers(-64, 64, (out, into)) / 16.0
            mask = rng.random((out, into)) < density
            x, dy = (
                rng.integers(-64, 64, s) / 16.0 for s in ((batch, into), (batch, out))
            )
            rows = [np.flatnonzero(line) for line in mask]
            indices = np.concatenate(rows).astype(np.int64)
            pruned = weight * mask
            given = {"weight": weight, "mask": mask, "x": x, "dy": dy}
            given |= {"indptr": np.cumsum([0, *map(len, rows)]), "indices": indices}
            given |= {"values": weight[mask]}
            yield _vector(
                "product",
                "F.1 F.2 F.3",
                given,
                0.0,
                "exact: all sums have fewer bits than float32 holds",
            ) | {"y": x @ pruned.T, "dweight": dy.T @ x * mask, "dx": dy @ pruned}


def _removals(rng: Rng) -> Iterator[Vector]:
    """An MLP without biases, ReLU between its layers, hidden units to go."""
    for sizes, removed in (((4, 6, 3), ((1, 4),)), ((3, 5, 5, 2), ((0,), (2, 3, 4)))):
        shapes = zip(sizes[1:], sizes[:-1], strict=True)
        weights = [rng.integers(-8, 8, shape) / 4.0 for shape in shapes]
        x = rng.integers(-8, 8, (5, sizes[0])) / 4.0
        smaller = definition.shrink(weights, removed)
        y = x
        for number, weight in enumerate(smaller):
            y = y @ weight.T
            y = np.maximum(y, 0) if number < len(removed) else y
        given = {"weights": weights, "removed": removed, "x": x}
        yield _vector("shrink", "R.1", given, 0.0, "exact, as in product") | {
            "weights_left": smaller,
            "y": y,
        }


def _vector(
    kind: str,
    clauses: str,
    given: Mapping[str, Any],
    tolerance: float = 0.0,
    because: str = "exact: a mask or a count has no rounding",
) -> Vector:
    """The fields that every vector has."""
    return {
        "id": -1,
        "kind": kind,
        "clauses": clauses.split(),
        "tolerance": tolerance,
        "tolerance_because": because,
        "given": dict(given),
    }


KINDS: dict[str, Callable[[Rng], Iterator[Vector]]] = {
    "select": _selections,
    "select_network": _networks,
    "keep_of_group": _groups,
    "select_units": _units,
    "schedule": _schedules,
    "allocate": _allocations,
    "score": _scores,
    "product": _products,
    "shrink": _removals,
}


def read(folder: str | Path, place: Mapping[str, Any]) -> AnyArray:
    """The array at a place of the index, as any reader of the set does it."""
    kinds = {"float64": "<f8", "uint8": "|u1", "int64": "<i8"}
    count = prod(place["shape"])
    raw = (Path(folder) / "arrays.bin").read_bytes()
    found = np.frombuffer(raw, kinds[place["type"]], count, place["offset"])
    return found.reshape(place["shape"])
