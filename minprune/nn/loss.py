"""Losses: a number to make small, and its gradient at what the network returned.

Logits are columns, (outputs, N); targets are batch first, as data sets hold them. Every
loss is a mean over the samples of the batch, in nats for the entropies.
"""

from typing import Protocol

import numpy as np

from minprune._check import AnyArray, FloatArray


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


def cross_entropy(logits: FloatArray, labels: AnyArray) -> tuple[float, FloatArray]:
    r"""Mean negative log-probability of the right class, in nats.

    Parameters
    ----------
    logits : ndarray, shape (classes, N)
    labels : ndarray of int, shape (N,)

    Returns
    -------
    loss : float
        0 for an empty batch.
    gradient : ndarray, shape (classes, N)

    Notes
    -----
    :math:`L = -\frac1N \sum_n \log p_{y_n n}` with p the softmax, so that
    :math:`\partial L / \partial z_{kn} = (p_{kn} - [k = y_n]) / N`.

    Examples
    --------
    >>> loss, gradient = cross_entropy(np.zeros((4, 1)), np.array([2]))
    >>> round(loss, 6), gradient[:, 0]
    (1.386294, array([ 0.25,  0.25, -0.75,  0.25]))
    """
    count = logits.shape[1]
    if count == 0:
        return 0.0, np.zeros_like(logits)
    log_p = log_softmax(logits)
    columns = np.arange(count)
    loss = -log_p[labels, columns].mean()
    gradient = np.exp(log_p)
    gradient[labels, columns] -= 1
    return loss.item(), gradient / count


def mean_squared_error(
    output: FloatArray, target: AnyArray
) -> tuple[float, FloatArray]:
    r"""Mean over samples and outputs of the squared difference.

    Parameters
    ----------
    output : ndarray, shape (outputs, N)
    target : ndarray, shape (N, outputs)

    Returns
    -------
    loss : float
        In squared units of the target; 0 for an empty batch.
    gradient : ndarray, shape (outputs, N)
    """
    off = output - np.moveaxis(np.asarray(target), 0, -1).astype(output.dtype)
    if off.size == 0:
        return 0.0, np.zeros_like(output)
    return (off * off).mean().item(), off * (2 / off.size)
