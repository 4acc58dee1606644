"""Gates: which entries of an activation are off, from the activation itself."""

from dataclasses import dataclass

import numpy as np

from minprune._check import BoolArray, FloatArray


@dataclass(frozen=True, slots=True)
class Threshold:
    """Off where the size of an activation is at most a fixed value.

    Attributes
    ----------
    value : float
        In the unit of the activation; 0 leaves out exact zeros, which changes nothing.

    Examples
    --------
    >>> Threshold(0.5)(np.array([[0.2], [-0.9]])).tolist()
    [[False], [True]]
    """

    value: float

    def __post_init__(self) -> None:
        if not self.value >= 0:
            raise ValueError(f"Threshold: value is {self.value}; expected 0 or more")

    def __call__(self, x: FloatArray) -> BoolArray:
        """True where on, for samples as columns (..., N)."""
        on: BoolArray = np.abs(x) > self.value
        return on


@dataclass(frozen=True, slots=True)
class Relative:
    """Off where an activation is small beside the mean size of its own sample.

    The threshold adapts to the input: a loud sample is cut at a higher value than a
    quiet one, so that scaling a sample leaves the same entries on.

    Attributes
    ----------
    share : float
        Multiple of the sample's mean size up to which entries are off.

    Examples
    --------
    >>> gate = Relative(0.5)
    >>> x = np.array([[1.0, 100.0], [3.0, 300.0], [0.1, 10.0]])
    >>> gate(x).tolist()
    [[True, True], [True, True], [False, False]]
    """

    share: float

    def __post_init__(self) -> None:
        if not self.share >= 0:
            raise ValueError(f"Relative: share is {self.share}; expected 0 or more")

    def __call__(self, x: FloatArray) -> BoolArray:
        """True where on, for samples as columns (..., N)."""
        size = np.abs(x)
        mean = size.mean(axis=tuple(range(x.ndim - 1)))
        on: BoolArray = size > self.share * mean
        return on
