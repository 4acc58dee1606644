"""How good the answers are: loss, accuracy (also by class), root mean square error."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from minprune._check import AnyArray, FloatArray, IntArray, same_shape
from minprune.data import Split
from minprune.nn.loss import Loss


class Answers(Protocol):
    """Whatever has outputs for raw samples: a network, in floats or in integers."""

    def __call__(self, x: AnyArray, lengths: IntArray | None = None) -> FloatArray:
        """Outputs, batch first."""
        ...


def accuracy(predicted: IntArray, labels: IntArray) -> float:
    """Share of right answers; 1 for no samples, since none is wrong.

    Examples
    --------
    >>> accuracy(np.array([1, 2, 2]), np.array([1, 2, 0]))
    0.6666666666666666
    """
    same_shape("accuracy", predicted=predicted, labels=labels)
    return float((predicted == labels).mean()) if labels.size else 1.0


def class_accuracy(
    predicted: IntArray, labels: IntArray, classes: int
) -> tuple[float, ...]:
    """Share of each class's samples that got that class; NaN where there are none.

    Examples
    --------
    >>> class_accuracy(np.array([0, 1, 1]), np.array([0, 0, 1]), 3)
    (0.5, 1.0, nan)
    """
    same_shape("class_accuracy", predicted=predicted, labels=labels)
    there = np.bincount(labels, minlength=classes)
    right = np.bincount(labels[predicted == labels], minlength=classes)
    return tuple(
        float(r / t) if t else float("nan") for r, t in zip(right, there, strict=True)
    )


def root_mean_square_error(output: FloatArray, target: AnyArray) -> float:
    """Root of the mean squared difference, in the units of the target."""
    same_shape("root_mean_square_error", output=output, target=target)
    off = output.astype(np.float64) - target
    return float(np.sqrt((off * off).mean())) if off.size else 0.0


@dataclass(frozen=True, slots=True)
class Quality:
    """What a network makes of one split."""

    loss: float
    accuracy: float | None
    """None for regression."""
    by_class: tuple[float, ...]
    rmse: float | None
    """None for classification."""
    outputs: FloatArray
    """What the network returned, batch first: for comparing two networks."""

    @property
    def score(self) -> float | None:
        """Accuracy, or root mean square error for regression."""
        return self.accuracy if self.rmse is None else self.rmse


def quality(net: Answers, split: Split, loss: Loss) -> Quality:
    """Evaluate a network on a split.

    Parameters
    ----------
    net : Network or QuantizedNetwork
    split : Split
        Integer targets are labels, others are numbers to come close to.
    loss : callable
        (output columns, targets) -> (mean, gradient), as in `minprune.nn.loss`.
    """
    outputs = net(split.x, split.lengths)
    value, _ = loss(np.moveaxis(outputs, 0, -1).astype(np.float64), split.y)
    if split.y.dtype.kind not in "iu":
        rmse = root_mean_square_error(outputs, split.y)
        return Quality(value, None, (), rmse, outputs)
    predicted = outputs.argmax(axis=1)
    return Quality(
        value,
        accuracy(predicted, split.y),
        class_accuracy(predicted, split.y, outputs.shape[1]),
        None,
        outputs,
    )
