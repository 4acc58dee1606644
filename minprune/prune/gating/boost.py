"""Feature boosting and suppression: a glance at the input chooses the channels."""

from typing import Any

import numpy as np

from minprune._check import BoolArray, FloatArray, one_of
from minprune._random import stream
from minprune.masks import lowest, removed
from minprune.masks.count import Share, share
from minprune.nn.conv import Convolution
from minprune.nn.layer import EVAL, Layer, Mode, Shape, as_given, register
from minprune.nn.network import Network


@register("FeatureBoost")
class FeatureBoost(Layer):
    r"""A convolution whose channels are predicted, chosen and scaled for each sample.

    Parameters
    ----------
    conv : Convolution
        Its outputs are gated.
    sparsity : share
        Share of the channels that is off for every sample.

    Notes
    -----
    With :math:`s_c = \mathrm{mean} |x_c|` over the positions of input channel c,

    .. math:: g = \max(\Phi s + \rho, 0), \qquad y_o = g_o\, \mathrm{conv}(x)_o

    for the channels with the highest g, and zero for the others. The prediction costs
    one product for each pair of channels; a channel that is off need not be computed at
    all, and `minprune.prune.gating.Gated` does not.

    *Departs from the paper*, which gates between a batch norm's scaling and its shift
    and adds the sum of g to the loss; here the output of the convolution is gated, and
    a penalty is left to the caller.

    References
    ----------
    .. [1] X. Gao, Y. Zhao, Ł. Dudziak, R. Mullins and C. Xu, "Dynamic channel pruning:
       feature boosting and suppression", ICLR 2019, eq. (5) to (8). arXiv:1810.05331
    """

    def __init__(self, conv: Convolution, sparsity: Share) -> None:
        super().__init__()
        self.sparsity = share("FeatureBoost", sparsity)
        self.children = {"conv": conv}
        out, into = conv.out_channels, conv.in_channels
        self.params["phi"] = np.zeros((out, into), np.float32)
        self.params["rho"] = np.ones(out, np.float32)

    @property
    def conv(self) -> Layer:
        """What is gated."""
        return self.children["conv"]

    def arguments(self) -> dict[str, Any]:
        """See `Layer.arguments`."""
        return {"sparsity": str(self.sparsity)}

    @classmethod
    def assemble(cls, children: dict[str, Layer], **arguments: Any) -> "FeatureBoost":
        """See `Layer.assemble`."""
        conv = children["conv"]
        if not isinstance(conv, Convolution):
            raise TypeError(f"FeatureBoost gates a convolution, not {conv.kind}")
        return cls(conv, **arguments)

    def reset(self, rng: np.random.Generator) -> None:
        """Uniform within one over the root of the inputs; every channel starts at 1."""
        phi = self.params["phi"]
        bound = 1 / np.sqrt(phi.shape[1])
        phi[...] = rng.uniform(-bound, bound, phi.shape)
        self.params["rho"][...] = 1

    def output_shape(self, shape: Shape) -> Shape:
        """That of the convolution."""
        return self.conv.output_shape(shape)

    def saliency(self, x: FloatArray) -> tuple[FloatArray, FloatArray, BoolArray]:
        """(mean size of each input, gate of each output, which are on), by sample."""
        size = x * np.sign(x.real)
        seen = size.mean(axis=tuple(range(1, x.ndim - 1)))
        raw = self.params["phi"] @ seen + self.params["rho"][:, None]
        gate = np.where(raw.real > 0, raw, 0)
        off = removed(len(gate), self.sparsity)
        on = [~lowest(column.real, off) for column in gate.T]
        return seen, gate, np.array(on, bool).reshape(-1, len(gate)).T

    def forward(self, x: FloatArray, mode: Mode = EVAL) -> FloatArray:
        """(in, [H,] W, N) -> (out, [H',] W', N)."""
        self._seen, gate, on = self.saliency(x)
        self._x, self._gate = x, np.where(on, gate, 0)
        self._y = self.conv.forward(x, mode)
        return as_given(self._y * _over_positions(self._gate, self._y), x)

    def backward(self, dy: FloatArray) -> FloatArray:
        """Back through the convolution, and through the glance."""
        x, gate = self._x, self._gate
        inner = tuple(range(1, dy.ndim - 1))
        d_gate = np.where(gate.real > 0, (dy * self._y).sum(axis=inner), 0)
        self.grads["phi"] = d_gate @ self._seen.T
        self.grads["rho"] = d_gate.sum(axis=1)
        positions = int(np.prod(x.shape[1:-1]))
        d_seen = _over_positions(self.params["phi"].T @ d_gate, x) / positions
        dx = self.conv.backward(as_given(dy * _over_positions(gate, dy), dy))
        return as_given(dx + d_seen * np.sign(x.real), dy)

    def macs(self, shape: Shape) -> int:
        """The convolution, all channels, and the prediction."""
        return self.conv.macs(shape) + self.params["phi"].size


def boosted(net: Network, name: str, sparsity: Share, seed: int = 0) -> Network:
    """A copy of a network in which one convolution is gated, ready to be trained.

    Parameters
    ----------
    net : Network
    name : str
        Dotted name of the convolution.
    sparsity : share
        Share of its channels that is off for every sample.
    seed : int
        Draws the predictor.
    """
    other = net.copy()
    layers = other.layers()
    conv = layers[one_of("boosted", "layer", name, layers)]
    parent, _, key = name.rpartition(".")
    if not isinstance(conv, Convolution) or not name:
        raise ValueError(
            f"boosted: {name!r} is {conv.kind}; expected a convolution inside a chain"
        )
    gate = FeatureBoost(conv, sparsity)
    gate.params = {k: a.astype(net.dtype) for k, a in gate.params.items()}
    gate.reset(stream(seed, "boosted", name))
    layers[parent].children[key] = gate
    return other


def _over_positions(values: FloatArray, like: FloatArray) -> FloatArray:
    """(channels, N) shaped so that it broadcasts over the positions of `like`."""
    return values.reshape(len(values), *(1 for _ in like.shape[1:-1]), -1)
