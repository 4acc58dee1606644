"""Fully connected networks."""

import math

from minprune.nn.activation import Flatten, ReLU
from minprune.nn.chain import Sequential
from minprune.nn.layer import Layer, Shape
from minprune.nn.linear import Linear
from minprune.nn.models._registry import model
from minprune.nn.norm import BatchNorm


@model
def mlp(shape: Shape, outputs: int, hidden: tuple[int, ...] = (128, 64)) -> Layer:
    """Fully connected layers with ReLU between them."""
    layers: dict[str, Layer] = {"flatten": Flatten()}
    features = math.prod(shape)
    for index, width in enumerate(hidden, 1):
        layers |= {f"fc{index}": Linear(features, width), f"relu{index}": ReLU()}
        features = width
    layers[f"fc{len(hidden) + 1}"] = Linear(features, outputs)
    return Sequential(layers)


@model
def mlp_128(shape: Shape, outputs: int) -> Layer:
    """One hidden layer of 128, Keras's first example; 101,770 parameters on MNIST."""
    return mlp(shape, outputs, (128,))


@model
def lenet_300_100(shape: Shape, outputs: int) -> Layer:
    """300 and 100 hidden units (LeCun et al. 1998); 266,610 parameters on MNIST."""
    return mlp(shape, outputs, (300, 100))


@model
def autoencoder(
    shape: Shape,
    outputs: int,
    hidden: tuple[int, ...] = (128, 128, 128, 128),
    code: int = 8,
) -> Layer:
    """Down to a code and up again, batch norm and ReLU throughout, for regression.

    With 640 inputs and outputs it is the anomaly detector of MLPerf Tiny (Banbury et
    al. 2021): 269,992 numbers, running statistics included.
    """
    layers: dict[str, Layer] = {"flatten": Flatten()}
    features = math.prod(shape)
    for index, width in enumerate((*hidden, code, *reversed(hidden)), 1):
        layers |= {
            f"fc{index}": Linear(features, width),
            f"bn{index}": BatchNorm(width),
            f"relu{index}": ReLU(),
        }
        features = width
    layers["out"] = Linear(features, outputs)
    return Sequential(layers)
