"""The recurrent layers as ONNX operators: other order of axes, other order of gates.

ONNX wants sequences as (L, N, features), weights stacked by direction, and both biases
in one row. `ORDER` says which of our gates comes where in ONNX's.
"""

from collections.abc import Sequence

import numpy as np

from minprune._check import AnyArray
from minprune.export.onnx.builder import Builder
from minprune.nn.recurrent import Recurrent

ORDER = {"RNN": (0,), "LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2)}
"""LSTM: input, forget, cell, output here; input, output, forget, cell there. GRU:
reset, update, new here; update, reset, hidden there."""


def write_recurrent(
    builder: Builder, name: str, layer: Recurrent, x: str, steps: int, lengths: str
) -> str:
    """Write one layer of any number of levels; returns the value it gives.

    `lengths` is the value that holds the true lengths; empty if all are full.
    """
    if lengths:
        most = builder.constant(f"{name}.steps", np.array(steps, np.int32))
        lengths = builder.node("Min", [lengths, most], f"{name}/lengths")
    sides, hidden = len(layer.directions), layer.hidden_size
    attributes: dict[str, int | str] = {"hidden_size": hidden}
    attributes["direction"] = "bidirectional" if sides == 2 else "forward"
    if layer.kind == "GRU":
        # The reset gate multiplies what W_hh has made of the state, as in PyTorch.
        attributes["linear_before_reset"] = 1
    x = builder.node("Transpose", [x], f"{name}/in", perm=[2, 0, 1])
    for level in range(layer.num_layers):
        here, top = f"{name}/l{level}", level == layer.num_layers - 1
        inputs = [x, *_weights(builder, f"{name}.l{level}", layer, level), lengths]
        # Every step is (L, sides, N, hidden), the last alone (sides, N, hidden).
        end = top and layer.last
        y = builder.node(layer.kind, inputs, here, output=int(end), **attributes)
        perm = [1, 0, 2] if end else [2, 1, 3, 0] if top else [0, 2, 1, 3]
        x = builder.node("Transpose", [y], f"{here}/sides", perm=perm)
        if not top:
            x = builder.reshape(x, (0, sides * hidden), f"{here}/out")
    shape = (sides * hidden,) if layer.last else (sides * hidden, steps)
    return builder.reshape(x, shape, name)


def _weights(builder: Builder, name: str, layer: Recurrent, level: int) -> list[str]:
    """W (sides, gates * hidden, in), R (sides, gates * hidden, hidden), B."""

    def stacked(key: str, parts: Sequence[str]) -> str:
        sides = [
            np.concatenate(
                [
                    _reorder(layer, layer.params[f"{part}_l{level}{side}"])
                    for part in parts
                ]
            )
            for side in layer.directions
        ]
        return builder.constant(f"{name}.{key}", np.stack(sides).astype(np.float32))

    names = [stacked("W", ["weight_ih"]), stacked("R", ["weight_hh"])]
    return [*names, stacked("B", ["bias_ih", "bias_hh"]) if layer.bias else ""]


def _reorder(layer: Recurrent, rows: AnyArray) -> AnyArray:
    """The gates of a weight or a bias in ONNX's order."""
    gates = np.split(rows, layer.gates)
    return np.concatenate([gates[gate] for gate in ORDER[layer.kind]])
