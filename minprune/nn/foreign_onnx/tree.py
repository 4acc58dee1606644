"""The tree of layers that makes a value, built from the end.

Where branches meet, the nearest value that all of them pass says where they parted: the
chains between the two become the branches of one layer.
"""

from collections.abc import Mapping

from minprune.nn.activation import Flatten
from minprune.nn.chain import Concat, Residual, Sequential, SqueezeExcite
from minprune.nn.foreign_onnx.values import Value
from minprune.nn.layer import Layer
from minprune.nn.pool import GlobalAvgPool


class Tree:
    """Builds layers out of values; each value is used once."""

    def __init__(self, values: Mapping[str, Value], alone: Mapping[str, bool]) -> None:
        self.values, self.alone = values, alone
        self._used: set[str] = set()

    def chain(self, end: str, start: str) -> dict[str, Layer]:
        """The layers between two values, all ways to `end` passing `start`."""
        layers: list[tuple[str, Layer]] = []
        while end != start:
            value, before = self.values[end], self.values[self.values[end].split]
            assert value.node is not None, "only the input has no node"
            if end in self._used:
                raise value.node.refuse("is read by branches that do not nest")
            self._used.add(end)
            if isinstance(value.layer, Flatten) and self._is_global(value.split):
                # ONNX leaves planes of one position behind a global pool.
                layers.append((before.name, GlobalAvgPool()))
                end = before.split
                continue
            layers.append((value.name, value.layer or self._joined(value)))
            end = value.split
        return dict(reversed(layers))

    def _is_global(self, name: str) -> bool:
        """Whether a value is a mean over all positions that nobody else reads."""
        node = self.values[name].node
        means = ("GlobalAveragePool", "ReduceMean")
        return node is not None and node.op in means and self.alone[name]

    def _joined(self, value: Value) -> Layer:
        """The layer in which branches meet."""
        chains = [self.chain(source, value.split) for source in value.sources]
        branches = [Sequential(chain) for chain in chains]
        if value.node is not None and value.node.op == "Concat":
            return Concat(*branches)
        if value.node is not None and value.node.op == "Mul":
            gate, source = next(
                pair for pair in zip(chains, value.sources, strict=True) if pair[0]
            )
            if len(self.values[source].shape) > 1:
                gate["flatten"] = Flatten()
            return SqueezeExcite(Sequential(gate))
        body, around = sorted(branches, key=lambda branch: not branch.children)
        return Residual(body, around if around.children else None)
