r"""What recurrent layers share: a cell carried along padded sequences.

A sequence is (features, L, N). At each step a cell mixes what comes in, ``W_ih x +
b_ih`` (made for all steps in one product), with what it remembers, ``W_hh h + b_hh``.
The state of a sequence stands still from its true length on, and what the layer puts
out there is zero; read backwards, a sequence therefore begins at its true end. All this
is as in PyTorch with packed sequences, and so are the names of the weights,
``weight_ih_l0``, ``weight_hh_l0``, ``bias_ih_l0``, ``bias_hh_l0``, with ``_reverse``
for the other direction, and the order of the gates in them.
"""

from typing import Any, ClassVar

import numpy as np

from minprune._check import BoolArray, FloatArray, positive_int
from minprune.nn.layer import (
    EVAL,
    Layer,
    Mode,
    Shape,
    as_given,
    misfit,
    parameter,
)

LEVELS = 64
"""Most layers one upon the other; a manifest that asks for more is a damaged one."""

State = tuple[FloatArray, ...]
"""What a cell remembers, each (hidden, N); the first is what it puts out."""


class Recurrent(Layer):
    """What the recurrent layers share; a subclass gives the cell and its derivative.

    Parameters
    ----------
    input_size, hidden_size : int
        Features that come in at each step, and features of the state.
    num_layers : int
        Recurrent layers one upon the other.
    bias : bool
        Whether the two biases are there.
    bidirectional : bool
        Read each sequence backwards too; the features of both are stacked.
    last : bool
        Put out the final state, (hidden, N), for a classifier; otherwise the state at
        every step, (hidden, L, N).
    """

    gates: ClassVar[int] = 1
    remembers: ClassVar[int] = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        bidirectional: bool = False,
        last: bool = False,
    ) -> None:
        super().__init__()
        self.input_size = positive_int(self.kind, "input_size", input_size)
        self.hidden_size = positive_int(self.kind, "hidden_size", hidden_size)
        self.num_layers = positive_int(self.kind, "num_layers", num_layers)
        if num_layers > LEVELS:
            raise ValueError(
                f"{self.kind}: num_layers is {num_layers}; expected {LEVELS} or fewer"
            )
        self.bias, self.last = bool(bias), bool(last)
        self.directions = ("", "_reverse") if bidirectional else ("",)
        rows, features = self.gates * hidden_size, input_size
        for level in range(num_layers):
            for direction in self.directions:
                end = f"l{level}{direction}"
                for name, columns in (("ih", features), ("hh", hidden_size)):
                    shape = (rows, columns)
                    self.params[f"weight_{name}_{end}"] = parameter(self.kind, shape)
                for name in ("ih", "hh") if bias else ():
                    self.params[f"bias_{name}_{end}"] = parameter(self.kind, (rows,))
            features = hidden_size * len(self.directions)
        self.prunable = tuple(n for n in self.params if n.startswith("weight"))

    def arguments(self) -> dict[str, Any]:
        """See `Layer.arguments`."""
        return {
            "input_size": self.input_size,
            "hidden_size": self.hidden_size,
            "num_layers": self.num_layers,
            "bias": self.bias,
            "bidirectional": len(self.directions) == 2,
            "last": self.last,
        }

    def reset(self, rng: np.random.Generator) -> None:
        """Uniform within one over the root of the hidden size, all of them."""
        bound = 1 / np.sqrt(self.hidden_size)
        for param in self.params.values():
            param[...] = rng.uniform(-bound, bound, param.shape)
        self.apply_masks()

    def output_shape(self, shape: Shape) -> Shape:
        """(directions * hidden, L), or (directions * hidden,) for the last state."""
        if len(shape) != 2 or shape[0] != self.input_size:
            raise misfit(self.kind, shape, f"({self.input_size}, L)")
        features = self.hidden_size * len(self.directions)
        return (features,) if self.last else (features, shape[1])

    def uses(self, shape: Shape) -> int:
        """One use of each weight at every step."""
        return shape[1]

    # The cell, from what comes in, what is remembered through W_hh, and the state.

    def cell(
        self, x: FloatArray, h: FloatArray, state: State
    ) -> tuple[State, tuple[FloatArray, ...]]:
        """(next state, what the derivative needs); x and h are (gates * hidden, N)."""
        raise TypeError(f"{self.kind} does not define cell")

    def cell_backward(
        self, kept: tuple[FloatArray, ...], delta: State
    ) -> tuple[FloatArray, FloatArray, State]:
        """Gradients at x, at h and, past them, at the state that came in."""
        raise TypeError(f"{self.kind} does not define cell_backward")

    # Along the sequence.

    def forward(self, x: FloatArray, mode: Mode = EVAL) -> FloatArray:
        """(input, L, N) -> (hidden, L, N), or (hidden, N) for the last state."""
        alive = None
        if mode.lengths is not None:
            alive = np.arange(x.shape[1])[:, None] < np.asarray(mode.lengths)
        self._scans: list[_Scan] = []
        y, ends = x, []
        for level in range(self.num_layers):
            scans = [
                _Scan(self, f"l{level}{direction}", y, alive)
                for direction in self.directions
            ]
            y = np.concatenate([scan.forward() for scan in scans])
            ends = [scan.state[0] for scan in scans]
            self._scans += scans
        return as_given(np.concatenate(ends) if self.last else y, x)

    def backward(self, dy: FloatArray) -> FloatArray:
        """Back through levels and steps, gathering the gradients of the weights."""
        sides = len(self.directions)
        ends: FloatArray | None = dy if self.last else None
        steps: FloatArray | None = None if self.last else dy
        for level in reversed(range(self.num_layers)):
            scans = self._scans[level * sides : (level + 1) * sides]
            parts = []
            for side, scan in enumerate(scans):
                here = slice(side * self.hidden_size, (side + 1) * self.hidden_size)
                parts.append(
                    scan.backward(
                        None if steps is None else steps[here],
                        None if ends is None else ends[here],
                    )
                )
            steps, ends = sum(parts[1:], start=parts[0]), None
        assert steps is not None, "a recurrent layer has at least one level"
        return as_given(steps, dy)


