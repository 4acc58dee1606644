"""Argument checks shared by every public function, and the memory kernels rely on.

A message names the function, what came in, what was expected and why it matters, so
that it can be acted on without opening the source. A caller's mistake is always a
`ValueError` (or a `TypeError` where the type itself is wrong); what a check returns is
what it checked, so that it can stand where the value is first used.
"""

import difflib
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.integer[Any]]
AnyArray = NDArray[Any]

ALIGNMENT = 64
"""Bytes: one cache line, and one register of the widest vector unit in use."""

LANE = 16
"""Floats in such a register; row strides of activation memory are multiples of it."""


def same_shape(caller: str, **arrays: AnyArray) -> None:
    """Raise ValueError unless every array has the shape of the first."""
    (first, reference), *others = arrays.items()
    for name, array in others:
        if np.shape(array) != np.shape(reference):
            raise ValueError(
                f"{caller}: {name} has shape {np.shape(array)} but {first} has shape "
                f"{np.shape(reference)}; the two are used entry by entry, so their "
                f"shapes must be equal"
            )


def finite(caller: str, **arrays: AnyArray) -> None:
    """Raise ValueError if an array holds a NaN or an infinity."""
    for name, given in arrays.items():
        array = np.asarray(given)
        if array.dtype.kind not in "biufc":
            raise TypeError(
                f"{caller}: {name} has type {array.dtype}; expected numbers"
            )
        good = np.isfinite(array)
        if not good.all():
            at = tuple(int(i) for i in np.argwhere(~good)[0])
            raise ValueError(
                f"{caller}: {name} holds {int((~good).sum())} non-finite values, the "
                f"first ({array[at]}) at index {at}; what is not a finite number "
                f"cannot be ranked or summed"
            )


def float64(caller: str, **arrays: AnyArray) -> tuple[NDArray[np.float64], ...]:
    """The arrays as finite float64, in the order given; an error if one cannot be."""
    finite(caller, **arrays)
    for name, array in arrays.items():
        if np.iscomplexobj(array):
            raise TypeError(
                f"{caller}: {name} has type {np.asarray(array).dtype}; expected real "
                f"numbers"
            )
    return tuple(np.asarray(array, dtype=np.float64) for array in arrays.values())


def not_negative(caller: str, **arrays: AnyArray) -> None:
    """Raise ValueError if an array that holds sizes or squares has one below zero."""
    for name, array in arrays.items():
        below = array < 0
        if below.any():
            at = tuple(int(i) for i in np.argwhere(below)[0])
            raise ValueError(
                f"{caller}: {name} is {array[at]} at index {at}; expected 0 or more "
                f"throughout"
            )


def dimensions(caller: str, *allowed: int, **arrays: AnyArray) -> None:
    """Raise ValueError unless every array has one of the allowed numbers of axes."""
    for name, array in arrays.items():
        if np.ndim(array) not in allowed:
            wanted = " or ".join(str(n) for n in allowed)
            raise ValueError(
                f"{caller}: {name} has shape {np.shape(array)}, that is "
                f"{np.ndim(array)} axes; expected {wanted}"
            )


LISTED = 30
NEAREST = 5
"""How many known names an error lists in full, and how many of more than that."""


def one_of(caller: str, what: str, value: str, known: Iterable[str]) -> str:
    """Return `value` if it is known; otherwise name the nearest known one."""
    names = sorted(known)
    if value in names:
        return value
    near = difflib.get_close_matches(str(value), names, n=NEAREST, cutoff=0.0)
    listed = f"known: {', '.join(names)}"
    if len(names) > LISTED:
        listed = f"{len(names)} are known, the nearest are {', '.join(near)}"
    raise ValueError(
        f"{caller}: there is no {what} {value!r}; "
        + (f"did you mean {near[0]!r}? " if near else "")
        + listed
    )


def positive_int(caller: str, name: str, value: int, minimum: int = 1) -> int:
    """Return `value` as an int if it is a whole number of at least `minimum`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(
            f"{caller}: {name} is {value!r}; expected a whole number, {minimum} or more"
        )
    if value < minimum:
        raise ValueError(f"{caller}: {name} is {value}; expected {minimum} or more")
    return int(value)


def number(caller: str, name: str, value: float, minimum: float = 0.0) -> float:
    """Return `value` as a float if it is a finite number of at least `minimum`."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise TypeError(f"{caller}: {name} is {value!r}; expected a number")
    if not minimum <= value < math.inf or value == -math.inf:
        least = "" if minimum == -math.inf else f", {minimum:g} or more"
        raise ValueError(
            f"{caller}: {name} is {value}; expected a finite number{least}"
        )
    return float(value)


def batch_array(
    shape: tuple[int, ...], dtype: np.dtype[Any] | type = np.float32
) -> FloatArray:
    """Uninitialized activation memory: aligned rows, the batch on the last axis.

    The first byte lies on a 64-byte boundary and the stride between rows is a multiple
    of 16 items, so that a vector load inside a row never straddles a cache line. The
    array returned is a view of `shape`; the padding behind each row is zero and stays
    out of sight.

    Parameters
    ----------
    shape : tuple of int
        ``(features, N)``, ``(C, L, N)`` or ``(C, H, W, N)``.
    dtype : dtype
        Type of an item.

    Returns
    -------
    memory : ndarray, shape `shape`
        C-ordered but for the padding of the last axis.

    Examples
    --------
    >>> x = batch_array((3, 5))
    >>> x.shape, x.strides, x.ctypes.data % 64
    ((3, 5), (64, 4), 0)
    """
    dtype = np.dtype(dtype)
    *rows, batch = shape
    padded = -(-batch // LANE) * LANE
    count = math.prod(rows) * padded
    raw = np.empty(count + ALIGNMENT // dtype.itemsize, dtype)
    skip = -_address(raw) % ALIGNMENT // dtype.itemsize
    whole = raw[skip : skip + count].reshape(*rows, padded)
    if batch < padded:
        whole[..., batch:] = 0
    return whole[..., :batch]


def is_batch_array(x: AnyArray) -> bool:
    """Whether `x` has the memory layout that `batch_array` gives."""
    if x.size == 0:
        return True
    size, (*rows, batch) = x.itemsize, x.shape
    if x.flags.c_contiguous and batch % LANE == 0:
        return _address(x) % ALIGNMENT == 0
    stride = x.strides[-2] if rows else -(-batch // LANE) * LANE * size
    expected, step = [size], stride
    for extent in reversed(rows):
        expected.append(step)
        step *= extent
    return (
        _address(x) % ALIGNMENT == 0
        and stride % (LANE * size) == 0
        and stride >= batch * size
        and tuple(reversed(expected)) == x.strides
    )


def _address(x: AnyArray) -> int:
    """Where the first byte lies."""
    address: int = x.__array_interface__["data"][0]
    return address


def as_batch_array(x: AnyArray) -> AnyArray:
    """`x` itself if it already lies as kernels need it, otherwise a copy that does."""
    if is_batch_array(x):
        return x
    copy = batch_array(x.shape, x.dtype)
    copy[...] = x
    return copy
