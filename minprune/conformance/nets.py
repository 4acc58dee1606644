"""Small networks whose channels are tied in the ways that toolkits stumble over.

Each function draws one, with an input and the units to be removed of a named layer; who
takes them out has to find what goes with them. `definition.networks` says how a network
is written down.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from minprune._check import FloatArray

Rng = np.random.Generator
Net = dict[str, Any]
Drawn = tuple[Net, FloatArray, dict[str, list[int]]]
SIDE = 4
"""Height and width of every map."""


def drawn(rng: Rng, *shape: int) -> FloatArray:
    """Multiples of 1/32 from -1 to 1, in float32."""
    return (rng.integers(-32, 33, shape) / 32.0).astype(np.float32)


def image(rng: Rng, channels: int) -> FloatArray:
    """Three images."""
    return drawn(rng, 3, channels, SIDE, SIDE)


def conv(
    rng: Rng, name: str, into: int, out: int, groups: int = 1, side: int = 3
) -> Net:
    """A convolution with a bias."""
    weight = drawn(rng, out, into // groups, side, side)
    leaf = {"kind": "conv", "name": name, "weight": weight, "groups": groups}
    return leaf | {"bias": drawn(rng, out)}


def linear(rng: Rng, name: str, into: int, out: int) -> Net:
    """A linear layer with a bias."""
    weight = drawn(rng, out, into)
    return {"kind": "linear", "name": name, "weight": weight, "bias": drawn(rng, out)}


def norm(rng: Rng, name: str, channels: int) -> Net:
    """A batch norm whose removed channels would leave something behind."""
    leaf: Net = {"kind": "batch_norm", "name": name}
    for part in ("scale", "shift", "mean"):
        leaf[part] = drawn(rng, channels)
    return leaf | {"variance": 0.5 + np.abs(drawn(rng, channels))}


def relu(name: str) -> Net:
    """A ReLU."""
    return {"kind": "relu", "name": name}


def chain(*children: Net) -> Net:
    """One after another."""
    return {"kind": "sequential", "children": list(children)}


def head(rng: Rng, channels: int) -> tuple[Net, Net]:
    """The mean over the places, and a linear layer."""
    return {"kind": "average", "name": "mean"}, linear(rng, "head", channels, 3)


def plain(rng: Rng) -> Drawn:
    """Convolutions in a row."""
    body = conv(rng, "a", 2, 6), relu("ra"), conv(rng, "b", 6, 4), relu("rb")
    return chain(*body, *head(rng, 4)), image(rng, 2), {"a": [0, 3, 4], "b": [1]}


def batch_norm(rng: Rng) -> Drawn:
    """Batch norms between them, whose shifts must go too."""
    first = conv(rng, "a", 2, 6), norm(rng, "na", 6), relu("ra")
    second = conv(rng, "b", 6, 4), norm(rng, "nb", 4), relu("rb")
    return chain(*first, *second, *head(rng, 4)), image(rng, 2), {"a": [1, 5], "b": [2]}


def residual(rng: Rng) -> Drawn:
    """A shortcut that ties what goes in to what comes out, and a free layer inside."""
    inside = conv(rng, "b", 4, 5), norm(rng, "nb", 5), relu("rb"), conv(rng, "c", 5, 4)
    block = {"kind": "residual", "children": list(inside)}
    stem = conv(rng, "a", 2, 4), relu("ra")
    whole = chain(*stem, block, relu("rc"), *head(rng, 4))
    return whole, image(rng, 2), {"a": [2], "b": [0, 4]}


def concat(rng: Rng) -> Drawn:
    """Two ways side by side: the second one's channels are shifted behind them."""
    ways = [
        chain(conv(rng, "b", 3, 4), relu("rb")),
        chain(conv(rng, "c", 3, 5, side=1), relu("rc")),
    ]
    both = {"kind": "concat", "children": ways}
    whole = chain(
        conv(rng, "a", 2, 3), relu("ra"), both, conv(rng, "d", 9, 2), relu("rd")
    )
    removed = {"a": [1], "b": [0], "c": [2, 4]}
    return chain(*whole["children"], *head(rng, 2)), image(rng, 2), removed


def grouped(rng: Rng) -> Drawn:
    """A convolution of two groups: the same place goes from each."""
    body = conv(rng, "a", 2, 6), relu("ra"), conv(rng, "b", 6, 4, groups=2), relu("rb")
    return chain(*body, *head(rng, 4)), image(rng, 2), {"a": [1, 4]}


def depthwise(rng: Rng) -> Drawn:
    """A convolution with a group for each channel, between two plain ones."""
    narrow = conv(rng, "b", 5, 5, groups=5), norm(rng, "nb", 5), relu("rb")
    body = conv(rng, "a", 2, 5), relu("ra"), *narrow, conv(rng, "c", 5, 3, side=1)
    return chain(*body, *head(rng, 3)), image(rng, 2), {"a": [0, 3]}


def flattened(rng: Rng) -> Drawn:
    """Maps that a linear layer reads place by place."""
    body = conv(rng, "a", 2, 5), relu("ra"), {"kind": "flatten", "name": "flat"}
    tail = linear(rng, "b", 5 * SIDE * SIDE, 6), relu("rb"), linear(rng, "c", 6, 3)
    return chain(*body, *tail), image(rng, 2), {"a": [1, 2], "b": [0, 5]}


def shared(rng: Rng) -> Drawn:
    """A layer that is used twice, so that it reads what it makes."""
    again = conv(rng, "b", 4, 4)
    body = conv(rng, "a", 2, 4), relu("ra"), again, relu("rb"), again, relu("rc")
    return chain(*body, *head(rng, 4)), image(rng, 2), {"b": [3]}


NETS: dict[str, Callable[[Rng], Drawn]] = {
    make.__name__: make
    for make in (
        plain,
        batch_norm,
        residual,
        concat,
        grouped,
        depthwise,
        flattened,
        shared,
    )
}
