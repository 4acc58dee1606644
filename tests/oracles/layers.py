"""Layers as the textbooks define them: one sample at a time, loops, no backward pass.

Every function takes one sample without a batch axis and works for complex numbers, with
branches decided by the real part, so that a complex step through it is a derivative.
"""

import itertools

import numpy as np
from scipy.special import ndtr


def linear(x, weight, bias=None):
    """y_o = sum_i W_oi x_i + b_o."""
    y = [sum(w * v for w, v in zip(row, x, strict=True)) for row in weight]
    return np.array(y) + (0 if bias is None else bias)


def _positions(extent, kernel, stride, padding, dilation):
    """First coordinate, in the unpadded extent, of every window."""
    before, after = padding
    reach = (kernel - 1) * dilation + 1
    return range(-before, extent + after - reach + 1, stride)


def windows(x, kernel, stride, padding, dilation):
    """For each output position: the (channel, tap row, tap column, value) inside."""
    channels, height, width = x.shape
    tops = _positions(height, kernel[0], stride[0], padding[0], dilation[0])
    lefts = _positions(width, kernel[1], stride[1], padding[1], dilation[1])
    for (p, top), (q, left) in itertools.product(enumerate(tops), enumerate(lefts)):
        inside = [
            (c, i, j, x[c, top + i * dilation[0], left + j * dilation[1]])
            for c in range(channels)
            for i in range(kernel[0])
            for j in range(kernel[1])
            if 0 <= top + i * dilation[0] < height
            and 0 <= left + j * dilation[1] < width
        ]
        yield p, q, inside


def conv(x, weight, bias, stride, padding, dilation, groups):
    """Correlation of a plane (C, H, W), the border being zero."""
    out, per_group = weight.shape[:2]
    rows = len(
        _positions(x.shape[1], weight.shape[2], stride[0], padding[0], dilation[0])
    )
    cols = len(
        _positions(x.shape[2], weight.shape[3], stride[1], padding[1], dilation[1])
    )
    y = np.zeros((out, rows, cols), np.result_type(x, weight))
    for p, q, inside in windows(x, weight.shape[2:], stride, padding, dilation):
        for o in range(out):
            first = o // (out // groups) * per_group
            for c, i, j, value in inside:
                if first <= c < first + per_group:
                    y[o, p, q] += weight[o, c - first, i, j] * value
            if bias is not None:
                y[o, p, q] += bias[o]
    return y


def max_pool(x, kernel, stride, padding):
    """The largest real part under each window; the border is not looked at."""
    found = {}
    for p, q, inside in windows(x, kernel, stride, padding, (1, 1)):
        for c in range(len(x)):
            values = [v for channel, _, _, v in inside if channel == c]
            found[c, p, q] = max(values, key=lambda v: v.real)
    return _gathered(found, x)


def avg_pool(x, kernel, stride, padding):
    """The mean under each window, zeros of the border included."""
    found = {}
    for p, q, inside in windows(x, kernel, stride, padding, (1, 1)):
        for c in range(len(x)):
            values = [v for channel, _, _, v in inside if channel == c]
            found[c, p, q] = sum(values) / (kernel[0] * kernel[1])
    return _gathered(found, x)


def _gathered(found, x):
    shape = np.max(list(found), axis=0) + 1
    y = np.zeros(shape, x.dtype)
    for at, value in found.items():
        y[at] = value
    return y


def batch_norm(samples, weight, bias, eps):
    """Each channel over all samples and places: zero mean, unit variance."""
    y = np.array(samples)
    for c in range(y.shape[1]):
        values = y[:, c].ravel()
        mean = sum(values) / len(values)
        variance = sum((v - mean) ** 2 for v in values) / len(values)
        normal = (y[:, c] - mean) / np.sqrt(variance + eps)
        y[:, c] = normal if weight is None else normal * weight[c] + bias[c]
    return y


def fixed_norm(x, weight, bias, eps, mean, variance):
    """Batch norm in evaluation."""
    y = x.astype(np.result_type(x, 1.0 if weight is None else weight))
    for c in range(len(x)):
        normal = (x[c] - mean[c]) / np.sqrt(variance[c] + eps)
        y[c] = normal if weight is None else normal * weight[c] + bias[c]
    return y


def layer_norm(x, weight, bias, eps):
    """One sample over all its entries."""
    values = x.ravel()
    mean = sum(values) / len(values)
    variance = sum((v - mean) ** 2 for v in values) / len(values)
    normal = (x - mean) / np.sqrt(variance + eps)
    return normal if weight is None else normal * weight + bias


def softmax(x):
    """Along the first axis, from the definition."""
    weights = np.exp(x)
    return weights / weights.sum(axis=0)


def sigmoid(x):
    """1 / (1 + exp(-x))."""
    return 1 / (1 + np.exp(-x))


ACTIVATIONS = {
    "ReLU": lambda x: np.where(x.real > 0, x, 0),
    "ReLU6": lambda x: np.where(x.real > 6, 6, np.where(x.real > 0, x, 0)),
    "LeakyReLU": lambda x: np.where(x.real > 0, x, 0.01 * x),
    "Sigmoid": sigmoid,
    "Tanh": lambda x: (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x)),
    "GELU": lambda x: x * ndtr(x),
}


def _rnn(a, u, h, c):
    return np.tanh(a + u), c


def _lstm(a, u, h, c):
    n = len(h)
    i, f, o = (sigmoid(a[k * n : k * n + n] + u[k * n : k * n + n]) for k in (0, 1, 3))
    g = np.tanh(a[2 * n : 3 * n] + u[2 * n : 3 * n])
    c = f * c + i * g
    return o * np.tanh(c), c


def _gru(a, u, h, c):
    n = len(h)
    r, z = (sigmoid(a[k * n : k * n + n] + u[k * n : k * n + n]) for k in (0, 1))
    new = np.tanh(a[2 * n :] + r * u[2 * n :])
    return (1 - z) * new + z * h, c


CELLS = {"RNN": _rnn, "LSTM": _lstm, "GRU": _gru}


def recurrent(kind, x, params, levels, directions, hidden):
    """(states at every step, final states) of one unpadded sequence (features, L)."""
    ends = []
    for level in range(levels):
        outputs = []
        for direction in directions:
            end = f"l{level}{direction}"
            w_ih, w_hh = params[f"weight_ih_{end}"], params[f"weight_hh_{end}"]
            b_ih, b_hh = (params.get(f"bias_{side}_{end}", 0) for side in ("ih", "hh"))
            h = c = np.zeros(hidden, np.result_type(x, w_ih))
            steps = range(x.shape[1])
            states = {}
            for t in reversed(steps) if direction else steps:
                h, c = CELLS[kind](w_ih @ x[:, t] + b_ih, w_hh @ h + b_hh, h, c)
                states[t] = h
            outputs.append(np.stack([states[t] for t in steps], axis=1))
            ends.append(h)
        x = np.concatenate(outputs)
    return x, np.concatenate(ends[-len(directions) :])
