"""ONNX files read, and computed from the text of the specification.

https://onnx.ai/onnx/operators/ says what each operator does; loops over positions and
steps say it again here.
"""

import itertools
import math
from types import SimpleNamespace

import numpy as np

from tests.oracles.protobuf import fields

TYPES = {1: np.float32, 2: np.uint8, 6: np.int32, 7: np.int64}


def read(data):
    """Nodes, constants, inputs and outputs of a model file."""
    model = fields(data)
    (graph,) = (fields(one) for one in model[7])
    return SimpleNamespace(
        ir_version=model[1][0],
        opsets={fields(o)[1][0].decode(): fields(o)[2][0] for o in model[8]},
        metadata={
            fields(e)[1][0].decode(): fields(e)[2][0].decode()
            for e in model.get(14, [])
        },
        nodes=[node(one) for one in graph.get(1, [])],
        constants=dict(tensor(one) for one in graph.get(5, [])),
        inputs=dict(value_info(one) for one in graph[11]),
        outputs=dict(value_info(one) for one in graph[12]),
    )


def node(data):
    held = fields(data)
    return SimpleNamespace(
        inputs=[name.decode() for name in held.get(1, [])],
        outputs=[name.decode() for name in held[2]],
        name=held[3][0].decode(),
        op=held[4][0].decode(),
        attributes=dict(attribute(one) for one in held.get(5, [])),
    )


def attribute(data):
    held = fields(data)
    name, kind = held[1][0].decode(), held[20][0]
    match kind:
        case 1:
            return name, held[2][0]
        case 2:
            return name, held[3][0]
        case 3:
            return name, held[4][0].decode()
        case 7:
            return name, held.get(8, [])
    raise AssertionError(f"attribute {name} has type {kind}")


def tensor(data):
    held = fields(data)
    shape = held.get(1, [])
    array = np.frombuffer(held[9][0], TYPES[held[2][0]]).reshape(shape)
    return held[8][0].decode(), array


def value_info(data):
    held = fields(data)
    kind = fields(fields(held[2][0])[1][0])
    sizes = [fields(one) for one in fields(kind[2][0]).get(1, [])]
    shape = [d[1][0] if 1 in d else d[2][0].decode() for d in sizes]
    return held[1][0].decode(), (TYPES[kind[1][0]], shape)


def run(model, floating=np.float64, **feeds):
    """Every value of the graph by its name, computed in this type."""
    values = {"": None} | model.constants | feeds
    for one in model.nodes:
        given = [cast(values[name], floating) for name in one.inputs]
        answers = OPERATORS[one.op](*given, **one.attributes)
        several = answers if isinstance(answers, tuple) else (answers,)
        for name, answer in zip(one.outputs, several, strict=False):
            assert name == "" or name not in values, f"{name} is written twice"
            values[name] = answer
    return values


def cast(array, floating):
    """Floating point in this type; whole numbers as they are."""
    is_float = array is not None and array.dtype.kind == "f"
    return array.astype(floating) if is_float else array


def gemm(x, w, b=0, transB=0):
    return x @ (w.T if transB else w) + b


def positions(x, kernel_shape, strides, pads, dilations, border):
    """(output index, what the window sees there) of samples (N, C, ...)."""
    axes = len(kernel_shape)
    sides = [(0, 0), (0, 0), *zip(pads[:axes], pads[axes:], strict=True)]
    x = np.pad(x, sides, constant_values=border)
    spans = [(k - 1) * d + 1 for k, d in zip(kernel_shape, dilations, strict=True)]
    counts = [
        (n - span) // s + 1
        for n, span, s in zip(x.shape[2:], spans, strides, strict=True)
    ]
    for index in itertools.product(*map(range, counts)):
        window = tuple(
            slice(i * s, i * s + span, d)
            for i, s, span, d in zip(index, strides, spans, dilations, strict=True)
        )
        yield index, x[(..., *window)], counts


def conv(x, w, b=None, *, kernel_shape, strides, pads, dilations, group=1):
    y, outs = None, len(w) // group
    for index, seen, counts in positions(x, kernel_shape, strides, pads, dilations, 0):
        if y is None:
            y = np.zeros((len(x), len(w), *counts), x.dtype)
        for out in range(len(w)):
            first = out // outs * w.shape[1]
            patch = seen[:, first : first + w.shape[1]]
            y[(slice(None), out, *index)] = (patch * w[out]).sum(
                axis=tuple(range(1, patch.ndim))
            )
    return y if b is None else y + b.reshape(-1, *(1,) * len(kernel_shape))


def pool(reduce, border):
    def over(x, *, kernel_shape, strides, pads, count_include_pad=0):
        assert reduce is np.max or count_include_pad or not any(pads)
        y, flat = None, (1,) * len(kernel_shape)
        for index, seen, counts in positions(
            x, kernel_shape, strides, pads, flat, border
        ):
            if y is None:
                y = np.zeros((*x.shape[:2], *counts), x.dtype)
            y[(..., *index)] = reduce(seen, axis=tuple(range(2, x.ndim)))
        return y

    return over


