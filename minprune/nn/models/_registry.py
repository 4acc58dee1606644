"""Models by name: the registry, and `build`.

A model is a function of one sample's shape and the number of outputs that returns the
root layer; its layers have the names that its author gave them.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from minprune._check import one_of
from minprune.data import Dataset
from minprune.nn.layer import Layer, Shape
from minprune.nn.network import Network

Model = Callable[..., Layer]
M = TypeVar("M", bound=Model)
MODELS: dict[str, Model] = {}


def model(function: M) -> M:
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
        return Network(
            root,
            data.input_shape,
            classes=data.classes,
            scale=data.scale,
            offset=data.offset,
            seed=seed,
        )
    except ValueError as why:
        raise ValueError(f"build: {name} cannot take {data.name}: {why}") from why


def image(shape: Shape) -> Shape:
    """The shape itself if it is that of an image; ValueError otherwise."""
    if len(shape) != 3:
        raise ValueError(f"samples have shape {shape}; expected images (C, H, W)")
    return shape


def signal(shape: Shape) -> Shape:
    """The shape itself if it is that of a sequence; ValueError otherwise."""
    if len(shape) != 2:
        raise ValueError(f"samples have shape {shape}; expected sequences (C, L)")
    return shape
