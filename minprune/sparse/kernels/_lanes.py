"""A strip of numbers as one value: the width is part of the type.

``wide_strip(x)`` is a token that says how many numbers of x's type to work on as one,
on this machine; ``load(lanes, x, at)`` is then a vector of so many, which the
compiler splits into registers. Nothing is generated and nothing unrolled by hand, and
one text of a kernel serves every width and both precisions.

Each operation is written twice: what it means, in NumPy, and what it compiles to.
With ``NUMBA_DISABLE_JIT=1`` the first is what runs. `multiply_add` is fused into one
rounding where the machine can do so, and is two roundings elsewhere and in NumPy.

Arrays are flat and contiguous, and an index is never negative. Every access is
checked in NumPy, and in kernels compiled with ``NUMBA_BOUNDSCHECK=1`` (which wants a
``NUMBA_CACHE_DIR`` of its own); otherwise it is trusted.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numba
import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

from minprune._check import LANE, AnyArray


class Lanes:
    """So many numbers of one type, worked on as one.

    Parameters
    ----------
    width : int
        How many.
    dtype : dtype
        float32 or float64.
    """

    def __init__(self, width: int, dtype: np.dtype[Any]) -> None:
        self.width, self.dtype = width, dtype


@cache
def register_bytes() -> int:
    """Bytes of a vector register of the processor that is compiled for."""
    features = numba.config.CPU_FEATURES
    names = (
        {name for name, there in binding.get_host_cpu_features().items() if there}
        if features is None
        else {name[1:] for name in features.split(",") if name.startswith("+")}
    )
    return 64 if "avx512f" in names else 32 if "avx" in names else 16


# What each operation means.


def wide_strip(like: AnyArray) -> Lanes:
    """Lanes of an array's type that fill eight registers.

    Eight sums in flight hide the latency of a fused multiply-add (four cycles, two
    begun in each), and leave as many registers again for what is loaded.
    """
    return Lanes(8 * register_bytes() // like.itemsize, like.dtype)


def lane_strip(like: AnyArray) -> Lanes:
    """`LANE` lanes on every machine."""
    return Lanes(LANE, like.dtype)


def pair_strip(like: AnyArray) -> Lanes:
    """Lanes that fill two registers."""
    return Lanes(2 * register_bytes() // like.itemsize, like.dtype)


def narrow_strip(like: AnyArray) -> Lanes:
    """As `pair_strip`, but no more than `LANE`, to which memory is padded."""
    return Lanes(min(LANE, 2 * register_bytes() // like.itemsize), like.dtype)


def square_strip(like: AnyArray) -> Lanes:
    """Four lanes: a side of what `turned` turns."""
    return Lanes(4, like.dtype)


def width(lanes: Lanes) -> int:
    """How many numbers a strip holds."""
    return lanes.width


def load(lanes: Lanes, x: AnyArray, at: int) -> AnyArray:
    """``x[at : at + width]``."""
    return _span(x, at, lanes.width).copy()


def store(y: AnyArray, at: int, strip: AnyArray) -> None:
    """``y[at : at + width] = strip``."""
    _span(y, at, len(strip))[:] = strip


def gather(
    lanes: Lanes, x: AnyArray, base: int, offsets: AnyArray, at: int
) -> AnyArray:
    """``x[base + offsets[at : at + width]]``."""
    return x[base:][_span(offsets, at, lanes.width)]


def scatter(
    strip: AnyArray, y: AnyArray, base: int, offsets: AnyArray, at: int
) -> None:
    """``y[base + offsets[at : at + width]] = strip``."""
    y[base:][_span(offsets, at, len(strip))] = strip


def splat(lanes: Lanes, number: Any) -> AnyArray:
    """The same number in every lane."""
    return np.full(lanes.width, number, lanes.dtype)


def multiply_add(a: AnyArray, b: AnyArray, c: AnyArray) -> AnyArray:
    """``a * b + c``, rounded once or twice."""
    return a * b + c


def add(a: AnyArray, b: AnyArray) -> AnyArray:
    """``a + b``."""
    return a + b


def positive(a: AnyArray) -> AnyArray:
    """``max(a, 0)``; a NaN stays a NaN."""
    return np.maximum(a, 0)


def larger(a: AnyArray, b: AnyArray) -> AnyArray:
    """``max(a, b)``; a NaN in either wins."""
    return np.maximum(a, b)


def smaller(a: AnyArray, b: AnyArray) -> AnyArray:
    """``min(a, b)``; a NaN in either wins."""
    return np.minimum(a, b)


def between(y: AnyArray, most: AnyArray, a: AnyArray) -> AnyArray:
    """``a`` where y is above zero and not `most` or above, 0 elsewhere.

    A NaN for `most` sets no limit.
    """
    return np.where((y > 0) & ~(y >= most), a, a.dtype.type(0))


def evens(a: AnyArray, b: AnyArray) -> AnyArray:
    """Every other number of two strips, the first among them."""
    return np.concatenate((a, b))[::2]


def odds(a: AnyArray, b: AnyArray) -> AnyArray:
    """The others."""
    return np.concatenate((a, b))[1::2]


def turned(a: AnyArray, b: AnyArray, c: AnyArray, d: AnyArray) -> tuple[AnyArray, ...]:
    """The columns of a square of four by four, whose rows these are."""
    return tuple(np.stack((a, b, c, d), axis=1))


def dot(a: AnyArray, b: AnyArray) -> Any:
    """Sum over the lanes of ``a * b``, fused, two registers in flight."""
    return total(a * b)


def total(a: AnyArray) -> Any:
    """Sum over the lanes: the upper half is added to the lower until one is left."""
    while len(a) > 1:
        half = len(a) // 2
        a = a[:half] + a[half:]
    return a[0]


def item(x: AnyArray, at: int) -> Any:
    """``x[at]``; an integer as the machine's own."""
    number = _span(x, at, 1)[0]
    return int(number) if x.dtype.kind in "iu" else number


