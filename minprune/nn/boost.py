"""Feature boosting and suppression: a glance at the input chooses the channels."""

from typing import Any

import numpy as np

from minprune._check import BoolArray, FloatArray, positive_int
from minprune.nn.conv import Convolution
from minprune.nn.layer import EVAL, Layer, Mode, Shape, as_given, register


@register("FeatureBoost")
class FeatureBoost(Layer):
    r"""A convolution whose channels are predicted, chosen and scaled for each sample.

    Parameters
    ----------
    conv : Convolution
        Its outputs are gated.
    off : int
        How many channels are off for every sample; at most all.

    See Also
    --------
    minprune.prune.gating.boosted : Puts one around a convolution, for a share of it.
    minprune.prune.gating.Gated : Runs a network without computing what is off.

    Notes
    -----
    With :math:`s_c = \mathrm{mean} |x_c|` over the positions of input channel c,

    .. math:: g = \max(\Phi s + \rho, 0), \qquad y_o = g_o\, \mathrm{conv}(x)_o

    for the channels with the highest g, and zero for the others; among equal ones the
    first are off. The prediction costs one product for each pair of channels.

    *Departs from the paper*, which gates between a batch norm's scaling and its shift
    and adds the sum of g to the loss; here the output of the convolution is gated, and
    a penalty is left to the caller.

    References
    ----------
    .. [1] X. Gao, Y. Zhao, Ł. Dudziak, R. Mullins and C. Xu, "Dynamic channel pruning:
       feature boosting and suppression", ICLR 2019, eq. (5) to (8). arXiv:1810.05331
    """

    def __init__(self, conv: Convolution, off: int) -> None:
        super().__init__()
        out, into = conv.out_channels, conv.in_channels
        self.off = positive_int("FeatureBoost", "off", off, minimum=0)
        if off > out:
            raise ValueError(
                f"FeatureBoost: off is {off} but the convolution has {out} channels; "
                f"the nearest that can be met is {out}"
            )
        self.children = {"conv": conv}
        self.params["phi"] = np.zeros((out, into), np.float32)
        self.params["rho"] = np.ones(out, np.float32)

    @property
    def conv(self) -> Layer:
        """What is gated."""
        return self.children["conv"]

    def arguments(self) -> dict[str, Any]:
        """See `Layer.arguments`."""
        return {"off": self.off}

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
        on = np.ones(gate.shape, bool)
        lowest = np.argsort(gate.real, axis=0, kind="stable")[: self.off]
        np.put_along_axis(on, lowest, False, axis=0)
        return seen, gate, on

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


def _over_positions(values: FloatArray, like: FloatArray) -> FloatArray:
    """(channels, N) shaped so that it broadcasts over the positions of `like`."""
    return values.reshape(len(values), *(1 for _ in like.shape[1:-1]), -1)
