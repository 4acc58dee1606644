"""Multi-layer perceptrons and convolutional networks from ONNX files.

The file is read by the onnx package, which the extra ``[onnx]`` brings. Its graph has
to be one that a tree of layers computes: one input, one output, and branches that part
at one value and meet again in an Add (`Residual`), a Concat or, as a squeeze-excite
gate, a Mul. Everything else is refused by the name of the node.

Multiplications and additions of constants right behind the input become the network's
preprocessing. A zero in a weight is taken to be pruned: the network gets a mask.
"""

import json
import math
import os
from collections import Counter
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from minprune._check import AnyArray
from minprune.files import LIMIT_BYTES
from minprune.files.atomic import explained
from minprune.nn.chain import Sequential
from minprune.nn.foreign_onnx.node import Operator
from minprune.nn.foreign_onnx.tree import Tree
from minprune.nn.foreign_onnx.values import Values
from minprune.nn.network import Network

OPSETS = range(13, 29)
"""Versions of the operators in which those known here mean the same."""

FILE_LIMIT = 2**31
"""Bytes; protocol buffers take no larger message."""

CLASSES = "minprune.classes"
"""Metadata that `minprune.export.onnx` writes."""


def read_onnx(path: str | PathLike[str]) -> Network:
    """The network in an ONNX file.

    Parameters
    ----------
    path : path

    Returns
    -------
    net : Network
        In float32. Layers are named after their weights or nodes.

    Raises
    ------
    ValueError
        If the onnx package is missing, the file is damaged, keeps its weights in other
        files or is of a version that is not known, or if a node has no layer here: its
        name, its operator and what is known. One line.
    OSError
        If the file cannot be read.

    Notes
    -----
    Operators of versions 13 to 28 are known. Weights of other precisions are rounded
    to float32. The batch is the first axis of the input, whatever size the file gives
    it.
    """
    try:
        import onnx
    except ImportError:
        raise ValueError(
            f"{path}: reading ONNX needs the onnx package; "
            f'python -m pip install "minprune[onnx]" adds it'
        ) from None
    try:
        size = os.path.getsize(path)
        data = Path(path).read_bytes() if size <= FILE_LIMIT else b""
    except OSError as error:
        raise explained(error, f"{path} cannot be read") from error
    if size > FILE_LIMIT:
        raise ValueError(f"{path}: it has {size} bytes; ONNX files end at {FILE_LIMIT}")
    try:
        model = onnx.load_model_from_string(data)
    except Exception as why:  # of the protobuf package, whose classes differ
        raise ValueError(
            f"{path}: this is no ONNX file, or it is damaged or cut short"
        ) from why
    try:
        return _network(onnx, model)
    except RecursionError as why:
        raise ValueError(f"{path}: its branches are nested too deeply") from why
    except ValueError as why:
        raise ValueError(f"{path}: {why}") from why


def _network(onnx: Any, model: Any) -> Network:
    """The network of a parsed file."""
    _known(model)
    graph = model.graph
    constants = {one.name: _array(onnx, one) for one in graph.initializer}
    _check(onnx, model)
    inputs = [one for one in graph.input if one.name not in constants]
    if len(inputs) != 1 or len(graph.output) != 1:
        raise ValueError(
            f"the graph has {len(inputs)} inputs and {len(graph.output)} outputs; "
            f"expected one of each"
        )
    sizes = [
        one.dim_value if one.HasField("dim_value") else 0
        for one in inputs[0].type.tensor_type.shape.dim
    ]
    if len(sizes) < 2 or min(sizes[1:]) < 1:
        raise ValueError(
            f"input {inputs[0].name!r} has sizes {sizes}; expected the batch and then "
            f"at least one axis, each of a known size (0 is unknown)"
        )
    readers = Counter(name for node in graph.node for name in node.input)
    readers.update(one.name for one in graph.output)
    values = Values(inputs[0].name, tuple(sizes[1:]), readers)
    for index, node in enumerate(graph.node):
        given = {one.name: _attribute(onnx, one) for one in node.attribute}
        operator = Operator(
            node.op_type,
            node.name or f"{node.op_type.lower()}_{index}",
            tuple(name for name in node.input if name and name not in constants),
            {i: constants[n] for i, n in enumerate(node.input) if n in constants},
            given,
        )
        if not node.output:
            raise operator.refuse("writes nothing")
        if node.domain not in ("", "ai.onnx"):
            raise operator.refuse(f"is of domain {node.domain!r}, which is not known")
        if node.op_type == "Constant":
            constants[node.output[0]] = _constant(onnx, operator)
        else:
            values.add(operator, node.output[0], _stem(node.input, constants))
    layers = Tree(values.values, values.alone).chain(*values.ends(graph.output[0].name))
    entries = {one.key: one.value for one in model.metadata_props}
    net = Network(
        Sequential(layers),
        values.input_shape,
        classes=_classes(entries.get(CLASSES, "[]")),
        scale=values.scale,
        offset=values.offset,
    )
    net.set_masks({k: w != 0 for k, w in net.weights().items() if not w.all()})
    return net


