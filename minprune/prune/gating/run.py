"""Running a network with gates: what is off is skipped, and what is not is counted."""

from collections.abc import Callable, Mapping
from typing import cast

import numpy as np
from scipy.sparse import csr_array

from minprune._check import AnyArray, BoolArray, FloatArray, IntArray, one_of
from minprune.nn.boost import FeatureBoost
from minprune.nn.conv import Convolution, unfold
from minprune.nn.layer import EVAL, Layer, Mode
from minprune.nn.linear import Linear
from minprune.nn.network import Network
from minprune.nn.window import planes

Gate = Callable[[FloatArray], BoolArray]
"""From an activation (..., N) to a mask of it, True where on."""


class Gated:
    """A network that computes for each sample what its gates leave on.

    Parameters
    ----------
    net : Network
        Not changed. Linear layers and convolutions, dense or sparse, skip input
        features and channels that are zero; a `FeatureBoost` makes the channels that
        are on and no others.
    gates : dict of layer name to Gate
        Applied to what these layers return, such as ``{"relu1": Threshold(0.1)}``.

    Notes
    -----
    Weights are held by input channel, so that the work for a sample is in proportion to
    the weights of the channels that are on. A multiply-add is counted when it is made:
    one for every kept weight that is used, at every position. Predictions of a
    `FeatureBoost` count; gates and pooling do not, as elsewhere in this package.

    Examples
    --------
    >>> from minprune import nn
    >>> root = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    >>> net = nn.Network(root, (4,), seed=0)
    >>> net.parameters()["0.weight"][:] = [[1, 0, 0, 0], [-1, 0, 0, 0], [0, 1, 0, 0]]
    >>> net.parameters()["0.bias"][:] = 0
    >>> gated = Gated(net)
    >>> y, executed = gated(np.array([[1.0, 0, 0, 0], [1, 1, 0, 0]]))
    >>> executed.tolist(), net.macs()
    ([5, 10], 18)
    """

    def __init__(self, net: Network, gates: Mapping[str, Gate] | None = None) -> None:
        self.net = net.copy()
        layers = self.net.layers()
        gates = {
            one_of("Gated", "layer", n, layers): g for n, g in (gates or {}).items()
        }
        self.parts: list[Skipping] = []
        self.net.root = self._rebuilt("", self.net.root, gates)

    def _rebuilt(self, name: str, layer: Layer, gates: Mapping[str, Gate]) -> Layer:
        """The layer with everything below it skipping and gated."""
        if isinstance(layer, Linear | Convolution | FeatureBoost):
            part = Skipping(layer)
            self.parts.append(part)
            layer = part
        else:
            for key, child in layer.children.items():
                below = f"{name}.{key}" if name else key
                layer.children[key] = self._rebuilt(below, child, gates)
        return Switched(layer, gates[name]) if name in gates else layer

    def __call__(
        self, x: AnyArray, lengths: IntArray | None = None
    ) -> tuple[FloatArray, IntArray]:
        """Outputs, and the multiply-adds each sample has executed.

        Parameters
        ----------
        x : array_like, shape (N, *input_shape)
            Raw samples.

        Returns
        -------
        y : ndarray, shape (N, outputs)
        executed : ndarray of int, shape (N,)
        """
        for part in self.parts:
            part.executed = np.zeros(len(x), np.int64)
        mode = EVAL if lengths is None else Mode(lengths=lengths)
        y = self.net.forward(self.net.enter(x), mode)
        executed: IntArray = np.sum(
            [part.executed for part in self.parts], axis=0, dtype=np.int64
        )
        return np.moveaxis(y, -1, 0), executed


class Switched(Layer):
    """A layer whose output passes a gate."""

    kind = "Switched"

    def __init__(self, inner: Layer, gate: Gate) -> None:
        super().__init__()
        self.inner, self.gate = inner, gate

    def forward(self, x: FloatArray, mode: Mode = EVAL) -> FloatArray:
        """What the gate leaves on."""
        y = self.inner.forward(x, mode)
        return np.where(self.gate(y), y, 0).astype(y.dtype)


