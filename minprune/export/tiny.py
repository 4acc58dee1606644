"""Run a minprune model with the standard library alone, on CPython or MicroPython.

    import tiny
    model = tiny.load("model.safetensors")
    model(sample)             # one raw sample, flat or nested -> list of logits
    model.predict(sample)     # the index of the largest

This one file is all that is needed. It computes in float32 files what `player.py` does,
one sample at a time and weight by weight: only stored weights are multiplied, so time
falls with sparsity. Sums run in Python's own floats, double precision on CPython.

On a small board, compile it first: `mpy-cross -O2 tiny.py` makes 12 KB, which with a
64-32-16-10 network pruned to 90 % run in a heap of 64 KB (64-bit MicroPython; compiling
on the board itself takes 160 KB).

It knows feed-forward layers: linear, convolution, pooling, batch norm, activations and
chains of them. A model with any other layer is refused by name when it is loaded, and
so is a file that is damaged or of a newer format: one ValueError, before memory is
allocated for what it claims.

Numbers lie flat, in C order. A layer is made once, for the shape that reaches it, by a
function ``kind(node, shape) -> (output shape, function of a flat sequence)``.
"""

import json
import math
import os
import sys
from array import array

FORMAT = 1
LIMIT_BYTES = 2**24
"""Largest file, and largest dense weight; a device has less memory than this."""
SAMPLE_LIMIT = 2**22
"""Most numbers that one sample may be on its way."""

TYPES = {"F32": ("f", 4), "F64": ("d", 8), "U8": ("B", 1), "U16": ("H", 2)}
TYPES["U32"] = ("I", 4)


def refuse(field, fault):
    """Raise the error for something wrong; `load` puts the file's name first."""
    raise ValueError("%s: %s" % (field, fault))


def product(numbers):
    """The product of whole numbers."""
    total = 1
    for number in numbers:
        total *= number
    return total


def is_whole(value, minimum=0):
    """Whether this is a whole number in a range that no honest model leaves."""
    return type(value) is int and minimum <= value < 2**31


# The container.


def read(path, limit_bytes):
    """The arrays, as {name: (array, shape, type code)}, and the manifest."""
    size = os.stat(path)[6]
    if size > limit_bytes:
        refuse("the file", "it has %d bytes, over the limit" % size)
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > size - 8:
            refuse("the header length", "it claims %d bytes of %d" % (length, size))
        header = parsed("the header", file.read(length))
        metadata = header.pop("__metadata__", {})
        if not isinstance(metadata, dict):
            refuse("__metadata__", "it is no JSON object")
        arrays = {}
        for name, kind, shape in layout(header, size - 8 - length):
            code, width = TYPES[kind]
            held = array(code, file.read(width * product(shape)))
            if sys.byteorder == "big":
                held.byteswap()
            if code in "fd" and not all(value - value == 0 for value in held):
                refuse(name, "it holds a number that is not finite")
            arrays[name] = (held, shape, code)
    if not isinstance(metadata.get("minprune"), str):
        refuse("__metadata__", "it has no manifest; is the file from minprune?")
    return arrays, parsed("the manifest", metadata["minprune"])


def parsed(field, text):
    """A JSON object."""
    try:
        found = json.loads(text)
    except (ValueError, RuntimeError, UnicodeError):
        refuse(field, "it is not JSON")
    if not isinstance(found, dict):
        refuse(field, "it is no JSON object")
    return found


def layout(header, body_bytes):
    """[(name, type, shape)] in the order in which the arrays lie, without gaps."""
    found = []
    for name, entry in header.items():
        entry = entry if isinstance(entry, dict) else {}
        kind, shape = entry.get("dtype"), entry.get("shape")
        offsets = entry.get("data_offsets")
        if not isinstance(kind, str) or kind not in TYPES:
            refuse(name, "its type is not one of %s" % ", ".join(sorted(TYPES)))
        for numbers in (shape, offsets):
            if not isinstance(numbers, list) or not all(is_whole(n) for n in numbers):
                refuse(name, "its shape or its place is not a list of whole numbers")
        if (
            len(offsets) != 2
            or product(shape) * TYPES[kind][1] != offsets[1] - offsets[0]
        ):
            refuse(name, "its shape does not fill its place")
        found.append((offsets[0], offsets[1], name, kind, tuple(shape)))
    found.sort(key=lambda entry: entry[:2])
    reached = 0
    for begin, end, name, _, _ in found:
        if begin != reached:
            refuse(name, "it begins at byte %d instead of %d" % (begin, reached))
        reached = end
    if reached != body_bytes:
        refuse("the header", "%d bytes follow instead of %d" % (body_bytes, reached))
    return [entry[2:] for entry in found]


