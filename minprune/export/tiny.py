"""Run a minprune model with the standard library alone, on CPython or MicroPython.

    import tiny
    model = tiny.load("model.safetensors")
    model(sample)             # one raw sample, flat or nested -> list of logits
    model.predict(sample)     # the index of the largest
    print(model.summary())    # what each layer is, and how its weights are stored

This one file is all that is needed. It computes what `player.py` does, one sample at a
time and weight by weight: only stored weights are multiplied, so time falls with
sparsity. Networks in int8 give the same bits everywhere; their loops are compiled by
MicroPython's viper where there is one. In float files sums run in Python's own floats,
double precision on CPython.

On a small board, compile it first: ``mpy-cross -O2 -march=ARCH tiny.py``, ARCH being
the processor, and load with ``forget=True``. A 64-32-16-10 network pruned to 90 %, in
float32 or in int8, then runs in a heap of 64 KB (64-bit MicroPython, whose pointers
take twice the room of a board's; compiling there takes more).

It knows every layer of minprune's inference; any other is refused by name when a model
is loaded, and so is a file that is damaged or of a newer format: one ValueError, before
memory is allocated for what it claims.

Numbers lie flat, in C order. A layer is made once, for the shape that reaches it, by a
function ``kind(node, shape) -> (output shape, function of a flat sequence)``. Levels of
int8 lie as bytes, a negative one as 256 more.
"""

import json
import math
import os
import sys
from array import array

try:
    import micropython
except ImportError:  # CPython runs the same functions as they are

    class micropython:
        """Stands for MicroPython's module of that name."""

        viper = staticmethod(lambda function: function)

    ptr8 = ptr16 = ptr32 = None

FORMAT = 1
LIMIT_BYTES = 2**24
"""Largest file, and largest dense weight; a device has less memory than this."""
SAMPLE_LIMIT = 2**22
"""Most numbers that one sample may be on its way."""

TYPES = {"F32": ("f", 4), "F64": ("d", 8), "U8": ("B", 1), "U16": ("H", 2)}
TYPES.update({"U32": ("I", 4), "I8": ("B", 1), "I32": ("i", 4)})
FLOATS = ("F32", "F64")
UNSIGNED = ("U8", "U16", "U32")
LEVELS = ("I8",)


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