def put(y: AnyArray, at: int, number: Any) -> None:
    """``y[at] = number``."""
    _span(y, at, 1)[0] = number


def _span(x: AnyArray, at: int, count: int) -> AnyArray:
    """``x[at : at + count]``, which must lie inside."""
    if at < 0 or at + count > x.size:
        raise IndexError(f"{at} to {at + count} of an array of {x.size}")
    return x[at : at + count]


# What each compiles to.


class _LanesType(types.Type):  # type: ignore[misc]
    def __init__(self, width: int, dtype: Any) -> None:
        self.width, self.dtype = width, dtype
        super().__init__(name=f"Lanes({width}, {dtype})")


class _StripType(types.Type):  # type: ignore[misc]
    def __init__(self, width: int, dtype: Any) -> None:
        self.width, self.dtype = width, dtype
        super().__init__(name=f"Strip({width}, {dtype})")


register_model(_LanesType)(models.OpaqueModel)


@register_model(_StripType)
class _StripModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, of: _StripType) -> None:
        super().__init__(manager, of, _vector(of))


def _vector(strip: _StripType) -> ir.VectorType:
    number = ir.FloatType() if strip.dtype == types.float32 else ir.DoubleType()
    return ir.VectorType(number, strip.width)


def _address(
    context: Any, builder: Any, kind: Any, value: Any, at: Any, count: int
) -> Any:
    """Pointer to ``array[at]``, checked to have `count` items if checks are on."""
    array = context.make_array(kind)(context, builder, value)
    if numba.config.BOUNDSCHECK:
        below = builder.icmp_signed("<", at, at.type(0))
        end = builder.add(at, at.type(count))
        outside = builder.or_(below, builder.icmp_signed(">", end, array.nitems))
        with builder.if_then(outside, likely=False):
            why = ("a strip reaches beyond its array",)
            context.call_conv.return_user_exc(builder, IndexError, why)
    return builder.gep(array.data, [at])


def _token(size: Callable[[Any], Lanes]) -> Callable[..., Any]:
    """Lanes of the width that `size` gives an array of this type."""

    def typed(_: Any, like: Any) -> Any:
        sample = np.empty(0, np.dtype(str(like.dtype)))
        lanes = _LanesType(size(sample).width, like.dtype)

        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return context.get_dummy_value()

        return lanes(like), code

    return typed


