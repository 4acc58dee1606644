"""Run a minprune model with NumPy alone. This one file is all that is needed.

    import player
    model = player.load("model.safetensors")
    model(x)                  # raw samples (N, ...) -> logits (N, classes)
    model.predict(x)          # the class of each sample, as its index
    print(model.summary())    # what each layer is, and how it is executed and why

It imports NumPy and the standard library, runs on Python 3.8 and newer, and may be
copied to a device by itself. Networks in int8 are computed in integers, to the last bit
as minprune, the generated C and `tiny.py` compute them. The file it reads is a
safetensors container: no pickle, nothing that can be executed. All that such a file
says is checked before memory is allocated for it, and every fault is one ValueError
that names file, field and fault.

Inside, samples are the last axis: (features, N), (C, L, N), (C, H, W, N). The door
turns them once, on the way in and on the way out.

The file has six parts: the container, stored weights, the manifest, one class for each
kind of layer, the same for the steps of integers, and the model. A new kind of layer is
a class with `@kind("Name")`.
"""

from __future__ import annotations

import json
import math
import os
import stat
import time

import numpy as np

FORMAT = 1
"""Version of the manifest that is understood; older ones are too, newer are refused."""

LIMIT_BYTES = 2**30
"""Largest file, and largest weight unpacked from it, unless the caller says more."""

HEADER_LIMIT_BYTES = 2**22
AXES_LIMIT = 32
BLOCK_SIDE_LIMIT = 1024
DEPTH_LIMIT = 64
"""Chains within chains; an honest network has a handful."""

SAMPLE_LIMIT = 2**25
"""Most numbers that one sample may be anywhere on its way through the network."""

WORK_BYTES = 2**24
"""Memory that a batch may take between two layers: batches are cut to fit."""

SCRATCH_BYTES = 2**20
"""Memory for unfolded patches and for sparse products: what a cache holds."""

BATCH = 256
"""Most samples that are worked on at a time."""


def refuse(field, fault, remedy="the file is damaged; fetch or save it anew"):
    """Raise the error for a fault in a file; `load` puts the file's name first."""
    raise ValueError("%s: %s; %s" % (field, fault, remedy))


def shown(value):
    """A value as it stands in a message: one line, and not a long one."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of more digits than Python prints
        text = "a very long " + type(value).__name__
    return text if len(text) <= 60 else text[:57] + "..."


# --------------------------------------------------------------------------------------
# The container: eight bytes of header length, a JSON header, raw little-endian arrays.

DTYPES = {
    "BOOL": "?",
    "U8": "u1",
    "I8": "i1",
    "U16": "<u2",
    "I16": "<i2",
    "F16": "<f2",
    "U32": "<u4",
    "I32": "<i4",
    "F32": "<f4",
    "U64": "<u8",
    "I64": "<i8",
    "F64": "<f8",
}


def read(path, limit_bytes=LIMIT_BYTES):
    """The arrays and the strings of a container, by name."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        refuse("the file", "it is not a regular file", "name a model file")
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > limit_bytes:
            fault = "it has %d bytes, over the limit of %d" % (size, limit_bytes)
            refuse("the file", fault, "raise limit_bytes if you trust it")
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > size - 8:
            fault = "it claims %d bytes but the file has %d" % (length, size)
            refuse("the header length", fault)
        if length > HEADER_LIMIT_BYTES:
            fault = "it claims %d bytes, over the limit of %d"
            refuse("the header length", fault % (length, HEADER_LIMIT_BYTES))
        header = parsed("the header", file.read(length))
        metadata = header.pop("__metadata__", {})
        if not isinstance(metadata, dict) or not all(
            isinstance(text, str) for text in metadata.values()
        ):
            refuse("__metadata__", "it is %s; expected texts" % shown(metadata))
        tensors = {}
        for name, dtype, shape in layout(header, size - 8 - length):
            tensors[name] = read_array(file, name, dtype, shape)
        return tensors, metadata


def parsed(field, text):
    """A JSON object in which no name occurs twice."""

    def unique(pairs):
        found = dict(pairs)
        if len(found) < len(pairs):
            raise ValueError("a name occurs twice")
        return found

    try:
        found = json.loads(text, object_pairs_hook=unique)
    except (ValueError, RecursionError) as why:
        refuse(field, "it is not JSON as expected (%s)" % shown(str(why)))
    if not isinstance(found, dict):
        refuse(field, "it is %s, not a JSON object" % shown(found))
    return found


def layout(header, body_bytes):
    """(name, dtype, shape) of every array, in the order in which they lie."""
    found = []
    for name, entry in header.items():
        field = shown(name)
        if not isinstance(entry, dict) or set(entry) != {
            "dtype",
            "shape",
            "data_offsets",
        }:
            fault = "it is %s; expected dtype, shape and data_offsets" % shown(entry)
            refuse(field, fault)
        kind, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
        if not isinstance(kind, str) or kind not in DTYPES:
            refuse(field, "dtype is %s; known: %s" % (shown(kind), ", ".join(DTYPES)))
        if not whole_numbers(shape) or len(shape) > AXES_LIMIT:
            refuse(field, "shape is %s; expected sizes" % shown(shape))
        if not whole_numbers(offsets) or len(offsets) != 2:
            refuse(field, "data_offsets is %s; expected begin and end" % shown(offsets))
        begin, end = offsets
        if not begin <= end <= body_bytes:
            fault = "data_offsets is %s; the file holds %d bytes of arrays"
            refuse(field, fault % (shown(offsets), body_bytes))
        if math.prod(max(n, 1) for n in shape) > 2**62:
            refuse(field, "shape is %s, which is too large" % shown(shape))
        dtype = np.dtype(DTYPES[kind])
        if math.prod(shape) * dtype.itemsize != end - begin:
            fault = "shape %s of %s does not fill the %d bytes given to it"
            refuse(field, fault % (shown(shape), kind, end - begin))
        found.append((begin, end, name, dtype, tuple(shape)))
    found.sort(key=lambda entry: entry[:2])
    reached = 0
    for begin, end, name, _, _ in found:
        if begin != reached:
            fault = "it begins at byte %d but the array before ends at %d"
            refuse(shown(name), fault % (begin, reached))
        reached = end
    if reached != body_bytes:
        fault = "its arrays end at byte %d but %d bytes follow" % (reached, body_bytes)
        refuse("the header", fault)
    return [entry[2:] for entry in found]


def read_array(file, name, dtype, shape):
    """The array at which the file stands."""
    flat = np.empty(math.prod(shape), dtype)
    raw = flat.view(np.uint8)
    if file.readinto(raw.data) != raw.size:
        refuse(shown(name), "the file ended while it was read")
    if dtype == np.bool_ and raw.size and raw.max() > 1:
        refuse(shown(name), "a BOOL is %d; expected 0 or 1" % raw.max())
    return flat.astype(dtype.newbyteorder("="), copy=False).reshape(shape)


def whole_numbers(value):
    """Whether this is a list of whole numbers from zero up; JSON's true is none."""
    return isinstance(value, list) and all(type(n) is int and n >= 0 for n in value)


# --------------------------------------------------------------------------------------
# Stored weights: dense, CSR, blocks (BSR), or bits and values, or codes for values.

CODES = 16
"""Values in a codebook, of which a code of four bits names one."""


