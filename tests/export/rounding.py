"""How far a float32 evaluation of a network may be from the exact one, layer by layer.

Higham, Accuracy and Stability of Numerical Algorithms, Sec. 3.1: a sum of n products,
taken in any order, is off by at most gamma(n) = n u / (1 - n u) times the sum of the
absolute products. An error that comes in is carried on by the absolute weights, or by
the largest slope of a smooth function.
"""

import numpy as np

from minprune import nn
from minprune.nn.conv import Convolution
from minprune.nn.pool import AvgPool

UNIT = 2.0**-24
"""Unit roundoff of float32."""

FUNCTION = 8 * UNIT
"""What NumPy's float32 tanh and exp may be off, relative: 4 ulp, its tests' limit."""


def gamma(n):
    return n * UNIT / (1 - n * UNIT)


def off(net, x):
    """(outputs in float64, what a float32 evaluation may differ from them by)."""
    exact = net.astype(np.float64)
    columns = exact.enter(x)
    # Multiplied, added, and rounded to float32 in between.
    scaled = np.abs(columns - net.offset[..., None]) + np.abs(net.offset[..., None])
    y, error = through(exact.root, columns, gamma(3) * scaled)
    return np.moveaxis(y, -1, 0), np.moveaxis(error, -1, 0)


def through(layer, x, error):
    """The layer at x in float64, and the error after it for `error` before it."""
    y, size = layer.forward(x), np.abs(x) + error
    match layer:
        case nn.Sequential():
            for child in layer.children.values():
                x, error = through(child, x, error)
            return x, error
        case nn.Concat():
            ways = [through(child, x, error)[1] for child in layer.children.values()]
            return y, np.concatenate(ways)
        case nn.Residual():
            body, around = through(layer.children["body"], x, error), (x, error)
            if "shortcut" in layer.children:
                around = through(layer.children["shortcut"], x, error)
            error = body[1] + around[1]
            largest = np.abs(body[0]) + np.abs(around[0]) + error
            return y, error + gamma(1) * largest
        case nn.SqueezeExcite():
            gate, gate_error = through(layer.children["gate"], x, error)
            along = (len(gate), *(1,) * (x.ndim - 2), gate.shape[-1])
            gate, gate_error = gate.reshape(along), gate_error.reshape(along)
            largest = size * (np.abs(gate) + gate_error)
            return y, largest - np.abs(x * gate) + gamma(1) * largest
        case nn.Linear() | Convolution():
            products = layer.weights()["weight"][0].size
            terms = absolute(layer).forward(size)
            return y, absolute(layer, bias=False).forward(error) + gamma(
                products + 1
            ) * terms
        case nn.BatchNorm():
            # Subtract; add, root and divide for the inverse; multiply twice; add.
            slope = absolute_norm(layer, shift=False)
            return y, slope(error) + gamma(8) * absolute_norm(layer)(size)
        case AvgPool():
            taps = np.prod(layer.window.kernel)
            return y, layer.forward(error) + gamma(taps + 1) * layer.forward(size)
        case nn.GlobalAvgPool():
            taps = np.prod(x.shape[1:-1])
            return y, layer.forward(error) + gamma(taps + 1) * layer.forward(size)
        case nn.MaxPool1d() | nn.MaxPool2d() | nn.Flatten() | nn.Dropout():
            return y, layer.forward(error)
        case nn.ReLU() | nn.ReLU6():
            return y, error
        case nn.LeakyReLU():
            return y, error + gamma(2) * size
        case nn.Tanh():
            return y, error + FUNCTION
        case nn.Sigmoid():
            return y, error / 4 + FUNCTION
        case nn.GELU():
            # The slope is at most 1.13; beside erf three products and a sum.
            return y, 1.13 * error + (FUNCTION + gamma(5)) * size
        case nn.Softmax():
            # exp(a - b): what a and b are off becomes relative, twice in the ratio.
            exponent = 2 * error.max(axis=0, initial=0) + gamma(1) * np.ptp(x, axis=0)
            relative = np.expm1(2 * (exponent + FUNCTION) + gamma(len(x) + 1))
            return y, y * relative
    raise TypeError(f"no bound is known for {layer.kind}")


def absolute(layer, bias=True):
    """The layer with the absolute values of its weights."""
    twin = layer.clone()
    for name, param in twin.params.items():
        param[...] = np.abs(param) if bias or name == "weight" else 0
    return twin


def absolute_norm(layer, shift=True):
    """What batch normalization does to sizes: every sign taken to be the worst."""
    slope = 1 / np.sqrt(layer.buffers["running_var"] + layer.eps)
    scale = np.abs(layer.params.get("weight", np.ones_like(slope)))
    mean, bias = np.abs(layer.buffers["running_mean"]), 0 * slope
    if "bias" in layer.params:
        bias = np.abs(layer.params["bias"])

    def apply(size):
        s, m, b, g = (
            v.reshape(-1, *(1,) * (size.ndim - 1)) for v in (slope, mean, bias, scale)
        )
        return g * s * (size + m * shift) + b * shift

    return apply
