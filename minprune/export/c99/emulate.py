"""What the generated C computes in float32, bit for bit, in NumPy.

The order is part of the contract: a sum starts with the bias and takes the products one
after the other, each rounded to float32, in ascending order of the columns that are
stored. Columns of a convolution run over channel, row and column of the window; in
delta8 they run as they lie in a strip. A bias of -0.0 is 0.0 here, so that a zero that
an encoding stores to lead over a gap changes no bit. A mean
adds up in the order of the window and is divided at the end; so do the sums of softmax
and of layer normalization, in memory order. Functions such as tanh are those of
`elementary`. At each step of a recurrent layer, the input and the state give a sum
each, with its own bias; the cell's formula adds the two.

It holds where a compiler neither fuses a product with a sum nor carries more precision
than float32: the generated file switches the first off, and refuses the second.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from minprune._check import AnyArray, FloatArray, IntArray
from minprune.export.c99.elementary import exponential, gelu, root, sigmoid, tanh
from minprune.export.c99.encode import Terms
from minprune.nn.activation import GELU, LeakyReLU, Sigmoid, Softmax, Tanh
from minprune.nn.conv import unfold
from minprune.nn.layer import Layer
from minprune.nn.norm import LayerNorm
from minprune.quantize.arithmetic import pool_taps
from minprune.quantize.graph import (
    Add,
    Affine,
    Clip,
    Concat,
    Gate,
    Kept,
    Pool,
    Scan,
    Step,
)

LARGEST = float(np.finfo(np.float32).max)
"""FLT_MAX, which stands for no bound."""


class Ordered:
    """Steps in float32, in the order of the C; `terms` as the encodings hold them."""

    def __init__(
        self, terms: Mapping[str, Terms], lengths: IntArray | None = None
    ) -> None:
        self.terms, self.lengths = terms, lengths

    def __call__(self, step: Step, inputs: Sequence[AnyArray]) -> FloatArray:
        """float32 planes (C, H, W, N) in and out."""
        first = inputs[0]
        match step:
            case Affine():
                y = self._affine(step, first)
            case Pool() if step.largest:
                y = pool_taps(step, first, -LARGEST).max(axis=0)
            case Pool():
                taps = pool_taps(step, first, 0)
                total = np.zeros_like(taps[0])
                for seen in taps:
                    total = total + seen
                y = total / np.float32(len(taps))
            case Add():
                y = inputs[0] + inputs[1]
            case Concat():
                y = np.concatenate(inputs)
            case Gate():
                return inputs[0] * inputs[1]
            case Scan():
                return self._scan(step, first)
            case Kept():
                return kept(step.layer, first)
            case Clip():
                y = first
        return bounded(step, y)

    def _affine(self, step: Affine, x: AnyArray) -> FloatArray:
        """Row by row, term by term; across positions and samples at once."""
        padded = step.window.pad(x, 0)
        rows, columns = step.out[1:]
        patches = unfold(padded, step.window, step.groups, 0, rows, columns)
        y = np.empty((step.out[0], patches.shape[2]), np.float32)
        y[:] = positive(step.bias)[:, None]
        per_group = step.out[0] // step.groups
        for o, (seen, weights) in enumerate(self.terms[step.name]):
            for column, weight in zip(seen, weights, strict=True):
                y[o] += weight * patches[o // per_group, column]
        return y

    def _scan(self, step: Scan, x: AnyArray) -> FloatArray:
        """Step by step; beyond a signal's length nothing changes and zero goes out."""
        length, samples = x.shape[2:]
        lengths = np.full(samples, length) if self.lengths is None else self.lengths
        lengths = np.minimum(lengths, length)
        state = np.zeros((step.out[0], samples), np.float32)
        memory = state
        y = np.zeros((step.out[0], 1, length, samples), np.float32)
        for n in range(length):
            on = n < lengths
            t = np.where(on, lengths - 1 - n if step.backwards else n, 0)
            seen = x[:, 0, t, np.arange(samples)]
            gates = self._affine(step.inward, seen[:, None, None])
            back = self._affine(step.around, state[:, None, None])
            new = _cell(
                step.cell,
                bounded(step.inward, gates),
                bounded(step.around, back),
                state,
                memory,
            )
            state, memory = (
                np.where(on, after, before)
                for after, before in zip(new, (state, memory), strict=True)
            )
            y[:, 0, t[on], np.flatnonzero(on)] = state[:, on]
        return state if step.last else y


def positive(bias: AnyArray) -> FloatArray:
    """A bias as the C holds it: float32, without -0.0."""
    held: FloatArray = bias.astype(np.float32) + np.float32(0)
    return held


def bounded(step: Step, y: AnyArray) -> FloatArray:
    """Values within the bounds of a step, in float32."""
    low, high = real_bounds(step)
    y = np.where(y < low, low, np.where(y > high, high, y))
    return y.astype(np.float32, copy=False)


def real_bounds(step: Step) -> tuple[np.float32, np.float32]:
    """The bounds of a step as the C holds them."""
    return (
        np.float32(np.clip(step.low, -LARGEST, LARGEST)),
        np.float32(np.clip(step.high, -LARGEST, LARGEST)),
    )


def kept(layer: Layer, x: AnyArray) -> FloatArray:
    """A layer of `minprune.quantize.graph.KEPT` on planes (C, H, W, N)."""
    match layer:
        case Tanh():
            return tanh(x)
        case Sigmoid():
            return sigmoid(x)
        case GELU():
            return gelu(x)
        case LeakyReLU():
            return np.where(x > 0, x, x * np.float32(layer.negative_slope))
        case Softmax():
            e = exponential(x - x.max(axis=0))
            shares: FloatArray = e / _total(e)
            return shares
        case LayerNorm():
            flat = x.reshape(-1, x.shape[-1])
            size = np.float32(len(flat))
            off = flat - _total(flat) / size
            inverse = np.float32(1) / root(
                _total(off * off) / size + np.float32(layer.eps)
            )
            weight = layer.params.get("weight", np.ones(layer.shape))
            bias = layer.params.get("bias", np.zeros(layer.shape))
            weight, bias = (p.astype(np.float32).reshape(-1, 1) for p in (weight, bias))
            y: FloatArray = off * inverse * weight + bias
            return y
    return layer.forward(x[:, 0, 0])


def _cell(
    kind: str, x: FloatArray, u: FloatArray, state: FloatArray, memory: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The next state and memory, from both sums of the gates."""
    one = np.float32(1)
    match kind:
        case "GRU":
            (x_r, x_z, x_n), (u_r, u_z, u_n) = np.split(x, 3), np.split(u, 3)
            r, z = sigmoid(x_r + u_r), sigmoid(x_z + u_z)
            n = tanh(x_n + r * u_n)
            new: FloatArray = (one - z) * n + z * state
            return new, memory
        case "LSTM":
            i, f, g, o = np.split(x + u, 4)
            held: FloatArray = sigmoid(f) * memory + sigmoid(i) * tanh(g)
            shown: FloatArray = sigmoid(o) * tanh(held)
            return shown, held
    return tanh(x + u), memory


def _total(x: FloatArray) -> FloatArray:
    """The sum along the first axis, one after the other."""
    total: FloatArray = np.zeros_like(x[0])
    for row in x:
        total = total + row
    return total
