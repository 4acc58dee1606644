"""Questions of chapters F and R: sparse products, and units really taken out."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from minprune._check import AnyArray, BoolArray, FloatArray
from minprune.conformance import definition, nets
from minprune.conformance.vectors._vector import (
    Rng,
    Vector,
    sixteenths,
    upwards,
    vector,
)

EXACT = "exact: all sums have fewer bits than float32 holds"
BOUND = (
    "relative to the largest magnitude: twice n u times what the network of absolute "
    "values makes of the absolute input; n adds up the lengths of the sums on the way, "
    "u = 2^-24 is the roundoff of float32"
)


def product(rng: Rng) -> Iterator[Vector]:
    """Forward and backward of a masked layer, also as rows, blocks and bits."""
    for out, into, batch in ((5, 7, 4), (1, 1, 1), (8, 16, 3)):
        for density in (0.0, 0.2, 0.5, 1.0):
            weight = sixteenths(rng, out, into)
            mask = rng.random((out, into)) < density
            x, dy = sixteenths(rng, batch, into), sixteenths(rng, batch, out)
            pruned = weight * mask
            given: dict[str, Any] = {"weight": weight, "mask": mask, "x": x, "dy": dy}
            given |= rows(pruned, mask) | {"bits": bits(mask)}
            given["blocks"] = blocks(pruned, mask, 2, 4)
            yield vector("product", "F.1 F.2 F.3", given, 0.0, EXACT) | {
                "y": x @ pruned.T,
                "dweight": dy.T @ x * mask,
                "dx": dy @ pruned,
            }


def rows(weight: FloatArray, mask: BoolArray) -> dict[str, Any]:
    """Compressed rows: what is kept is stored, zeros included."""
    places = [np.flatnonzero(line) for line in mask]
    return {
        "indptr": np.cumsum([0, *map(len, places)]),
        "indices": np.concatenate(places).astype(np.int64),
        "values": weight[mask],
    }


def bits(mask: BoolArray) -> AnyArray:
    """Eight places a byte, the first in the lowest bit, in flat order."""
    flat = np.zeros(-(-mask.size // 8) * 8, np.int64)
    flat[: mask.size] = mask.ravel()
    packed: AnyArray = flat.reshape(-1, 8) @ (1 << np.arange(8))
    return packed


def blocks(weight: FloatArray, mask: BoolArray, high: int, wide: int) -> dict[str, Any]:
    """Block rows: every block that keeps something, padded with zeros at the edge."""
    down, across = -(-len(weight) // high), -(-weight.shape[1] // wide)
    edge = ((0, down * high - len(weight)), (0, across * wide - weight.shape[1]))
    tiles = np.pad(weight, edge).reshape(down, high, across, wide).swapaxes(1, 2)
    inside = np.pad(mask, edge).reshape(down, high, across, wide)
    kept: BoolArray = np.asarray(inside.any(axis=(1, 3)))
    places = [np.flatnonzero(line) for line in kept]
    return {
        "block": [high, wide],
        "indptr": np.cumsum([0, *map(len, places)]),
        "indices": np.concatenate(places).astype(np.int64),
        "values": tiles[kept],
    }


def convolve(rng: Rng) -> Iterator[Vector]:
    """Forward and backward of a masked convolution, product by product."""
    cases = [
        {"stride": 1, "padding": 0, "dilation": 1, "groups": 1},
        {"stride": 2, "padding": 1, "dilation": 1, "groups": 1},
        {"stride": 1, "padding": 2, "dilation": 2, "groups": 2},
        {"stride": 1, "padding": 1, "dilation": 1, "groups": 4},
    ]
    for case in cases:
        for density in (0.3, 1.0):
            weight = sixteenths(rng, 4, 4 // case["groups"], 3, 3)
            mask = rng.random(weight.shape) < density
            x = sixteenths(rng, 2, 4, 6, 5)
            steps = list(_steps(weight.shape, x.shape, **case))
            high = 1 + max(step[1][2] for step in steps)
            wide = 1 + max(step[1][3] for step in steps)
            dy = sixteenths(rng, 2, 4, high, wide)
            y, dx, dweight = (np.zeros(a.shape) for a in (dy, x, weight))
            pruned = weight * mask
            for w, to, source in steps:
                y[to] += pruned[w] * x[source]
                dx[source] += pruned[w] * dy[to]
                dweight[w] += x[source] * dy[to]
            given = {"weight": weight, "mask": mask, "x": x, "dy": dy, **case}
            yield vector("convolve", "F.1 F.2 F.3", given, 0.0, EXACT) | {
                "y": y,
                "dweight": dweight * mask,
                "dx": dx,
            }


def _steps(
    weight: tuple[int, ...],
    x: tuple[int, ...],
    stride: int,
    padding: int,
    dilation: int,
    groups: int,
) -> Iterator[tuple[Any, Any, Any]]:
    """Places in the weight, the output and the input that meet in one product."""
    out, inside, high, wide = weight
    rows, columns = (
        (side + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
        for side, kernel in ((x[2], high), (x[3], wide))
    )
    for n, o, i, j in np.ndindex(x[0], out, rows, columns):
        for c, a, b in np.ndindex(inside, high, wide):
            row = i * stride - padding + a * dilation
            column = j * stride - padding + b * dilation
            if 0 <= row < x[2] and 0 <= column < x[3]:
                channel = o // (out // groups) * inside + c
                yield (o, c, a, b), (n, o, i, j), (n, channel, row, column)


def shrink(rng: Rng) -> Iterator[Vector]:
    """An MLP without biases, ReLU between its layers, hidden units to go."""
    for sizes, removed in (((4, 6, 3), ((1, 4),)), ((3, 5, 5, 2), ((0,), (2, 3, 4)))):
        shapes = zip(sizes[1:], sizes[:-1], strict=True)
        weights = [rng.integers(-8, 8, shape) / 4.0 for shape in shapes]
        x = rng.integers(-8, 8, (5, sizes[0])) / 4.0
        smaller = definition.shrink(weights, removed)
        given = {"weights": weights, "removed": removed, "x": x}
        yield vector("shrink", "R.1", given, 0.0, EXACT) | {
            "weights_left": smaller,
            "y": definition.evaluate(definition.mlp(smaller), x),
        }


def compact(rng: Rng) -> Iterator[Vector]:
    """Networks whose channels are tied in every way that toolkits stumble over."""
    for name, make in nets.NETS.items():
        net, x, removed = make(rng)
        smaller = definition.compact(net, x, removed)
        y = np.round(definition.evaluate(smaller, x), 10)
        off = definition.rounding(net, x).max()
        given = {"name": name, "network": net, "x": x, "removed": removed}
        tolerance = upwards(float(off / np.abs(y).max()))
        yield vector("compact", "R.1", given, tolerance, BOUND) | {
            "network_left": smaller,
            "y": y,
        }
