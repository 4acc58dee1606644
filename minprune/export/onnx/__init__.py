"""A network as an ONNX file, by a writer of our own: no package is needed for it.

`write` makes it of a `Network`, in float32, or of a `QuantizedNetwork`, in int8 with
QuantizeLinear and DequantizeLinear. The file takes raw samples: preprocessing is part
of the graph. Pruned weights are zeros in it, stored and multiplied: ONNX has a sparse
form for constants, but run times write it out when they load it.

References
----------
.. [1] "ONNX operators". https://onnx.ai/onnx/operators/
"""

import json
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import BinaryIO

import numpy as np

from minprune.export.onnx.builder import BATCH, IR_VERSION, OPSET, Builder
from minprune.export.onnx.integer import Steps
from minprune.export.onnx.layers import Layers
from minprune.files.atomic import atomic_write
from minprune.nn.network import Network
from minprune.nn.recurrent import Recurrent
from minprune.quantize.network import QuantizedNetwork

__all__ = ["BATCH", "IR_VERSION", "OPSET", "Written", "encode", "write"]

LIMIT = 2**31 - 1
"""Bytes; protocol buffers take no larger message."""


@dataclass(frozen=True, slots=True)
class Written:
    """The file, its size, and what it computes in."""

    path: Path
    bytes: int
    dtype: str
    """``"float32"`` or ``"int8"``."""
    nodes: int


def write(
    model: Network | QuantizedNetwork,
    path: str | PathLike[str],
    *,
    lengths: bool = False,
) -> Written:
    """Write an ONNX file.

    Parameters
    ----------
    model : Network or QuantizedNetwork
        In float32 or in int8. Numbers of another precision are rounded to float32.
    path : str or path
        Replaced at once or not at all.
    lengths : bool
        Give the graph a second input, ``lengths`` (int32, one for each sample), the
        true lengths of padded sequences; left out, sequences are full.

    Returns
    -------
    written : Written

    Raises
    ------
    ValueError
        If a layer has no ONNX form (its name and kind), if lengths are asked for where
        no layer reads them, or if the file would pass 2 GiB. Nothing is written then.
    OSError
        If the file cannot be written; what had its name is as it was.

    Notes
    -----
    Input ``input`` is (N, ...) in float32, raw; output ``output`` is (N, outputs). N is
    free. Operators are of version `OPSET`. Equal models give equal bytes. Class names
    are in the metadata, under ``minprune.classes``, as JSON.

    Examples
    --------
    >>> import tempfile
    >>> from minprune.nn import Linear, Sequential
    >>> net = Network(Sequential(Linear(4, 2)), (4,), seed=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     written = write(net, folder + "/net.onnx")
    >>> written.dtype, written.nodes
    ('float32', 2)
    """
    builder, data = _build(model, lengths)

    def fill(file: BinaryIO) -> None:
        file.write(data)

    atomic_write(path, fill)
    dtype = "float32" if isinstance(model, Network) else "int8"
    return Written(Path(path), len(data), dtype, len(builder.nodes))


def encode(model: Network | QuantizedNetwork, *, lengths: bool = False) -> bytes:
    """The bytes that `write` writes."""
    return _build(model, lengths)[1]


def _build(model: Network | QuantizedNetwork, lengths: bool) -> tuple[Builder, bytes]:
    """The graph, and the file that holds it."""
    recurrent = isinstance(model, Network) and any(
        isinstance(layer, Recurrent) for layer in model.layers().values()
    )
    if lengths and not recurrent:
        raise ValueError(
            "export: lengths are asked for, but no layer is recurrent, so none would "
            "read them; leave them out"
        )
    entries = {}
    if model.classes:
        entries["minprune.classes"] = json.dumps(list(model.classes))
    builder = Builder(model.input_shape, lengths)
    if isinstance(model, QuantizedNetwork):
        output = Steps(builder, model).output
    else:
        x = _door(builder, model)
        layers = Layers(builder, "lengths" if lengths else "")
        output = layers.visit("", model.root, x, model.input_shape)
    data = builder.model(output, model.output_shape, entries)
    if len(data) > LIMIT:
        raise ValueError(
            f"export: the file would take {len(data)} bytes; ONNX files end at {LIMIT}"
        )
    return builder, data


def _door(builder: Builder, net: Network) -> str:
    """Preprocessing: ``raw * scale + offset``, as far as it changes anything."""
    x = "input"
    if (net.scale != 1).any():
        scale = builder.constant("preprocess.scale", net.scale.astype(np.float32))
        x = builder.node("Mul", [x, scale], "preprocess/scale")
    if net.offset.any():
        offset = builder.constant("preprocess.offset", net.offset.astype(np.float32))
        x = builder.node("Add", [x, offset], "preprocess/offset")
    return x