def batch_norm(x, scale, shift, mean, variance, epsilon):
    along = (-1, *(1,) * (x.ndim - 2))
    scale, shift, mean, variance = (
        v.reshape(along) for v in (scale, shift, mean, variance)
    )
    return scale * (x - mean) / np.sqrt(variance + epsilon) + shift


def layer_norm(x, scale, shift=0, *, axis, epsilon):
    rest = tuple(range(axis, x.ndim))
    mean, spread = x.mean(rest, keepdims=True), x.var(rest, keepdims=True)
    return (x - mean) / np.sqrt(spread + epsilon) * scale + shift


def softmax(x, axis):
    weights = np.exp(x - x.max(axis, keepdims=True, initial=-np.inf))
    return weights / weights.sum(axis, keepdims=True)


def reshape(x, shape):
    return x.reshape([n if n else x.shape[i] for i, n in enumerate(shape.tolist())])


def flatten(x, axis):
    return x.reshape(math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))


def gelu(x):
    return np.vectorize(lambda v: 0.5 * v * (1 + math.erf(v / math.sqrt(2))), [float])(
        x
    )


def along(numbers, x, axis):
    return numbers.reshape(-1, *(1,) * (x.ndim - axis - 1)) if numbers.ndim else numbers


def quantize(x, scale, zero):
    return np.clip(np.rint(x / scale) + zero, 0, 255).astype(np.uint8)


def dequantize(x, scale, zero=None, axis=1):
    zero = 0 if zero is None else along(zero, x, axis)
    return (x.astype(scale.dtype) - zero) * along(scale, x, axis)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def rnn(x, h, state, w, r, b, _):
    return (np.tanh(w @ x + r @ h + b[: len(h)] + b[len(h) :]),)


def lstm(x, h, state, w, r, b, _):
    size = len(h)
    a = w @ x + r @ h + b[: 4 * size] + b[4 * size :]
    i, o, f, c = a.reshape(4, size)
    cell = sigmoid(f) * state[1] + sigmoid(i) * np.tanh(c)
    return sigmoid(o) * np.tanh(cell), cell


def gru(x, h, state, w, r, b, linear_before_reset):
    assert linear_before_reset == 1
    size = len(h)
    z, g, n = (w @ x + b[: 3 * size]).reshape(3, size)
    hz, hg, hn = (r @ h + b[3 * size :]).reshape(3, size)
    z, g = sigmoid(z + hz), sigmoid(g + hg)
    return ((1 - z) * np.tanh(n + g * hn) + z * h,)


def recurrent(cell, gates):
    def over(
        x, w, r, b=None, lengths=None, *, hidden_size, direction, linear_before_reset=0
    ):
        steps, batch, _ = x.shape
        sides = 2 if direction == "bidirectional" else 1
        b = np.zeros((sides, 2 * gates * hidden_size)) if b is None else b
        y = np.zeros((steps, sides, batch, hidden_size))
        ends = np.zeros((sides, batch, hidden_size))
        for side, sample in itertools.product(range(sides), range(batch)):
            length = steps if lengths is None else lengths[sample]
            state = (np.zeros(hidden_size),) * 2
            order = range(length) if side == 0 else reversed(range(length))
            for t in order:
                numbers = w[side], r[side], b[side], linear_before_reset
                state = cell(x[t, sample], state[0], state, *numbers)
                y[t, side, sample] = state[0]
            ends[side, sample] = state[0]
        return y, ends

    return over


OPERATORS = {
    "Add": lambda a, b: a + b,
    "AveragePool": pool(np.mean, 0),
    "BatchNormalization": batch_norm,
    "Cast": lambda x, to: x.astype(TYPES[to]),
    "Clip": lambda x, low, high: np.minimum(np.maximum(x, low), high),
    "Concat": lambda *parts, axis: np.concatenate(parts, axis),
    "Conv": conv,
    "DequantizeLinear": dequantize,
    "Flatten": flatten,
    "Floor": np.floor,
    "GRU": recurrent(gru, 3),
    "Gather": lambda table, index, axis: np.take(table, index, axis),
    "Gelu": gelu,
    "Gemm": gemm,
    "GlobalAveragePool": lambda x: x.mean(tuple(range(2, x.ndim)), keepdims=True),
    "Identity": lambda x: x,
    "LSTM": recurrent(lstm, 4),
    "LayerNormalization": layer_norm,
    "LeakyRelu": lambda x, alpha: np.where(x < 0, alpha * x, x),
    "MaxPool": pool(np.max, -np.inf),
    "Min": np.minimum,
    "Mul": lambda a, b: a * b,
    "QuantizeLinear": quantize,
    "RNN": recurrent(rnn, 1),
    "Relu": lambda x: np.maximum(x, 0),
    "Reshape": reshape,
    "Sigmoid": sigmoid,
    "Softmax": softmax,
    "Sub": lambda a, b: a - b,
    "Tanh": np.tanh,
    "Transpose": lambda x, perm: x.transpose(perm),
}
