"""A quantized network as a manifest and named arrays; `rebuild` is the way back.

The manifest has one root of kind ``Quantized``; its children are the steps in order,
each under the name of its layer. Value 0 is what the door lets in, step i writes value
i + 1, and the last value is the answer. Every number of the manifest is whole; scales
are in the arrays, so that a reader with single precision gets them exactly.

=================== ================================ ===================================
array               shape and type                   holds
=================== ================================ ===================================
``levels.scale``    (values,) float32                scale of every value
``levels.zero``     (values,) int8                   zero point of every value
``NAME.weight``     int8, (out, in/groups, kh, kw)   in any form of `minprune.files`
``NAME.bias``       (out,) int32                     with the zero point folded in
``NAME.multiplier`` (1,), (out,); (3,) of a sum int32 see `minprune.quantize.fixed`
``NAME.exponent``   as the multiplier, int8
=================== ================================ ===================================

The scale of a weight is not stored: it follows from the multiplier and the scales of
the values before and behind (`AffineNumbers.scales`).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from minprune._check import AnyArray
from minprune.files import stored
from minprune.nn.tree import join
from minprune.nn.window import Window
from minprune.quantize.arithmetic import AddNumbers, AffineNumbers, Levels, bounds
from minprune.quantize.graph import Add, Affine, Clip, Concat, Graph, Pool, Step

FORMAT = 1
ROOT = "Quantized"
"""Kind of the root of a manifest that describes a quantized network."""

Numbers = dict[int, AffineNumbers | AddNumbers]
KINDS: dict[str, type[Step]] = {
    "QuantizedAffine": Affine,
    "QuantizedPool": Pool,
    "QuantizedAdd": Add,
    "QuantizedConcat": Concat,
    "QuantizedClip": Clip,
}
NAMES = {step: name for name, step in KINDS.items()}


def describe(graph: Graph, levels: Mapping[int, Levels]) -> dict[str, Any]:
    """The manifest."""
    place = _places(graph)
    steps = []
    for step in graph.steps:
        low, high = bounds(step, levels[step.y])
        arguments: dict[str, Any] = {
            "reads": [place[x] for x in step.xs],
            "plane": list(step.plane),
            "low": low,
            "high": high,
        }
        if isinstance(step, Affine):
            arguments |= {"layer": step.kind, "out_channels": step.out[0]}
            arguments |= {"groups": step.groups, **_geometry(step.window)}
        elif isinstance(step, Pool):
            arguments |= {"largest": step.largest, **_geometry(step.window)}
        steps.append(
            {
                "kind": NAMES[type(step)],
                "name": step.name,
                "args": arguments,
                "children": [],
            }
        )
    return {
        "format": FORMAT,
        "input_shape": list(graph.input_shape),
        "classes": list(graph.classes),
        "root": {"kind": ROOT, "name": "", "args": {}, "children": steps},
    }


def state(
    graph: Graph, levels: Mapping[int, Levels], numbers: Numbers
) -> dict[str, AnyArray]:
    """The arrays, weights in the smallest form that holds them."""
    values = [levels[value] for value in _places(graph)]
    tensors: dict[str, AnyArray] = {
        "preprocess.scale": graph.scale,
        "preprocess.offset": graph.offset,
        "levels.scale": np.array([v.scale for v in values], np.float32),
        "levels.zero": np.array([v.zero for v in values], np.int8),
    }
    for step in graph.steps:
        held = numbers.get(step.y)
        if held is None:
            continue
        if isinstance(step, Affine) and isinstance(held, AffineNumbers):
            weight = held.weight.astype(np.int8).reshape(step.weight.shape)
            name = join(step.name, "weight")
            tensors |= stored.encode(name, weight, step.mask, coded=True)
            tensors[join(step.name, "bias")] = held.bias.astype(np.int32)
        tensors[join(step.name, "multiplier")] = np.array(held.multiplier, np.int32)
        tensors[join(step.name, "exponent")] = np.array(held.exponent, np.int8)
    return tensors


def _places(graph: Graph) -> dict[int, int]:
    """The number in the file of every value, in order."""
    return {0: 0} | {step.y: i for i, step in enumerate(graph.steps, 1)}


def _geometry(view: Window) -> dict[str, Any]:
    """The window as a manifest names it."""
    return {
        "kernel_size": list(view.kernel),
        "stride": list(view.stride),
        "padding": [list(sides) for sides in view.padding],
        "dilation": list(view.dilation),
    }
