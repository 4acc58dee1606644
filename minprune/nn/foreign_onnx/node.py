"""A node of an ONNX graph as plain Python, and how it is refused."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minprune._check import AnyArray, finite


@dataclass(frozen=True, slots=True)
class Operator:
    """A node of the graph, its constants filled in."""

    op: str
    name: str
    inputs: tuple[str, ...]
    """Values that depend on the sample."""
    constants: Mapping[int, AnyArray]
    """Inputs that do not, by their position."""
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def refuse(self, why: str) -> ValueError:
        """The error that says which node is meant."""
        return ValueError(f"node {self.name!r}: {self.op} {why}")

    def weight(self, position: int, axes: int) -> AnyArray:
        """A constant as finite float32 with so many axes."""
        array = self.constants.get(position)
        if array is None:
            raise self.refuse(f"has no constant at input {position}")
        if array.dtype.kind not in "fiu" or array.ndim != axes:
            raise self.refuse(
                f"has a {array.dtype} of shape {array.shape} at input {position}; "
                f"expected numbers with {axes} axes"
            )
        finite(f"node {self.name!r}", weight=array)
        return array.astype(np.float32)

    def whole(self, key: str, position: int) -> list[int] | None:
        """Whole numbers that came as an attribute once and come as an input now."""
        if (array := self.constants.get(position)) is not None:
            return [int(n) for n in array.ravel()]
        given = self.attributes.get(key)
        return None if given is None else [int(n) for n in np.ravel(given)]

    def only(self, key: str, *allowed: Any) -> None:
        """Refuse an attribute of any other value; the first is its default."""
        value = self.attributes.get(key, allowed[0])
        if value not in allowed:
            raise self.refuse(f"has {key} = {value!r}; expected {allowed[0]!r}")
