"""How the inputs of a convolution are laid out for its kernels: strips.

A kernel multiplies each weight with the inputs of several neighboring positions in a
row of the output, its lanes, and wants them side by side. A strip holds what these
positions see: a line for each channel and each row of the window, as long as their
windows reach. With a stride, the columns of a line are sorted by their remainder, its
phase. So every tap has one offset in the strip, whatever the stride and the dilation.
"""

from dataclasses import dataclass

import numpy as np

from minprune._check import AnyArray, IntArray
from minprune.quantize.graph import Affine

LANES = (4, 8)
"""Of these the first that is as wide as the output, or the last."""


@dataclass(frozen=True, slots=True)
class Strip:
    """The strips of one convolution."""

    lanes: int
    """Positions that share each decoded weight."""
    blocks: int
    """Strips of one group, over all positions."""
    phases: int
    length: int
    """Columns of each phase."""
    offsets: IntArray
    """(columns,): where the first lane finds each column of the weight matrix."""
    size: int
    """Numbers in a strip."""

    def spread(self, matrix: AnyArray) -> AnyArray:
        """(rows, size): the columns of a matrix where the strip has their inputs."""
        wide = np.zeros((len(matrix), self.size), matrix.dtype)
        wide[:, self.offsets] = matrix
        return wide

    def columns(self, offsets: IntArray) -> IntArray:
        """The columns of the matrix that have these offsets."""
        order = np.argsort(self.offsets)
        found: IntArray = order[np.searchsorted(self.offsets[order], offsets)]
        return found


def strip(step: Affine) -> Strip:
    """The strips that a convolution reads."""
    window, (rows, columns) = step.window, step.out[1:]
    (_, stride), (_, reach) = window.stride, window.reach
    lanes = next((n for n in LANES if n >= columns), LANES[-1])
    phases, length = min(stride, reach), lanes + (reach - 1) // stride
    lines = step.plane[0] // step.groups * window.kernel[0]
    seen = np.arange(window.kernel[1]) * window.dilation[1]
    line = np.arange(lines)[:, None] * phases + seen % stride
    return Strip(
        lanes,
        rows * -(-columns // lanes),
        phases,
        length,
        (line * length + seen // stride).reshape(-1),
        lines * phases * length,
    )
