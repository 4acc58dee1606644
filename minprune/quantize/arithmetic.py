"""What each step computes: in floating point, and in integers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from minprune._check import AnyArray, FloatArray, IntArray
from minprune.nn.conv import unfold
from minprune.quantize.fixed import rescale
from minprune.quantize.graph import Add, Affine, Clip, Concat, Pool, Step

ADD_SHIFT = 20
"""Bits by which both sides of a sum are raised before they are rescaled, so that the
rounding of each is far below one level."""


SUM_LIMIT = 2**31 - 2**9
"""Below this a 32-bit sum may be rounded and moved by a zero point safely."""


@dataclass(frozen=True, slots=True)
class Levels:
    """256 levels of a value: real = scale * (level - zero), levels -128 to 127."""

    scale: float
    """A float32 number."""
    zero: int


def levels_over(low: float, high: float) -> Levels:
    """Levels that cover a range, widened to hold zero, with zero among them.

    Examples
    --------
    >>> levels_over(0.0, 255.0)
    Levels(scale=1.0, zero=-128)
    """
    low, high = min(low, 0.0), max(high, 0.0)
    scale = float(np.float32((high - low) / 255))
    if scale == 0:
        return Levels(1.0, 0)
    return Levels(scale, int(np.clip(round(-128 - low / scale), -128, 127)))


@dataclass(frozen=True, slots=True)
class AffineNumbers:
    """An affine step in integers."""

    weight: IntArray
    """(out, K), int8, -127 to 127; pruned entries are zero."""
    bias: IntArray
    """(out,), int32, with the zero point of the input folded in."""
    multiplier: IntArray
    exponent: IntArray
    """(out,), or (1,) where all rows share a scale; see `fixed`."""

    def largest_sums(self) -> IntArray:
        """The largest size that the sum of each row may reach, for any input."""
        weights = np.abs(self.weight.astype(np.int64)).sum(axis=1)
        sums: IntArray = np.abs(self.bias.astype(np.int64)) + 128 * weights
        return sums

    def overflowing(self) -> IntArray:
        """The rows whose sum, raised by their exponent, may leave 32 bits."""
        raised = self.largest_sums() * 2.0 ** np.maximum(self.exponent, 0)
        return np.flatnonzero(raised >= SUM_LIMIT)

    def scales(self, source: Levels, target: Levels) -> FloatArray:
        """The scale of each row of weights, (out,) or (1,), float32.

        The factor of a sum is ``source * scale / target``, and is held to 31 bits:
        what comes back from it has the 24 bits of the scale itself.
        """
        factor = self.multiplier.astype(float) * 2.0 ** (self.exponent - 31.0)
        with np.errstate(over="ignore"):
            return np.asarray(factor * target.scale / source.scale, np.float32)


@dataclass(frozen=True, slots=True)
class AddNumbers:
    """A sum in integers: both sides are brought to one scale, then to the result's."""

    multiplier: tuple[int, int, int]
    """Of the left side, the right side and the result."""
    exponent: tuple[int, int, int]


def real(step: Step, inputs: Sequence[AnyArray]) -> FloatArray:
    """A step in the precision of its inputs; planes (C, H, W, N) in and out."""
    first = inputs[0]
    match step:
        case Affine():
            y = affine(step, step.matrix.astype(first.dtype), first, 0)
            y += step.bias.astype(first.dtype)[:, None]
        case Pool():
            taps = pool_taps(step, first, -np.inf if step.largest else 0)
            y = taps.max(axis=0) if step.largest else taps.mean(axis=0)
        case Add():
            y = inputs[0] + inputs[1]
        case Concat():
            y = np.concatenate(inputs)
        case Clip():
            y = first
    return np.clip(y, step.low, step.high)


class Integer:
    """Steps in integers, as the generated C computes them."""

    def __init__(
        self,
        levels: Mapping[int, Levels],
        numbers: Mapping[int, AffineNumbers | AddNumbers],
    ) -> None:
        self.levels, self.numbers = levels, numbers

    def __call__(self, step: Step, inputs: Sequence[AnyArray]) -> IntArray:
        """int8 planes (C, H, W, N) in and out."""
        first, zero = inputs[0], self.levels[step.xs[0]].zero
        numbers, out_zero = self.numbers.get(step.y), self.levels[step.y].zero
        y: IntArray
        match step, numbers:
            case Affine(), AffineNumbers():
                # Sums stay below 2**31, so float64 holds every one of them exactly,
                # and the product may go through BLAS.
                weight = numbers.weight.astype(np.float64)
                sums = affine(step, weight, first.astype(np.float64), zero)
                sums += numbers.bias[:, None]
                factor = numbers.multiplier[:, None], numbers.exponent[:, None]
                y = rescale(sums.astype(np.int64), *factor) + out_zero
            case Pool(), _:
                if step.largest:
                    y = pool_taps(step, first, -128).max(axis=0)
                else:
                    taps = pool_taps(step, first.astype(np.int64), zero)
                    y = rounded_mean(taps.sum(axis=0), len(taps))
            case Add(), AddNumbers():
                raised = [
                    (x.astype(np.int64) - self.levels[i].zero) << ADD_SHIFT
                    for i, x in zip(step.xs, inputs, strict=True)
                ]
                left, right, out = zip(
                    numbers.multiplier, numbers.exponent, strict=True
                )
                total = rescale(raised[0], *left) + rescale(raised[1], *right)
                y = rescale(total, *out) + out_zero
            case Concat(), _:
                y = np.concatenate(inputs)
            case _:
                y = first
        return np.clip(y, *bounds(step, self.levels[step.y])).astype(np.int8)


def affine(step: Affine, matrix: AnyArray, x: AnyArray, border: float) -> AnyArray:
    """The products of a convolution, without bias: (out, positions * N)."""
    padded = step.window.pad(x, border)
    rows, columns = step.out[1:]
    patches = unfold(padded, step.window, step.groups, 0, rows, columns)
    grouped = matrix.reshape(step.groups, -1, matrix.shape[1])
    return (grouped @ patches).reshape(len(matrix), -1)


def pool_taps(step: Pool, x: AnyArray, border: float) -> AnyArray:
    """What a pool sees through each tap: (taps, C, H', W', N)."""
    padded = step.window.pad(x, border)
    return np.stack([seen for _, _, seen in step.window.taps(padded, 0, *step.out[1:])])


def rounded_mean(total: IntArray, count: int) -> IntArray:
    """``total / count``, rounded to nearest, halves away from zero."""
    size = (np.abs(total) + count // 2) // count
    return np.where(total < 0, -size, size)


def bounds(step: Step, levels: Levels) -> tuple[int, int]:
    """The levels of a step's bounds, within -128 and 127."""
    low, high = (
        np.clip(levels.zero + np.rint(edge / levels.scale), -128, 127)
        for edge in (step.low, step.high)
    )
    return int(low), int(high)