def _load(_: Any, lanes: Any, x: Any, at: Any) -> Any:
    strip = _StripType(lanes.width, lanes.dtype)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = _vector(strip)
        start = _address(context, builder, x, args[1], args[2], strip.width)
        start = builder.bitcast(start, kind.as_pointer())
        return builder.load(start, align=lanes.dtype.bitwidth // 8)

    return strip(lanes, x, types.intp), code


def _store(_: Any, y: Any, at: Any, strip: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        start = _address(context, builder, y, args[0], args[1], strip.width)
        start = builder.bitcast(start, _vector(strip).as_pointer())
        builder.store(args[2], start, align=strip.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(y, types.intp, strip), code


def _gather(_: Any, lanes: Any, x: Any, base: Any, offsets: Any, at: Any) -> Any:
    strip = _StripType(lanes.width, lanes.dtype)

    def one_by_one(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        found = ir.Constant(_vector(strip), ir.Undefined)
        for lane in range(strip.width):
            place = builder.add(args[4], args[4].type(lane))
            where = _address(context, builder, offsets, args[3], place, 1)
            far = builder.add(args[2], _widened(builder, offsets, where))
            far = _address(context, builder, x, args[1], far, 1)
            found = builder.insert_element(
                found, builder.load(far), ir.IntType(32)(lane)
            )
        return found

    def at_once(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        where = _address(context, builder, offsets, args[3], args[4], strip.width)
        bits = offsets.dtype.bitwidth
        packed = ir.VectorType(ir.IntType(bits), strip.width)
        index = builder.load(
            builder.bitcast(where, packed.as_pointer()), align=bits // 8
        )
        wider = ir.VectorType(ir.IntType(32 if bits < 32 else 64), strip.width)
        index = builder.zext(index, wider)
        start = _address(context, builder, x, args[1], args[2], 0)
        far = builder.gep(
            start, [ir.IntType(64)(0)]
        )  # llvmlite writes scalar ones only
        far.indices, far.type = [index], ir.VectorType(start.type, strip.width)
        kind, flags = _vector(strip), ir.VectorType(ir.IntType(1), strip.width)
        function = ir.FunctionType(kind, [far.type, ir.IntType(32), flags, kind])
        name = (
            f"llvm.masked.gather.v{strip.width}f{strip.dtype.bitwidth}.v{strip.width}p0"
        )
        size = ir.IntType(32)(strip.dtype.bitwidth // 8)
        every = ir.Constant(flags, [1] * strip.width)
        nothing = ir.Constant(kind, ir.Undefined)
        gather = cgutils.get_or_insert_function(builder.module, function, name)
        return builder.call(gather, [far, size, every, nothing])

    # Without an instruction for it, LLVM takes a vector of addresses apart again.
    whole = register_bytes() == 64 and not numba.config.BOUNDSCHECK
    code = at_once if whole else one_by_one
    return strip(lanes, x, types.intp, offsets, types.intp), code


def _scatter(_: Any, strip: Any, y: Any, base: Any, offsets: Any, at: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        for lane in range(strip.width):
            place = builder.add(args[4], args[4].type(lane))
            where = _address(context, builder, offsets, args[3], place, 1)
            far = builder.add(args[2], _widened(builder, offsets, where))
            far = _address(context, builder, y, args[1], far, 1)
            number = builder.extract_element(args[0], ir.IntType(32)(lane))
            builder.store(number, far)
        return context.get_dummy_value()

    return types.void(strip, y, types.intp, offsets, types.intp), code


def _splat(_: Any, lanes: Any, number: Any) -> Any:
    strip = _StripType(lanes.width, lanes.dtype)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        empty, whole = ir.Constant(_vector(strip), ir.Undefined), ir.IntType(32)
        first = builder.insert_element(empty, args[1], whole(0))
        zeros = ir.Constant(ir.VectorType(whole, strip.width), [0] * strip.width)
        return builder.shuffle_vector(first, empty, zeros)

    return strip(lanes, lanes.dtype), code


def _multiply_add(_: Any, a: Any, b: Any, c: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = _vector(a)
        name = f"llvm.fmuladd.v{a.width}f{a.dtype.bitwidth}"
        function = ir.FunctionType(kind, [kind] * 3)
        return builder.call(
            cgutils.get_or_insert_function(builder.module, function, name), args
        )

    return a(a, a, a), code


def _add(_: Any, a: Any, b: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fadd(*args)

    return a(a, a), code


def _positive(_: Any, a: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        zero = ir.Constant(_vector(a), [0.0] * a.width)
        below = builder.fcmp_ordered("<", args[0], zero)
        return builder.select(below, zero, args[0])

    return a(a), code


def _extreme(sign: str) -> Callable[..., Any]:
    """B where it compares so with a, or is a NaN; a elsewhere."""

    def typed(_: Any, a: Any, b: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            beyond = builder.fcmp_ordered(sign, args[1], args[0])
            lost = builder.fcmp_unordered("uno", args[1], args[1])
            return builder.select(builder.or_(beyond, lost), args[1], args[0])

        return a(a, b), code

    return typed


def _between(_: Any, y: Any, most: Any, a: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        zero = ir.Constant(_vector(a), [0.0] * a.width)
        above = builder.fcmp_ordered(">", args[0], zero)
        below = builder.fcmp_unordered("<", args[0], args[1])
        return builder.select(builder.and_(above, below), args[2], zero)

    return a(y, most, a), code


def _every_other(first: int) -> Callable[..., Any]:
    """The lanes from `first` on in steps of two."""

    def typed(_: Any, a: Any, b: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            one, other = args
            return _picked(builder, one, other, list(range(first, 2 * a.width, 2)))

        return a(a, b), code

    return typed


def _turned(_: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
    four = types.UniTuple(a, 4)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        def halves(one: Any, other: Any) -> list[Any]:
            return [
                _picked(builder, one, other, [n, n + 4, n + 1, n + 5]) for n in (0, 2)
            ]

        low, high = zip(halves(args[0], args[2]), halves(args[1], args[3]), strict=True)
        columns = halves(*low) + halves(*high)
        return context.make_tuple(builder, four, columns)

    return four(a, b, c, d), code


def _total(_: Any, a: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        strip, count = args[0], a.width
        while count > 1:
            count //= 2
            lower = _part(builder, strip, 0, count)
            strip = builder.fadd(lower, _part(builder, strip, count, count))
        return builder.extract_element(strip, ir.IntType(32)(0))

    return a.dtype(a), code


def _dot(_: Any, a: Any, b: Any) -> Any:
    size = min(a.width, 8 * register_bytes() // a.dtype.bitwidth)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        register = _StripType(size, a.dtype)
        fused = _multiply_add(_, register, register, register)[1]
        sums: list[Any] = []
        for first in range(0, a.width, size):
            one, other = (_part(builder, strip, first, size) for strip in args)
            if len(sums) < 2:
                sums.append(builder.fmul(one, other))
            else:
                sums = [
                    sums[1],
                    fused(context, builder, signature, (one, other, sums[0])),
                ]
        strip = sums[0] if len(sums) == 1 else builder.fadd(*sums)
        return _total(_, register)[1](context, builder, signature, (strip,))

    return a.dtype(a, b), code


def _part(builder: Any, strip: Any, first: int, count: int) -> Any:
    """So many lanes of a strip, from `first` on."""
    nothing = ir.Constant(strip.type, ir.Undefined)
    return _picked(builder, strip, nothing, list(range(first, first + count)))


def _picked(builder: Any, one: Any, other: Any, lanes: list[int]) -> Any:
    """These lanes of two strips, those of the second counted on from the first."""
    kind = ir.VectorType(ir.IntType(32), len(lanes))
    return builder.shuffle_vector(one, other, ir.Constant(kind, lanes))


def _widened(builder: Any, x: Any, address: Any) -> Any:
    """What stands there; an integer as wide as an index."""
    number = builder.load(address)
    if not isinstance(x.dtype, types.Integer) or x.dtype.bitwidth == 64:
        return number
    widen = builder.sext if x.dtype.signed else builder.zext
    return widen(number, ir.IntType(64))


def _item(_: Any, x: Any, at: Any) -> Any:
    whole = isinstance(x.dtype, types.Integer)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _widened(builder, x, _address(context, builder, x, args[0], args[1], 1))

    return (types.intp if whole else x.dtype)(x, types.intp), code


def _put(_: Any, y: Any, at: Any, number: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        where = _address(context, builder, y, args[0], args[1], 1)
        builder.store(args[2], where)
        return context.get_dummy_value()

    return types.void(y, types.intp, y.dtype), code


def _width(_: Any, lanes: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return ir.IntType(64)(lanes.width)

    return types.intp(lanes), code


def _either(meaning: Callable[..., Any], compiled: Callable[..., Any]) -> Any:
    """The operation as kernels see it: interpreted, or compiled in place."""
    return meaning if numba.config.DISABLE_JIT else intrinsic(compiled)


wide_strip = _either(wide_strip, _token(wide_strip))
lane_strip = _either(lane_strip, _token(lane_strip))
pair_strip = _either(pair_strip, _token(pair_strip))
narrow_strip = _either(narrow_strip, _token(narrow_strip))
square_strip = _either(square_strip, _token(square_strip))
width = _either(width, _width)
load = _either(load, _load)
store = _either(store, _store)
gather = _either(gather, _gather)
scatter = _either(scatter, _scatter)
splat = _either(splat, _splat)
multiply_add = _either(multiply_add, _multiply_add)
add = _either(add, _add)
positive = _either(positive, _positive)
total = _either(total, _total)
item = _either(item, _item)
put = _either(put, _put)
between = _either(between, _between)
evens = _either(evens, _every_other(0))
odds = _either(odds, _every_other(1))
turned = _either(turned, _turned)
dot = _either(dot, _dot)
larger = _either(larger, _extreme(">"))
smaller = _either(smaller, _extreme("<"))
