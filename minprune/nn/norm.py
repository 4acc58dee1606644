"""Normalization: each channel, or each sample, brought to zero mean, unit variance."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minprune._check import FloatArray, positive_int
from minprune.nn.layer import (
    EVAL,
    Layer,
    Mode,
    Shape,
    as_given,
    misfit,
    parameter,
    register,
)


def _in_place(operation: np.ufunc, y: FloatArray, values: FloatArray) -> FloatArray:
    """The operation in the memory of `y`, unless a complex step makes it wider."""
    same = y.dtype.kind == values.dtype.kind
    result: FloatArray = operation(y, values, out=y if same else None)
    return result


def _eps(kind: str, eps: float) -> float:
    """What is added to a variance, if it can be."""
    if not 0 <= eps < np.inf:
        raise ValueError(f"{kind}: eps is {eps}; expected a number of 0 or more")
    return float(eps)


@register("BatchNorm")
class BatchNorm(Layer):
    r"""Batch normalization over every axis but the channels.

    Parameters
    ----------
    num_features : int
        Channels, the first axis: (C, N), (C, L, N) or (C, H, W, N).
    eps : float
        Added to the variance before the root.
    momentum : float
        Weight of the newest batch in the running statistics.
    affine : bool
        Whether a scale (`weight`) and a shift (`bias`) follow.

    Notes
    -----
    In training, with mean m and (population) variance v of the batch over the M entries
    of a channel,

    .. math:: \hat x = (x - m) / \sqrt{v + \epsilon}, \qquad y = \gamma \hat x + \beta,

    and, since m and v depend on x,

    .. math::

        \frac{\partial L}{\partial x} = \frac{\gamma}{\sqrt{v + \epsilon}} \Bigl(
            \delta - \overline{\delta} - \hat x \, \overline{\delta \hat x} \Bigr)

    with bars for means over the M entries. In evaluation m and v are the running
    statistics and the two means drop out. The running variance is the unbiased one, as
    in PyTorch.

    References
    ----------
    .. [1] S. Ioffe and C. Szegedy, "Batch normalization", ICML 2015,
       Algorithms 1 and 2.
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = True,
    ) -> None:
        super().__init__()
        self.num_features = positive_int("BatchNorm", "num_features", num_features)
        self.eps, self.momentum = _eps("BatchNorm", eps), float(momentum)
        if affine:
            self.params["weight"] = parameter("BatchNorm", (num_features,), 1)
            self.params["bias"] = parameter("BatchNorm", (num_features,))
        self.buffers["running_mean"] = parameter("BatchNorm", (num_features,))
        self.buffers["running_var"] = parameter("BatchNorm", (num_features,), 1)

    def arguments(self) -> dict[str, Any]:
        """See `Layer.arguments`."""
        return {
            "num_features": self.num_features,
            "eps": self.eps,
            "momentum": self.momentum,
            "affine": "weight" in self.params,
        }

    def reset(self, rng: np.random.Generator) -> None:
        """The identity; nothing is random."""
        if self.params:
            self.params["weight"][...] = 1
            self.params["bias"][...] = 0
        self.buffers["running_mean"][...] = 0
        self.buffers["running_var"][...] = 1

    def output_shape(self, shape: Shape) -> Shape:
        """Unchanged."""
        if not shape or shape[0] != self.num_features:
            raise misfit("BatchNorm", shape, f"({self.num_features}, ...)")
        return shape

    def forward(self, x: FloatArray, mode: Mode = EVAL) -> FloatArray:
        """Batch statistics in training, running statistics in evaluation."""
        rest = tuple(range(1, x.ndim))
        self._over_batch = mode.training
        if mode.training:
            count = x[0].size
            if count < 2:
                raise ValueError(
                    f"BatchNorm: {count} values per channel in training; a variance "
                    f"needs at least 2, so use a larger batch or evaluation mode"
                )
            mean = x.mean(axis=rest, keepdims=True)
            y = x - mean
            variance = (y * y).mean(axis=rest, keepdims=True)
            unbiased = variance.real * (count / (count - 1))
            self._remember(mean.real.reshape(-1), unbiased.reshape(-1))
        else:
            mean = self._along(self.buffers["running_mean"], x)
            variance = self._along(self.buffers["running_var"], x)
            y = x - mean
        inverse = scale = 1 / np.sqrt(variance + self.eps)
        self._x, self._mean, self._inverse = x, mean, inverse
        if self.params:
            scale = inverse * self._along(self.params["weight"], x)
        y = _in_place(np.multiply, y, scale)
        if self.params:
            y = _in_place(np.add, y, self._along(self.params["bias"], x))
        return as_given(y, x)

    def backward(self, dy: FloatArray) -> FloatArray:
        """See Notes."""
        rest = tuple(range(1, dy.ndim))
        normal = (self._x - self._mean) * self._inverse
        aligned = normal * dy
        delta = dy
        if self.params:
            self.grads["weight"] = aligned.sum(axis=rest)
            self.grads["bias"] = dy.sum(axis=rest)
            scale = self._along(self.params["weight"], dy)
            delta, aligned = dy * scale, aligned * scale
        if self._over_batch:
            through_mean = delta.mean(axis=rest, keepdims=True)
            through_scale = normal * aligned.mean(axis=rest, keepdims=True)
            delta = delta - through_mean - through_scale
        return as_given(delta * self._inverse, dy)

    def _remember(self, mean: FloatArray, variance: FloatArray) -> None:
        """Move the running statistics towards those of this batch."""
        for name, new in (("running_mean", mean), ("running_var", variance)):
            old = self.buffers[name]
            old += self.momentum * (new - old)

    @staticmethod
    def _along(values: FloatArray, x: FloatArray) -> FloatArray:
        """One value for each channel, shaped to broadcast over `x`."""
        return values.reshape(-1, *(1,) * (x.ndim - 1))


