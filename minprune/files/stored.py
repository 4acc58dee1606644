"""How a weight lies in a file: dense, CSR, block-sparse, or bits and values.

The names that are there say which form it is, whatever the layer:

======== ================================================= =========================
form     arrays beside the weight's own name               positions cost
======== ================================================= =========================
dense    the name itself                                   nothing; no mask is held
csr      ``.indptr``, ``.indices``, ``.values``            an index per weight
bsr      the same, ``.values`` of shape (blocks, R, C)     an index per block
bitmask  ``.bits``, ``.values``                            a bit per position
======== ================================================= =========================

Where weights share sixteen values or fewer, in a row or in the whole weight, the values
may be *coded*: ``.codes`` and ``.codebook`` then stand in the place of the values (in
the dense form, of the array itself). A code is four bits, the place of its value in the
codebook, (1, 16) for all rows or (out, 16) for each its own; the first of two codes
lies in the lower half of a byte.

A weight of shape ``(out, ...)`` is seen as ``(out, K)``, K the product of the other
axes. Indices are held in the smallest unsigned type that fits. Bits are packed eight to
a byte, the first in the lowest, in C order; values lie in the same order. Blocks that
reach over the edge are padded with zeros, and the true shape comes from the layer.

A position that is stored with the value zero is a weight that happens to be zero. It
comes back as kept: only what is not stored is pruned.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NoReturn

import numpy as np

from minprune._check import AnyArray, BoolArray, finite, same_shape
from minprune.files.container import LIMIT_BYTES

BLOCK_SIDE_LIMIT = 1024
"""Most rows or columns of a block: a block may reach over the edge of its matrix, so an
array of no blocks at all could otherwise claim blocks of any size."""

CODES = 16
"""Values in a codebook: four bits each."""

Tensors = dict[str, AnyArray]


@dataclass(frozen=True, slots=True)
class Pattern:
    """A weight in CSR, or in BSR where `values` has three axes; checked and immutable.

    Attributes
    ----------
    indptr : ndarray of unsigned int, shape (rows + 1,)
        Row (or row of blocks) i is stored at ``indptr[i]`` to ``indptr[i + 1]``.
    indices : ndarray of unsigned int, shape (stored,)
        Column (or column of blocks) of each; they ascend within a row.
    values : ndarray, shape (stored,) or (stored, R, C)
    """

    indptr: AnyArray
    indices: AnyArray
    values: AnyArray


def encode(
    name: str,
    weight: AnyArray,
    mask: BoolArray | None = None,
    *,
    block: tuple[int, int] | None = None,
    coded: bool = False,
) -> Tensors:
    """The arrays that hold a weight in the fewest bytes.

    Parameters
    ----------
    name : str
        Dotted name of the weight, such as ``"fc1.weight"``.
    weight : ndarray, shape (out, ...)
    mask : ndarray of bool, same shape, optional
        True where kept. Without one, or if it keeps all, the dense form is used: it is
        the smallest, and the only one that holds no mask.
    block : tuple of int, optional
        Rows and columns of the blocks in which the mask was pruned. BSR competes too if
        the mask really consists of such blocks.

    Returns
    -------
    tensors : dict of str to ndarray
        By full name. Among forms of equal size the first of csr, bsr, bitmask is taken.

    Notes
    -----
    Values cost the same in csr and in bits. Positions cost n/8 bytes as bits and two
    per kept weight as 16-bit indices, so bits win from a density of 1/16 up.

    A weight that is not finite is refused here, since no reader would take it.

    Examples
    --------
    >>> weight = np.zeros((4, 300), np.float32)
    >>> weight[0, 290] = 2.5
    >>> tensors = encode("fc.weight", weight, weight != 0)
    >>> {name: (array.dtype.name, array.size) for name, array in tensors.items()}
    {'fc.weight.indptr': ('uint8', 5), 'fc.weight.indices': ('uint16', 1),
     'fc.weight.values': ('float32', 1)}
    """
    finite(f"encode {name}", weight=weight)
    if mask is not None:
        same_shape(f"encode {name}", weight=weight, mask=mask)
    if mask is None or mask.all():
        whole = {name: weight}
        if not coded:
            return whole
        forms = [coded_form(name, whole, weight, np.ones(weight.shape, bool))]
        return min([whole, *filter(None, forms)], key=stored_bytes)
    candidates = [csr(name, weight, mask)]
    if block is not None:
        candidates += bsr(name, weight, mask, block)
    bits = np.packbits(mask.reshape(-1), bitorder="little")
    candidates.append({f"{name}.bits": bits, f"{name}.values": weight[mask]})
    if coded:
        forms = [
            coded_form(name, c, weight, mask) for c in (candidates[0], candidates[-1])
        ]
        candidates += filter(None, forms)
    return min(candidates, key=stored_bytes)


def csr(name: str, weight: AnyArray, mask: BoolArray) -> Tensors:
    """The weight as compressed rows."""
    rows = mask.reshape(_matrix_shape(mask.shape))
    counts = rows.sum(axis=1)
    indptr = np.concatenate(([0], np.cumsum(counts)))
    return encode_pattern(name, indptr, np.nonzero(rows)[1], weight[mask])


def bsr(
    name: str, weight: AnyArray, mask: BoolArray, block: tuple[int, int]
) -> list[Tensors]:
    """The weight as rows of blocks; nothing if a block is kept in part."""
    (rows, columns), (height, width) = _matrix_shape(mask.shape), block
    shape = -(-rows // height), height, -(-columns // width), width

    def blocks(array: AnyArray) -> AnyArray:
        padded = np.zeros((shape[0] * height, shape[2] * width), array.dtype)
        padded[:rows, :columns] = array.reshape(rows, columns)
        return padded.reshape(shape).swapaxes(1, 2)

    kept, inside = blocks(mask), blocks(np.ones_like(mask))
    stored: BoolArray = np.any(kept, axis=(2, 3))
    if (kept ^ (inside & stored[:, :, None, None])).any():
        return []
    indptr = np.concatenate(([0], np.cumsum(stored.sum(axis=1))))
    values = blocks(weight)[stored]
    return [encode_pattern(name, indptr, np.nonzero(stored)[1], values)]


def coded_form(name: str, form: Tensors, weight: AnyArray, mask: BoolArray) -> Tensors:
    """The form with codes for its values; nothing if they are too many to be coded.

    One codebook for all rows where that is enough, else one for each row. A codebook
    ascends; what is left of it repeats its last value.
    """
    shape = _matrix_shape(weight.shape)
    rows, kept = weight.reshape(shape), mask.reshape(shape)
    books = [np.unique(rows[kept])]
    if len(books[0]) > CODES:
        books = [np.unique(row[keep]) for row, keep in zip(rows, kept, strict=True)]
    if max(map(len, books), default=0) > CODES:
        return {}
    book = np.zeros((len(books), CODES), weight.dtype)
    for line, values in zip(book, books, strict=True):
        if len(values):
            line[:] = values[np.minimum(np.arange(CODES), len(values) - 1)]
    codes = [
        np.searchsorted(book[i % len(book), :-1], row[keep])
        for i, (row, keep) in enumerate(zip(rows, kept, strict=True))
    ]
    flat = np.concatenate([*codes, np.zeros(1, np.int64)]).astype(np.uint8)
    pairs = flat[: int(kept.sum()) + 1 & ~1].reshape(-1, 2)
    positions = {
        key: array for key, array in form.items() if key not in (name, f"{name}.values")
    }
    return positions | {
        f"{name}.codes": pairs[:, 0] | pairs[:, 1] << 4,
        f"{name}.codebook": book,
    }


def encode_pattern(
    name: str, indptr: AnyArray, indices: AnyArray, values: AnyArray
) -> Tensors:
    """The arrays of a weight that is already held in CSR or BSR, indices narrowed."""
    finite(f"encode {name}", values=values)
    return {
        f"{name}.indptr": _narrow(indptr),
        f"{name}.indices": _narrow(indices),
        f"{name}.values": values,
    }


def decode(
    name: str,
    tensors: Mapping[str, AnyArray],
    shape: tuple[int, ...],
    *,
    limit_bytes: int = LIMIT_BYTES,
) -> tuple[AnyArray, BoolArray | None]:
    """The weight and its mask, from whichever form the arrays have.

    Parameters
    ----------
    name : str
        Dotted name of the weight.
    tensors : mapping of str to ndarray
        As read from a file; nothing in it is trusted.
    shape : tuple of int
        The logical shape, as the layer states it.
    limit_bytes : int
        A weight that would be larger is refused: a sparse form can claim to be of any
        size.

    Returns
    -------
    weight : ndarray, shape `shape`
        Zero where pruned. Of the dense form, the array itself.
    mask : ndarray of bool, shape `shape`, or None
        True where kept; None if the form is dense.

    Raises
    ------
    ValueError
        If the arrays are missing, contradict each other or the shape, or hold a number
        that is not finite.
    """
    if name in tensors:
        weight = _numbers(name, tensors[name])
        if weight.shape != shape:
            fault = f"its shape is {weight.shape}; the layer expects {shape}"
            _refuse(name, fault)
        return weight, None
    if f"{name}.bits" in tensors:
        mask = _unpack(f"{name}.bits", tensors[f"{name}.bits"], shape)
        if f"{name}.codes" in tensors:
            rows = np.nonzero(mask.reshape(_matrix_shape(shape)))[0]
            values = _decoded(name, tensors, rows, shape[0])
        else:
            values = _numbers(f"{name}.values", _named(tensors, f"{name}.values"))
        if values.shape != (mask.sum(),):
            fault = f"its shape is {values.shape}; the bits keep {mask.sum()} weights"
            _refuse(f"{name}.values", fault)
        weight = np.zeros(shape, values.dtype)
        weight[mask] = values
        return weight, mask
    if f"{name}.codes" in tensors and f"{name}.indptr" not in tensors:
        size = math.prod(shape)
        if size > 2 * tensors[f"{name}.codes"].size:
            _refuse(f"{name}.codes", f"its codes are fewer than the {size} weights")
        rows = np.repeat(np.arange(shape[0]), size // max(shape[0], 1))
        return _decoded(name, tensors, rows, shape[0]).reshape(shape), None
    found = pattern(name, tensors, shape)
    grid = _grid(found, shape)
    if math.prod(grid) * (found.values.itemsize + 1) > limit_bytes:
        _refuse(name, f"its shape {shape} needs more than {limit_bytes} bytes")
    return _expand(found, shape)


def names(name: str, tensors: Mapping[str, AnyArray]) -> list[str]:
    """The names of the arrays that `decode` reads for a weight."""
    ends = ["bits"] if f"{name}.bits" in tensors else ["indptr", "indices"]
    coded = f"{name}.codes" in tensors
    if name in tensors:
        return [name]
    if coded and f"{name}.indptr" not in tensors and ends != ["bits"]:
        ends = []
    ends += ["codes", "codebook"] if coded else ["values"]
    return [f"{name}.{end}" for end in ends]


def pattern(
    name: str, tensors: Mapping[str, AnyArray], shape: tuple[int, ...]
) -> Pattern:
    """The CSR or BSR arrays of a weight of logical shape `shape`, checked.

    Raises
    ------
    ValueError
        Unless the pointers begin at zero, never fall and end at the number of values;
        the indices of each row ascend and lie inside; values and padding are finite and
        zero respectively.
    """
    indptr = _unsigned(f"{name}.indptr", _named(tensors, f"{name}.indptr"))
    indices = _unsigned(f"{name}.indices", _named(tensors, f"{name}.indices"))
    if f"{name}.codes" in tensors:
        places = {f"{name}.indptr": indptr, f"{name}.indices": indices}
        places[f"{name}.values"] = np.zeros(indices.shape, np.int8)
        found = pattern(name, places, shape)
        values = _decoded(name, tensors, _row_of_each(found), shape[0])
        return replace(found, values=values)
    values = _numbers(f"{name}.values", _named(tensors, f"{name}.values"))
    rows, columns = _matrix_shape(shape)
    if values.ndim not in (1, 3):
        fault = f"its shape is {values.shape}; expected (stored,) or (stored, R, C)"
        _refuse(f"{name}.values", fault)
    height, width = values.shape[1:] or (1, 1)
    if not (1 <= height <= BLOCK_SIDE_LIMIT and 1 <= width <= BLOCK_SIDE_LIMIT):
        fault = f"its blocks are of {height} by {width} weights; expected 1 to "
        _refuse(f"{name}.values", f"{fault}{BLOCK_SIDE_LIMIT} each way")
    block_rows, block_columns = -(-rows // height), -(-columns // width)

    if indptr.shape != (block_rows + 1,):
        fault = f"its shape is {indptr.shape}; {block_rows} rows need {block_rows + 1}"
        _refuse(f"{name}.indptr", fault)
    if indices.shape != values.shape[:1]:
        fault = f"its shape is {indices.shape}; there are {len(values)} values"
        _refuse(f"{name}.indices", fault)
    if indptr[0] != 0 or indptr[-1] != len(values) or (indptr[1:] < indptr[:-1]).any():
        fault = f"it must rise from 0 to the {len(values)} values stored"
        _refuse(f"{name}.indptr", fault)
    if indices.size and indices.max() >= block_columns:
        at = int(np.argmax(indices >= block_columns))
        fault = f"entry {at} is {indices[at]}; there are {block_columns} columns"
        _refuse(f"{name}.indices", fault)
    starts_row = np.zeros(len(indices) + 1, bool)
    starts_row[indptr.astype(np.intp)] = True
    ascends = starts_row[1:-1] | (indices[1:] > indices[:-1])
    if not ascends.all():
        at = int(np.argmin(ascends)) + 1
        fault = f"entry {at} is {indices[at]} after {indices[at - 1]} in the same row"
        _refuse(f"{name}.indices", fault, "columns must ascend")
    found = Pattern(indptr, indices, values)
    if values.ndim == 3 and _padding(found, rows, columns).any():
        _refuse(
            f"{name}.values", "a block holds a weight beyond the edge of the matrix"
        )
    return found


def _decoded(
    name: str, tensors: Mapping[str, AnyArray], row: AnyArray, rows: int
) -> AnyArray:
    """The values of codes that belong to these rows."""
    codes, book = tensors[f"{name}.codes"], _named(tensors, f"{name}.codebook")
    if codes.dtype != np.uint8 or codes.shape != (-(-len(row) // 2),):
        fault = f"it is {codes.dtype} of shape {codes.shape}; {len(row)} codes need "
        _refuse(f"{name}.codes", f"{fault}uint8 of shape ({-(-len(row) // 2)},)")
    if book.shape not in ((1, CODES), (rows, CODES)):
        fault = f"its shape is {book.shape}; expected (1, {CODES}) or (rows, {CODES})"
        _refuse(f"{name}.codebook", fault)
    halves = np.stack([codes & 15, codes >> 4], axis=1).reshape(-1)
    if halves[len(row) :].any():
        _refuse(f"{name}.codes", f"there is a code behind the last of {len(row)}")
    book = _numbers(f"{name}.codebook", book)
    values: AnyArray = book[row % len(book), halves[: len(row)]]
    return values


def stored_bytes(tensors: Mapping[str, AnyArray]) -> int:
    """Bytes of the arrays as they lie in a file."""
    return sum(array.nbytes for array in tensors.values())


def _expand(found: Pattern, shape: tuple[int, ...]) -> tuple[AnyArray, BoolArray]:
    """Weight and mask of a checked pattern."""
    (rows, columns), grid = _matrix_shape(shape), _grid(found, shape)
    weight, mask = np.zeros(grid, found.values.dtype), np.zeros(grid, bool)
    at = _row_of_each(found), slice(None), found.indices.astype(np.intp)
    weight[at] = found.values.reshape(-1, grid[1], grid[3])
    mask[at] = True

    def matrix(array: AnyArray) -> AnyArray:
        whole = array.reshape(grid[0] * grid[1], grid[2] * grid[3])
        return np.ascontiguousarray(whole[:rows, :columns]).reshape(shape)

    return matrix(weight), matrix(mask)


def _grid(found: Pattern, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Rows of blocks, rows in a block, columns of blocks, columns in a block."""
    height, width = found.values.shape[1:] or (1, 1)
    columns = _matrix_shape(shape)[1]
    return len(found.indptr) - 1, height, -(-columns // width), width


def _padding(found: Pattern, rows: int, columns: int) -> AnyArray:
    """The values that lie beyond the last row or column."""
    _, height, width = found.values.shape
    row = _row_of_each(found)[:, None] * height + np.arange(height)
    column = found.indices.astype(np.intp)[:, None] * width + np.arange(width)
    beyond: BoolArray = (row >= rows)[:, :, None] | (column >= columns)[:, None, :]
    return found.values[beyond]


def _row_of_each(found: Pattern) -> AnyArray:
    """The row (of blocks) of every stored entry."""
    indptr = found.indptr.astype(np.intp)
    return np.repeat(np.arange(len(indptr) - 1), indptr[1:] - indptr[:-1])


def _unpack(name: str, bits: AnyArray, shape: tuple[int, ...]) -> BoolArray:
    """The mask held in packed bits."""
    size = math.prod(shape)
    if bits.dtype != np.uint8 or bits.shape != (-(-size // 8),):
        fault = f"it is {bits.dtype} of shape {bits.shape}; {size} positions need uint8"
        _refuse(name, f"{fault} of shape ({-(-size // 8)},)")
    flat = np.unpackbits(bits, bitorder="little")
    if flat[size:].any():
        _refuse(name, f"a bit beyond the last of {size} positions is set")
    return flat[:size].astype(bool).reshape(shape)


def _matrix_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    """Rows and columns of the two-dimensional view of a weight."""
    return shape[0], math.prod(shape[1:])


def _narrow(indices: AnyArray) -> AnyArray:
    """The same numbers in the smallest unsigned type that holds them."""
    return indices.astype(np.min_scalar_type(int(indices.max(initial=0))))


def _named(tensors: Mapping[str, AnyArray], name: str) -> AnyArray:
    """The array of that name."""
    if name not in tensors:
        _refuse(name, "it is missing from the file")
    return tensors[name]


def _unsigned(name: str, array: AnyArray) -> AnyArray:
    """The array, if it can hold indices."""
    if array.dtype.kind != "u":
        _refuse(name, f"its type is {array.dtype}; indices are unsigned integers")
    return array


def _numbers(name: str, array: AnyArray) -> AnyArray:
    """The array, if it holds weights, all of them finite."""
    if array.dtype.kind not in "fi":
        _refuse(name, f"its type is {array.dtype}; weights are floats or integers")
    finite(name, **{"the stored weight": array})
    return array


def _refuse(
    name: str, fault: str, remedy: str = "the file is damaged; fetch or save it anew"
) -> NoReturn:
    """Raise the one error this module knows."""
    raise ValueError(f"{name}: {fault}; {remedy}")
