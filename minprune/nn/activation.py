"""Functions of one number, applied to every entry, each beside its derivative.

Piecewise functions look at the real part alone, so that a complex step passes through
the branch that the real value takes. At a kink the derivative is that of the left
branch, 0 for ReLU, as everywhere in the field.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from minprune._check import FloatArray
from minprune.nn.layer import EVAL, Layer, Mode, Shape, as_given, misfit, register


class Activation(Layer):
    """An entry-by-entry function f; subclasses give f and its slope."""

    def f(self, x: FloatArray) -> FloatArray:
        """The function."""
        raise TypeError(f"{self.kind} does not define f")

    def slope(self, x: FloatArray, y: FloatArray) -> FloatArray | NDArray[np.bool_]:
        """The derivative at x, where y = f(x)."""
        raise TypeError(f"{self.kind} does not define slope")

    def forward(self, x: FloatArray, mode: Mode = EVAL) -> FloatArray:
        """Apply f."""
        self._x, self._y = x, as_given(self.f(x), x)
        return self._y

    def backward(self, dy: FloatArray) -> FloatArray:
        """Chain rule: dy times the slope."""
        return as_given(dy * self.slope(self._x, self._y), dy)


@register("ReLU")
class ReLU(Activation):
    """max(x, 0)."""

    def f(self, x: FloatArray) -> FloatArray:
        """A NaN stays a NaN, which a product with a mask would also do, but slower."""
        return np.maximum(x, 0) if x.dtype.kind == "f" else x * (x.real > 0)

    def slope(self, x: FloatArray, y: FloatArray) -> NDArray[np.bool_]:
        """1 right of zero."""
        return x.real > 0


@register("ReLU6")
class ReLU6(Activation):
    """min(max(x, 0), 6) (Howard et al. 2017): a range that fixed point can hold."""

    def f(self, x: FloatArray) -> FloatArray:
        """Cut off on both sides."""
        if x.dtype.kind == "f":
            return np.clip(x, 0, 6)
        return np.where(x.real > 6, 6, x * (x.real > 0))

    def slope(self, x: FloatArray, y: FloatArray) -> NDArray[np.bool_]:
        """1 between the cuts."""
        return (x.real > 0) & (x.real < 6)


@register("LeakyReLU")
class LeakyReLU(Activation):
    """x right of zero, a small multiple of x left of it.

    Parameters
    ----------
    negative_slope : float
        The multiple.
    """

    def __init__(self, negative_slope: float = 0.01) -> None:
        super().__init__()
        self.negative_slope = float(negative_slope)
        if not np.isfinite(self.negative_slope):
            raise ValueError(
                f"LeakyReLU: negative_slope is {negative_slope}; expected a number"
            )

    def arguments(self) -> dict[str, Any]:
        """See `Layer.arguments`."""
        return {"negative_slope": self.negative_slope}

    def f(self, x: FloatArray) -> FloatArray:
        """Two straight pieces."""
        return np.where(x.real > 0, x, x * self.negative_slope)

    def slope(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """One of two numbers."""
        return np.where(x.real > 0, 1.0, self.negative_slope)


def sigmoid(x: FloatArray) -> FloatArray:
    """1 / (1 + exp(-x)), by tanh, which overflows nowhere."""
    y: FloatArray = 0.5 * (np.tanh(0.5 * x) + 1)
    return y


@register("Sigmoid")
class Sigmoid(Activation):
    """1 / (1 + exp(-x))."""

    def f(self, x: FloatArray) -> FloatArray:
        """See `sigmoid`."""
        return sigmoid(x)

    def slope(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """The derivative is y (1 - y)."""
        return y * (1 - y)


@register("Tanh")
class Tanh(Activation):
    """The hyperbolic tangent."""

    def f(self, x: FloatArray) -> FloatArray:
        """tanh(x)."""
        return np.tanh(x)

    def slope(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """1 - y^2."""
        return 1 - y * y


@register("GELU")
class GELU(Activation):
    """x Phi(x), with Phi the normal distribution (Hendrycks & Gimpel 2016, eq. 1)."""

    def f(self, x: FloatArray) -> FloatArray:
        """The exact form by erf, not the tanh approximation."""
        return x * self._phi(x)

    def slope(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Phi(x) + x phi(x)."""
        density = np.exp(-0.5 * x * x) / np.sqrt(2 * np.pi)
        slope: FloatArray = self._phi(x) + x * density
        return slope

    @staticmethod
    def _phi(x: FloatArray) -> FloatArray:
        """Probability that a standard normal variable is below x."""
        from scipy.special import erf

        result: FloatArray = 0.5 * (1 + erf(x * np.sqrt(0.5)))
        return result


@register("Softmax")
class Softmax(Layer):
    """exp(x) over its sum, along the features of each sample (or each position)."""

    def forward(self, x: FloatArray, mode: Mode = EVAL) -> FloatArray:
        """Shifted by the largest entry, so that nothing overflows."""
        weights = np.exp(x - x.real.max(axis=0, initial=-np.inf, keepdims=True))
        self._y = as_given(weights / weights.sum(axis=0, keepdims=True), x)
        return self._y

    def backward(self, dy: FloatArray) -> FloatArray:
        """The gradient is y (dy - <y, dy>)."""
        along = (self._y * dy).sum(axis=0, keepdims=True)
        return as_given(self._y * (dy - along), dy)


@register("Flatten")
class Flatten(Layer):
    """(C, H, W, N) -> (C H W, N): position within channel runs fastest."""

    def output_shape(self, shape: Shape) -> Shape:
        """The product of all axes."""
        if not shape:
            raise misfit("Flatten", shape, "at least one axis")
        return (int(np.prod(shape)),)

    def forward(self, x: FloatArray, mode: Mode = EVAL) -> FloatArray:
        """A view where memory allows."""
        self._shape = x.shape
        return x.reshape(int(np.prod(x.shape[:-1])), x.shape[-1])

    def backward(self, dy: FloatArray) -> FloatArray:
        """The shape that came in."""
        return dy.reshape(self._shape)