def _known(model: Any) -> None:
    """ValueError unless the file is of a version and a kind that is read here."""
    versions = {one.domain: one.version for one in model.opset_import}
    version, graph = versions.get("", versions.get("ai.onnx", 0)), model.graph
    if not len(graph.node):
        raise ValueError("it holds no graph, or an empty one")
    if version not in OPSETS:
        raise ValueError(
            f"its operators are of version {version}; versions {OPSETS[0]} to "
            f"{OPSETS[-1]} are read, and onnx.version_converter converts"
        )
    if any(node.op_type == "DequantizeLinear" for node in graph.node):
        raise ValueError("it is quantized; read the file that it was made of")
    if len(graph.sparse_initializer):
        raise ValueError("it has sparse constants, which are not read here")
    texts = [one.name for one in (*graph.initializer, *graph.input, *graph.output)]
    for node in graph.node:
        texts += [node.name, node.op_type, node.domain, *node.input, *node.output]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("a name in it is no text")


def _check(onnx: Any, model: Any) -> None:
    """What the onnx package itself finds wrong, in one line."""
    try:
        onnx.checker.check_model(model)
    except Exception as why:
        lines = str(why).strip().splitlines() or ["it is not valid"]
        raise ValueError(f"the onnx checker says: {lines[0]}") from why


def _array(onnx: Any, tensor: Any) -> AnyArray:
    """A constant; nothing outside the file is looked at."""
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        raise ValueError(
            f"{tensor.name!r} lies in another file; load the model and save it again "
            f"by onnx.save, which keeps all in one"
        )
    if 8 * math.prod(tensor.dims) > LIMIT_BYTES or min([0, *tensor.dims]) < 0:
        raise ValueError(f"{tensor.name!r} has the shape {list(tensor.dims)}")
    try:
        array: AnyArray = np.asarray(onnx.numpy_helper.to_array(tensor))
    except (ValueError, TypeError, KeyError) as why:
        raise ValueError(f"{tensor.name!r} does not hold what its shape says") from why
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{tensor.name!r} has type {array.dtype}; expected numbers")
    return array


def _attribute(onnx: Any, attribute: Any) -> Any:
    """The value of an attribute; text as text."""
    value = onnx.helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return list(value) if attribute.type == onnx.AttributeProto.INTS else value


def _constant(onnx: Any, node: Operator) -> AnyArray:
    """What a Constant node holds."""
    if "value" in node.attributes:
        return _array(onnx, node.attributes["value"])
    for key in ("value_float", "value_int", "value_ints", "value_floats"):
        if key in node.attributes:
            return np.asarray(node.attributes[key])
    raise node.refuse("is of a kind that is not known")


def _stem(inputs: Any, constants: Mapping[str, AnyArray]) -> str:
    """What a layer is called whose weight is called so; empty if it has no name."""
    named = [n for n in inputs if n in constants and n.endswith(".weight")]
    return named[0].removesuffix(".weight") if named else ""


def _classes(text: str) -> tuple[str, ...]:
    """Class names from the metadata; none if they are no list of texts."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return ()
    return tuple(map(str, found)) if isinstance(found, list) else ()