class _Scan:
    """One level of one direction, along all steps of a batch."""

    def __init__(
        self, layer: Recurrent, end: str, x: FloatArray, alive: BoolArray | None
    ) -> None:
        self.layer, self.end, self.x, self.alive = layer, end, x, alive
        order = range(x.shape[1])
        self.order = order[::-1] if end.endswith("_reverse") else order

    def forward(self) -> FloatArray:
        """The state at every step, zero in the padding; leaves the final `state`."""
        layer, params = self.layer, self.layer.params
        w_hh = params[f"weight_hh_{self.end}"]
        into = np.tensordot(params[f"weight_ih_{self.end}"], self.x, axes=1)
        b_hh: FloatArray | float = 0.0
        if layer.bias:
            into += params[f"bias_ih_{self.end}"][:, None, None]
            b_hh = params[f"bias_hh_{self.end}"][:, None]
        zero = np.zeros((layer.hidden_size, self.x.shape[2]), into.dtype)
        self.state: State = (zero,) * layer.remembers
        self.kept: dict[int, tuple[FloatArray, ...]] = {}
        self.before = np.empty((layer.hidden_size, *self.x.shape[1:]), into.dtype)
        y = np.empty_like(self.before)
        for t in self.order:
            self.before[:, t] = self.state[0]
            h = w_hh @ self.state[0] + b_hh
            state, self.kept[t] = layer.cell(into[:, t], h, self.state)
            if self.alive is not None:
                on = self.alive[t]
                pairs = zip(state, self.state, strict=True)
                state = tuple(np.where(on, new, old) for new, old in pairs)
                y[:, t] = np.where(on, state[0], 0)
            else:
                y[:, t] = state[0]
            self.state = state
        return y

    def backward(self, dy: FloatArray | None, d_end: FloatArray | None) -> FloatArray:
        """Gradient at x, from those at every step's output and at the final state."""
        layer, params = self.layer, self.layer.params
        w_ih = params[f"weight_ih_{self.end}"]
        w_hh = params[f"weight_hh_{self.end}"]
        given = dy if dy is not None else d_end
        assert given is not None
        kind = np.result_type(self.before, given)
        d_into = np.zeros((len(w_ih), *self.x.shape[1:]), kind)
        d_back = np.zeros_like(d_into)
        zero: FloatArray = np.zeros((layer.hidden_size, self.x.shape[2]), kind)
        delta: State = (zero if d_end is None else d_end,)
        delta += (zero,) * (layer.remembers - 1)
        for t in reversed(self.order):
            on = None if self.alive is None else self.alive[t]
            if dy is not None:
                seen = dy[:, t] if on is None else np.where(on, dy[:, t], 0)
                delta = (delta[0] + seen, *delta[1:])
            dx, dh, past = layer.cell_backward(self.kept[t], delta)
            past = (past[0] + w_hh.T @ dh, *past[1:])
            if on is not None:
                dx, dh = np.where(on, dx, 0), np.where(on, dh, 0)
                pairs = zip(past, delta, strict=True)
                past = tuple(np.where(on, new, old) for new, old in pairs)
            d_into[:, t], d_back[:, t], delta = dx, dh, past
        flat = (len(w_ih), -1)
        grads = layer.grads
        grads[f"weight_ih_{self.end}"] = _outer(d_into, self.x)
        grads[f"weight_hh_{self.end}"] = _outer(d_back, self.before)
        if layer.bias:
            grads[f"bias_ih_{self.end}"] = d_into.reshape(flat).sum(axis=1)
            grads[f"bias_hh_{self.end}"] = d_back.reshape(flat).sum(axis=1)
        dx_all: FloatArray = np.tensordot(w_ih.T, d_into, axes=1)
        return dx_all


def _outer(delta: FloatArray, x: FloatArray) -> FloatArray:
    """Sum over steps and samples of delta x'."""
    product: FloatArray = np.tensordot(delta, x, axes=((1, 2), (1, 2)))
    return product
