"""One compilation policy for every kernel, stated once.

serial     a kernel runs on one thread and holds no lock of the interpreter, so threads
           may each be given rows of their own: see `share_rows`. A row is written by
           one thread, in one order: bits do not depend on the number of threads.
fastmath   off. Reordering a sum, or assuming that no NaN occurs, changes a definition.
           Where a kernel fuses a multiplication with an addition, or keeps several
           sums in flight, it says so itself.
cache      on disk: beside the source if that can be written, otherwise in the user's
           cache folder or in ``NUMBA_CACHE_DIR``; without any of them, in memory only.

address    kernels that stand in a table (see `table`) are called by their address, so
           that each is compiled once, by itself, and only if it is used.

Numba compiles a kernel anew when its file has changed. It does not notice a change of
what the kernel calls in another file: after editing `_lanes`, clear the cache.

With ``NUMBA_DISABLE_JIT=1`` every kernel runs as plain Python, for coverage and for a
debugger. This module and `_lanes` are the only ones that import Numba; they are
imported when a kernel is first needed.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, TypeVar, cast

import numba
from numba.core import cgutils
from numba.extending import intrinsic

F = TypeVar("F", bound=Callable[..., object])

PAYS = 8_000_000
"""Multiply-adds from which a second thread pays: some 400 microseconds of work on one.
With half as many, two threads take as long as one; handing over a part costs that much.
"""


def kernel(loops: F) -> F:
    """Compile a function of loops under the policy above, when it is first called."""
    try:
        return cast("F", numba.njit(nogil=True, cache=True)(loops))
    except RuntimeError:  # there is no folder that a cache could be written to
        return cast("F", numba.njit(nogil=True)(loops))


def inlined(loops: F) -> F:
    """A part of a kernel, compiled in place for each type of strip it is called with.

    A call of its own would count a reference to every array, there and back.
    """
    return cast("F", numba.njit(inline="always")(loops))


_INTERPRETED: dict[int, Callable[..., None]] = {}
"""Kernels by the number that stands for their address where nothing is compiled."""


def address(operation: Callable[..., None], *arguments: object) -> int:
    """Where a kernel stands in memory, compiled for arguments of these types."""
    if numba.config.DISABLE_JIT:
        _INTERPRETED[id(operation)] = operation
        return id(operation)
    signature = numba.void(*map(numba.typeof, arguments))
    compiled = cast("Any", operation).get_compile_result(signature)
    name = compiled.fndesc.llvm_func_name
    return int(compiled.library.get_pointer_to_function(name))


def call(address: int, *arguments: object) -> None:
    """Call the kernel that stands there."""
    _INTERPRETED[address](*arguments)


def _call(_: Any, address: Any, at: Any, memory: Any, x: Any, y: Any, n: Any) -> Any:
    given = (at, memory, x, y, n)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        convention = context.call_conv
        kind = convention.get_function_type(numba.types.none, given)
        function = builder.inttoptr(args[0], kind.as_pointer())
        status, _ = convention.call_function(
            builder, function, numba.types.none, given, args[1:]
        )
        with cgutils.if_unlikely(builder, status.is_error):
            convention.return_status_propagate(builder, status)
        return context.get_dummy_value()

    return numba.void(numba.intp, *given), code


if not numba.config.DISABLE_JIT:
    call = intrinsic(_call)


def threads() -> int:
    """How many threads kernels may use: what `numba.set_num_threads` was given last."""
    return int(numba.get_num_threads())


@cache
def _pool() -> ThreadPoolExecutor:
    """The threads beside the caller's own."""
    workers = max(1, int(numba.config.NUMBA_NUM_THREADS) - 1)
    return ThreadPoolExecutor(workers, thread_name_prefix="minprune")


def share_rows(
    work: Callable[[int, int], None], first: int, last: int, products: int
) -> None:
    """Call ``work(i, j)`` on ranges that make up all rows, on several threads.

    The caller's own thread takes the first range; a job too small to share runs there
    as a whole.
    """
    rows = last - first
    count = min(threads(), rows) if products >= PAYS else 1
    if count <= 1:
        work(first, last)
        return
    cuts = [first + rows * i // count for i in range(count + 1)]
    waiting = [_pool().submit(work, cuts[i], cuts[i + 1]) for i in range(1, count)]
    work(cuts[0], cuts[1])
    for job in waiting:
        job.result()
