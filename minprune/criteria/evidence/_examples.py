"""The examples that evidence is taken from, in batches, with their loss."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from minprune._check import AnyArray, FloatArray, IntArray, positive_int
from minprune._random import stream
from minprune.data import Dataset, Split
from minprune.nn.layer import Mode
from minprune.nn.loss import Loss, cross_entropy, mean_squared_error
from minprune.nn.network import Network

Source = Dataset | Split | tuple[AnyArray, ...]


@dataclass(frozen=True)
class Examples:
    """Some examples of a split, always in the same batches."""

    split: Split
    rows: IntArray
    batch: int
    loss: Loss

    def __len__(self) -> int:
        return len(self.rows)

    def batches(self) -> Iterator[Split]:
        """The examples, `batch` at a time."""
        for first in range(0, len(self.rows), self.batch):
            some = self.rows[first : first + self.batch]
            lengths = self.split.lengths
            yield Split(
                self.split.x[some],
                self.split.y[some],
                None if lengths is None else lengths[some],
            )

    def passes(self, net: Network) -> Iterator[tuple[int, float, FloatArray]]:
        """After the forward of each batch: (examples, sum of losses, gradient).

        The gradient is that of each example's own loss at the network's output.
        """
        for part in self.batches():
            output = net.forward(net.enter(part.x), Mode(lengths=part.lengths))
            loss, gradient = self.loss(output, part.y)
            yield len(part), loss * len(part), gradient * len(part)


def choose(
    source: Source,
    examples: int | None,
    batch: int,
    seed: int,
    loss: Loss | None,
) -> Examples:
    """Draw some examples of a split without repetition; for None all, in order."""
    split = source.train if isinstance(source, Dataset) else source
    if not isinstance(split, Split):
        split = Split(*(np.asarray(array) for array in split))
    if len(split) == 0 or len(split.x) != len(split.y):
        raise ValueError(
            f"collect: {len(split.x)} samples came with {len(split.y)} targets; "
            f"expected one target a sample, and at least one sample"
        )
    batch = positive_int("collect", "batch", batch)
    if examples is None:
        rows = np.arange(len(split))
    else:
        examples = positive_int("collect", "examples", examples)
        rows = stream(seed, "evidence").permutation(len(split))[:examples]
    if loss is None:
        labels = split.y.dtype.kind in "iu"
        loss = cross_entropy if labels else mean_squared_error
    return Examples(split, rows, batch, loss)