# Stored weights.


class Weight:
    """The stored entries of a matrix: row r holds starts[r] to starts[r + 1].

    Without `columns` every column is stored, in order.
    """

    def __init__(self, node, name, shape):
        self.rows, self.width = shape[0], product(shape[1:])
        full, self.columns = node.prefix + name, None
        if full in node.arrays:
            self.values = node.array(name, shape)
            self.starts = range(0, self.rows * self.width + 1, self.width)
            return
        values, value_shape, code = node.take(full + ".values")
        if code not in "fd":
            refuse(full, "its values are no floats")
        if full + ".bits" in node.arrays:
            self._from_bits(full, values, node.indices(full + ".bits"))
        elif len(value_shape) in (1, 3):
            self.values, blocks = array(code), value_shape[1:] or (1, 1)
            indptr = node.indices(full + ".indptr")
            indices = node.indices(full + ".indices")
            self._from_pattern(full, values, blocks, indptr, indices)
        else:
            refuse(full, "its values have %d axes" % len(value_shape))

    def _from_bits(self, full, values, bits):
        """A bit for each position, eight to a byte, the first in the lowest."""
        size = self.rows * self.width
        if len(bits) != (size + 7) // 8 or any(byte > 255 for byte in bits):
            refuse(full, "its bits do not fit %d positions" % size)
        self.columns, self.starts = array("I"), array("I", [0])
        at = 0
        for _ in range(self.rows):
            for column in range(self.width):
                if bits[at >> 3] >> (at & 7) & 1:
                    self.columns.append(column)
                at += 1
            self.starts.append(len(self.columns))
        if len(self.columns) != len(values) or any(
            bits[k >> 3] >> (k & 7) & 1 for k in range(size, 8 * len(bits))
        ):
            refuse(full, "its bits do not keep its %d values" % len(values))
        self.values = values

    def _from_pattern(self, full, values, blocks, indptr, indices):
        """CSR, or rows of blocks, whose entries are put in order one by one."""
        height, width = blocks
        if not (0 < height <= 1024 and 0 < width <= 1024):
            refuse(full, "its blocks are of %d by %d" % (height, width))
        rows, columns = -(-self.rows // height), -(-self.width // width)
        stored = len(values) // (height * width)
        good = len(indptr) == rows + 1 and len(indices) == stored
        good = good and indptr[0] == 0 and indptr[rows] == stored
        good = good and all(indptr[r] <= indptr[r + 1] for r in range(rows))
        for r in range(rows if good else 0):
            last = -1
            for k in range(indptr[r], indptr[r + 1]):
                good = good and last < indices[k] < columns
                last = indices[k]
        if not good:
            refuse(full, "its pointers and indices describe no matrix")
        if height == width == 1:
            self.starts, self.columns, self.values = indptr, indices, values
            return
        self.starts, self.columns = array("I", [0]), array("I")
        for row in range(rows * height):
            for k in range(indptr[row // height], indptr[row // height + 1]):
                for j in range(width):
                    value = values[(k * height + row % height) * width + j]
                    column = indices[k] * width + j
                    if row < self.rows and column < self.width:
                        self.columns.append(column)
                        self.values.append(value)
                    elif value:
                        refuse(full, "a block holds a weight beyond the edge")
            if row < self.rows:
                self.starts.append(len(self.columns))

    def row(self, r):
        """(column, value) of every stored entry of a row."""
        begin, end = self.starts[r], self.starts[r + 1]
        if self.columns is None:
            return zip(range(end - begin), self.values[begin:end])
        return zip(self.columns[begin:end], self.values[begin:end])


# The manifest.


class Node:
    """One node of the manifest: arguments, arrays and children, taken by name."""

    def __init__(self, spec, arrays, taken, path):
        self.field = "layer %s" % (".".join(path) or "root")
        self.prefix = ".".join(path) + "." if path else ""
        self.arrays, self.taken, self.path = arrays, taken, path
        fits = isinstance(spec, dict) and isinstance(spec.get("args"), dict)
        if not fits or not isinstance(spec.get("children"), list) or len(path) > 16:
            refuse(self.field, "the manifest is garbled, or nested too deeply")
        self.args, self.kind, self.children = spec["args"], spec.get("kind"), {}
        self.order = []  # MicroPython's dictionaries have none
        for child in spec["children"]:
            name = child.get("name") if isinstance(child, dict) else None
            if not isinstance(name, str) or name in self.children:
                refuse(self.field, "its children need names that differ")
            self.children[name] = child
            self.order.append(name)

    def build(self, shape):
        """(output shape, function) of this layer for samples of `shape`."""
        if not isinstance(self.kind, str) or self.kind not in KINDS:
            refuse(self.field, "this player does not know a %r" % (self.kind,))
        out, run = KINDS[self.kind](self, shape)
        if self.kind[:6] == "Sparse":  # what is stored says how it is stored
            self.args.pop("format", None)
            self.args.pop("block", None)
        for name in self.args:
            refuse(self.field, "a %s has no use for %r" % (self.kind, name))
        if product(out) > SAMPLE_LIMIT:
            refuse(self.field, "one sample takes %d numbers" % product(out))
        return tuple(out), run

    def child(self, name, shape):
        """The layer of a child for samples of `shape`."""
        if name not in self.children:
            refuse(self.field, "it has no %s" % name)
        node = Node(self.children[name], self.arrays, self.taken, self.path + [name])
        return node.build(shape)

    def whole(self, name, default=None):
        """A whole number, one or more."""
        value = self.args.pop(name, default)
        if not is_whole(value, 1):
            refuse(self.field, "%s is no whole number" % name)
        return value

    def flag(self, name, default):
        """True or false."""
        value = self.args.pop(name, default)
        if type(value) is not bool:
            refuse(self.field, "%s is neither true nor false" % name)
        return value

    def number(self, name, default):
        """A finite number."""
        value = self.args.pop(name, default)
        if type(value) not in (int, float) or not abs(value) < 1e30:
            refuse(self.field, "%s is no number" % name)
        return value

    def sizes(self, name, default, axes, minimum=1):
        """(rows, columns) from a number, or from one for each axis."""
        value = self.args.pop(name, default)
        if not isinstance(value, list):
            value = [value] * axes
        if len(value) != axes or not all(is_whole(n, minimum) for n in value):
            refuse(self.field, "%s does not give %d sizes" % (name, axes))
        return [1] * (2 - axes) + value

    def expect(self, good, shape):
        """Refuse samples of a shape that does not fit."""
        if not good:
            refuse(self.field, "a %s cannot take samples of %s" % (self.kind, shape))

    def take(self, full):
        """An array and its shape, by full name."""
        if full not in self.arrays:
            refuse(full, "it is missing from the file")
        self.taken.add(full)
        return self.arrays[full]

    def indices(self, full):
        """An array of unsigned whole numbers, by full name."""
        held, _, code = self.take(full)
        if code in "fd":
            refuse(full, "it is not made of unsigned whole numbers")
        return held

    def array(self, name, shape):
        """A dense array of floats."""
        held, found, code = self.take(self.prefix + name)
        if found != tuple(shape) or code not in "fd":
            refuse(
                self.prefix + name, "it is not made of floats of shape %s" % (shape,)
            )
        return held

    def bias(self, rows):
        """The bias, zeros where there is none."""
        return self.array("bias", (rows,)) if self.flag("bias", True) else [0.0] * rows


# Layers.


def linear(node, shape):
    """y = W x + b."""
    inputs, outputs = node.whole("in_features"), node.whole("out_features")
    node.expect(shape == (inputs,), shape)
    weight, bias = Weight(node, "weight", (outputs, inputs)), node.bias(outputs)

    def run(x):
        y = array("f", bias)
        for r in range(outputs):
            total = bias[r]
            for column, value in weight.row(r):
                total += value * x[column]
            y[r] = total
        return y

    return (outputs,), run


class Window:
    """A window over (C, H, W); a signal (C, L) is a plane of one row."""

    def __init__(self, node, shape, axes, tiles):
        node.expect(len(shape) == axes + 1, shape)
        self.channels, plane = shape[0], [1] * (2 - axes) + list(shape[1:])
        self.height, self.width = plane
        self.kernel = node.sizes("kernel_size", None, axes)
        stride = self.kernel[2 - axes :] if tiles else 1
        self.stride = node.sizes("stride", stride, axes)
        self.dilation = [1, 1] if tiles else node.sizes("dilation", 1, axes)
        self.padding = self._padding(node, axes)
        room = [
            size + before + after - (k - 1) * d - 1
            for size, (before, after), k, d in zip(
                plane, self.padding, self.kernel, self.dilation
            )
        ]
        node.expect(min(room) >= 0, shape)
        self.rows, self.columns = [n // s + 1 for n, s in zip(room, self.stride)]
        self.output = [shape[0], self.rows, self.columns]
        if axes == 1:
            self.output = [shape[0], self.columns]

    def _padding(self, node, axes):
        """(before, after) for rows and for columns."""
        value = node.args.get("padding", 0)
        if value == "same":
            node.args.pop("padding")
            node.expect(self.stride == [1, 1], "any shape, 'same' with a stride")
            totals = [(k - 1) * d for k, d in zip(self.kernel, self.dilation)]
            return [(total // 2, total - total // 2) for total in totals]
        if isinstance(value, list) and value and isinstance(value[0], list):
            node.args.pop("padding")
            pairs = [side for side in value if isinstance(side, list)]
            numbers = [n for side in pairs for n in side]
            good = len(value) == axes and all(len(side) == 2 for side in pairs)
            if not good or len(numbers) != 2 * axes or not all(map(is_whole, numbers)):
                refuse(node.field, "padding does not give before and after each axis")
            return [(0, 0)] * (2 - axes) + [tuple(side) for side in value]
        sides = node.sizes("padding", 0, axes, 0)
        return [(0, 0)] * (2 - axes) + [(n, n) for n in sides[2 - axes :]]

    def span(self, axis, tap):
        """Where a tap sees the plane itself: first output, end, first position."""
        size, outputs = (self.height, self.width)[axis], (self.rows, self.columns)[axis]
        shift = tap * self.dilation[axis] - self.padding[axis][0]
        step = self.stride[axis]
        first = max(0, -(shift // step))
        end = min(outputs, (size - 1 - shift) // step + 1)
        return first, max(first, end), first * step + shift

    def visit(self, channel, i, j):
        """(first output, first input, count) of every row that a tap feeds."""
        first_row, end_row, y = self.span(0, i)
        first, end, x = self.span(1, j)
        for row in range(first_row, end_row):
            seen = (channel * self.height + y) * self.width + x
            yield row * self.columns + first, seen, end - first
            y += self.stride[0]


def convolution(axes):
    """Each stored weight is fetched once and used at every position it sees."""

    def build(node, shape):
        inputs, outputs = node.whole("in_channels"), node.whole("out_channels")
        groups = node.whole("groups", 1)
        node.expect(inputs == shape[0], shape)
        if inputs % groups or outputs % groups:
            refuse(node.field, "groups does not divide the channels")
        window = Window(node, shape, axes, False)
        (kh, kw), step = window.kernel, window.stride[1]
        taps = tuple(window.kernel[2 - axes :])
        weight = Weight(node, "weight", (outputs, inputs // groups) + taps)
        bias, plane = node.bias(outputs), window.rows * window.columns

        def run(x):
            y = array("f")
            for r in range(outputs):
                sums = [bias[r]] * plane
                first = r // (outputs // groups) * (inputs // groups)
                for column, value in weight.row(r):
                    channel, tap = first + column // (kh * kw), column % (kh * kw)
                    for to, seen, count in window.visit(channel, tap // kw, tap % kw):
                        for k in range(count):
                            sums[to + k] += value * x[seen + k * step]
                y.extend(array("f", sums))
            return y

        return [outputs] + window.output[1:], run

    return build


def pool(axes, largest):
    """The largest number under each window, or the mean with the border as zeros."""

    def build(node, shape):
        window = Window(node, shape, axes, True)
        (kh, kw), step = window.kernel, window.stride[1]
        plane = window.rows * window.columns
        for k, sides in zip(window.kernel, window.padding):
            if max(sides) >= k:
                refuse(node.field, "its padding lets a window see padding alone")

        def run(x):
            y = array("f")
            for channel in range(window.channels):
                found = [-math.inf if largest else 0.0] * plane
                for tap in range(kh * kw):
                    for to, seen, count in window.visit(channel, tap // kw, tap % kw):
                        for k in range(count):
                            value = x[seen + k * step]
                            if not largest:
                                found[to + k] += value / (kh * kw)
                            elif value > found[to + k]:
                                found[to + k] = value
                y.extend(array("f", found))
            return y

        return window.output, run

    return build


def global_avg_pool(node, shape):
    """The mean of each channel."""
    node.expect(len(shape) > 1, shape)
    size = product(shape[1:])

    def run(x):
        channels = (x[c * size : c * size + size] for c in range(shape[0]))
        return array("f", [sum(channel) / size for channel in channels])

    return shape[:1], run


def batch_norm(node, shape):
    """Each channel moved and scaled by its running statistics."""
    channels = node.whole("num_features")
    node.expect(shape[0] == channels, shape)
    eps, size = node.number("eps", 1e-5), product(shape[1:])
    affine = node.flag("affine", True)
    node.number("momentum", 0.1)  # for training
    scale = node.array("weight", (channels,)) if affine else [1.0] * channels
    shift = node.array("bias", (channels,)) if affine else [0.0] * channels
    mean = node.array("running_mean", (channels,))
    variance = node.array("running_var", (channels,))
    if not all(value + eps > 0 for value in variance):
        refuse(node.field, "a running variance plus eps is not positive")

    def run(x):
        y = array("f", x)
        for c in range(channels):
            factor = scale[c] / math.sqrt(variance[c] + eps)
            for k in range(c * size, c * size + size):
                y[k] = (x[k] - mean[c]) * factor + shift[c]
        return y

    return shape, run


def elementwise(make):
    """A function of each number by itself; `make` takes the node and gives it."""

    def build(node, shape):
        function = make(node)
        return shape, lambda x: array("f", [function(value) for value in x])

    return build


def leaky_relu(node):
    """x right of zero, a multiple of x left of it."""
    slope = node.number("negative_slope", 0.01)
    return lambda x: x if x > 0 else x * slope


def softmax(node, shape):
    """exp(x) over its sum along the first axis."""
    size = product(shape[1:])

    def run(x):
        y = array("f", x)
        for at in range(size):
            top = max(x[at::size])
            weights = [math.exp(value - top) for value in x[at::size]]
            total = sum(weights)
            for c, weight in enumerate(weights):
                y[at + c * size] = weight / total
        return y

    return shape, run


def dropout(node, shape):
    """Nothing, once training is over."""
    node.number("p", 0.5)
    return shape, lambda x: x


def flatten(node, shape):
    """Numbers lie flat already."""
    return (product(shape),), lambda x: x


def sequential(node, shape):
    """One layer after the other."""
    runs = []
    for name in node.order:
        shape, run = node.child(name, shape)
        runs.append(run)

    def run_all(x):
        for run in runs:
            x = run(x)
        return x

    return shape, run_all


def residual(node, shape):
    """body(x) + shortcut(x), or + x."""
    out, body = node.child("body", shape)
    around, shortcut = tuple(shape), lambda x: x
    if "shortcut" in node.children:
        around, shortcut = node.child("shortcut", shape)
    node.expect(out == around, shape)

    def run(x):
        return array("f", [a + b for a, b in zip(body(x), shortcut(x))])

    return out, run


def concat(node, shape):
    """Branches side by side, their channels stacked in order."""
    branches = [node.child(name, shape) for name in node.order]
    shapes = [out for out, _ in branches]
    node.expect(shapes and all(out[1:] == shapes[0][1:] for out in shapes), shape)

    def run(x):
        y = array("f")
        for _, branch in branches:
            y.extend(branch(x))
        return y

    return (sum(out[0] for out in shapes),) + shapes[0][1:], run


def squeeze_excite(node, shape):
    """Each channel times the number that the gate gives for it."""
    out, gate = node.child("gate", shape)
    node.expect(out == tuple(shape[:1]), shape)
    size = product(shape[1:])

    def run(x):
        gates = gate(x)
        return array("f", [value * gates[k // size] for k, value in enumerate(x)])

    return shape, run


def sigmoid(x):
    """1 / (1 + exp(-x)), by tanh, which overflows nowhere."""
    return 0.5 * (math.tanh(0.5 * x) + 1)


KINDS = {
    "Linear": linear,
    "SparseLinear": linear,
    "Conv1d": convolution(1),
    "SparseConv1d": convolution(1),
    "Conv2d": convolution(2),
    "SparseConv2d": convolution(2),
    "MaxPool1d": pool(1, True),
    "MaxPool2d": pool(2, True),
    "AvgPool1d": pool(1, False),
    "AvgPool2d": pool(2, False),
    "GlobalAvgPool": global_avg_pool,
    "BatchNorm": batch_norm,
    "ReLU": elementwise(lambda node: lambda x: x if x > 0 else 0.0),
    "ReLU6": elementwise(lambda node: lambda x: min(max(x, 0.0), 6.0)),
    "LeakyReLU": elementwise(leaky_relu),
    "Sigmoid": elementwise(lambda node: sigmoid),
    "Tanh": elementwise(lambda node: math.tanh),
    "GELU": elementwise(lambda node: lambda x: 0.5 * x * (1 + math.erf(x * 0.5**0.5))),
    "Softmax": softmax,
    "Dropout": dropout,
    "Flatten": flatten,
    "Sequential": sequential,
    "Residual": residual,
    "Concat": concat,
    "Heads": concat,
    "SqueezeExcite": squeeze_excite,
}


# The model.


class Model:
    """A network ready to run; made by `load`."""

    def __init__(self, manifest, arrays):
        version = manifest.get("format")
        if not is_whole(version, 1) or version > FORMAT:
            refuse("format", "it is %r; this player reads up to %d" % (version, FORMAT))
        shape, classes = manifest.get("input_shape"), manifest.get("classes")
        good = isinstance(shape, list) and shape and all(is_whole(n, 1) for n in shape)
        if not good or product(shape) > SAMPLE_LIMIT or not isinstance(classes, list):
            refuse("the manifest", "its input_shape or classes are garbled")
        self.input_shape, self.classes, taken = tuple(shape), classes, set()
        root = Node(manifest.get("root"), arrays, taken, [])
        self.output_shape, self.run = root.build(self.input_shape)
        self.scale = self._door(arrays, taken, "preprocess.scale")
        self.offset = self._door(arrays, taken, "preprocess.offset")
        for name in arrays:
            if name not in taken:
                refuse(name, "it belongs to no layer")

    def __call__(self, sample):
        """The outputs for one raw sample, a flat or nested sequence of numbers."""
        flat = list(flattened(sample))
        if len(flat) != product(self.input_shape):
            fault = "a sample of %d numbers came; expected %d"
            raise ValueError(fault % (len(flat), product(self.input_shape)))
        doors = zip(flat, self.scale(), self.offset())
        return list(self.run(array("f", [x * s + o for x, s, o in doors])))

    def predict(self, sample):
        """The index of the largest output, the first of equal ones."""
        outputs = self(sample)
        return outputs.index(max(outputs))

    def _door(self, arrays, taken, name):
        """A function that gives the scale or offset of every number of a sample."""
        if name not in arrays:
            refuse(name, "it is missing from the file")
        taken.add(name)
        (held, found, code), shape = arrays[name], self.input_shape
        fits = len(found) == len(shape) and code in "fd"
        if not fits or not all(n in (1, m) for n, m in zip(found, shape)):
            refuse(name, "its shape %s does not fit samples of %s" % (found, shape))

        def values():
            for at in range(product(shape)):
                place, step = 0, 1
                for n, m in zip(reversed(found), reversed(shape)):
                    place, at, step = place + at % m % n * step, at // m, step * n
                yield held[place]

        return values


def flattened(sample):
    """The numbers of a flat or nested sequence."""
    for part in sample:
        if hasattr(part, "__iter__"):
            yield from flattened(part)
        else:
            yield part


def load(path, limit_bytes=LIMIT_BYTES):
    """A model from a file that minprune wrote; ValueError if it is damaged or newer."""
    try:
        arrays, manifest = read(path, limit_bytes)
        return Model(manifest, arrays)
    except ValueError as why:
        raise ValueError("%s: %s" % (path, why)) from None
