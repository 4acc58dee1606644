"""Two layers into one where the second only stretches and mixes what the first makes.

    merge_batch_norms   a batch norm into the linear or convolution layer before it
    merge_linear        two linear layers with nothing between them into their product

Both leave the function as it is in evaluation, but for rounding, and the network they
are given untouched.
"""

from collections.abc import Callable

import numpy as np

from minprune._check import FloatArray
from minprune.nn.chain import Sequential
from minprune.nn.conv import Convolution
from minprune.nn.layer import Layer, build
from minprune.nn.linear import Linear
from minprune.nn.network import Network
from minprune.nn.norm import BatchNorm

Join = Callable[[Layer, Layer], Layer | None]
"""One layer for two that follow each other, or None if they cannot be joined."""


def merge_batch_norms(net: Network) -> Network:
    r"""Every batch norm that directly follows weights, taken into these weights.

    Parameters
    ----------
    net : Network
        Left as it is. Sparse layers come back dense, with their masks.

    Returns
    -------
    merged : Network
        The layers before the norms keep their names, and have a bias from now on.

    Notes
    -----
    With :math:`s = \gamma / \sqrt{v + \epsilon}`, in float64,

    .. math:: W' = \operatorname{diag}(s)\, W, \qquad b' = s (b - m) + \beta .

    In evaluation only: in training a batch norm takes the statistics of the batch.

    Examples
    --------
    >>> from minprune import nn
    >>> net = nn.Network(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm(2)), (2,), seed=0)
    >>> list(merge_batch_norms(net).layers())
    ['', '0']
    """
    return net.with_root(_joined(net.root, _with_norm))


def merge_linear(net: Network) -> Network:
    r"""Linear layers with nothing between them, multiplied out.

    Parameters
    ----------
    net : Network
        Left as it is.

    Returns
    -------
    merged : Network
        Each such pair is one layer under the name of the first.

    Notes
    -----
    :math:`W' = W_2 W_1` and :math:`b' = W_2 b_1 + b_2`, in float64. The product of two
    masked weights is dense; that of a bottleneck is larger than its two factors.

    Examples
    --------
    >>> from minprune import nn
    >>> net = nn.Network(nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2)), (4,), seed=0)
    >>> {name: w.shape for name, w in merge_linear(net).weights().items()}
    {'0.weight': (2, 4)}
    """
    return net.with_root(_joined(net.root, _product))


def scale_and_shift(norm: BatchNorm) -> tuple[FloatArray, FloatArray]:
    """What a batch norm does in evaluation, as x -> scale x + shift, in float64."""
    mean = norm.buffers["running_mean"].astype(np.float64)
    scale = 1 / np.sqrt(norm.buffers["running_var"].astype(np.float64) + norm.eps)
    if not norm.params:
        return scale, -mean * scale
    scale = scale * norm.params["weight"]
    return scale, norm.params["bias"] - mean * scale


def _joined(layer: Layer, join: Join) -> Layer:
    """A copy of the tree with neighbors joined; each may be joined again."""
    if not layer.children:
        return layer.to_dense().clone()
    children: dict[str, Layer] = {}
    for key, child in layer.children.items():
        child = _joined(child, join)
        if isinstance(layer, Sequential) and children:
            before = next(reversed(children))
            one = join(children[before], child)
            if one is not None:
                children[before] = one
                continue
        children[key] = child
    return build(layer.kind, layer.arguments(), children)


def _with_norm(first: Layer, second: Layer) -> Layer | None:
    """The weights stretched by the norm behind them."""
    if not isinstance(first, Linear | Convolution) or not isinstance(second, BatchNorm):
        return None
    scale, shift = scale_and_shift(second)
    weight, bias = first.params["weight"], first.params.get("bias", 0.0)
    along = scale.reshape(-1, *(1,) * (weight.ndim - 1))
    one = first.clone()
    one.params["weight"] = (weight * along).astype(weight.dtype)
    one.params["bias"] = (bias * scale + shift).astype(weight.dtype)
    return one


def _product(first: Layer, second: Layer) -> Layer | None:
    """The product of two linear layers."""
    if not isinstance(first, Linear) or not isinstance(second, Linear):
        return None
    weight = first.params["weight"]
    left = second.params["weight"].astype(np.float64)
    bias = "bias" in first.params or "bias" in second.params
    one = Linear(first.in_features, second.out_features, bias)
    one.params["weight"] = (left @ weight).astype(weight.dtype)
    if bias:
        moved = left @ first.params.get("bias", np.zeros(len(weight)))
        moved = moved + second.params.get("bias", 0.0)
        one.params["bias"] = moved.astype(weight.dtype)
    return one
