"""A graph of ONNX operators, collected node by node.

Values have names: the input, what a node writes, and constants. A value that is the
answer of a layer has the layer's dotted name, a constant that of the parameter; what
stands in between is named behind a slash, such as ``gru/steps``.
"""

from collections.abc import Sequence

import numpy as np

from minprune._check import AnyArray
from minprune._version import __version__
from minprune.export.onnx.proto import (
    Values,
    attribute,
    message,
    metadata,
    tensor,
    value_info,
)

OPSET = 20
"""Version of the operators. Each means since then what it is used for here: LayerNorm
came with 17, GELU with 20."""

IR_VERSION = 9
"""Of the file format: the one that came with operators 20."""

BATCH = "N"
"""Name of the axis whose size is free."""


class Builder:
    """Nodes and constants in the order in which they were asked for.

    Parameters
    ----------
    shape : tuple of int
        Of one raw sample, which the graph takes as ``input``, float32, batch first.
    lengths : bool
        Take the true lengths of padded sequences too, as ``lengths``, int32, (N,).
    """

    def __init__(self, shape: Sequence[int], lengths: bool = False) -> None:
        self.inputs = [value_info("input", "float32", (BATCH, *shape))]
        self._taken = {"input", "output"}
        if lengths:
            self.inputs.append(value_info("lengths", "int32", (BATCH,)))
            self._taken.add("lengths")
        self.nodes: list[bytes] = []
        self.constants: list[bytes] = []

    def constant(self, name: str, array: AnyArray) -> str:
        """An array in the file; returns its name."""
        name = self._free(name)
        self.constants.append(tensor(name, array))
        return name

    def node(
        self,
        op: str,
        inputs: Sequence[str],
        name: str,
        output: int = 0,
        **attributes: Values,
    ) -> str:
        """An operator; returns the name of the value it writes.

        `output` says which of its outputs is wanted; those before it get no name, which
        is how ONNX leaves them out.
        """
        name = self._free(name)
        given = [attribute(key, value) for key, value in sorted(attributes.items())]
        self._write(op, inputs, [""] * output + [name], name, given)
        return name

    def reshape(self, x: str, shape: Sequence[int], name: str) -> str:
        """Samples of another shape; the batch stays, as the 0 says."""
        sizes = self.constant(f"{name}.shape", np.array([0, *shape], np.int64))
        return self.node("Reshape", [x, sizes], name)

    def model(
        self, output: str, shape: Sequence[int], entries: dict[str, str]
    ) -> bytes:
        """The whole file, with `output` as the answer and `entries` as metadata."""
        self._write("Identity", [output], ["output"], "output", [])
        graph = message(
            "GraphProto",
            node=self.nodes,
            name="minprune",
            initializer=self.constants,
            input=self.inputs,
            output=[value_info("output", "float32", (BATCH, *shape))],
        )
        operators = message("OperatorSetIdProto", domain="", version=OPSET)
        return message(
            "ModelProto",
            ir_version=IR_VERSION,
            producer_name="minprune",
            producer_version=__version__,
            graph=graph,
            opset_import=operators,
            metadata_props=metadata(entries),
        )

    def _write(
        self,
        op: str,
        inputs: Sequence[str],
        outputs: Sequence[str],
        name: str,
        attributes: list[bytes],
    ) -> None:
        """File a node."""
        node = message(
            "NodeProto",
            input=list(inputs),
            output=list(outputs),
            name=name,
            op_type=op,
            attribute=attributes,
        )
        self.nodes.append(node)

    def _free(self, name: str) -> str:
        """The name, or the first of name_2, name_3, ... that is not in use."""
        found, number = name, 1
        while found in self._taken:
            number += 1
            found = f"{name}_{number}"
        self._taken.add(found)
        return found
