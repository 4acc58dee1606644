"""What a zeroed filter still says, moved to where it is heard.

A filter whose weights are all zero emits the same number everywhere: its bias, or the
shift of its batch norm, through its activation. `fold_constants` follows such numbers
through the network and adds what they come to to the biases of the layers that read
them. Nobody reads the filter after that, and `shrink` takes it out.
"""

from functools import singledispatch
from typing import Literal

import numpy as np

from minprune._check import FloatArray, one_of
from minprune.nn.activation import Activation, Flatten, Softmax
from minprune.nn.chain import Concat, Residual, Sequential, SqueezeExcite
from minprune.nn.conv import Convolution
from minprune.nn.dropout import Dropout
from minprune.nn.embedding import Embedding
from minprune.nn.layer import Layer, Shape
from minprune.nn.linear import Linear
from minprune.nn.network import Network
from minprune.nn.norm import BatchNorm, LayerNorm
from minprune.nn.pool import AvgPool, GlobalAvgPool, MaxPool
from minprune.nn.recurrent import Recurrent
from minprune.structure.merge import scale_and_shift
from minprune.structure.surgery import remove

Border = Literal["refuse", "interior"]


def fold_constants(net: Network, *, border: Border = "refuse") -> Network:
    """The network in which nobody reads a channel that is always the same.

    Parameters
    ----------
    net : Network
        Left as it is.
    border : {"refuse", "interior"}
        What to do where a constant meets a border of zeros, so that it is not constant
        after all: raise, or go by the value away from the border.

    Returns
    -------
    folded : Network
        Of dense layers in the same shapes. Weights that read constants are masked, and
        the biases of these layers hold what they came to.

    Raises
    ------
    ValueError
        If a constant that is not zero is padded with zeros and `border` is "refuse".

    See Also
    --------
    shrink : Takes out what is no longer read.

    Notes
    -----
    In evaluation the function is the same but for rounding, unless `border` is
    "interior" and there is such a border. This differs from removing a channel, which
    makes it zero.

    Examples
    --------
    The second unit is 3 whatever comes in, and the layer behind takes it twice.

    >>> from minprune import nn
    >>> root = nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 1))
    >>> net = nn.Network(root, (1,))
    >>> net.parameters()["0.weight"][:] = [[1], [0]]
    >>> net.parameters()["0.bias"][:] = [0, 3]
    >>> net.parameters()["2.weight"][:] = [[1, 2]]
    >>> folded = fold_constants(net)
    >>> folded.weights()["2.weight"], folded.parameters()["2.bias"]
    (array([[1., 0.]], dtype=float32), array([6.], dtype=float32))
    """
    one_of("fold_constants", "border", border, ("refuse", "interior"))
    folded = remove(net, {})
    varies = np.full(net.input_shape[0], np.nan)
    follow(folded.root, "", varies, net.input_shape, border)
    return folded


@singledispatch
def follow(
    layer: Layer, name: str, came: FloatArray, shape: Shape, border: Border
) -> FloatArray:
    """The constant of every channel behind a layer, NaN where it varies; folds too."""
    raise ValueError(
        f"fold_constants: layer {name or 'root'} is a {layer.kind}, and nothing is "
        f"known of what it makes of a constant"
    )


@follow.register
def _(
    layer: MaxPool | GlobalAvgPool | Dropout,
    name: str,
    came: FloatArray,
    shape: Shape,
    border: Border,
) -> FloatArray:
    return came


@follow.register
def _(
    layer: LayerNorm | Softmax,
    name: str,
    came: FloatArray,
    shape: Shape,
    border: Border,
) -> FloatArray:
    return np.full(len(came), np.nan)


@follow.register
def _(
    layer: AvgPool, name: str, came: FloatArray, shape: Shape, border: Border
) -> FloatArray:
    _meets_border(name, layer.window.padding, came, border)
    return came


@follow.register
def _(
    layer: Flatten, name: str, came: FloatArray, shape: Shape, border: Border
) -> FloatArray:
    return np.repeat(came, int(np.prod(shape[1:])))


@follow.register
def _(
    layer: Activation, name: str, came: FloatArray, shape: Shape, border: Border
) -> FloatArray:
    steady = ~np.isnan(came)
    y = came.copy()
    y[steady] = layer.forward(came[steady][:, None])[:, 0]
    return y


@follow.register
def _(
    layer: BatchNorm, name: str, came: FloatArray, shape: Shape, border: Border
) -> FloatArray:
    scale, shift = scale_and_shift(layer)
    still = np.where(scale == 0, 0.0, came)  # what is scaled to nothing does not vary
    y: FloatArray = still * scale + shift
    return y


