"""Networks by name, each adapting to the shape of the data it is built for.

A model is a function of one sample's shape and the number of outputs that returns the
root layer. `build` looks it up by name and wraps it into a `Network`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from minprune._check import one_of
from minprune.data import Dataset
from minprune.nn.activation import Flatten, ReLU
from minprune.nn.chain import Sequential
from minprune.nn.conv import Conv1d, Conv2d
from minprune.nn.layer import Layer, Shape
from minprune.nn.linear import Linear
from minprune.nn.network import Network
from minprune.nn.pool import MaxPool1d, MaxPool2d

Model = Callable[..., Layer]
MODELS: dict[str, Model] = {}


def model(function: Model) -> Model:
    """File a model under its name and return it unchanged."""
    MODELS[function.__name__] = function
    return function


def build(name: str, data: Dataset, *, seed: int = 0, **options: Any) -> Network:
    """A freshly drawn network for a data set.

    Parameters
    ----------
    name : str
        One of `MODELS`.
    data : Dataset
        Gives input shape, classes and preprocessing.
    seed : int
        Seed of the initial weights.
    **options
        Passed on to the model, such as ``hidden=(128, 64)`` for ``mlp``.

    Raises
    ------
    ValueError
        If there is no such model (the nearest name is given), or if the model cannot
        take samples of this shape.

    Examples
    --------
    >>> from minprune import data
    >>> net = build("lenet_300_100", data.load("digits"))
    >>> {name: weight.shape for name, weight in net.weights().items()}
    {'fc1.weight': (300, 64), 'fc2.weight': (100, 300), 'fc3.weight': (10, 100)}
    """
    make = MODELS[one_of("build", "model", name, MODELS)]
    try:
        root = make(data.input_shape, data.outputs, **options)
    except ValueError as why:
        raise ValueError(f"build: {name} cannot take {data.name}: {why}") from why
    return Network(
        root,
        data.input_shape,
        classes=data.classes,
        scale=data.scale,
        offset=data.offset,
        seed=seed,
    )


@model
def mlp(shape: Shape, outputs: int, hidden: tuple[int, ...] = (128, 64)) -> Layer:
    """Fully connected layers with ReLU between them."""
    layers: dict[str, Layer] = {"flatten": Flatten()}
    features = int(np.prod(shape))
    for index, width in enumerate(hidden, 1):
        layers |= {f"fc{index}": Linear(features, width), f"relu{index}": ReLU()}
        features = width
    layers[f"fc{len(hidden) + 1}"] = Linear(features, outputs)
    return Sequential(layers)


@model
def lenet_300_100(shape: Shape, outputs: int) -> Layer:
    """300 and 100 hidden units (LeCun et al. 1998); 266,610 parameters on MNIST."""
    return mlp(shape, outputs, (300, 100))


@model
def small_cnn(shape: Shape, outputs: int) -> Layer:
    """Two 3x3 convolutions (16, 32), one pool, 64 hidden units: for small images."""
    front = Sequential(
        {
            "conv1": Conv2d(shape[0], 16, 3, padding=1),
            "relu1": ReLU(),
            "conv2": Conv2d(16, 32, 3, padding=1),
            "relu2": ReLU(),
            "pool": MaxPool2d(2),
            "flatten": Flatten(),
        }
    )
    return _with_head(front, shape, outputs, 64)


@model
def cnn1d(shape: Shape, outputs: int) -> Layer:
    """Two convolutions of 5 steps (16, 32), pools, 64 hidden units: for sequences."""
    if len(shape) == 1:
        raise ValueError(f"samples have shape {shape}; expected (C, L)")
    front = Sequential(
        {
            "conv1": Conv1d(shape[0], 16, 5, padding="same"),
            "relu1": ReLU(),
            "pool1": MaxPool1d(2),
            "conv2": Conv1d(16, 32, 5, padding="same"),
            "relu2": ReLU(),
            "pool2": MaxPool1d(2),
            "flatten": Flatten(),
        }
    )
    return _with_head(front, shape, outputs, 64)


def _with_head(front: Sequential, shape: Shape, outputs: int, hidden: int) -> Layer:
    """A front that ends flat, followed by one hidden layer and the outputs."""
    (features,) = front.output_shape(shape)
    return Sequential(
        {
            **front.children,
            "fc1": Linear(features, hidden),
            "relu3": ReLU(),
            "fc2": Linear(hidden, outputs),
        }
    )
