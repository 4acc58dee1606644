"""Penalties on weights, and adversarial samples: what is added to plain training.

A penalty is a function of a weight that returns its value and its gradient. Where it
has a kink, at zero, the gradient is zero, as everywhere in the field.
"""

from collections.abc import Callable, Sequence

import numpy as np

from minprune._check import AnyArray, FloatArray
from minprune.nn.layer import Mode
from minprune.nn.loss import Loss
from minprune.nn.network import Network
from minprune.nn.run import Procedure, Run

Penalty = Callable[[FloatArray], tuple[float, FloatArray]]


def _sizes(weight: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Sizes and signs; a complex step rides along in the sizes."""
    signs = np.sign(weight.real)
    return weight * signs, signs


def l1(weight: FloatArray) -> tuple[float, FloatArray]:
    """Sum of sizes: pulls every weight with the same force.

    Examples
    --------
    >>> l1(np.array([3.0, -0.5, 0.0]))
    (3.5, array([ 1., -1.,  0.]))
    """
    sizes, signs = _sizes(weight)
    return sizes.sum().item(), signs


def l2(weight: FloatArray) -> tuple[float, FloatArray]:
    """Half the sum of squares, so that the gradient is the weight itself."""
    return (weight * weight).sum().item() / 2, weight.copy()


def group_lasso(weight: FloatArray) -> tuple[float, FloatArray]:
    r"""Sum over output units of their norms, each times the root of its size.

    Notes
    -----
    :math:`\sum_o \sqrt{K} \lVert w_o \rVert_2` with K weights a unit: whole units go to
    zero together.

    References
    ----------
    .. [1] M. Yuan and Y. Lin, "Model selection and estimation in regression with
       grouped variables", JRSS B 68 (2006), eq. 2.1.
    """
    rows = weight.reshape(len(weight), -1)
    norms = np.sqrt((rows * rows).sum(axis=1, keepdims=True))
    root = np.sqrt(rows.shape[1])
    safe = np.where(norms == 0, 1, norms)
    return root * norms.sum().item(), (root * rows / safe).reshape(weight.shape)


def hoyer_square(weight: FloatArray) -> tuple[float, FloatArray]:
    r"""Squared sum of sizes over sum of squares: from 1, one weight, to n, all equal.

    Notes
    -----
    :math:`H = (\sum |w|)^2 / \sum w^2` does not change with the scale of the weights.
    Its gradient :math:`2 \operatorname{sign}(w) S / Q \, (1 - |w| S / Q)` with S and Q
    the two sums pulls small weights down and lets large ones grow. 0 for no weight.

    References
    ----------
    .. [1] H. Yang, W. Wen and H. Li, "DeepHoyer", ICLR 2020, eq. 3. arXiv:1908.09979
    """
    sizes, signs = _sizes(weight)
    total, square = sizes.sum(), (weight * weight).sum()
    if square == 0:
        return 0.0, np.zeros_like(weight)
    ratio = total / square
    return (total * ratio).item(), 2 * signs * ratio * (1 - sizes * ratio)


class Penalized(Procedure):
    """Add a penalty's gradient to that of the loss.

    Parameters
    ----------
    penalty : callable
        `l1`, `l2`, `group_lasso`, `hoyer_square`, or one of your own.
    strength : float
        Multiple of it, in loss.
    names : sequence of str, optional
        Parameters, such as ``"fc1.weight"``; left out, all prunable weights.

    Notes
    -----
    The losses of the history stay those of the data. A sparse layer is penalized on its
    stored values; `group_lasso` needs rows, and so a dense layer.
    """

    def __init__(
        self, penalty: Penalty, strength: float, names: Sequence[str] | None = None
    ) -> None:
        if not strength >= 0:
            raise ValueError(f"Penalized: strength is {strength}; expected 0 or more")
        self.penalty, self.strength, self.names = penalty, float(strength), names

    def begin(self, run: Run) -> None:
        """Refuse names that are not there before the first step."""
        for name in self.names or ():
            run.net.holder("Penalized", name)

    def after_backward(self, run: Run) -> None:
        """Gradient of the loss plus strength times that of the penalty."""
        names = run.net.weights() if self.names is None else self.names
        for name in names:
            layer, key = run.net.holder("Penalized", name)
            param = layer.params[key]
            if param.ndim < 2 and self.penalty is group_lasso:
                raise ValueError(
                    f"Penalized: {name} is stored as values without rows; group_lasso "
                    f"needs a dense layer"
                )
            _, gradient = self.penalty(param)
            layer.grads[key] = layer.grads[key] + np.asarray(
                self.strength * gradient, param.dtype
            )


class FGSM:
    """Fast gradient sign: part of every batch moved to where the loss is larger.

    Parameters
    ----------
    epsilon : float
        How far each entry moves, in units of the scaled input.
    share : float
        Share of the batch that is moved, from its first sample on (batches are drawn at
        random).

    Notes
    -----
    ``x + epsilon sign(dL/dx)``, the gradient taken in evaluation mode so that neither
    dropout nor batch statistics are touched. The paper trains on the mean of the loss
    before and after; half of the batch each has the same expectation at less cost.

    References
    ----------
    .. [1] I. Goodfellow, J. Shlens and C. Szegedy, "Explaining and harnessing
       adversarial examples", ICLR 2015, Sec. 4 and 6. arXiv:1412.6572
    """

    def __init__(self, epsilon: float, share: float = 0.5) -> None:
        if not epsilon >= 0 or not 0 <= share <= 1:
            raise ValueError(
                f"FGSM: epsilon is {epsilon} and share {share}; expected 0 or more, "
                f"and 0 to 1"
            )
        self.epsilon, self.share = float(epsilon), float(share)

    def __call__(
        self, net: Network, x: FloatArray, target: AnyArray, loss: Loss, mode: Mode
    ) -> FloatArray:
        """The batch, columns in and out."""
        output = net.forward(x, Mode(lengths=mode.lengths))
        uphill = np.sign(net.backward(loss(output, target)[1]))
        moved = round(self.share * x.shape[-1])
        uphill[..., moved:] = 0
        return x + np.asarray(self.epsilon, x.dtype) * uphill
