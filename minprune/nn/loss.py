r"""Losses: a number to make small, and its gradient at what the network returned.

Outputs are columns, (outputs, N); targets are batch first, as data sets hold them.
Every loss is a mean over the samples of the batch, in nats for the entropies, so that N
times its gradient holds each sample's own gradient in a column. An empty batch has loss
0.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf
from typing import Protocol

import numpy as np

from minprune._check import AnyArray, FloatArray
from minprune.data import Dataset, Split
from minprune.nn.activation import sigmoid
from minprune.nn.network import Network


class Loss(Protocol):
    """What the training loop asks of a loss."""

    def __call__(
        self, output: FloatArray, target: AnyArray, /
    ) -> tuple[float, FloatArray]:
        """(mean loss, its gradient at `output`)."""
        ...


def log_softmax(logits: FloatArray) -> FloatArray:
    """Log-probabilities of each column, shifted so that nothing overflows."""
    shifted = logits - logits.real.max(axis=0, initial=-np.inf, keepdims=True)
    normal: FloatArray = shifted - np.log(np.exp(shifted).sum(axis=0, keepdims=True))
    return normal


@dataclass(frozen=True)
class CrossEntropy:
    r"""Mean negative log-probability of the right class, in nats.

    Parameters
    ----------
    smoothing : float
        Share of the target that is spread evenly over all classes, the right one
        included.

    Notes
    -----
    With p the softmax of the logits z and t the smoothed target,
    :math:`t_{kn} = (1 - s) [k = y_n] + s / K`,

    .. math::

        L = -\frac1N \sum_{kn} t_{kn} \log p_{kn}, \qquad
        \frac{\partial L}{\partial z_{kn}} = \frac{p_{kn} - t_{kn}}{N}.

    References
    ----------
    .. [1] C. Szegedy et al., "Rethinking the inception architecture for computer
       vision", CVPR 2016, Sec. 7, for the smoothing.

    Examples
    --------
    >>> loss, gradient = CrossEntropy()(np.zeros((4, 1)), np.array([2]))
    >>> round(loss, 6), gradient[:, 0]
    (1.386294, array([ 0.25,  0.25, -0.75,  0.25]))
    """

    smoothing: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.smoothing <= 1:
            raise ValueError(
                f"CrossEntropy: smoothing is {self.smoothing}; expected 0 to 1"
            )

    def __call__(
        self, logits: FloatArray, labels: AnyArray, /
    ) -> tuple[float, FloatArray]:
        """Logits (classes, N) and labels (N,)."""
        classes, count = logits.shape
        labels = _labels(labels, classes, count)
        if count == 0:
            return 0.0, np.zeros_like(logits)
        log_p, columns = log_softmax(logits), np.arange(count)
        spread = self.smoothing / classes
        loss = -(1 - self.smoothing) * log_p[labels, columns].sum()
        gradient = np.exp(log_p)
        gradient[labels, columns] -= 1 - self.smoothing
        if spread:
            loss -= spread * log_p.sum()
            gradient -= spread
        return loss.item() / count, gradient / count


cross_entropy = CrossEntropy()
"""The loss of classification, unsmoothed."""


def mean_squared_error(
    output: FloatArray, target: AnyArray, /
) -> tuple[float, FloatArray]:
    """Mean over samples and outputs of the squared difference.

    Parameters
    ----------
    output : ndarray, shape (outputs, N)
    target : ndarray, shape (N, outputs)

    Returns
    -------
    loss : float
        In squared units of the target.
    gradient : ndarray, shape (outputs, N)
    """
    off = output - _columns(target, output)
    if off.size == 0:
        return 0.0, np.zeros_like(output)
    return (off * off).mean().item(), off * (2 / off.size)


def binary_cross_entropy(
    logits: FloatArray, target: AnyArray, /
) -> tuple[float, FloatArray]:
    r"""Mean over samples and outputs of the entropy of yes and no, in nats.

    Parameters
    ----------
    logits : ndarray, shape (outputs, N)
        Before the sigmoid.
    target : ndarray, shape (N, outputs)
        Probabilities, usually 0 and 1.

    Returns
    -------
    loss : float
    gradient : ndarray, shape (outputs, N)

    Notes
    -----
    :math:`-t \log\sigma(z) - (1-t) \log(1-\sigma(z)) = \log(1 + e^z) - t z`, computed
    as :math:`\max(z, 0) + \log(1 + e^{-|z|}) - t z`, which overflows nowhere.
    """
    wanted = _columns(target, logits)
    if logits.size == 0:
        return 0.0, np.zeros_like(logits)
    positive = logits.real > 0
    small = np.where(positive, -logits, logits)
    softplus = np.where(positive, logits, 0) + np.log1p(np.exp(small))
    loss = (softplus - wanted * logits).mean()
    return loss.item(), (sigmoid(logits) - wanted) / logits.size


@dataclass(frozen=True)
class Distillation:
    r"""Learning from a teacher's probabilities as well as from the labels.

    Parameters
    ----------
    temperature : float
        What logits are divided by before probabilities are compared.
    mixing : float
        Share of the teacher; the rest is plain cross-entropy with the labels.

    See Also
    --------
    taught : The data set whose training targets this reads.

    Notes
    -----
    With :math:`q^T` and :math:`p^T` the softened probabilities of teacher and student,

    .. math::

        L = m\, T^2\, \mathrm{KL}(q^T \| p^T) + (1 - m)\, \mathrm{CE}(p, y), \qquad
        \frac{\partial L}{\partial z} = \frac{m\, T (p^T - q^T) + (1 - m)(p - y)}{N}.

    The factor T^2 keeps the two gradients comparable. The paper has the cross-entropy
    of the softened probabilities, which differs from KL by what the student cannot
    change; so 0 here means "as the teacher".

    References
    ----------
    .. [1] G. Hinton, O. Vinyals and J. Dean, "Distilling the knowledge in a neural
       network", 2015, Sec. 2. arXiv:1503.02531
    """

    temperature: float = 4.0
    mixing: float = 0.9

    def __post_init__(self) -> None:
        if not 0 < self.temperature < inf or not 0 <= self.mixing <= 1:
            raise ValueError(
                f"Distillation: temperature is {self.temperature} and mixing "
                f"{self.mixing}; expected a number above 0, and 0 to 1"
            )

    def __call__(
        self, logits: FloatArray, target: AnyArray, /
    ) -> tuple[float, FloatArray]:
        """Targets of `taught`; plain labels, as for validation, give cross-entropy."""
        if target.ndim == 1:
            return cross_entropy(logits, target)
        loss, gradient = cross_entropy(logits, target[:, 0].astype(np.int64))
        if not len(target):
            return loss, gradient
        hot, share = self.temperature, self.mixing
        log_q = log_softmax(_columns(target[:, 1:], logits) / hot)
        log_p = log_softmax(logits / hot)
        q, count = np.exp(log_q), len(target)
        apart = (q * (log_q - log_p)).sum().item() / count
        toward = (np.exp(log_p) - q) * (hot / count)
        return (
            share * hot**2 * apart + (1 - share) * loss,
            share * toward + (1 - share) * gradient,
        )


def taught(data: Dataset, teacher: Network) -> Dataset:
    """The data set with training targets (label, teacher's logits) for `Distillation`.

    The teacher is asked once, in evaluation mode; validation and test keep their
    labels.
    """
    train = data.train
    logits = teacher(train.x, train.lengths)
    targets = np.column_stack([train.y, logits])
    return replace(data, train=Split(train.x, targets, train.lengths))


@dataclass(frozen=True)
class Tasks:
    """The sum of one loss for each head of a network with several.

    Parameters
    ----------
    rows : mapping of str to slice
        Outputs of each task, as `Heads.rows` gives them.
    losses : mapping of str to Loss
        Under the same names.
    columns : mapping of str to int or slice
        Columns of the targets; an int for labels, a slice for numbers.
    """

    rows: Mapping[str, slice]
    losses: Mapping[str, Loss]
    columns: Mapping[str, int | slice]

    def __call__(
        self, output: FloatArray, target: AnyArray, /
    ) -> tuple[float, FloatArray]:
        """Each head against its columns of the targets."""
        total, gradient = 0.0, np.zeros_like(output)
        for name, rows in self.rows.items():
            column = self.columns[name]
            wanted = target[:, column]
            if isinstance(column, int):
                wanted = wanted.astype(np.int64)
            loss, gradient[rows] = self.losses[name](output[rows], wanted)
            total += loss
        return total, gradient


def _labels(labels: AnyArray, classes: int, count: int) -> AnyArray:
    """Labels that name a class of each column; -1 would name the last one unasked."""
    labels = np.asarray(labels)
    if labels.shape != (count,) or labels.dtype.kind not in "iu":
        raise ValueError(
            f"cross_entropy: labels came as an array of type {labels.dtype} and shape "
            f"{labels.shape}; expected whole numbers of shape ({count},)"
        )
    if count and not (labels.min() >= 0 and labels.max() < classes):
        raise ValueError(
            f"cross_entropy: labels range from {labels.min()} to {labels.max()}; "
            f"expected 0 to {classes - 1}, one for each of {classes} logits"
        )
    return labels


def _columns(target: AnyArray, output: FloatArray) -> FloatArray:
    """Targets as columns, in the type of the output; (N,) will do for one output."""
    columns = np.moveaxis(np.atleast_1d(target), 0, -1)
    if columns.ndim == 1 and len(output) == 1:
        columns = columns[None]
    if columns.shape != output.shape:
        batch_first = (output.shape[-1], *output.shape[:-1])
        raise ValueError(
            f"loss: targets came with shape {np.shape(target)}; expected "
            f"{batch_first}, one for each output of each sample"
        )
    return columns.astype(output.dtype)
