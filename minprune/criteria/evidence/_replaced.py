"""Evidence from changed networks: units silenced, parameters replaced by sizes."""

from collections.abc import Callable

import numpy as np

from minprune._check import FloatArray
from minprune.criteria.evidence._examples import Examples
from minprune.criteria.evidence._sites import sites, twin
from minprune.nn.layer import EVAL
from minprune.nn.network import Network


def loss_changes(net: Network, examples: Examples) -> dict[str, FloatArray]:
    """Rise of the mean loss when one unit is removed, for every unit of every layer.

    A unit is removed behind its batch norm and activation function: what it hands on is
    zero. One forward pass over the examples for each unit.
    """
    silent = twin(net)

    def mean_loss() -> float:
        return sum(loss for _, loss, _ in examples.passes(silent)) / len(examples)

    places = sites(silent)
    base = mean_loss()
    changes: dict[str, FloatArray] = {}
    for name, site in places.items():
        site.weighted("loss_change")
        units = len(site.weight)
        changes[name] = np.empty(units)
        for unit in range(units):
            site.tail.gate = np.ones(units)
            site.tail.gate[unit] = 0.0
            changes[name][unit] = mean_loss() - base
        site.tail.gate = None
    return changes


def path_gradients(
    net: Network, size: Callable[[FloatArray], FloatArray]
) -> dict[str, FloatArray]:
    """Gradient of the summed output for an input of ones, with every array resized.

    `size` is applied to parameters and statistics. With absolute values the output is
    the sum over paths of the sizes along them (SynFlow), with squares that of the
    squares. The ones stand behind the door, where the layers are.
    """
    positive = twin(net)
    for _, layer in positive.root.walk():
        for arrays in (layer.params, layer.buffers):
            for name, array in arrays.items():
                arrays[name] = size(array)
    output = positive.forward(np.ones((*net.input_shape, 1)), EVAL)
    positive.backward(np.ones_like(output))
    grads = positive.gradients()
    return {name: grads[name] for name in positive.weights()}