@follow.register
def _(
    layer: Linear, name: str, came: FloatArray, shape: Shape, border: Border
) -> FloatArray:
    _fold(layer, "weight", "bias", layer.params["weight"], came)
    return _constants(layer)


@follow.register
def _(
    layer: Convolution, name: str, came: FloatArray, shape: Shape, border: Border
) -> FloatArray:
    weight = layer.params["weight"]
    per_group = len(weight) // layer.groups
    of_row = np.repeat(came.reshape(layer.groups, -1), per_group, axis=0)
    of_tap = of_row.reshape(*of_row.shape, *(1,) * (weight.ndim - 2))
    read = np.where(weight != 0, of_tap, 0.0)
    _meets_border(name, layer.window.padding, read, border)
    _fold(layer, "weight", "bias", weight, of_tap)
    return _constants(layer)


@follow.register
def _(
    layer: Embedding, name: str, came: FloatArray, shape: Shape, border: Border
) -> FloatArray:
    return np.full(layer.params["weight"].shape[1], np.nan)


@follow.register
def _(
    layer: Recurrent, name: str, came: FloatArray, shape: Shape, border: Border
) -> FloatArray:
    if not layer.bias and not np.isnan(came).all():
        layer.bias = True
        for key, weight in list(layer.params.items()):
            zeros = np.zeros(len(weight), weight.dtype)
            layer.params[key.replace("weight", "bias")] = zeros
    for direction in layer.directions:
        key = f"weight_ih_l0{direction}"
        _fold(layer, key, f"bias_ih_l0{direction}", layer.params[key], came)
    return np.full(layer.hidden_size * len(layer.directions), np.nan)


@follow.register
def _(
    layer: Sequential, name: str, came: FloatArray, shape: Shape, border: Border
) -> FloatArray:
    for key, child in layer.children.items():
        came = follow(child, f"{name}.{key}" if name else key, came, shape, border)
        shape = child.output_shape(shape)
    return came


@follow.register
def _(
    layer: Concat, name: str, came: FloatArray, shape: Shape, border: Border
) -> FloatArray:
    return np.concatenate(
        [
            follow(child, f"{name}.{key}" if name else key, came, shape, border)
            for key, child in layer.children.items()
        ]
    )


@follow.register
def _(
    layer: Residual, name: str, came: FloatArray, shape: Shape, border: Border
) -> FloatArray:
    ways = {
        key: follow(child, f"{name}.{key}" if name else key, came, shape, border)
        for key, child in layer.children.items()
    }
    total: FloatArray = ways["body"] + ways.get("shortcut", came)
    return total


@follow.register
def _(
    layer: SqueezeExcite, name: str, came: FloatArray, shape: Shape, border: Border
) -> FloatArray:
    below = f"{name}.gate" if name else "gate"
    gate = follow(layer.children["gate"], below, came, shape, border)
    return np.where(came == 0, 0.0, came * gate)


def _fold(
    layer: Layer, key: str, bias: str, weight: FloatArray, came: FloatArray
) -> None:
    """Move what constants come to into the bias, and stop reading them."""
    steady = np.broadcast_to(~np.isnan(came), weight.shape)
    if not (steady & (weight != 0)).any():
        return
    told = np.where(steady, weight * came, 0.0).reshape(len(weight), -1).sum(axis=1)
    if told.any():
        before = layer.params.get(bias, 0.0)
        layer.params[bias] = (before + told).astype(weight.dtype)
    kept = layer.masks.get(key, np.ones(weight.shape, np.bool_))
    layer.set_mask(key, kept & ~steady)


def _constants(layer: Layer) -> FloatArray:
    """The bias of every row that reads nothing; the others vary."""
    weight = layer.params["weight"]
    silent = ~weight.reshape(len(weight), -1).any(axis=1)
    bias = layer.params.get("bias", np.zeros(len(weight)))
    return np.where(silent, bias, np.nan)


def _meets_border(
    name: str,
    padding: tuple[tuple[int, int], ...],
    came: FloatArray,
    border: Border,
) -> None:
    """Refuse constants that are padded with zeros, if that is what is asked."""
    constants = came[~np.isnan(came) & (came != 0)]
    if border == "refuse" and np.any(padding) and constants.size:
        raise ValueError(
            f"fold_constants: a constant of {constants[0]:.6g} reaches layer {name}, "
            f"which pads with zeros, so that it is not constant at the border; use "
            f"border='interior', or remove the channel and train again"
        )
