r"""The recurrent layers: the plain cell, LSTM and GRU, each step beside its derivative.

`minprune.nn.recurrent` carries them along a sequence.
"""

import numpy as np

from minprune._check import FloatArray
from minprune.nn.activation import sigmoid
from minprune.nn.layer import register
from minprune.nn.recurrent import Recurrent, State


@register("RNN")
class RNN(Recurrent):
    """The plain recurrent layer, ``h = tanh(W_ih x + b_ih + W_hh h + b_hh)``."""

    def cell(
        self, x: FloatArray, h: FloatArray, state: State
    ) -> tuple[State, tuple[FloatArray, ...]]:
        """One step."""
        new = np.tanh(x + h)
        return (new,), (new,)

    def cell_backward(
        self, kept: tuple[FloatArray, ...], delta: State
    ) -> tuple[FloatArray, FloatArray, State]:
        """The slope of tanh, the same for both sums."""
        (new,), (dh,) = kept, delta
        inner = dh * (1 - new * new)
        return inner, inner, (np.zeros_like(dh),)


@register("LSTM")
class LSTM(Recurrent):
    r"""Long short-term memory; gates in the order input, forget, cell, output.

    Notes
    -----
    With :math:`a = W_{ih} x + b_{ih} + W_{hh} h + b_{hh}` in four parts,

    .. math::

        i = \sigma(a_i), \quad f = \sigma(a_f), \quad g = \tanh(a_g), \quad
        o = \sigma(a_o), \quad c' = f c + i g, \quad h' = o \tanh c'.

    References
    ----------
    .. [1] S. Hochreiter and J. Schmidhuber, "Long short-term memory", Neural
       Computation 9 (1997); the forget gate is that of F. Gers, J. Schmidhuber and
       F. Cummins (2000).
    """

    gates, remembers = 4, 2

    def cell(
        self, x: FloatArray, h: FloatArray, state: State
    ) -> tuple[State, tuple[FloatArray, ...]]:
        """One step of h and c."""
        a_i, a_f, a_g, a_o = np.split(x + h, 4)
        i, f, o = sigmoid(a_i), sigmoid(a_f), sigmoid(a_o)
        g: FloatArray = np.tanh(a_g)
        c = f * state[1] + i * g
        tanh_c = np.tanh(c)
        return (o * tanh_c, c), (i, f, g, o, state[1], tanh_c)

    def cell_backward(
        self, kept: tuple[FloatArray, ...], delta: State
    ) -> tuple[FloatArray, FloatArray, State]:
        """Through the output gate to c, and from c to the other three."""
        (i, f, g, o, c, tanh_c), (dh, dc) = kept, delta
        dc = dc + dh * o * (1 - tanh_c * tanh_c)
        inner = np.concatenate(
            [
                dc * g * i * (1 - i),
                dc * c * f * (1 - f),
                dc * i * (1 - g * g),
                dh * tanh_c * o * (1 - o),
            ]
        )
        return inner, inner, (np.zeros_like(dh), dc * f)


@register("GRU")
class GRU(Recurrent):
    r"""Gated recurrent unit; gates in the order reset, update, new.

    Notes
    -----
    With :math:`x = W_{ih} x_t + b_{ih}` and :math:`u = W_{hh} h + b_{hh}` in three
    parts,

    .. math::

        r = \sigma(x_r + u_r), \quad z = \sigma(x_z + u_z), \quad
        n = \tanh(x_n + r\, u_n), \quad h' = (1 - z)\, n + z\, h.

    *Departs from the paper*, as PyTorch does: the reset gate multiplies what ``W_hh``
    has made of the state, not the state, so that one product serves all gates.

    References
    ----------
    .. [1] K. Cho et al., "Learning phrase representations using RNN encoder-decoder",
       EMNLP 2014, Sec. 2.3.
    """

    gates = 3

    def cell(
        self, x: FloatArray, h: FloatArray, state: State
    ) -> tuple[State, tuple[FloatArray, ...]]:
        """One step."""
        (x_r, x_z, x_n), (u_r, u_z, u_n) = np.split(x, 3), np.split(h, 3)
        r, z = sigmoid(x_r + u_r), sigmoid(x_z + u_z)
        n = np.tanh(x_n + r * u_n)
        return ((1 - z) * n + z * state[0],), (r, z, n, u_n, state[0])

    def cell_backward(
        self, kept: tuple[FloatArray, ...], delta: State
    ) -> tuple[FloatArray, FloatArray, State]:
        """The new gate sees u_n through r; the other two see plain sums."""
        (r, z, n, u_n, before), (dh,) = kept, delta
        d_n = dh * (1 - z) * (1 - n * n)
        d_r = d_n * u_n * r * (1 - r)
        d_z = dh * (before - n) * z * (1 - z)
        dx = np.concatenate([d_r, d_z, d_n])
        du = np.concatenate([d_r, d_z, d_n * r])
        return dx, du, (dh * z,)