class Weight:
    """A weight of shape (out, ...), seen as a matrix (rows, columns).

    One of two things is held: `matrix`, with zeros where pruned, or the stored entries
    alone (`columns` and `values`, row after row, each row beginning at `indptr`).
    `read` gives the array of a name, checked.
    """

    def __init__(self, tensors, name, shape, densify, limit_bytes, read):
        self.densify, self.why, self.read = densify, "stored dense", read
        self.rows, self.columns_in_all = shape[0], math.prod(shape[1:])
        self.size = self.rows * self.columns_in_all
        self.form, self.kept, self.ends = "dense", self.size, ("",)
        self.indptr = self.columns = self.values = self.filled = None
        self.coded = name + ".codes" in tensors
        if name in tensors:
            self.coded, values = False, read(tensors, name)
            if values.shape != shape:
                fault = "its shape is %s; the layer expects %s" % (values.shape, shape)
                refuse(name, fault)
            self.matrix = values.reshape(self.rows, self.columns_in_all)
            return
        held = (".codes", ".codebook") if self.coded else (".values",)
        if self.coded and not {name + ".bits", name + ".indptr"} & set(tensors):
            if self.size > 2 * tensors[name + ".codes"].size:
                refuse(name + ".codes", "they are fewer than %d weights" % self.size)
            row = np.repeat(np.arange(self.rows), self.columns_in_all)
            values = self._from_codes(tensors, name, row)
            self.matrix = values.reshape(self.rows, self.columns_in_all)
            self.ends = held
            return
        if self.size * 4 > limit_bytes:
            refuse(name, "its shape %s needs more than %d bytes" % (shape, limit_bytes))
        if name + ".bits" in tensors:
            self.form, self.ends = "bitmask", (".bits", *held)
            entries = self._from_bits(tensors, name)
        else:
            self.ends = (".indptr", ".indices", *held)
            entries = self._from_pattern(tensors, name)
        self.indptr, self.columns, self.values = entries
        self.filled = np.flatnonzero(np.diff(self.indptr))  # no sum may be empty
        self.kept, self.matrix = self.values.size, None

    def settle(self, groups, points):
        """Choose how to multiply `points` columns at a time, if there is a choice."""
        if self.form == "dense":
            return
        self.why = "as asked for"
        keep_sparse = self.densify is False
        if self.densify is None:
            keep_sparse = self._sparse_is_faster(groups, points)
        if not keep_sparse:
            self.matrix = self._dense()
            self.indptr = self.columns = self.values = self.filled = None

    def times(self, x):
        """The product with x, (groups, columns, P) -> (rows, P); group by group.

        With several groups, each takes its share of the rows.
        """
        groups, columns, points = x.shape
        if self.matrix is not None:
            matrix = self.matrix.reshape(groups, self.rows // groups, columns)
            return (matrix @ x).reshape(self.rows, points)
        # Entries of group g look into its own part of x: shift their columns there.
        seen = self.columns
        if groups > 1:
            group = np.arange(self.rows) // (self.rows // groups)
            seen = seen + np.repeat(group * columns, np.diff(self.indptr))
        x = x.reshape(groups * columns, points)
        y = np.zeros((self.rows, points), np.result_type(x, self.values))
        if self.filled.size:
            starts = self.indptr[self.filled]
            tile = max(1, SCRATCH_BYTES // (self.values.size * y.itemsize))
            for at in range(0, points, tile):
                products = x[:, at : at + tile].take(seen, axis=0)
                products *= self.values[:, None]
                sums = np.add.reduceat(products, starts, axis=0)
                y[self.filled, at : at + tile] = sums
        return y

    def absolute_sums(self):
        """The sum of the sizes of each row of integers."""
        matrix = self._dense() if self.matrix is None else self.matrix
        return np.abs(matrix.astype(np.int64)).sum(axis=1)

    def convert(self, dtype):
        """Hold the entries in another type."""
        if self.matrix is not None:
            self.matrix = self.matrix.astype(dtype)
        else:
            self.values = self.values.astype(dtype)

    def _dense(self):
        """The matrix, zero where nothing is stored."""
        matrix = np.zeros((self.rows, self.columns_in_all), self.values.dtype)
        row = np.repeat(np.arange(self.rows), np.diff(self.indptr))
        matrix[row, self.columns] = self.values
        return matrix

    # NumPy has no sparse product, only gathering, multiplying and summing. Measured on
    # x86-64, one sample: of 100 x 300 weights dense always wins, of 300 x 784 up to a
    # density of 1/50, of 2000 x 4000 up to 1/20. Outside these bounds timing both
    # would be time lost.
    TRY_BELOW_DENSITY, TRY_FROM_SIZE = 1 / 10, 2**16

    def _sparse_is_faster(self, groups, points):
        """Whether it is, by timing both where sparse may win at all."""
        density = self.kept / max(self.size, 1)
        if density > self.TRY_BELOW_DENSITY or self.size < self.TRY_FROM_SIZE:
            self.why = "too small or too full to gain"
            return False
        x = np.zeros((groups, self.columns_in_all, points), self.values.dtype)
        sparse, self.matrix = self._seconds(x), self._dense()
        dense, self.matrix = self._seconds(x), None
        times = (1e6 * dense, 1e6 * sparse)
        self.why = "measured: dense %.0f us, sparse %.0f us" % times
        return sparse < dense

    def _seconds(self, x):
        """Time of one product, the best of several."""
        best = math.inf
        for _ in range(5):
            start = time.perf_counter()
            self.times(x)
            best = min(best, time.perf_counter() - start)
        return best

    def _from_codes(self, tensors, name, row):
        """The values of codes, two to a byte, that belong to these rows."""
        codes, book = tensors[name + ".codes"], self.read(tensors, name + ".codebook")
        if codes.dtype != np.uint8 or codes.shape != (-(-len(row) // 2),):
            fault = "it is %s of shape %s; %d codes are expected"
            refuse(name + ".codes", fault % (codes.dtype, codes.shape, len(row)))
        if book.shape not in ((1, CODES), (self.rows, CODES)):
            fault = "its shape is %s; expected (1, %d) or (%d, %d)"
            fault = fault % (book.shape, CODES, self.rows, CODES)
            refuse(name + ".codebook", fault)
        halves = np.stack([codes & 15, codes >> 4], axis=1).reshape(-1)
        if halves[len(row) :].any():
            refuse(name + ".codes", "there is a code behind the last")
        return book[row % len(book), halves[: len(row)]]

    def _from_bits(self, tensors, name):
        """The entries of a bitmask: eight positions a byte, the first in the lowest."""
        bits, size = tensors[name + ".bits"], self.size
        if bits.dtype != np.uint8 or bits.shape != (-(-size // 8),):
            fault = "it is %s of shape %s; %d positions are expected"
            refuse(name + ".bits", fault % (bits.dtype, bits.shape, size))
        flat = np.unpackbits(bits, bitorder="little")
        if flat[size:].any():
            refuse(name + ".bits", "a bit beyond the last position is set")
        kept = flat[:size].reshape(self.rows, self.columns_in_all)
        row, column = np.nonzero(kept)
        if self.coded:
            values = self._from_codes(tensors, name, row)
        else:
            values = self.read(tensors, name + ".values")
        if values.shape != row.shape:
            fault = "its shape is %s; the bits keep %d weights"
            refuse(name + ".values", fault % (values.shape, row.size))
        return self._by_row(row), column.astype(np.uint32), values

    def _from_pattern(self, tensors, name):
        """The entries of CSR; those of BSR one by one, without what pads the edge."""
        if self.coded:  # their places first
            values = np.zeros(len(indices_of(tensors, name + ".indices")))
        else:
            values = self.read(tensors, name + ".values")
        self.form = "csr" if values.ndim == 1 else "bsr %dx%d" % values.shape[1:]
        if values.ndim not in (1, 3):
            fault = "its shape is %s; expected (stored,) or (stored, R, C)"
            refuse(name + ".values", fault % (values.shape,))
        height, width = values.shape[1:] or (1, 1)
        if not (1 <= height <= BLOCK_SIDE_LIMIT and 1 <= width <= BLOCK_SIDE_LIMIT):
            refuse(name + ".values", "its blocks are of %d by %d" % (height, width))
        block_rows = -(-self.rows // height)
        block_columns = -(-self.columns_in_all // width)
        indptr = indices_of(tensors, name + ".indptr")
        indices = indices_of(tensors, name + ".indices")
        if indptr.shape != (block_rows + 1,):
            fault = "its shape is %s; %d rows need %d pointers"
            refuse(name + ".indptr", fault % (indptr.shape, block_rows, block_rows + 1))
        if indices.shape != values.shape[:1]:
            fault = "its shape is %s; there are %d values" % (
                indices.shape,
                len(values),
            )
            refuse(name + ".indices", fault)
        if (
            indptr[0] != 0
            or indptr[-1] != len(values)
            or (indptr[1:] < indptr[:-1]).any()
        ):
            fault = "it must rise from 0 to the %d values stored" % len(values)
            refuse(name + ".indptr", fault)
        if indices.size and indices.max() >= block_columns:
            fault = "an entry is %d; there are %d columns"
            refuse(name + ".indices", fault % (indices.max(), block_columns))
        starts_row = np.zeros(len(indices) + 1, bool)
        starts_row[indptr.astype(np.intp)] = True
        if not (starts_row[1:-1] | (indices[1:] > indices[:-1])).all():
            refuse(name + ".indices", "the columns of a row do not ascend")
        indptr = indptr.astype(np.intp)
        if self.coded:
            row = np.repeat(np.arange(self.rows), np.diff(indptr))
            values = self._from_codes(tensors, name, row)
        if values.ndim == 1:
            return indptr, indices, values
        row = np.repeat(np.arange(block_rows), np.diff(indptr))[:, None, None]
        row = row * height + np.arange(height)[:, None]
        column = indices.astype(np.intp)[:, None, None] * width + np.arange(width)
        row, column = np.broadcast_arrays(row, column)
        inside = (row < self.rows) & (column < self.columns_in_all)
        if values[~inside].any():
            refuse(name + ".values", "a block holds a weight beyond the edge")
        row, column, values = row[inside], column[inside], values[inside]
        order = np.lexsort((column, row))
        return self._by_row(row), column[order].astype(np.uint32), values[order]

    def _by_row(self, row):
        """Where each row begins, once entries are sorted by row."""
        counts = np.bincount(row, minlength=self.rows)
        return np.concatenate(([0], np.cumsum(counts)))


def numbers(tensors, name):
    """A stored array of finite numbers, as floats."""
    array = named(tensors, name)
    if array.dtype.kind not in "fi":
        refuse(name, "its type is %s; expected floats" % array.dtype)
    if not np.isfinite(array).all():
        refuse(name, "it holds a number that is not finite")
    return array.astype(
        np.float64 if array.dtype == np.float64 else np.float32, copy=False
    )


def levels(tensors, name):
    """A stored array of weights in int8, -127 to 127."""
    array = named(tensors, name)
    if array.dtype != np.int8 or (array == -128).any():
        refuse(name, "it is %s; expected int8 from -127 to 127" % array.dtype)
    return array


def indices_of(tensors, name):
    """A stored array of indices."""
    array = named(tensors, name)
    if array.dtype.kind != "u":
        refuse(name, "its type is %s; indices are unsigned integers" % array.dtype)
    return array


def named(tensors, name):
    """The array of that name."""
    if name not in tensors:
        refuse(name, "it is missing from the file")
    return tensors[name]


# --------------------------------------------------------------------------------------
# The manifest: a tree of {kind, name, args, children}, read one node at a time.


class Node:
    """One node of the manifest, and the arrays under its dotted name.

    Layers take their arguments and arrays from it by name; what is left over in the end
    is refused, so that no part of a file is silently ignored.
    """

    def __init__(self, spec, source, path=(), depth=0):
        self.name = ".".join(path)
        self.field = "layer " + (shown(self.name) if path else "root")
        if depth > DEPTH_LIMIT:
            refuse(self.field, "chains are nested deeper than %d" % DEPTH_LIMIT)
        if not isinstance(spec, dict) or not {"kind", "args", "children"} <= set(spec):
            fault = "the manifest has %s; expected kind, args and children"
            refuse(self.field, fault % shown(spec))
        self.kind, args, children = spec["kind"], spec["args"], spec["children"]
        if not isinstance(self.kind, str) or self.kind not in KINDS:
            fault = "its kind is %s; known: %s" % (shown(self.kind), ", ".join(KINDS))
            refuse(self.field, fault, "use a player that knows it")
        if not isinstance(args, dict) or not isinstance(children, list):
            refuse(self.field, "args must be an object and children a list")
        self.args, self.source, self.specs = dict(args), source, {}
        self.path, self.depth = path, depth
        for child in children:
            name = child.get("name") if isinstance(child, dict) else None
            if not isinstance(name, str) or name in self.specs:
                refuse(self.field, "its children need names that differ")
            self.specs[name] = child

    def build(self):
        """The layer that this node describes."""
        layer = KINDS[self.kind](self)
        if self.args or self.specs:
            left = shown(next(iter([*self.args, *self.specs])))
            refuse(self.field, "a %s has no use for %s" % (self.kind, left))
        layer.kind, layer.name, layer.field = self.kind, self.name, self.field
        return layer

    # Children.

    def child(self, name):
        """The layer of one child, taken out of the node; None if there is none."""
        if name not in self.specs:
            return None
        spec = self.specs.pop(name)
        return Node(spec, self.source, (*self.path, name), self.depth + 1).build()

    def children(self):
        """The layers of all children, in order."""
        return [self.child(name) for name in list(self.specs)]

    # Arguments.

    def argument(self, name, default, fits, expected):
        """An argument taken out of the node, if it `fits`."""
        value = self.args.pop(name, default)
        if not fits(value):
            fault = "%s is %s; expected %s" % (name, shown(value), expected)
            refuse(self.field, fault)
        return value

    def whole(self, name, default=None, minimum=1):
        """A whole number."""
        expected = "a whole number, %d or more" % minimum
        return self.argument(name, default, lambda n: is_whole(n, minimum), expected)

    def flag(self, name, default):
        """True or false."""
        return self.argument(name, default, lambda v: type(v) is bool, "true or false")

    def number(self, name, default):
        """A finite number."""

        def fits(value):
            return type(value) in (int, float) and abs(value) < 1e30

        return float(self.argument(name, default, fits, "a number"))

    def sizes(self, name, default, axes, minimum=1):
        """A whole number for each axis; one number stands for all."""

        def fits(value):
            return is_whole(value, minimum) or are_whole(value, axes, minimum)

        value = self.argument(name, default, fits, "whole numbers for %d axes" % axes)
        return [value] * axes if isinstance(value, int) else value

    # Arrays.

    def weight(self, name, shape):
        """A prunable weight, in whichever form it is stored."""
        found = self._weight(name, shape, numbers)
        held = found.matrix if found.matrix is not None else found.values
        self.source.dtype = self.source.dtype or held.dtype
        return found

    def integers(self, name, shape):
        """A prunable weight in int8, in whichever form it is stored."""
        return self._weight(name, shape, levels)

    def _weight(self, name, shape, read):
        """A weight whose arrays `read` checks."""
        full, source = self._own(name), self.source
        limits = source.densify, source.limit_bytes
        found = Weight(source.tensors, full, shape, *limits, read)
        source.taken.update(full + end for end in found.ends)
        return found

    def typed(self, name, dtype, *shapes):
        """A dense array of this very type and one of these shapes."""
        full = self._own(name)
        found = named(self.source.tensors, full)
        if found.dtype != dtype or found.shape not in shapes:
            fault = "it is %s of shape %s; expected %s of shape %s"
            wanted = np.dtype(dtype), " or ".join(map(str, shapes))
            refuse(full, fault % (found.dtype, found.shape, *wanted))
        self.source.taken.add(full)
        return found

    def array(self, name, shape):
        """A parameter that is stored dense."""
        found = self.buffer(name, shape)
        self.source.dtype = self.source.dtype or found.dtype
        return found

    def buffer(self, name, shape):
        """An array that was not trained, such as running statistics."""
        full = self._own(name)
        found = numbers(self.source.tensors, full)
        if found.shape != shape:
            refuse(full, "its shape is %s; the layer expects %s" % (found.shape, shape))
        self.source.taken.add(full)
        return found

    def _own(self, name):
        """The dotted name of an array of this layer."""
        return self.name + "." + name if self.name else name


class Source:
    """What the nodes read from, and what they have taken of it."""

    def __init__(self, tensors, densify, limit_bytes):
        self.tensors, self.densify, self.limit_bytes = tensors, densify, limit_bytes
        self.taken, self.dtype = set(), None


def is_whole(value, minimum):
    """Whether this is a whole number in a range that no honest model leaves."""
    return type(value) is int and minimum <= value < 2**31


def are_whole(values, count, minimum):
    """Whether this is a list of so many whole numbers."""
    return (
        isinstance(values, list)
        and len(values) == count
        and all(is_whole(value, minimum) for value in values)
    )


# --------------------------------------------------------------------------------------
# Layers.

KINDS = {}


def kind(*names):
    """File a class under the kinds that manifests call it."""

    def file(cls):
        KINDS.update(dict.fromkeys(names, cls))
        return cls

    return file


class Layer:
    """A layer made from its node; it knows the shapes it maps and the map itself."""

    weights = ()
    layers = ()
    scratch = 0
    """Numbers that `run` needs for a sample beside its input and its output."""

    def door(self, scale, offset):
        """What raw samples are multiplied with, and what is added then."""
        return scale, offset

    def output(self, shape):
        """The shape of an output sample, refused if samples become too large."""
        found = self.shape(shape)
        self.output_shape, self.numbers = found, self.scratch + math.prod(found)
        if self.numbers > SAMPLE_LIMIT:
            fault = "one sample takes %d numbers, over the limit of %d"
            refuse(self.field, fault % (self.numbers, SAMPLE_LIMIT))
        return found

    def misfit(self, shape, expected):
        """Refuse samples of this shape."""
        fault = "it is given samples of shape %s; expected %s"
        refuse(self.field, fault % (tuple(shape), expected))

    def __call__(self, x, lengths):
        """Columns in, columns out, in the precision in which they came."""
        return self.run(x, lengths).astype(x.dtype, copy=False)

    def walk(self):
        """This layer and all below it."""
        yield self
        for layer in self.layers:
            yield from layer.walk()


@kind("Linear", "SparseLinear")
class Linear(Layer):
    """y = W x + b."""

    def __init__(self, node):
        self.inputs = node.whole("in_features")
        self.outputs = node.whole("out_features")
        bias = node.flag("bias", True)
        self.weight = node.weight("weight", (self.outputs, self.inputs))
        check_format(node, self.weight)
        self.bias = node.array("bias", (self.outputs,)) if bias else None
        self.weights = (self.weight,)

    def shape(self, shape):
        if tuple(shape) != (self.inputs,):
            self.misfit(shape, "(%d,)" % self.inputs)
        self.weight.settle(groups=1, points=1)
        return (self.outputs,)

    def run(self, x, lengths):
        y = self.weight.times(x[None])
        return y if self.bias is None else y + self.bias[:, None]


def check_format(node, weight):
    """Whether a sparse layer's weight is stored in the format its arguments name."""
    if not node.kind.startswith("Sparse"):
        return
    name = node.argument("format", "csr", lambda v: v in ("csr", "bsr"), "csr or bsr")
    in_blocks = name == "bsr"
    block = node.argument(
        "block",
        None,
        lambda v: are_whole(v, 2, 1) if in_blocks else v is None,
        "rows and columns" if in_blocks else "none with format csr",
    )
    form = "bsr %dx%d" % tuple(block) if in_blocks else "csr"
    if weight.form not in (form, "dense", "bitmask"):
        refuse(node.field, "its weight is stored as %s, not %s" % (weight.form, form))


def axes_of(node):
    """1 or 2, as the kind of a layer with a window says."""
    return int(node.kind[-2])


class Window:
    """A window over padded planes (C, H, W, N); a signal (C, L, N) is a single row.

    The output at (p, q) looks, through tap (i, j), at row ``p * stride + i * dilation``
    and the like column of the padded plane. Windows of a pool tile it: their stride is
    their size unless it is given, and they have no dilation.
    """

    def __init__(self, node, axes, tiles):
        self.axes = axes
        kernel = node.sizes("kernel_size", None, axes)
        stride = node.sizes("stride", kernel if tiles else 1, axes)
        dilation = [1] * axes if tiles else node.sizes("dilation", 1, axes)
        padding = self._padding(node, kernel, stride, dilation)
        row = [1] * (2 - axes)
        self.kernel, self.stride = row + kernel, row + stride
        self.dilation = row + dilation
        self.padding = [[0, 0]] * (2 - axes) + padding

    def _padding(self, node, kernel, stride, dilation):
        """[before, after] for each axis, from any of the ways to say it."""
        value, axes = node.args.get("padding", 0), self.axes
        if value == "same":
            if stride != [1] * axes:
                refuse(node.field, "padding is 'same' with a stride other than 1")
            node.args.pop("padding")
            totals = [(k - 1) * d for k, d in zip(kernel, dilation)]
            return [[total // 2, total - total // 2] for total in totals]
        if isinstance(value, list) and any(isinstance(side, list) for side in value):
            node.args.pop("padding")
            if len(value) != axes or not all(are_whole(v, 2, 0) for v in value):
                fault = "padding is %s; expected before and after for each axis"
                refuse(node.field, fault % shown(value))
            return value
        return [[size, size] for size in node.sizes("padding", 0, axes, 0)]

    def refuse_empty_views(self, node):
        """Refuse a border in which a window could lie as a whole."""
        for sides, size in zip(self.padding, self.kernel):
            if max(sides) >= size:
                fault = "padding %s lets a window of %d see padding alone"
                refuse(node.field, fault % (sides, size))

    def output(self, layer, shape, channels=None):
        """(H', W') for samples of this shape; notes the padded plane as scratch."""
        expected = "(%s, %s)" % (channels or "C", "L" if self.axes == 1 else "H, W")
        if len(shape) != self.axes + 1 or channels not in (None, shape[0]):
            layer.misfit(shape, expected)
        sizes, padded = [], [shape[0]]
        plane = [1] * (2 - self.axes) + list(shape[1:])
        for size, (before, after), k, s, d in zip(
            plane, self.padding, self.kernel, self.stride, self.dilation
        ):
            padded.append(size + before + after)
            room = padded[-1] - (k - 1) * d - 1
            if room < 0:
                layer.misfit(shape, expected + " that holds a window")
            sizes.append(room // s + 1)
        layer.scratch = math.prod(padded)
        return sizes

    def pad(self, x, value=0):
        """The plane with its border."""
        x = x[:, None] if self.axes == 1 else x
        (top, bottom), (left, right) = self.padding
        if not (top or bottom or left or right):
            return x
        channels, height, width, batch = x.shape
        shape = (channels, height + top + bottom, width + left + right, batch)
        padded = np.full(shape, value, x.dtype)
        padded[:, top : top + height, left : left + width] = x
        return padded

    def taps(self, padded, row, rows, columns):
        """What each tap sees from output row `row` on: (C, rows, columns, N)."""
        (kh, kw), (sh, sw), (dh, dw) = self.kernel, self.stride, self.dilation
        for i in range(kh):
            top = row * sh + i * dh
            for j in range(kw):
                down = slice(top, top + (rows - 1) * sh + 1, sh)
                across = slice(j * dw, j * dw + (columns - 1) * sw + 1, sw)
                yield i, j, padded[:, down, across]

    def patches(self, padded, groups, rows, columns, dtype):
        """(output rows, what all taps see there), a few rows at a time.

        Patches are (groups, K, positions), K channels of a group times taps; their
        memory is bounded.
        """
        channels, batch = len(padded), padded.shape[-1]
        entries = channels * math.prod(self.kernel)
        row_bytes = max(1, entries * columns * batch * dtype.itemsize)
        step = max(1, SCRATCH_BYTES // row_bytes)
        for row in range(0, rows, step):
            count = min(step, rows - row)
            found = np.empty((channels, *self.kernel, count, columns, batch), dtype)
            for i, j, seen in self.taps(padded, row, count, columns):
                found[:, i, j] = seen
            yield slice(row, row + count), found.reshape(groups, entries // groups, -1)

    def as_given(self, y):
        """A plane of one row as a signal again."""
        return y[:, 0] if self.axes == 1 else y


@kind("Conv1d", "SparseConv1d", "Conv2d", "SparseConv2d")
class Convolution(Layer):
    """y[o, p, q] = b[o] + sum over c, i, j of W[o, c, i, j] x[c, p s + i d, q s + j d].

    A product of the weight, (out, K), with the patches that its window sees.
    """

    def __init__(self, node):
        self.inputs = node.whole("in_channels")
        self.outputs = node.whole("out_channels")
        self.groups = node.whole("groups", 1)
        if self.inputs % self.groups or self.outputs % self.groups:
            fault = "groups is %d; it must divide in_channels and out_channels"
            refuse(node.field, fault % self.groups)
        self.window = Window(node, axes_of(node), tiles=False)
        bias = node.flag("bias", True)
        kernel = self.window.kernel[2 - self.window.axes :]
        shape = (self.outputs, self.inputs // self.groups, *kernel)
        self.weight = node.weight("weight", shape)
        check_format(node, self.weight)
        self.bias = node.array("bias", (self.outputs,)) if bias else None
        self.weights = (self.weight,)

    def shape(self, shape):
        self.positions = self.window.output(self, shape, self.inputs)
        kept = self.positions[2 - self.window.axes :]
        # One row of patches is unfolded at the least.
        self.scratch += self.weight.columns_in_all * self.groups * self.positions[1]
        self.weight.settle(self.groups, min(self.positions[1], BATCH))
        return (self.outputs, *kept)

    def run(self, x, lengths):
        padded, (rows, columns) = self.window.pad(x), self.positions
        y = np.empty((self.outputs, rows, columns, x.shape[-1]), x.dtype)
        unfolded = self.window.patches(padded, self.groups, rows, columns, x.dtype)
        for at, patches in unfolded:
            part = y[:, at]
            part[...] = self.weight.times(patches).reshape(part.shape)
        if self.bias is not None:
            y += self.bias[:, None, None, None]
        return self.window.as_given(y)


class Pool(Layer):
    """A window over each channel by itself."""

    def __init__(self, node):
        self.window = Window(node, axes_of(node), tiles=True)
        self.window.refuse_empty_views(node)

    def shape(self, shape):
        self.positions = self.window.output(self, shape)
        return (shape[0], *self.positions[2 - self.window.axes :])


@kind("MaxPool1d", "MaxPool2d")
class MaxPool(Pool):
    """The largest number under the window; the border never wins."""

    def run(self, x, lengths):
        padded, best = self.window.pad(x, -np.inf), None
        for _, _, seen in self.window.taps(padded, 0, *self.positions):
            best = seen.copy() if best is None else np.maximum(best, seen, out=best)
        return self.window.as_given(best)


@kind("AvgPool1d", "AvgPool2d")
class AvgPool(Pool):
    """The mean under the whole window, zeros of the border included."""

    def run(self, x, lengths):
        taps = self.window.taps(self.window.pad(x), 0, *self.positions)
        total = sum(seen for _, _, seen in taps)
        return self.window.as_given(total / math.prod(self.window.kernel))


@kind("GlobalAvgPool")
class GlobalAvgPool(Layer):
    """The mean of each channel over all positions."""

    def __init__(self, node):
        pass

    def shape(self, shape):
        if len(shape) < 2:
            self.misfit(shape, "(C, L) or (C, H, W)")
        return (shape[0],)

    def run(self, x, lengths):
        return x.mean(axis=tuple(range(1, x.ndim - 1)))


@kind("BatchNorm")
class BatchNorm(Layer):
    """Each channel moved and scaled by its running statistics."""

    def __init__(self, node):
        self.channels = node.whole("num_features")
        eps = node.number("eps", 1e-5)
        node.number("momentum", 0.1)  # for training
        per_channel = (self.channels,)
        self.affine = node.flag("affine", True)
        if self.affine:
            self.scale = node.array("weight", per_channel)
            self.shift = node.array("bias", per_channel)
        self.mean = node.buffer("running_mean", per_channel)
        variance = node.buffer("running_var", per_channel) + eps
        if not (variance > 0).all():
            refuse(node.field, "a running variance plus eps is not positive")
        self.inverse = 1 / np.sqrt(variance)

    def shape(self, shape):
        if not shape or shape[0] != self.channels:
            self.misfit(shape, "(%d, ...)" % self.channels)
        return shape

    def run(self, x, lengths):
        along = (-1,) + (1,) * (x.ndim - 1)
        y = (x - self.mean.reshape(along)) * self.inverse.reshape(along)
        if self.affine:
            y = y * self.scale.reshape(along) + self.shift.reshape(along)
        return y


@kind("LayerNorm")
class LayerNorm(Layer):
    """Each sample brought to zero mean and unit variance over all its entries."""

    def __init__(self, node):
        sizes = node.args.get("normalized_shape")
        axes = len(sizes) if isinstance(sizes, list) else 1
        self.entries = tuple(node.sizes("normalized_shape", None, axes))
        self.eps = node.number("eps", 1e-5)
        if self.eps < 0:
            refuse(node.field, "eps is %r; expected zero or more" % self.eps)
        self.affine = node.flag("affine", True)
        if self.affine:
            self.scale = node.array("weight", self.entries)[..., None]
            self.shift = node.array("bias", self.entries)[..., None]

    def shape(self, shape):
        if tuple(shape) != self.entries:
            self.misfit(shape, str(self.entries))
        return shape

    def run(self, x, lengths):
        axes = tuple(range(x.ndim - 1))
        centered = x - x.mean(axis=axes)
        y = centered / np.sqrt((centered * centered).mean(axis=axes) + self.eps)
        return y * self.scale + self.shift if self.affine else y


class Elementwise(Layer):
    """A function of each number by itself."""

    def __init__(self, node):
        pass

    def shape(self, shape):
        return shape


@kind("ReLU")
class ReLU(Elementwise):
    """max(x, 0)."""

    def run(self, x, lengths):
        return np.maximum(x, 0)


@kind("ReLU6")
class ReLU6(Elementwise):
    """min(max(x, 0), 6)."""

    def run(self, x, lengths):
        return np.clip(x, 0, 6)


@kind("LeakyReLU")
class LeakyReLU(Elementwise):
    """x right of zero, a multiple of x left of it."""

    def __init__(self, node):
        self.negative_slope = node.number("negative_slope", 0.01)

    def run(self, x, lengths):
        return np.where(x > 0, x, x * self.negative_slope)


@kind("Sigmoid")
class Sigmoid(Elementwise):
    """1 / (1 + exp(-x))."""

    def run(self, x, lengths):
        return sigmoid(x)


@kind("Tanh")
class Tanh(Elementwise):
    """The hyperbolic tangent."""

    def run(self, x, lengths):
        return np.tanh(x)


@kind("GELU")
class GELU(Elementwise):
    """x times the probability that a standard normal variable is below x."""

    # NumPy has no erf; the standard library's is exact but takes one number at a time.
    erf = staticmethod(np.vectorize(math.erf, otypes=[float]))

    def run(self, x, lengths):
        return 0.5 * x * (1 + self.erf(x * math.sqrt(0.5)))


@kind("Softmax")
class Softmax(Elementwise):
    """exp(x) over its sum along the features, shifted so that nothing overflows."""

    def run(self, x, lengths):
        weights = np.exp(x - x.max(axis=0, keepdims=True))
        return weights / weights.sum(axis=0, keepdims=True)


@kind("Dropout")
class Dropout(Elementwise):
    """Silences nothing once training is over."""

    def __init__(self, node):
        node.number("p", 0.5)  # for training

    def run(self, x, lengths):
        return x


@kind("Embedding")
class Embedding(Layer):
    """A row of a table for each whole number: (L, N) -> (dim, L, N)."""

    def __init__(self, node):
        shape = node.whole("num_embeddings"), node.whole("embedding_dim")
        self.table = node.array("weight", shape)

    def shape(self, shape):
        if len(shape) != 1:
            self.misfit(shape, "(L,)")
        return (self.table.shape[1], shape[0])

    def run(self, x, lengths):
        if not ((x >= 0) & (x < len(self.table)) & (x == np.floor(x))).all():
            fault = "symbols are to be whole numbers from 0 to %d"
            raise ValueError("%s: %s" % (self.field, fault % (len(self.table) - 1)))
        return np.moveaxis(self.table[x.astype(np.intp)], -1, 0)


class Recurrent(Layer):
    """What recurrent layers share, over padded sequences (features, L, N).

    Levels stand one upon the other; a second direction reads each sequence from its
    true end. From that end on the state stands still, and what is put out is zero.
    """

    gates, remembers = 1, 1

    def __init__(self, node):
        self.inputs, self.hidden = node.whole("input_size"), node.whole("hidden_size")
        levels, bias = node.whole("num_layers", 1), node.flag("bias", True)
        two_ways = node.flag("bidirectional", False)
        self.last = node.flag("last", False)
        self.sides = ("", "_reverse") if two_ways else ("",)
        self.levels, columns = [], self.inputs
        for level in range(levels):
            ends = ["_l%d%s" % (level, side) for side in self.sides]
            self.levels.append([self._side(node, end, columns, bias) for end in ends])
            columns = self.hidden * len(self.sides)
        self.weights = [w for level in self.levels for side in level for w in side[:2]]

    def _side(self, node, end, columns, bias):
        """Weights and biases of one direction of one level."""
        rows = self.gates * self.hidden
        w_ih = node.weight("weight_ih" + end, (rows, columns))
        biases = [None, None]
        if bias:
            biases[0] = node.array("bias_ih" + end, (rows,))
        w_hh = node.weight("weight_hh" + end, (rows, self.hidden))
        if bias:
            biases[1] = node.array("bias_hh" + end, (rows,))
        return w_ih, w_hh, biases[0], biases[1], end.endswith("_reverse")

    def shape(self, shape):
        if len(shape) != 2 or shape[0] != self.inputs:
            self.misfit(shape, "(%d, L)" % self.inputs)
        for weight in self.weights:
            weight.settle(groups=1, points=1)
        features = self.hidden * len(self.sides)
        self.scratch = (self.gates * self.hidden + features) * shape[1]
        return (features,) if self.last else (features, shape[1])

    def run(self, x, lengths):
        alive = None
        if lengths is not None:
            alive = np.arange(x.shape[1])[:, None] < lengths
        for level in self.levels:
            sides = [self._scan(x, alive, *side) for side in level]
            x = np.concatenate([steps for steps, _ in sides])
        return np.concatenate([end for _, end in sides]) if self.last else x

    def _scan(self, x, alive, w_ih, w_hh, b_ih, b_hh, backwards):
        """(the state after every step, the final state)."""
        features, steps, batch = x.shape
        into = w_ih.times(x.reshape(1, features, -1)).reshape(-1, steps, batch)
        if b_ih is not None:
            into = into + b_ih[:, None, None]
        state = [np.zeros((self.hidden, batch), x.dtype)] * self.remembers
        y = np.zeros((self.hidden, steps, batch), x.dtype)
        for t in reversed(range(steps)) if backwards else range(steps):
            h = w_hh.times(state[0][None])
            new = self.cell(into[:, t], h if b_hh is None else h + b_hh[:, None], state)
            if alive is None:
                y[:, t], state = new[0], new
            else:
                y[:, t] = np.where(alive[t], new[0], 0)
                state = [np.where(alive[t], a, b) for a, b in zip(new, state)]
        return y, state[0]


def sigmoid(x):
    """1 / (1 + exp(-x)), by tanh, which overflows nowhere."""
    return 0.5 * (np.tanh(0.5 * x) + 1)


@kind("RNN")
class RNN(Recurrent):
    """h = tanh(W_ih x + b_ih + W_hh h + b_hh)."""

    def cell(self, x, h, state):
        return [np.tanh(x + h)]


@kind("LSTM")
class LSTM(Recurrent):
    """Gates in the order input, forget, cell, output; the state is (h, c)."""

    gates, remembers = 4, 2

    def cell(self, x, h, state):
        i, f, g, o = np.split(x + h, 4)
        c = sigmoid(f) * state[1] + sigmoid(i) * np.tanh(g)
        return [sigmoid(o) * np.tanh(c), c]


@kind("GRU")
class GRU(Recurrent):
    """Gates in the order reset, update, new; reset acts on what W_hh has made."""

    gates = 3

    def cell(self, x, h, state):
        (x_r, x_z, x_n), (h_r, h_z, h_n) = np.split(x, 3), np.split(h, 3)
        r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
        return [(1 - z) * np.tanh(x_n + r * h_n) + z * state[0]]


@kind("Flatten")
class Flatten(Layer):
    """(C, H, W, N) -> (C H W, N)."""

    def __init__(self, node):
        pass

    def shape(self, shape):
        return (math.prod(shape),)

    def run(self, x, lengths):
        return x.reshape(-1, x.shape[-1]) if x.size else np.empty((0, 0), x.dtype)


@kind("Sequential")
class Sequential(Layer):
    """One layer after the other."""

    def __init__(self, node):
        self.layers = node.children()

    def shape(self, shape):
        for layer in self.layers:
            shape = layer.output(shape)
        return shape

    def run(self, x, lengths):
        for layer in self.layers:
            x = layer(x, lengths)
        return x


@kind("Residual")
class Residual(Layer):
    """body(x) + shortcut(x); the shortcut may be missing, then it is x itself."""

    def __init__(self, node):
        self.body, self.shortcut = node.child("body"), node.child("shortcut")
        if self.body is None:
            refuse(node.field, "it has no body")
        self.layers = [way for way in (self.body, self.shortcut) if way is not None]

    def shape(self, shape):
        through = self.body.output(shape)
        around = tuple(shape) if self.shortcut is None else self.shortcut.output(shape)
        if tuple(through) != tuple(around):
            fault = "its body gives %s but its shortcut %s" % (through, around)
            refuse(self.field, fault)
        return through

    def run(self, x, lengths):
        around = x if self.shortcut is None else self.shortcut(x, lengths)
        return self.body(x, lengths) + around


@kind("Concat", "Heads")
class Concat(Layer):
    """Branches side by side, their channels stacked in order."""

    def __init__(self, node):
        self.layers = node.children()
        if not self.layers:
            refuse(node.field, "it has no branches")

    def shape(self, shape):
        shapes = [branch.output(shape) for branch in self.layers]
        if len({tuple(found[1:]) for found in shapes}) > 1:
            refuse(self.field, "its branches differ in more than channels")
        return (sum(found[0] for found in shapes), *shapes[0][1:])

    def run(self, x, lengths):
        return np.concatenate([branch(x, lengths) for branch in self.layers])


@kind("SqueezeExcite")
class SqueezeExcite(Layer):
    """Each channel times a number that the gate gives for it."""

    def __init__(self, node):
        self.gate = node.child("gate")
        if self.gate is None:
            refuse(node.field, "it has no gate")
        self.layers = [self.gate]

    def shape(self, shape):
        gates = tuple(self.gate.output(shape))
        if gates != tuple(shape[:1]):
            fault = "its gate gives %s for samples of %s"
            refuse(self.field, fault % (gates, tuple(shape)))
        return shape

    def run(self, x, lengths):
        gate = self.gate(x, lengths)
        return x * gate.reshape(len(gate), *(1,) * (x.ndim - 2), gate.shape[-1])


@kind("FeatureBoost")
class FeatureBoost(Layer):
    """y[o] = g[o] conv(x)[o] for the highest g = max(phi mean |x| + rho, 0), else 0."""

    def __init__(self, node):
        self.conv = node.child("conv")
        if not isinstance(self.conv, Convolution):
            refuse(node.field, "it has no convolution")
        outputs = self.conv.outputs
        self.off = node.whole("off", minimum=0)
        if self.off > outputs:
            fault = "off is %d, but there are %d channels"
            refuse(node.field, fault % (self.off, outputs))
        self.phi = node.array("phi", (outputs, self.conv.inputs))
        self.rho = node.array("rho", (outputs,))
        self.layers = [self.conv]

    def shape(self, shape):
        return self.conv.output(shape)

    def run(self, x, lengths):
        seen = np.abs(x).mean(axis=tuple(range(1, x.ndim - 1)))
        gate = np.maximum(self.phi @ seen + self.rho[:, None], 0)
        lowest = np.argsort(gate, axis=0, kind="stable")[: self.off]
        np.put_along_axis(gate, lowest, 0, axis=0)
        y = self.conv(x, lengths)
        return y * gate.reshape(len(gate), *(1,) * (x.ndim - 2), gate.shape[-1])


# --------------------------------------------------------------------------------------
# Integers: a network in int8, as steps that read values by number.
#
# Value 0 is the sample, step i writes value i + 1, the last value is the answer. One
# has 256 levels, real = scale * (level - zero), and lies as a plane (C, H, W, N). What
# is computed between the door and the answer is whole, so its bits do not depend on the
# machine; where products go through floats, these are wide enough to be exact.

SUM_LIMIT = 2**31 - 2**9
"""Below this a 32-bit sum may be rounded and moved by a zero point safely."""

EXACT_IN_FLOAT32 = 2**24
"""Up to this every whole number is a float32."""

ADD_SHIFT = 20
"""Bits by which both sides of a sum are raised before they are rescaled."""


def rescale(x, multiplier, exponent):
    """x * multiplier * 2**(exponent - 31), rounded twice as TensorFlow Lite does.

    First to the upper half of the product, halves up; then by what is left to shift,
    halves away from zero.
    """
    left, right = np.maximum(exponent, 0), np.maximum(-exponent, 0)
    high = ((x << left) * multiplier + 2**30) >> 31
    below = (np.int64(1) << right) - 1
    return (high >> right) + ((high & below) > (below >> 1) + (high < 0))


class Step(Layer):
    """What every step has: the values it reads, their plane, bounds of its result."""

    count = 1
    keeps_levels = True
    """Whether the result has the levels of what goes in; else it is rescaled."""

    def __init__(self, node):
        def values(given):
            return isinstance(given, list) and all(is_whole(n, 0) for n in given)

        def sizes(given):
            return are_whole(given, 3, 1)

        self.reads = node.argument("reads", None, values, "numbers of values")
        self.plane = node.argument("plane", None, sizes, "channels, rows, columns")
        self.low = node.argument("low", None, is_level, "a level, -128 to 127")
        self.high = node.argument("high", None, is_level, "a level, -128 to 127")
        if self.low > self.high:
            bounds = self.low, self.high
            refuse(node.field, "its bounds %d, %d are in no order" % bounds)
        if not self.reads or self.count not in (None, len(self.reads)):
            refuse(node.field, "it reads %d values" % len(self.reads))

    def shape(self, shape):
        refuse(self.field, "a %s stands in a Quantized alone" % self.kind)

    def fit(self, sizes, scale, zero):
        """Check the sizes of what is read; take the levels; give the plane written."""
        if any(size != math.prod(self.plane) for size in sizes):
            self.misfit(sizes, "planes of %s" % self.plane)
        if self.keeps_levels and any(
            (scale[i], zero[i]) != (scale[-1], zero[-1]) for i in range(len(sizes))
        ):
            refuse(self.field, "it cannot change levels, but they differ")
        self.zeros = [int(z) for z in zero]
        self.output_shape = self.plane
        return self.plane


def is_level(value):
    """Whether this is a number of eight bits."""
    return type(value) is int and -128 <= value <= 127


def multiplier_of(node, most, *shapes):
    """The factors of sums, as whole numbers and exponents of two."""
    multiplier = node.typed("multiplier", np.int32, *shapes).astype(np.int64)
    exponent = node.typed("exponent", np.int8, multiplier.shape).astype(np.int64)
    good = (multiplier >= 2**30) & (exponent >= -31) & (exponent <= most)
    if not (good | ((multiplier == 0) & (exponent == 0))).all():
        refuse(node.field, "its multiplier does not go with its exponent")
    return multiplier, exponent


def window_of(node):
    """The window of a step, whose padding is given side by side."""
    sides = node.args.get("padding")
    if not isinstance(sides, list) or not all(isinstance(v, list) for v in sides):
        refuse(node.field, "padding is %s; expected pairs" % shown(sides))
    return Window(node, 2, tiles=False)


@kind("QuantizedAffine")
class QuantizedAffine(Step):
    """A convolution in integers; a linear layer is one over a single position."""

    keeps_levels = False

    def __init__(self, node):
        super().__init__(node)
        self.outputs = node.whole("out_channels")
        self.groups = node.whole("groups")
        node.argument("layer", None, lambda v: isinstance(v, str), "a kind of layer")
        if self.plane[0] % self.groups or self.outputs % self.groups:
            refuse(node.field, "groups is %d; it must divide channels" % self.groups)
        self.window = window_of(node)
        shape = (self.outputs, self.plane[0] // self.groups, *self.window.kernel)
        self.weight = node.integers("weight", shape)
        self.weights = (self.weight,)
        per_row = (self.outputs,)
        self.bias = node.typed("bias", np.int32, per_row).astype(np.int64)
        self.multiplier, self.exponent = multiplier_of(node, 30, (1,), per_row)
        sums = 128 * self.weight.absolute_sums()
        raised = (np.abs(self.bias) + sums) * 2.0 ** np.maximum(self.exponent, 0)
        if (raised >= SUM_LIMIT).any():
            refuse(node.field, "a sum may reach %d or more" % SUM_LIMIT)
        exact = sums.max(initial=0) <= EXACT_IN_FLOAT32
        self.weight.convert(np.float32 if exact else np.float64)

    def fit(self, sizes, scale, zero):
        super().fit(sizes, scale, zero)
        with np.errstate(over="ignore"):
            factor = self.multiplier * 2.0 ** (self.exponent - 31)
            known = (factor * float(scale[-1]) / float(scale[0])).astype(np.float32)
        if not np.isfinite(known).all():
            refuse(self.field, "the scale of a weight is not finite")
        self.positions = self.window.output(self, self.plane, self.plane[0])
        columns = self.weight.columns_in_all * self.groups
        self.scratch += columns * self.positions[1]
        self.weight.settle(self.groups, min(math.prod(self.positions), BATCH))
        self.output_shape = (self.outputs, *self.positions)
        return self.output_shape

    def run(self, inputs):
        padded = self.window.pad(inputs[0], self.zeros[0])
        held = self.weight.values if self.weight.matrix is None else self.weight.matrix
        rows, columns = self.positions
        y = np.empty((self.outputs, rows, columns, padded.shape[-1]), np.int8)
        unfolded = self.window.patches(padded, self.groups, rows, columns, held.dtype)
        for at, patches in unfolded:
            sums = self.weight.times(patches).astype(np.int64) + self.bias[:, None]
            found = rescale(sums, self.multiplier[:, None], self.exponent[:, None])
            inside = np.clip(found + self.zeros[-1], self.low, self.high)
            part = y[:, at]
            part[...] = inside.reshape(part.shape)
        return y


@kind("QuantizedPool")
class QuantizedPool(Step):
    """The largest level under the window, or the mean, the border being real zeros."""

    def __init__(self, node):
        super().__init__(node)
        self.largest = node.flag("largest", None)
        self.window = window_of(node)
        self.window.refuse_empty_views(node)

    def fit(self, sizes, scale, zero):
        super().fit(sizes, scale, zero)
        self.positions = self.window.output(self, self.plane, self.plane[0])
        self.output_shape = (self.plane[0], *self.positions)
        return self.output_shape

    def run(self, inputs):
        border = -128 if self.largest else self.zeros[0]
        padded, found = self.window.pad(inputs[0], border), None
        for _, _, seen in self.window.taps(padded, 0, *self.positions):
            if found is None:
                found = seen.astype(np.int64)
            else:
                found = np.maximum(found, seen) if self.largest else found + seen
        if not self.largest:
            taps = math.prod(self.window.kernel)
            size = (np.abs(found) + taps // 2) // taps  # halves away from zero
            found = np.where(found < 0, -size, size)
        return np.clip(found, self.low, self.high).astype(np.int8)


@kind("QuantizedAdd")
class QuantizedAdd(Step):
    """A sum: both sides brought to one scale, then to that of the result."""

    count, keeps_levels = 2, False

    def __init__(self, node):
        super().__init__(node)
        self.multiplier, self.exponent = multiplier_of(node, 2, (3,))
        if self.exponent[:2].max() > 0:
            refuse(node.field, "a side of the sum would overflow")

    def run(self, inputs):
        total = 0
        for side, x in enumerate(inputs):
            raised = (x.astype(np.int64) - self.zeros[side]) << ADD_SHIFT
            total = total + rescale(raised, self.multiplier[side], self.exponent[side])
        found = rescale(total, self.multiplier[2], self.exponent[2]) + self.zeros[-1]
        return np.clip(found, self.low, self.high).astype(np.int8)


@kind("QuantizedConcat")
class QuantizedConcat(Step):
    """Planes one behind the other."""

    count = None

    def fit(self, sizes, scale, zero):
        plane = self.plane[1] * self.plane[2]
        if sum(sizes) != math.prod(self.plane) or any(size % plane for size in sizes):
            self.misfit(sizes, "planes that make up %s" % self.plane)
        wholes = [math.prod(self.plane)] * len(sizes)
        return super().fit(wholes, scale, zero)

    def run(self, inputs):
        return np.clip(np.concatenate(inputs), self.low, self.high).astype(np.int8)


@kind("QuantizedClip")
class QuantizedClip(Step):
    """Bounds alone."""

    def run(self, inputs):
        return np.clip(inputs[0], self.low, self.high).astype(np.int8)


@kind("Quantized")
class Quantized(Layer):
    """A network in int8: the door, the steps in order, the answer in real numbers."""

    def __init__(self, node):
        self.layers = node.children()
        if node.path or not self.layers:
            refuse(node.field, "a Quantized is a whole network, and has steps")
        count = (len(self.layers) + 1,)
        self.scale = node.typed("levels.scale", np.float32, count)
        self.zero = node.typed("levels.zero", np.int8, count).astype(np.int64)
        if not (np.isfinite(self.scale) & (self.scale > 0)).all():
            refuse("levels.scale", "a scale is not a finite number above zero")
        for y, step in enumerate(self.layers, 1):
            if not isinstance(step, Step) or max(step.reads) >= y:
                refuse(step.field, "it is no step that reads values before its own")

    def door(self, scale, offset):
        """To levels above -128, half a level up, so that a cut rounds to nearest."""
        with np.errstate(over="ignore", invalid="ignore"):
            gain = scale / self.scale[0]
            shift = offset / self.scale[0] + np.float32(self.zero[0] + 128.5)
        if not (np.isfinite(gain).all() and np.isfinite(shift).all()):
            refuse("levels.scale", "the first is too small for the scale of samples")
        return gain, shift

    def shape(self, shape):
        sizes = [math.prod(shape)]
        for y, step in enumerate(self.layers, 1):
            at, read = [*step.reads, y], [sizes[x] for x in step.reads]
            plane = step.fit(read, self.scale[at], self.zero[at])
            sizes.append(math.prod(plane))
            step.numbers = sizes[-1] + step.scratch
        self.scratch = sum(step.numbers for step in self.layers)
        reads = [step.reads for step in self.layers]
        self.last_use = {x: y for y, xs in enumerate(reads, 1) for x in xs}
        return (sizes[-1],)

    def run(self, x, lengths):
        batch = x.shape[-1]
        inside = np.where(x > 0, np.minimum(x, np.float32(255)), 0)
        held = {0: (inside.astype(np.int16) - 128).astype(np.int8)}
        for y, step in enumerate(self.layers, 1):
            planes = [held[v].reshape(-1, *step.plane[1:], batch) for v in step.reads]
            held[y] = step.run(planes)
            for value in set(step.reads):
                if self.last_use[value] == y:
                    del held[value]
        answer = held[len(self.layers)].reshape(-1, batch).astype(np.float32)
        return (answer - np.float32(self.zero[-1])) * self.scale[-1]


# --------------------------------------------------------------------------------------
# The model.


class Model:
    """A network ready to run; made by `load`.

    Attributes
    ----------
    input_shape, output_shape : tuple of int
        Of one sample.
    classes : tuple of str
        Names of the outputs; empty for a regression.
    """

    def __init__(self, manifest, source):
        version = manifest.get("format")
        if not is_whole(version, 1):
            refuse("manifest format", "it is %s; expected a number" % shown(version))
        if version > FORMAT:
            fault = "it is %d; this player reads formats up to %d" % (version, FORMAT)
            refuse("manifest format", fault, "use a newer player")
        shape, classes = manifest.get("input_shape"), manifest.get("classes")
        if not whole_numbers(shape) or not all(is_whole(n, 1) for n in shape):
            refuse("manifest input_shape", "it is %s; expected sizes" % shown(shape))
        if not isinstance(classes, list) or not all(
            isinstance(c, str) for c in classes
        ):
            refuse("manifest classes", "it is %s; expected texts" % shown(classes))
        self.input_shape, self.classes = tuple(shape), tuple(classes)
        if len(shape) > AXES_LIMIT - 1 or math.prod(shape) > SAMPLE_LIMIT:
            refuse("manifest input_shape", "%s is too large" % shown(shape))
        self.scale = self._door(source, "preprocess.scale")
        self.offset = self._door(source, "preprocess.offset")
        self.root = Node(manifest.get("root"), source).build()
        self.scale, self.offset = self.root.door(self.scale, self.offset)
        self.output_shape = tuple(self.root.output(self.input_shape))
        left = sorted(set(source.tensors) - source.taken)
        if left:
            refuse(shown(left[0]), "it belongs to no layer")
        self.dtype = source.dtype or np.dtype(np.float32)
        most = max([math.prod(shape)] + [layer.numbers for layer in self.root.walk()])
        self.batch = max(1, min(BATCH, WORK_BYTES // (most * self.dtype.itemsize)))

    def __call__(self, x, lengths=None):
        """The outputs for raw samples: logits, or the numbers of a regression.

        Parameters
        ----------
        x : array_like, shape (N, *input_shape) or input_shape
            Samples as the sensor or the file gives them: preprocessing is in the model.
        lengths : array_like of int, shape (N,), optional
            True lengths of padded sequences.

        Returns
        -------
        y : ndarray, shape (N, *output_shape)
            N is 1 for a sample that came alone.
        """
        x = np.asarray(x)
        size = math.prod(self.input_shape)
        if x.shape == self.input_shape and x[:1].size != size:
            x = x[None]
        if x.ndim == 0 or x.dtype.kind not in "fiub" or x[:1].size not in (0, size):
            raise ValueError(
                "samples came as an array of type %s and shape %s; expected numbers of "
                "shape (N, %s)"
                % (x.dtype, x.shape, ", ".join(map(str, self.input_shape)))
            )
        x = x.reshape(len(x), *self.input_shape)
        lengths = None if lengths is None else np.asarray(lengths)
        if lengths is not None and (
            lengths.shape != (len(x),) or lengths.dtype.kind not in "iu"
        ):
            raise ValueError(
                "lengths is of type %s and shape %s; expected a whole number for each "
                "of %d samples" % (lengths.dtype, lengths.shape, len(x))
            )
        y = np.empty((len(x), *self.output_shape), self.dtype)
        for at in range(0, len(x), self.batch):
            span = slice(at, at + self.batch)
            part = None if lengths is None else lengths[span]
            y[span] = np.moveaxis(self.root(self._enter(x[span]), part), -1, 0)
        return y

    def predict(self, x, lengths=None):
        """The index of the largest output of each sample, the first of equal ones."""
        return self(x, lengths).argmax(axis=1)

    def summary(self):
        """A table: every layer, what of it is stored and how, how it runs and why."""
        head = [
            "layer",
            "kind",
            "output",
            "weights",
            "sparsity",
            "stored",
            "runs",
            "why",
        ]
        table = [head]
        for layer in self.root.walk():
            if layer.layers:
                continue
            shape = "x".join(map(str, layer.output_shape))
            row = [layer.name, layer.kind, shape, "", "", "", "", ""]
            for weight in layer.weights or [None]:
                if weight is not None:
                    removed = 1 - weight.kept / weight.size if weight.size else 0.0
                    runs = "sparse" if weight.matrix is None else "dense"
                    row[3:6] = [
                        str(weight.size),
                        "%.1f %%" % (100 * removed),
                        weight.form + " in codes" * weight.coded,
                    ]
                    row[6:] = [runs, weight.why]
                table.append(row[:])
                row[:3] = ["", "", ""]
        widths = [max(map(len, column)) for column in zip(*table)]
        lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in table)
        return "\n".join(lines)

    def _enter(self, x):
        """Raw samples, batch first, as preprocessed columns."""
        inside = np.empty((*self.input_shape, len(x)), self.dtype)
        inside[...] = np.moveaxis(x, 0, -1)
        inside *= self.scale[..., None]
        inside += self.offset[..., None]
        return inside

    def _door(self, source, name):
        """The scale or the offset, which broadcasts to one sample."""
        found = numbers(source.tensors, name)
        source.taken.add(name)
        fits = found.ndim == len(self.input_shape) and all(
            n in (1, m) for n, m in zip(found.shape, self.input_shape)
        )
        if not fits:
            fault = "its shape is %s; samples have %s" % (found.shape, self.input_shape)
            refuse(name, fault)
        return found.astype(np.float32, copy=False)


def load(path, densify=None, limit_bytes=LIMIT_BYTES):
    """A model from a file that minprune wrote.

    Parameters
    ----------
    path : str or path
        The ``.safetensors`` file.
    densify : bool, optional
        True: multiply by dense matrices, which a BLAS does fast. False: by the stored
        entries alone, which takes the least memory. Left out: dense, but for layers so
        large and sparse that it may pay, where both are timed and the faster is taken;
        `Model.summary` tells which and why. The choice touches rounding only.
    limit_bytes : int
        Larger files, and sparse weights that would unpack to more, are refused.

    Raises
    ------
    ValueError
        If the file is damaged or of a newer format: one line, with file and fault.
    OSError
        If it cannot be read.
    """
    try:
        tensors, metadata = read(path, limit_bytes)
        if "minprune" not in metadata:
            fault = (
                "it has no entry 'minprune', so there are arrays but no architecture"
            )
            refuse("__metadata__", fault, "expected a file written by minprune")
        manifest = parsed("the manifest", metadata["minprune"])
        return Model(manifest, Source(tensors, densify, limit_bytes))
    except ValueError as why:
        raise ValueError("%s: %s" % (os.fspath(path), why)) from None