def read(path, limit_bytes, forget=False):
    """The arrays, as {name: (array, shape, type)}, and the manifest."""
    size = os.stat(path)[6]
    if size > limit_bytes:
        refuse("the file", "it has %d bytes, over the limit" % size)
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > size - 8:
            refuse("the header length", "it claims %d bytes of %d" % (length, size))
        text = file.read(length)
        for name in list(KINDS) if forget else ():
            if ('"%s\\' % name).encode() not in text:  # a name in a text in a text
                KINDS.pop(name)
        header = parsed("the header", text)
        metadata = header.pop("__metadata__", {})
        text = metadata.get("minprune") if isinstance(metadata, dict) else None
        if not isinstance(text, str):
            refuse("__metadata__", "it has no manifest; is the file from minprune?")
        arrays, places = {}, layout(header, size - 8 - length)
        header = metadata = None  # a board has no room for them and the arrays
        for name, kind, shape in places:
            code, width = TYPES[kind]
            held = array(code, file.read(width * product(shape)))
            if sys.byteorder == "big":
                held.byteswap()
            if kind in FLOATS and not all(value - value == 0 for value in held):
                refuse(name, "it holds a number that is not finite")
            arrays[name] = (held, shape, kind)
    return arrays, parsed("the manifest", text)


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

    def __init__(self, node, name, shape, types=FLOATS):
        self.rows, self.width, self.types = shape[0], product(shape[1:]), types
        self.starts = range(0, self.rows * self.width + 1, self.width)
        self.columns, self.form = None, "dense"
        full, arrays = node.prefix + name, node.source.arrays
        coded = full not in arrays and full + ".codes" in arrays
        if full in arrays:
            self.values = node.array(name, shape, types)
        elif not coded:
            self.values, found, kind = node.take(full + ".values")
            if kind not in types:
                refuse(full, "its values are %s; expected %s" % (kind, types[0]))
        if full + ".bits" in arrays and full not in arrays:
            self._from_bits(full, node.indices(full + ".bits"))
            if not coded and len(self.columns) != len(self.values):
                refuse(full, "its bits do not keep its %d values" % len(self.values))
        elif full not in arrays and (not coded or full + ".indptr" in arrays):
            indptr = node.indices(full + ".indptr")
            indices = node.indices(full + ".indices")
            blocks = (1, 1) if coded else found[1:] or (1, 1)
            if len(blocks) != 2 or not (0 < min(blocks) <= max(blocks) <= 1024):
                refuse(full, "its values are of shape %s" % (found,))
            stored = len(indices) if coded else len(self.values) // product(blocks)
            self._from_pattern(full, stored, blocks, indptr, indices)
        if coded:
            self._from_codes(node, full)
        if types is LEVELS and any(value == 128 for value in self.values):
            refuse(full, "it holds -128; expected -127 to 127")
        held = len(self.values), self.rows * self.width, self.form
        node.notes.append("%d of %d weights, %s" % held)

    def _from_codes(self, node, full):
        """Sixteen values for all rows or for each; a code of four bits names one."""
        codes = node.indices(full + ".codes")
        book, shape, kind = node.take(full + ".codebook")
        count = self.starts[self.rows]
        if kind not in self.types or shape not in ((1, 16), (self.rows, 16)):
            refuse(full, "its codebook is %s of shape %s" % (kind, shape))
        extra = count % 2 and codes and codes[-1] > 15
        if len(codes) != (count + 1) // 2 or extra:
            refuse(full, "it has %d bytes of codes for %d" % (len(codes), count))
        self.values, self.form = array(TYPES[kind][0]), self.form + " of codes"
        for r in range(self.rows):
            line = 16 * (r % shape[0])
            for k in range(self.starts[r], self.starts[r + 1]):
                code = codes[k >> 1] >> (k & 1) * 4 & 15
                self.values.append(book[line + code])

    def _from_bits(self, full, bits):
        """A bit for each position, eight to a byte, the first in the lowest."""
        size, self.form = self.rows * self.width, "bitmask"
        if len(bits) != (size + 7) // 8 or any(byte > 255 for byte in bits):
            refuse(full, "its bits do not fit %d positions" % size)
        self.columns, self.starts, at = self._no_columns(), array("I", [0]), 0
        for _ in range(self.rows):
            for column in range(self.width):
                if bits[at >> 3] >> (at & 7) & 1:
                    self.columns.append(column)
                at += 1
            self.starts.append(len(self.columns))
        if any(bits[k >> 3] >> (k & 7) & 1 for k in range(size, 8 * len(bits))):
            refuse(full, "a bit beyond the last position is set")

    def _from_pattern(self, full, stored, blocks, indptr, indices):
        """CSR, or rows of blocks, whose entries are put in order one by one."""
        height, width = blocks
        self.form = "csr" if height == width == 1 else "%dx%d blocks" % blocks
        rows, columns = -(-self.rows // height), -(-self.width // width)
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
        self.columns = self._no_columns()
        if height == width == 1:
            self.starts = indptr
            self.columns.extend(array(self.code, indices))
            return
        given, self.starts = self.values, array("I", [0])
        self.values = array("d" if self.types is FLOATS else "B")
        for row in range(rows * height):
            for k in range(indptr[row // height], indptr[row // height + 1]):
                for j in range(width):
                    value = given[(k * height + row % height) * width + j]
                    column = indices[k] * width + j
                    if row < self.rows and column < self.width:
                        self.columns.append(column)
                        self.values.append(value)
                    elif value:
                        refuse(full, "a block holds a weight beyond the edge")
            if row < self.rows:
                self.starts.append(len(self.columns))

    def _no_columns(self):
        """An empty array of the type that holds every column."""
        self.code = "B" if self.width <= 2**8 else "H" if self.width <= 2**16 else "I"
        return array(self.code)

    def row(self, r):
        """(column, value) of every stored entry of a row."""
        begin, end = self.starts[r], self.starts[r + 1]
        if self.columns is None:
            return zip(range(end - begin), self.values[begin:end])
        return zip(self.columns[begin:end], self.values[begin:end])

    def times(self, x, bias):
        """The product with a vector of floats, and a bias, as a list."""
        y = list(bias)
        for r in range(self.rows):
            for column, value in self.row(r):
                y[r] += value * x[column]
        return y

    def dot(self, r, x, total):
        """The product of a row of levels with a vector of levels, added to a number."""
        begin, end = self.starts[r], self.starts[r + 1]
        if self.columns is None:
            return dot_dense(self.values, x, begin, end, total)
        if self.code == "B":
            return dot_narrow(self.values, self.columns, x, begin, end, total)
        return dot_wide(self.values, self.columns, x, begin, end, total)


# The manifest.


class Source:
    """What the nodes take from, what they have taken, and what they have in common."""

    def __init__(self, arrays):
        self.arrays, self.taken, self.rows = arrays, set(), []
        self.length = None
        """The true length of the padded sequence that is worked on."""


class Node:
    """One node of the manifest: arguments, arrays and children, taken by name."""

    def __init__(self, spec, source, path):
        self.name = ".".join(path)
        self.field = "layer %s" % (self.name or "root")
        self.prefix = self.name + "." if self.name else ""
        self.source, self.path, self.notes = source, path, []
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

    def builder(self):
        """The function that makes layers of this kind."""
        if not isinstance(self.kind, str) or self.kind not in KINDS:
            refuse(self.field, "this player does not know a %r" % (self.kind,))
        return KINDS[self.kind]

    def build(self, shape):
        """(output shape, function) of this layer for samples of `shape`."""
        make = self.builder()
        if self.kind[:9] == "Quantized":
            refuse(self.field, "a %s stands in no chain of layers" % self.kind)
        out, run = make(self, shape)
        self.close(out)
        return tuple(out), run

    def close(self, out):
        """Refuse what is left over, and samples that are too large; note the layer."""
        if self.kind[:6] == "Sparse":  # what is stored says how it is stored
            self.args.pop("format", None)
            self.args.pop("block", None)
        for name in self.args:
            refuse(self.field, "a %s has no use for %r" % (self.kind, name))
        if product(out) > SAMPLE_LIMIT:
            refuse(self.field, "one sample takes %d numbers" % product(out))
        if not self.order:
            self.source.rows.append((self.name, self.kind, tuple(out), self.notes))

    def child(self, name, shape):
        """The layer of a child for samples of `shape`."""
        if name not in self.children:
            refuse(self.field, "it has no %s" % name)
        return self.node(name).build(shape)

    def node(self, name):
        """The node of a child."""
        return Node(self.children[name], self.source, self.path + [name])

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
        if full not in self.source.arrays:
            refuse(full, "it is missing from the file")
        self.source.taken.add(full)
        return self.source.arrays[full]

    def indices(self, full):
        """An array of unsigned whole numbers, by full name."""
        held, _, kind = self.take(full)
        if kind not in UNSIGNED:
            refuse(full, "it is not made of unsigned whole numbers")
        return held

    def array(self, name, shape, types=FLOATS):
        """A dense array, of floats unless it is said otherwise."""
        held, found, kind = self.take(self.prefix + name)
        if found != tuple(shape) or kind not in types:
            fault = "it is not made of %s of shape %s"
            refuse(self.prefix + name, fault % (types[0], tuple(shape)))
        return held

    def bias(self, rows):
        """The bias, zeros where there is none."""
        return self.array("bias", (rows,)) if self.flag("bias", True) else [0.0] * rows


# Layers. What `kind` files stands in KINDS alone, so that `load` can forget it.

KINDS = {}


def kind(*names):
    """File a function under the kinds that manifests call it."""

    def file(function):
        for name in names:
            KINDS[name] = function

    return file


@kind("Linear", "SparseLinear")
def linear(node, shape):
    """y = W x + b."""
    inputs, outputs = node.whole("in_features"), node.whole("out_features")
    node.expect(shape == (inputs,), shape)
    weight, bias = Weight(node, "weight", (outputs, inputs)), node.bias(outputs)
    return (outputs,), lambda x: array("f", weight.times(x, bias))


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


@kind("Conv1d", "SparseConv1d", "Conv2d", "SparseConv2d")
def convolution(node, shape):
    """Each stored weight is fetched once and used at every position it sees."""
    axes = int(node.kind[-2])
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


@kind("MaxPool1d", "MaxPool2d", "AvgPool1d", "AvgPool2d")
def pool(node, shape):
    """The largest number under each window, or the mean with the border as zeros."""
    axes, largest = int(node.kind[-2]), node.kind[0] == "M"
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


@kind("GlobalAvgPool")
def global_avg_pool(node, shape):
    """The mean of each channel."""
    node.expect(len(shape) > 1, shape)
    size = product(shape[1:])

    def run(x):
        channels = (x[c * size : c * size + size] for c in range(shape[0]))
        return array("f", [sum(channel) / size for channel in channels])

    return shape[:1], run


@kind("BatchNorm")
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


@kind("LayerNorm")
def layer_norm(node, shape):
    """The sample brought to zero mean and unit variance over all its entries."""
    sizes = node.args.pop("normalized_shape", None)
    sizes = sizes if isinstance(sizes, list) else [sizes]
    node.expect(tuple(sizes) == tuple(shape), shape)
    eps, size = node.number("eps", 1e-5), product(shape)
    affine = node.flag("affine", True)
    scale = node.array("weight", shape) if affine else [1.0] * size
    shift = node.array("bias", shape) if affine else [0.0] * size
    if eps < 0:
        refuse(node.field, "eps is below zero")

    def run(x):
        mean = sum(x) / size
        spread = math.sqrt(sum((value - mean) ** 2 for value in x) / size + eps)
        every = zip(x, scale, shift)
        return array("f", [(v - mean) / spread * a + b for v, a, b in every])

    return shape, run


@kind("ReLU", "ReLU6", "LeakyReLU", "Sigmoid", "Tanh", "GELU")
def elementwise(node, shape):
    """A function of each number by itself."""
    slope = node.number("negative_slope", 0.01) if node.kind == "LeakyReLU" else 0.0
    function = {
        "ReLU": lambda x: x if x > 0 else 0.0,
        "ReLU6": lambda x: min(max(x, 0.0), 6.0),
        "LeakyReLU": lambda x: x if x > 0 else x * slope,
        "Sigmoid": sigmoid,
        "Tanh": math.tanh,
        "GELU": lambda x: 0.5 * x * (1 + math.erf(x * 0.5**0.5)),
    }[node.kind]
    return shape, lambda x: array("f", [function(value) for value in x])


@kind("Softmax")
def softmax(node, shape):
    """exp(x) over its sum along the first axis."""
    size = product(shape[1:])

    def run(x):
        y = array("f", x)
        for at in range(size):
            along = [x[k] for k in range(at, len(x), size)]
            top = max(along)
            weights = [math.exp(value - top) for value in along]
            total = sum(weights)
            for c, weight in enumerate(weights):
                y[at + c * size] = weight / total
        return y

    return shape, run


@kind("Dropout")
def dropout(node, shape):
    """Nothing, once training is over."""
    node.number("p", 0.5)
    return shape, lambda x: x


@kind("Embedding")
def embedding(node, shape):
    """A row of a table for each whole number: (L) -> (dim, L)."""
    rows, width = node.whole("num_embeddings"), node.whole("embedding_dim")
    node.expect(len(shape) == 1, shape)
    table = node.array("weight", (rows, width))

    def run(x):
        if not all(0 <= symbol < rows and symbol == int(symbol) for symbol in x):
            fault = "symbols are to be whole numbers from 0 to %d" % (rows - 1)
            refuse(node.field, fault)
        found = [int(symbol) * width for symbol in x]
        return array("f", [table[row + k] for k in range(width) for row in found])

    return (width, shape[0]), run


@kind("RNN", "LSTM", "GRU")
def recurrent(node, shape):
    """Levels upon levels, each read forwards and perhaps backwards too.

    A cell takes what comes in, what the state gives, h, c, and gives the new h and c.
    From the true end of a sequence on, the state stands still and zeros are put out.
    """

    def RNN(x, u, h, c):
        """h = tanh(x + u)."""
        return [math.tanh(a + b) for a, b in zip(x, u)], c

    def LSTM(x, u, h, c):
        """Gates in the order input, forget, cell, output."""
        n = len(h)
        a = [p + q for p, q in zip(x, u)]
        c = [
            sigmoid(a[n + k]) * c[k] + sigmoid(a[k]) * math.tanh(a[2 * n + k])
            for k in range(n)
        ]
        return [sigmoid(a[3 * n + k]) * math.tanh(c[k]) for k in range(n)], c

    def GRU(x, u, h, c):
        """Gates in the order reset, update, new; reset acts on what W_hh has made."""
        n, new = len(h), []
        for k in range(n):
            r, z = sigmoid(x[k] + u[k]), sigmoid(x[n + k] + u[n + k])
            fresh = math.tanh(x[2 * n + k] + r * u[2 * n + k])
            new.append((1 - z) * fresh + z * h[k])
        return new, c

    gates, cell = {"RNN": (1, RNN), "LSTM": (4, LSTM), "GRU": (3, GRU)}[node.kind]
    inputs, hidden = node.whole("input_size"), node.whole("hidden_size")
    levels, bias = node.whole("num_layers", 1), node.flag("bias", True)
    ends = ("", "_reverse") if node.flag("bidirectional", False) else ("",)
    last = node.flag("last", False)
    node.expect(len(shape) == 2 and shape[0] == inputs, shape)
    rows, steps, chain, columns = gates * hidden, shape[1], [], inputs

    def product_of(which, end, columns):
        weight = Weight(node, "weight_%s_%s" % (which, end), (rows, columns))
        name = "bias_%s_%s" % (which, end)
        return weight, node.array(name, (rows,)) if bias else [0.0] * rows

    for level in range(levels):
        sides = []
        for end in ["l%d%s" % (level, end) for end in ends]:
            into = product_of("ih", end, columns)
            sides.append(into + product_of("hh", end, hidden))
        chain.append(sides)
        columns = hidden * len(ends)

    def scan(x, side, backwards):
        """(the state after every step, the final state)"""
        w_ih, b_ih, w_hh, b_hh = side
        h, c, y = [0.0] * hidden, [0.0] * hidden, array("f", [0.0] * hidden * steps)
        true = node.source.length
        order = range(steps if true is None else max(0, min(true, steps)))
        for t in reversed(order) if backwards else order:
            seen = [x[k] for k in range(t, len(x), steps)]
            h, c = cell(w_ih.times(seen, b_ih), w_hh.times(h, b_hh), h, c)
            for k in range(hidden):
                y[k * steps + t] = h[k]
        return y, h

    def run(x):
        for level in chain:
            sides = [scan(x, side, k == 1) for k, side in enumerate(level)]
            x = array("f")
            for y, _ in sides:
                x.extend(y)
        return array("f", [v for _, h in sides for v in h]) if last else x

    return (columns,) if last else (columns, steps), run


@kind("Flatten")
def flatten(node, shape):
    """Numbers lie flat already."""
    return (product(shape),), lambda x: x


@kind("Sequential")
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


@kind("Residual")
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


@kind("Concat", "Heads")
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


@kind("SqueezeExcite")
def squeeze_excite(node, shape):
    """Each channel times the number that the gate gives for it."""
    out, gate = node.child("gate", shape)
    node.expect(out == tuple(shape[:1]), shape)
    size = product(shape[1:])

    def run(x):
        gates = gate(x)
        return array("f", [value * gates[k // size] for k, value in enumerate(x)])

    return shape, run


@kind("FeatureBoost")
def feature_boost(node, shape):
    """Each channel of a convolution times its gate; the lowest gates are shut."""
    off = node.args.pop("off", None)
    out, conv = node.child("conv", shape)
    node.expect(is_whole(off) and off <= out[0], shape)
    phi = node.array("phi", (out[0], shape[0]))
    rho = node.array("rho", (out[0],))
    inside, size = product(shape[1:]), product(out[1:])

    def run(x):
        seen = [
            sum(abs(v) for v in x[c * inside : c * inside + inside]) / inside
            for c in range(shape[0])
        ]
        gates = []
        for o in range(out[0]):
            total = sum(phi[o * shape[0] + c] * seen[c] for c in range(shape[0]))
            gates.append(max(total + rho[o], 0.0))
        for _, o in sorted([(gate, o) for o, gate in enumerate(gates)])[:off]:
            gates[o] = 0.0
        return array("f", [v * gates[k // size] for k, v in enumerate(conv(x))])

    return out, run


def sigmoid(x):
    """1 / (1 + exp(-x)), by tanh, which overflows nowhere."""
    return 0.5 * (math.tanh(0.5 * x) + 1)


# Integers: steps that read values by number. Value 0 is the sample, step i writes value
# i + 1. Sums are below 2**31 for every input, which is checked when a model is loaded.

SUM_LIMIT = 2**31 - 2**9
ADD_SHIFT = 20

# Viper knows bytes from 0 to 255 alone: (byte ^ 128) - 128 is the level in it.


@micropython.viper
def dot_dense(values: ptr8, x: ptr8, begin: int, end: int, total: int) -> int:
    """The sum of products of levels with all levels of x."""
    for k in range(begin, end):
        weight = (int(values[k]) ^ 128) - 128
        total += weight * ((int(x[k - begin]) ^ 128) - 128)
    return total


@micropython.viper
def dot_narrow(
    values: ptr8, columns: ptr8, x: ptr8, begin: int, end: int, total: int
) -> int:
    """The sum of products of levels with the levels of x at their columns."""
    for k in range(begin, end):
        weight = (int(values[k]) ^ 128) - 128
        total += weight * ((int(x[int(columns[k])]) ^ 128) - 128)
    return total


@micropython.viper
def dot_wide(
    values: ptr8, columns: ptr16, x: ptr8, begin: int, end: int, total: int
) -> int:
    """As `dot_narrow`, with columns of sixteen bits."""
    for k in range(begin, end):
        weight = (int(values[k]) ^ 128) - 128
        total += weight * ((int(x[int(columns[k])]) ^ 128) - 128)
    return total


@micropython.viper
def spread(
    w: int, y: ptr32, x: ptr8, at: int, rows: int, columns: int, down: int, right: int
):
    """Add a weight times what it sees to every position: x from `at` on, in steps."""
    to = 0
    for _ in range(rows):
        seen = at
        for _ in range(columns):
            y[to] = int(y[to]) + w * ((int(x[seen]) ^ 128) - 128)
            to += 1
            seen += right
        at += down


def signed(byte):
    """The level that lies in a byte."""
    return (byte ^ 128) - 128


def rescale(x, multiplier, exponent):
    """x * multiplier * 2**(exponent - 31): rounded to nearest, halves up, then again,
    halves away from zero, by what is left to shift."""
    high = ((x << max(exponent, 0)) * multiplier + (1 << 30)) >> 31
    right = max(-exponent, 0)
    below = (1 << right) - 1
    half = (below >> 1) + (1 if high < 0 else 0)
    return (high >> right) + (1 if high & below > half else 0)


def single(x):
    """A number rounded to float32."""
    return array("f", [x])[0]


def factors(node, most, sizes):
    """Multipliers and exponents of sums."""
    multiplier, shape, kind = node.take(node.prefix + "multiplier")
    held = node.array("exponent", shape, LEVELS)
    exponent = [signed(byte) for byte in held]
    if kind != "I32" or shape not in [(size,) for size in sizes]:
        refuse(node.field, "its multipliers are %s of shape %s" % (kind, shape))
    for m, e in zip(multiplier, exponent):
        if not (m >= 2**30 and -31 <= e <= most) and (m or e):
            refuse(node.field, "its multiplier does not go with its exponent")
    return multiplier, exponent


class Ends:
    """What every step ends with: its zero point and its bounds."""

    def __init__(self, node, zero):
        self.zero = zero
        self.low, self.high = node.args.pop("low", None), node.args.pop("high", None)
        good = type(self.low) is int and type(self.high) is int
        if not good or not -128 <= self.low <= self.high <= 127:
            refuse(node.field, "its bounds are no levels in order")

    def byte(self, level):
        """A level within the bounds, as a byte."""
        return max(self.low, min(self.high, level)) & 255


def window_of(node, plane):
    """The window of a step, whose padding is given side by side."""
    if not isinstance(node.args.get("padding"), list):
        refuse(node.field, "its padding is no list of pairs")
    return Window(node, plane, 2, False)


def padded(x, window, byte):
    """(plane with its border, rows, columns)."""
    (top, bottom), (left, right) = window.padding
    rows, columns = window.height + top + bottom, window.width + left + right
    if rows == window.height and columns == window.width:
        return x, rows, columns
    y = bytearray(bytes([byte]) * (window.channels * rows * columns))
    for line in range(window.channels * window.height):
        channel, row = line // window.height, line % window.height
        to, seen = (channel * rows + top + row) * columns + left, line * window.width
        y[to : to + window.width] = x[seen : seen + window.width]
    return y, rows, columns


@kind("QuantizedAffine")
def quantized_affine(node, plane, zeros, ends):
    """A convolution in integers; a linear layer is one over a single position."""
    outputs, groups = node.whole("out_channels"), node.whole("groups")
    node.args.pop("layer", None)
    if plane[0] % groups or outputs % groups:
        refuse(node.field, "groups does not divide the channels")
    window, inputs = window_of(node, plane), plane[0] // groups
    (kh, kw), (sh, sw), (dh, dw) = window.kernel, window.stride, window.dilation
    weight = Weight(node, "weight", (outputs, inputs, kh, kw), LEVELS)
    if weight.width > 2**16:
        refuse(node.field, "it has more than 65536 inputs")
    bias = node.array("bias", (outputs,), ("I32",))
    multiplier, exponent = factors(node, 30, (1, outputs))
    by_row = len(multiplier) > 1
    for r in range(outputs):
        size = sum(abs(signed(value)) for _, value in weight.row(r))
        raised = (abs(bias[r]) + 128 * size) << max(exponent[r * by_row], 0)
        if raised >= SUM_LIMIT:
            refuse(node.field, "a sum may reach %d" % raised)
    count = window.rows * window.columns

    def finish(total, r):
        scaled = rescale(total, multiplier[r * by_row], exponent[r * by_row])
        return ends.byte(scaled + ends.zero)

    def product_with(x):
        return bytearray([finish(weight.dot(r, x, bias[r]), r) for r in range(outputs)])

    def convolve(x):
        x, height, width = padded(x, window, zeros[0] & 255)
        y = bytearray(outputs * count)
        for r in range(outputs):
            sums = array("i", [bias[r]] * count)
            first = r // (outputs // groups) * inputs
            for column, value in weight.row(r):
                channel, tap = first + column // (kh * kw), column % (kh * kw)
                at = (channel * height + tap // kw * dh) * width + tap % kw * dw
                w, down = signed(value), sh * width
                spread(w, sums, x, at, window.rows, window.columns, down, sw)
            for k in range(count):
                y[r * count + k] = finish(sums[k], r)
        return y

    flat = plane[1:] == (1, 1) and groups == kh == kw == 1 == count
    return (outputs, window.rows, window.columns), product_with if flat else convolve


@kind("QuantizedPool")
def quantized_pool(node, plane, zeros, ends):
    """The largest level under the window, or the mean, halves away from zero."""
    largest, window = node.flag("largest", None), window_of(node, plane)
    (kh, kw), (sh, sw), (dh, dw) = window.kernel, window.stride, window.dilation
    for k, sides in zip(window.kernel, window.padding):
        if max(sides) >= k:
            refuse(node.field, "its padding lets a window see padding alone")

    def run(x):
        x, height, width = padded(x, window, 128 if largest else zeros[0] & 255)
        y = bytearray()
        for channel in range(plane[0]):
            for p in range(window.rows):
                for q in range(window.columns):
                    at = (channel * height + p * sh) * width + q * sw
                    seen = [
                        signed(x[at + i * dh * width + j * dw])
                        for i in range(kh)
                        for j in range(kw)
                    ]
                    if largest:
                        level = max(seen)
                    else:
                        total = sum(seen)
                        level = (abs(total) + kh * kw // 2) // (kh * kw)
                        level = -level if total < 0 else level
                    y.append(ends.byte(level))
        return y

    return (plane[0], window.rows, window.columns), run


@kind("QuantizedAdd")
def quantized_add(node, plane, zeros, ends):
    """A sum: both sides brought to one scale, then to that of the result."""
    multiplier, exponent = factors(node, 2, (3,))
    if max(exponent[:2]) > 0:
        refuse(node.field, "a side of the sum would overflow")

    def side(k, byte):
        raised = (signed(byte) - zeros[k]) << ADD_SHIFT
        return rescale(raised, multiplier[k], exponent[k])

    def run(left, right):
        y = bytearray(len(left))
        for k in range(len(left)):
            total = side(0, left[k]) + side(1, right[k])
            y[k] = ends.byte(rescale(total, multiplier[2], exponent[2]) + ends.zero)
        return y

    return plane, run


@kind("QuantizedConcat", "QuantizedClip")
def quantized_concat(node, plane, zeros, ends):
    """Planes one behind the other, or one within bounds."""
    return plane, lambda *parts: bytearray(
        [ends.byte(signed(byte)) for part in parts for byte in part]
    )


COUNTS = {"QuantizedAdd": 2, "QuantizedConcat": None}


@kind("Quantized")
def quantized(node, shape, scale, offset):
    """The steps of a network in int8, from raw samples to real logits."""
    count = (len(node.order) + 1,)
    scales = node.array("levels.scale", count, ("F32",))
    zeros = [signed(b) for b in node.array("levels.zero", count, LEVELS)]
    if not node.order or not all(s > 0 for s in scales):
        refuse("levels.scale", "it does not give every value a scale above zero")
    steps, sizes, last = [], [product(shape)], {}
    for name in node.order:
        reads = quantized_step(node.node(name), scales, zeros, sizes, steps)
        for x in reads:
            last[x] = len(steps)
    answer, outputs = len(steps), sizes[-1]

    up, one = array("f", [zeros[0] + 128.5])[0], array("f", [0.0])
    gains = array("f", [s / scales[0] for s in scale()])
    shifts = array("f", [o / scales[0] for o in offset()])
    for k in range(len(shifts)):
        shifts[k] += up
    along = len(gains) > 1, len(shifts) > 1

    def enter(flat):
        """Levels above -128, half a level up, so that cutting off rounds to nearest."""
        y = bytearray(len(flat))
        for k, x in enumerate(flat):
            one[0] = x  # and each operation rounds to float32
            one[0] *= gains[k * along[0]]
            one[0] += shifts[k * along[1]]
            level = one[0]
            y[k] = (int(min(level, 255.0)) - 128 if level > 0 else -128) & 255
        return y

    def run(flat):
        held = {0: enter(flat)}
        for y, (reads, step) in enumerate(steps, 1):
            held[y] = step(*[held[x] for x in reads])
            for x in set(reads):
                if last[x] == y:
                    del held[x]
        bottom, unit = zeros[answer], scales[answer]
        return [single((signed(byte) - bottom) * unit) for byte in held[answer]]

    return (outputs,), run


def quantized_step(node, scales, zeros, sizes, steps):
    """Append a step and the size of what it writes; give the values it reads."""
    y, reads = len(sizes), node.args.pop("reads", None)
    plane = node.args.pop("plane", None)
    good = isinstance(reads, list) and reads and all(is_whole(x) for x in reads)
    good = good and max(reads) < y and str(node.kind)[:9] == "Quantized"
    good = good and isinstance(plane, list) and len(plane) == 3
    if not good or not all(is_whole(n, 1) for n in plane):
        refuse(node.field, "it is no step that reads planes before its own")
    plane, read = tuple(plane), [sizes[x] for x in reads]
    count = COUNTS.get(node.kind, 1)
    if count is None:
        fits = sum(read) == product(plane)
        fits = fits and not any(n % product(plane[1:]) for n in read)
    else:
        fits = len(reads) == count and all(n == product(plane) for n in read)
    same = all((scales[x], zeros[x]) == (scales[y], zeros[y]) for x in reads)
    rescales = node.kind in ("QuantizedAffine", "QuantizedAdd")
    if not fits or not (same or rescales):
        refuse(node.field, "what it reads has not its plane or its levels")
    ends = Ends(node, zeros[y])
    out, run = node.builder()(node, plane, [zeros[x] for x in reads], ends)
    node.close(out)
    sizes.append(product(out))
    steps.append((reads, run))
    return reads


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
        self.input_shape, self.classes = tuple(shape), classes
        self.source = source = Source(arrays)
        root = Node(manifest.get("root"), source, [])
        scale = self._door("preprocess.scale")
        offset = self._door("preprocess.offset")
        if root.kind == "Quantized":
            made = root.builder()(root, self.input_shape, scale, offset)
            root.close(made[0])
            self.output_shape, self.run = made
        else:
            self.output_shape, run = root.build(self.input_shape)

            gains, shifts = array("f", scale()), array("f", offset())
            along = len(gains) > 1, len(shifts) > 1

            def enter(flat):
                scaled = [x * gains[k * along[0]] for k, x in enumerate(flat)]
                for k in range(len(scaled)):
                    scaled[k] += shifts[k * along[1]]
                return run(array("f", scaled))

            self.run = enter
        for name in arrays:
            if name not in source.taken:
                refuse(name, "it belongs to no layer")
        source.arrays = source.taken = None

    def __call__(self, sample, length=None):
        """The outputs for one raw sample, a flat or nested sequence of numbers.

        `length` is the true length of a padded sequence.
        """
        flat = list(flattened(sample))
        if len(flat) != product(self.input_shape):
            fault = "a sample of %d numbers came; expected %d"
            raise ValueError(fault % (len(flat), product(self.input_shape)))
        self.source.length = length
        return list(self.run(flat))

    def summary(self):
        """A line for each layer: name, kind, output, what is stored of its weights."""
        lines = []
        for name, kind, out, notes in self.source.rows:
            shape = "x".join([str(n) for n in out])
            lines.append("  ".join([name or "root", kind, shape] + notes))
        return "\n".join(lines)

    def predict(self, sample, length=None):
        """The index of the largest output, the first of equal ones."""
        outputs = self(sample, length)
        return outputs.index(max(outputs))

    def _door(self, name):
        """A function that gives a scale or offset: of every number, or one of all."""
        if name not in self.source.arrays:
            refuse(name, "it is missing from the file")
        self.source.taken.add(name)
        (held, found, kind), shape = self.source.arrays[name], self.input_shape
        fits = len(found) == len(shape) and kind in FLOATS
        if not fits or not all(n in (1, m) for n, m in zip(found, shape)):
            refuse(name, "its shape %s does not fit samples of %s" % (found, shape))

        def values():
            for at in range(product(shape) if len(held) > 1 else 1):
                place, step = 0, 1
                for n, m in zip(reversed(found), reversed(shape)):
                    place, at, step = place + at % m % n * step, at // m, step * n
                yield held[place]

        return values


def flattened(sample):
    """The numbers of a flat or nested sequence."""
    for part in sample:
        if isinstance(part, str):  # it would go on forever
            raise ValueError("a sample holds the text %r; expected numbers" % part)
        if hasattr(part, "__iter__"):
            yield from flattened(part)
        else:
            yield part


def load(path, limit_bytes=LIMIT_BYTES, forget=False):
    """A model from a file that minprune wrote; ValueError if it is damaged or newer.

    With `forget`, the code of all layers that this model has not got is dropped, and
    its memory is free for the model; another model can perhaps not be loaded then.
    """
    try:
        arrays, manifest = read(path, limit_bytes, forget)
        return Model(manifest, arrays)
    except ValueError as why:
        raise ValueError("%s: %s" % (path, why)) from None
