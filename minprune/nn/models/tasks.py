"""One trunk, several answers."""

import math

from minprune.nn.activation import Flatten, ReLU
from minprune.nn.chain import Heads, Sequential
from minprune.nn.layer import Layer, Shape
from minprune.nn.linear import Linear
from minprune.nn.models._registry import model


@model
def multi_head(
    shape: Shape,
    outputs: int,
    heads: tuple[tuple[str, int], ...] | None = None,
    hidden: int = 128,
) -> Layer:
    """A hidden layer that all tasks share, and a linear head for each.

    `heads` names the tasks and their numbers of outputs, which add up to `outputs`;
    left out, there is one task.
    """
    heads = (("task", outputs),) if heads is None else heads
    if sum(count for _, count in heads) != outputs:
        raise ValueError(
            f"multi_head: the heads {heads} do not add up to {outputs} outputs"
        )
    trunk = Sequential(
        {
            "flatten": Flatten(),
            "fc1": Linear(math.prod(shape), hidden),
            "relu1": ReLU(),
        }
    )
    branches = {name: Linear(hidden, count) for name, count in heads}
    return Sequential({"trunk": trunk, "heads": Heads(branches)})
