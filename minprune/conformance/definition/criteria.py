"""C.2: what a criterion or a solver answers, and how far float32 may be off."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from minprune._check import AnyArray, BoolArray, FloatArray
from minprune.conformance.definition.exact import exact, floats, precise
from minprune.conformance.definition.scores import FORMULAS
from minprune.conformance.definition.solvers import SOLVERS

Key = tuple[tuple[str, str, tuple[int, ...], bytes], ...]
ROOM = 4
"""How many times the running error bound an answer may be off: sums may run in another
order, and matrices may be factored instead of inverted."""


def score(name: str, evidence: Mapping[str, AnyArray]) -> tuple[FloatArray, float]:
    """The score of a criterion, and how far an entry may be off.

    Raises
    ------
    Undecided
        If the score hinges on a comparison that float32 arithmetic cannot make.
    """
    return _score(name, _frozen(evidence))


def solve(
    name: str, evidence: Mapping[str, AnyArray], options: Mapping[str, Any]
) -> tuple[BoolArray, FloatArray, float]:
    """The mask and the weight of a solver, and how far a weight may be off.

    Raises
    ------
    Undecided
        If the mask hinges on a comparison that float32 arithmetic cannot make.
    """
    arrays = {k: v for k, v in options.items() if isinstance(v, np.ndarray)}
    plain = tuple((k, v) for k, v in options.items() if k not in arrays)
    return _solve(name, _frozen(evidence), _frozen(arrays), plain)


@lru_cache(maxsize=1024)
def _score(name: str, evidence: Key) -> tuple[FloatArray, float]:
    """`score`, remembered: a run asks several toolkits the same questions."""
    with precise():
        found = FORMULAS[name](**_each(evidence, exact))
        value, off = floats(found)
    return _fixed(value), ROOM * float(off.max(initial=0.0))


@lru_cache(maxsize=1024)
def _solve(
    name: str, evidence: Key, arrays: Key, plain: tuple[tuple[str, Any], ...]
) -> tuple[BoolArray, FloatArray, float]:
    """`solve`, remembered."""
    with precise():
        options = _each(arrays, np.array) | dict(plain)
        mask, found = SOLVERS[name](**_each(evidence, exact), **options)
        value, off = floats(found)
    return _fixed(mask), _fixed(value), ROOM * float(off.max(initial=0.0))


def _frozen(arrays: Mapping[str, AnyArray]) -> Key:
    """Arrays as a key."""
    return tuple(
        (name, array.dtype.str, array.shape, array.tobytes())
        for name, array in arrays.items()
    )


def _each(key: Key, made: Callable[[AnyArray], Any]) -> dict[str, Any]:
    """The arrays of a key, made into something."""
    return {
        name: made(np.frombuffer(data, kind).reshape(shape))
        for name, kind, shape, data in key
    }


def _fixed(array: AnyArray) -> AnyArray:
    """The array, not to be changed."""
    array.flags.writeable = False
    return array
