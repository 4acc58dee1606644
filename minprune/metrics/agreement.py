"""Whether two evaluations of one network agree, and how far rounding may part them."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from minprune._check import AnyArray, FloatArray, same_shape
from minprune.nn.layer import EVAL, Layer, Mode
from minprune.nn.network import Network

IDENTITY = {"ReLU", "ReLU6", "LeakyReLU", "Dropout"}
"""Kinds that neither grow a magnitude nor an error; on magnitudes they do nothing."""

MAGNITUDE = {
    *("Linear", "Conv1d", "Conv2d", "SparseLinear", "SparseConv1d", "SparseConv2d"),
    *("Sequential", "Residual", "Concat", "Flatten", "BatchNorm"),
    *("MaxPool1d", "MaxPool2d", "AvgPool1d", "AvgPool2d", "GlobalAvgPool"),
}
"""Kinds that map magnitudes to magnitudes once their parameters are non-negative."""


def rounding_bound(net: Network, x: AnyArray, dtype: type = np.float32) -> FloatArray:
    r"""How far two evaluations of a network can be apart by rounding alone.

    Two programs that compute the same network, in any order of summation and with or
    without fused multiply-add, return numbers that differ by no more than this.

    Parameters
    ----------
    net : Network
        Affine layers, batch norm in evaluation, pools, and activations that bend a line
        at zero or cut it: ReLU, ReLU6, LeakyReLU.
    x : ndarray, shape (N, *input_shape)
        Raw samples.
    dtype : type
        The precision both evaluations compute in.

    Returns
    -------
    bound : ndarray of float64, shape (N, outputs)

    Raises
    ------
    ValueError
        If the network has a layer for which the bound is not derived here.

    Notes
    -----
    A sum of n products computed in any order satisfies
    :math:`|\hat s - s| \le \gamma_n \sum |a_i||b_i|` with
    :math:`\gamma_n = n u / (1 - n u)` [1]_. Let M be the network's value with every
    parameter, every input and every running mean replaced by its magnitude and every
    activation by the identity; M bounds every intermediate value, and errors pass
    through later layers as magnitudes do. The gammas of successive layers add:
    :math:`(1+\gamma_m)(1+\gamma_n) \le 1 + \gamma_{m+n}`. With n the sum over layers of
    their fan-in and eight more roundings each (bias; centering, root and scale of a
    batch norm), one evaluation is off by at most :math:`\gamma_n M`, and two are apart
    by at most twice that.

    References
    ----------
    .. [1] N. Higham, "Accuracy and Stability of Numerical Algorithms", 2nd ed., SIAM
       2002, Sec. 3.1 and Lemma 3.3.

    Examples
    --------
    >>> from minprune.nn import Linear, Network, Sequential
    >>> net = Network(Sequential(Linear(4, 2)), (4,), seed=0)
    >>> x = np.ones((1, 4))
    >>> apart = np.abs(net(x) - net.astype(np.float64)(x))
    >>> bool((apart <= rounding_bound(net, x)).all())
    True
    """
    inside = np.abs(net.astype(np.float64).enter(x))
    terms = 2  # the door multiplies and adds
    root = net.root.clone(np.float64)
    for name, layer in root.walk():
        terms += _absolute(name, layer) + 8
    magnitude = _bypass(root).forward(inside)
    unit = np.finfo(dtype).eps / 2
    gamma = terms * unit / (1 - terms * unit)
    return np.asarray(2 * gamma * np.moveaxis(magnitude, -1, 0))


class Identity(Layer):
    """Lets everything through."""

    def forward(self, x: FloatArray, mode: Mode = EVAL) -> FloatArray:
        """What came in."""
        return x


def _absolute(name: str, layer: Layer) -> int:
    """Replace a layer's arrays by their magnitudes; returns the length of its sums."""
    if layer.kind not in IDENTITY | MAGNITUDE:
        raise ValueError(
            f"rounding_bound: layer {name} is a {layer.kind}, for which no bound is "
            f"derived; known: {', '.join(sorted(IDENTITY | MAGNITUDE))}"
        )
    for param in layer.params.values():
        np.abs(param, out=param)
    if "running_mean" in layer.buffers:
        mean = layer.buffers["running_mean"]
        np.copyto(mean, -np.abs(mean))  # it is subtracted
    weights = layer.weights().values()
    window = getattr(layer, "window", None)
    pooled = int(np.prod(window.kernel)) if window and not layer.params else 0
    return pooled + sum(int(weight[0].size) for weight in weights if len(weight))


def _bypass(layer: Layer) -> Layer:
    """The same tree with activations that let everything through."""
    if layer.kind in IDENTITY:
        return Identity()
    layer.children = {name: _bypass(child) for name, child in layer.children.items()}
    return layer


@dataclass(frozen=True, slots=True)
class Agreement:
    """How two sets of outputs compare."""

    largest_difference: float
    largest_share_of_bound: float
    """Largest difference over its own bound; at most 1 means they agree."""
    same_labels: float
    """Share of samples with the same largest output."""

    @property
    def agree(self) -> bool:
        """Whether every output is within its bound."""
        return self.largest_share_of_bound <= 1


def agreement(ours: FloatArray, theirs: FloatArray, bound: FloatArray) -> Agreement:
    """Compare outputs entry by entry with a bound, both of shape (N, outputs)."""
    same_shape("agreement", ours=ours, theirs=theirs, bound=bound)
    apart = np.abs(ours.astype(np.float64) - theirs)
    share = np.divide(
        apart, bound, out=np.where(apart > 0, np.inf, 0.0), where=bound > 0
    )
    labels: Any = ours.argmax(axis=1) == theirs.argmax(axis=1) if ours.size else True
    return Agreement(
        float(apart.max(initial=0.0)),
        float(share.max(initial=0.0)),
        float(np.mean(labels)),
    )