class Skipping(Layer):
    """A linear layer or convolution that multiplies only what is there.

    Attributes
    ----------
    executed : ndarray of int, shape (N,)
        Multiply-adds of each sample, since it was last set to zero.
    """

    kind = "Skipping"

    def __init__(self, inner: Layer) -> None:
        super().__init__()
        self.boost = inner if isinstance(inner, FeatureBoost) else None
        self.inner = inner if self.boost is None else self.boost.conv
        self.executed = np.zeros(0, np.int64)
        self.taps, rows, columns, values = _entries(self.inner)
        self.channels = int(columns.max(initial=-1)) // self.taps + 1
        order = np.argsort(columns // self.taps, kind="stable")
        self.rows, self.columns, self.values = (
            rows[order],
            columns[order],
            values[order],
        )
        counts = np.bincount(self.columns // self.taps, minlength=self.channels)
        self.start = np.concatenate(([0], np.cumsum(counts)))

    def forward(self, x: FloatArray, mode: Mode = EVAL) -> FloatArray:
        """Sample by sample, what is on."""
        scale = None
        if self.boost is not None:
            _, gate, on = self.boost.saliency(x)
            scale = np.where(on, gate, 0)
            self.executed += self.boost.params["phi"].size
        samples = []
        for n in range(x.shape[-1]):
            wanted = None if scale is None else scale[:, n] != 0
            y, made = self._one(x[..., n : n + 1], wanted)
            self.executed[n] += made
            if scale is not None:
                y = y * scale[:, n].reshape(-1, *(1 for _ in y.shape[1:]))
            samples.append(y)
        if not samples:
            return self.inner.forward(x, mode)
        return np.concatenate(samples, axis=-1).astype(x.dtype)

    def _one(self, x: FloatArray, wanted: BoolArray | None) -> tuple[FloatArray, int]:
        """One sample, (..., 1): its output, and the multiply-adds made."""
        on = np.flatnonzero(x.reshape(len(x), -1).any(axis=1))
        on = on[on < self.channels]
        places = np.concatenate(
            [np.arange(self.start[c], self.start[c + 1]) for c in on]
            or [np.zeros(0, np.int64)]
        )
        if wanted is not None:
            places = places[wanted[self.rows[places]]]
        patches, shape = self._patches(x, on)
        rank = np.searchsorted(on, self.columns[places] // self.taps)
        columns = rank * self.taps + self.columns[places] % self.taps
        matrix = csr_array(
            (self.values[places], (self.rows[places], columns)),
            shape=(shape[0], len(patches)),
        )
        y: FloatArray = (matrix @ patches).reshape(shape)
        if "bias" in self.inner.params:
            bias = self.inner.params["bias"]
            bias = bias if wanted is None else np.where(wanted, bias, 0)
            y = y + bias.reshape(-1, *(1 for _ in shape[1:]))
        return y, len(places) * patches.shape[1]

    def _patches(
        self, x: FloatArray, on: IntArray
    ) -> tuple[FloatArray, tuple[int, ...]]:
        """What the channels that are on show, and the shape of the output."""
        if not isinstance(self.inner, Convolution):
            return x[on], (cast("Linear", self.inner).out_features, 1)
        view, out = self.inner.window, self.inner.output_shape(x.shape[:-1])
        rows, columns = view.output("Gated", *planes(x).shape[1:3])
        padded = view.pad(planes(x)[on])
        patches = unfold(padded, view, 1, 0, rows, columns)
        return patches.reshape(len(on) * self.taps, -1), (*out, 1)


def _entries(layer: Layer) -> tuple[int, IntArray, IntArray, FloatArray]:
    """Taps of a channel; row, column over all channels, and value of each weight."""
    weight = layer.weights()["weight"]
    held = layer.masks.get("weight", np.ones(weight.shape, bool))
    held = held.reshape(len(weight), -1)
    rows, columns = np.nonzero(held)
    values = weight.reshape(held.shape)[rows, columns]
    if not isinstance(layer, Convolution):
        return 1, rows, columns, values
    taps = int(np.prod(layer.window.kernel))
    # Rows of a group see the channels of that group.
    group = rows // (layer.out_channels // layer.groups)
    return taps, rows, columns + group * held.shape[1], values
