"""The fully connected layer, y = W x + b."""

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


@register("Linear")
class Linear(Layer):
    r"""An affine map of the features, ``y = W x + b``.

    Parameters
    ----------
    in_features, out_features : int
        Sizes of one input and one output sample.
    bias : bool
        Whether ``b`` is there.

    Notes
    -----
    With samples as columns, ``x`` is (in, N) and ``y`` is (out, N). From
    :math:`dy = dW\,x + W\,dx + db` follow, for a loss with gradient
    :math:`\delta = \partial L / \partial y`,

    .. math::

        \frac{\partial L}{\partial W} = \delta x^\top, \quad
        \frac{\partial L}{\partial b} = \delta \mathbf 1, \quad
        \frac{\partial L}{\partial x} = W^\top \delta .

    Weights start as PyTorch's do: uniform within :math:`\pm 1/\sqrt{\text{in}}`.

    Examples
    --------
    >>> layer = Linear(2, 1)
    >>> layer.params["weight"][:] = [[3.0, -1.0]]
    >>> layer.forward(np.array([[1.0], [2.0]]))
    array([[1.]])
    """

    prunable = ("weight",)

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__()
        self.in_features = positive_int("Linear", "in_features", in_features)
        self.out_features = positive_int("Linear", "out_features", out_features)
        self.params["weight"] = self.new_weight((out_features, in_features))
        if bias:
            self.params["bias"] = parameter("Linear", (out_features,))

    def arguments(self) -> dict[str, Any]:
        """See `Layer.arguments`."""
        return {
            "in_features": self.in_features,
            "out_features": self.out_features,
            "bias": "bias" in self.params,
        }

    def reset(self, rng: np.random.Generator) -> None:
        """Uniform within one over the root of the fan-in, weight and bias."""
        bound = 1 / np.sqrt(self.in_features)
        for param in self.params.values():
            param[...] = rng.uniform(-bound, bound, param.shape)
        self.apply_masks()

    def output_shape(self, shape: Shape) -> Shape:
        """(out,)."""
        if shape != (self.in_features,):
            raise misfit("Linear", shape, f"({self.in_features},)")
        return (self.out_features,)

    def forward(self, x: FloatArray, mode: Mode = EVAL) -> FloatArray:
        """(in, N) -> (out, N)."""
        self._x = x
        y = self.params["weight"] @ x
        if "bias" in self.params:
            y += self.params["bias"][:, None]
        return as_given(y, x)

    def columns(self, x: FloatArray) -> FloatArray:
        """What each weight is multiplied with: (1, in, 1, N)."""
        return x[None, :, None, :]

    def backward(self, dy: FloatArray) -> FloatArray:
        """(out, N) -> (in, N)."""
        self.learn(dy)
        return as_given(self.params["weight"].T @ dy, dy)

    def learn(self, dy: FloatArray) -> None:
        """See `Layer.learn`."""
        self.grads["weight"] = dy @ self._x.T
        if "bias" in self.params:
            self.grads["bias"] = dy.sum(axis=1)