@register("LayerNorm")
class LayerNorm(Layer):
    r"""Layer normalization: each sample by its own mean and variance, over all axes.

    Parameters
    ----------
    normalized_shape : int or sequence of int
        Shape of one sample.
    eps : float
        Added to the variance before the root.
    affine : bool
        Whether a scale (`weight`) and a shift (`bias`) follow, one for each entry.

    Notes
    -----
    The formulas are those of `BatchNorm` in training with the means taken over a sample
    instead of over the batch, in evaluation too: nothing is remembered.

    References
    ----------
    .. [1] J. Ba, J. Kiros and G. Hinton, "Layer normalization", 2016, eq. 3 and 4.
       arXiv:1607.06450
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        affine: bool = True,
    ) -> None:
        super().__init__()
        sizes = normalized_shape
        sizes = [sizes] if isinstance(sizes, int | np.integer) else list(sizes)
        self.shape = tuple(positive_int("LayerNorm", "shape", n) for n in sizes)
        self.eps = _eps("LayerNorm", eps)
        if affine:
            self.params["weight"] = parameter("LayerNorm", self.shape, 1)
            self.params["bias"] = parameter("LayerNorm", self.shape)

    def arguments(self) -> dict[str, Any]:
        """See `Layer.arguments`."""
        return {
            "normalized_shape": list(self.shape),
            "eps": self.eps,
            "affine": "weight" in self.params,
        }

    def reset(self, rng: np.random.Generator) -> None:
        """The identity behind the normalization; nothing is random."""
        if self.params:
            self.params["weight"][...] = 1
            self.params["bias"][...] = 0

    def output_shape(self, shape: Shape) -> Shape:
        """Unchanged."""
        if shape != self.shape:
            raise misfit("LayerNorm", shape, str(self.shape))
        return shape

    def forward(self, x: FloatArray, mode: Mode = EVAL) -> FloatArray:
        """The same in training and in evaluation."""
        entries = tuple(range(x.ndim - 1))
        centered = x - x.mean(axis=entries)
        self._inverse = 1 / np.sqrt((centered * centered).mean(axis=entries) + self.eps)
        self._normal = y = centered * self._inverse
        if self.params:
            y = y * self.params["weight"][..., None] + self.params["bias"][..., None]
        return as_given(y, x)

    def backward(self, dy: FloatArray) -> FloatArray:
        """As for `BatchNorm`, sample by sample."""
        entries, delta = tuple(range(dy.ndim - 1)), dy
        if self.params:
            self.grads["weight"] = (self._normal * dy).sum(axis=-1)
            self.grads["bias"] = dy.sum(axis=-1)
            delta = dy * self.params["weight"][..., None]
        through_scale = self._normal * (self._normal * delta).mean(axis=entries)
        dx = (delta - delta.mean(axis=entries) - through_scale) * self._inverse
        return as_given(dx, dy)
