"""What the generated C computes in float32, bit for bit, in NumPy.

The order is part of the contract: a sum starts with the bias and takes the products one
after the other, each rounded to float32, in ascending order of the columns that are
stored. Columns of a convolution run over channel, row and column of the window. A mean
adds up in the order of the window and is divided at the end.

It holds where a compiler neither fuses a product with a sum nor carries more precision
than float32: the generated file switches the first off, and refuses the second.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from minprune._check import AnyArray, FloatArray
from minprune.export.c99.encode import Terms
from minprune.nn.conv import unfold
from minprune.quantize.arithmetic import pool_taps
from minprune.quantize.graph import Add, Affine, Clip, Concat, Pool, Step

LARGEST = float(np.finfo(np.float32).max)
"""FLT_MAX, which stands for no bound."""


class Ordered:
    """Steps in float32, in the order of the C; `terms` as the encodings hold them."""

    def __init__(self, terms: Mapping[int, Terms]) -> None:
        self.terms = terms

    def __call__(self, step: Step, inputs: Sequence[AnyArray]) -> FloatArray:
        """float32 planes (C, H, W, N) in and out."""
        first = inputs[0]
        match step:
            case Affine():
                y = self._affine(step, first)
            case Pool() if step.largest:
                y = pool_taps(step, first, -LARGEST).max(axis=0)
            case Pool():
                taps = pool_taps(step, first, 0)
                total = np.zeros_like(taps[0])
                for seen in taps:
                    total = total + seen
                y = total / np.float32(len(taps))
            case Add():
                y = inputs[0] + inputs[1]
            case Concat():
                y = np.concatenate(inputs)
            case Clip():
                y = first
        low, high = real_bounds(step)
        y = np.where(y < low, low, np.where(y > high, high, y))
        return y.astype(np.float32, copy=False)

    def _affine(self, step: Affine, x: AnyArray) -> FloatArray:
        """Row by row, term by term; across positions and samples at once."""
        padded = step.window.pad(x, 0)
        rows, columns = step.out[1:]
        patches = unfold(padded, step.window, step.groups, 0, rows, columns)
        y = np.empty((step.out[0], patches.shape[2]), np.float32)
        y[:] = step.bias.astype(np.float32)[:, None]
        per_group = step.out[0] // step.groups
        for o, (seen, weights) in enumerate(self.terms[step.y]):
            for column, weight in zip(seen, weights, strict=True):
                y[o] += weight * patches[o // per_group, column]
        return y


def real_bounds(step: Step) -> tuple[np.float32, np.float32]:
    """The bounds of a step as the C holds them."""
    return (
        np.float32(np.clip(step.low, -LARGEST, LARGEST)),
        np.float32(np.clip(step.high, -LARGEST, LARGEST)),
    )
