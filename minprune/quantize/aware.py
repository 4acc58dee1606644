"""Fine-tuning that feels the rounding to come, and keeps the mask."""

from dataclasses import dataclass

import numpy as np

from minprune._check import AnyArray, BoolArray, FloatArray
from minprune.nn.activation import ReLU, ReLU6
from minprune.nn.chain import Concat, Residual, Sequential
from minprune.nn.conv import Convolution
from minprune.nn.layer import EVAL, Layer, Mode, as_given
from minprune.nn.linear import Linear
from minprune.nn.norm import BatchNorm
from minprune.nn.run import Procedure, Run
from minprune.quantize.arithmetic import levels_over
from minprune.quantize.shared import share
from minprune.sparse.base import SparseLayer
from minprune.sparse.products import Pattern

MARK = "~"
"""Ends the names of the layers that round, while training goes on."""


class QuantizationAware(Procedure):
    r"""Train with weights and values rounded as `quantize` will round them.

    Parameters
    ----------
    bits : {4, 8}
    linear_by_row : bool
        As in `quantize`: what is trained for is what should be made.
    memory : float
        Weight of the past in the moving range of values, from one step to the next.

    Notes
    -----
    Forward, a weight is :math:`s\,\mathrm{round}(w / s)` with
    :math:`s = \max|w| / 127`, over a row for convolutions; with four bits the nearest
    of the sixteen values that serve all weights best (`share`). A value x is rounded to
    one of 256 levels over a range that follows the smallest and the largest x of every
    batch. Backward, the gradient passes as if nothing had been rounded, and stops where
    x lies outside the range. Pruned weights stay zero: the layers keep their masks.

    Values are rounded where `quantize` keeps them, in every `Sequential`: at the input,
    behind linear layers and convolutions with the norm and the activation that follow,
    behind sums and concatenations.

    At the end the weights that the network holds are rounded ones, and nothing else of
    it has changed.

    References
    ----------
    .. [1] B. Jacob et al., "Quantization and training of neural networks for efficient
       integer-arithmetic-only inference", CVPR 2018, Sec. 3. arXiv:1712.05877

    Examples
    --------
    >>> from minprune import data, nn
    >>> ds = data.load("digits")
    >>> net = nn.models.build("mlp", ds, seed=0, hidden=(8,))
    >>> history = nn.train(net, ds, epochs=1, procedures=[QuantizationAware(bits=4)])
    >>> len(np.unique(net.weights()["fc2.weight"]))
    16
    """

    def __init__(
        self, *, bits: int = 8, linear_by_row: bool = False, memory: float = 0.9
    ) -> None:
        if bits not in (4, 8):
            raise ValueError(f"QuantizationAware: bits is {bits!r}; expected 4 or 8")
        if not 0 <= memory < 1:
            raise ValueError(
                f"QuantizationAware: memory is {memory}; expected 0 up to 1, without 1"
            )
        self.bits, self.linear_by_row, self.memory = bits, linear_by_row, memory
        self.weights: dict[str, RoundedWeight] = {}
        self.rounds: dict[str, Rounding] = {}

    def begin(self, run: Run) -> None:
        """See `Procedure.begin`."""
        self.weights, self.rounds = {}, {}
        masks = run.net.masks()
        for name, weight in run.net.weights().items():
            layer, key = run.net.owner("QuantizationAware", name)
            if not isinstance(layer, Linear | Convolution):
                raise ValueError(
                    f"QuantizationAware: {name} belongs to a {layer.kind}; expected "
                    f"linear layers and convolutions alone, which integers can take"
                )
            if name in run.reparameterized:
                raise ValueError(
                    f"QuantizationAware: another procedure trains {name}; expected one "
                    f"for each weight, so prune before, in a run of its own"
                )
            by_row = self.linear_by_row or isinstance(layer, Convolution)
            books = {8: 0, 4: len(weight) if self.linear_by_row else 1}[self.bits]
            theta, mask = layer.params[key].copy(), masks[name]
            pattern = layer.pattern if isinstance(layer, SparseLayer) else None
            self.weights[name] = RoundedWeight(theta, mask, by_row, books, pattern)
        run.reparameterized |= self.weights
        for path, layer in list(run.net.root.walk()):
            if isinstance(layer, Sequential):
                self._insert(path, layer, first=layer is run.net.root)
        self._show(run)

    def before_step(self, run: Run) -> None:
        """See `Procedure.before_step`."""
        masks = run.net.masks()
        for name, weight in self.weights.items():
            if not np.array_equal(masks[name], weight.mask):
                raise ValueError(
                    f"QuantizationAware: the mask of {name} changed while training "
                    f"went on; expected it to stay, so prune before, in a run of its "
                    f"own"
                )

    def after_step(self, run: Run) -> None:
        """See `Procedure.after_step`."""
        self._show(run)

    def end(self, run: Run) -> None:
        """See `Procedure.end`."""
        for name in self.weights:
            run.reparameterized.pop(name)
        for _, layer in list(run.net.root.walk()):
            layer.children = {
                name: child
                for name, child in layer.children.items()
                if not isinstance(child, Rounding)
            }

    def state(self) -> dict[str, AnyArray]:
        """See `Procedure.state`."""
        thetas = {f"weight:{n}": w.thetas["weight"] for n, w in self.weights.items()}
        ranges = {f"range:{n}": np.array(r.range) for n, r in self.rounds.items()}
        return thetas | ranges

    def restore(self, arrays: dict[str, AnyArray]) -> None:
        """See `Procedure.restore`."""
        for name, weight in self.weights.items():
            weight.thetas["weight"][...] = arrays[f"weight:{name}"]
        for name, layer in self.rounds.items():
            low, high = arrays[f"range:{name}"]
            layer.range = float(low), float(high)

    def _insert(self, path: str, chain: Sequential, first: bool) -> None:
        """Put rounding layers into a chain, where values are kept."""
        children: dict[str, Layer] = {}
        if first:
            children[MARK] = Rounding(self.memory)
        following = [*list(chain.children.values())[1:], None]
        for (name, child), after in zip(chain.children.items(), following, strict=True):
            children[name] = child
            if isinstance(child, ENDS) and not isinstance(after, JOIN):
                children[name + MARK] = Rounding(self.memory)
        chain.children = children
        self.rounds |= {
            f"{path}.{name}" if path else name: child
            for name, child in children.items()
            if isinstance(child, Rounding)
        }

    def _show(self, run: Run) -> None:
        """Put the rounded weights into the network."""
        parameters = run.net.parameters()
        for name, weight in self.weights.items():
            parameters[name][...] = weight.effective()


ENDS = (Linear, Convolution, BatchNorm, ReLU, ReLU6, Residual, Concat)
"""Layers that give new values."""

JOIN = (BatchNorm, ReLU, ReLU6)
"""Layers that are folded into the one before them."""


@dataclass
class RoundedWeight:
    """A weight that is trained in full and computed with as integers would be."""

    theta: FloatArray
    """As the layer holds it: a sparse one, what is stored."""
    mask: BoolArray
    """In the logical shape."""
    by_row: bool
    books: int
    pattern: Pattern | None = None
    """Of a sparse layer."""

    def __post_init__(self) -> None:
        self.thetas = {"weight": self.theta}

    def effective(self) -> FloatArray:
        """See `Reparameterization.effective`."""
        theta = self.thetas["weight"]
        mask = self.mask.reshape(len(self.mask), -1)
        rows = (
            theta.reshape(mask.shape)
            if self.pattern is None
            else self.pattern.scatter(theta)
        )
        size = np.abs(np.where(mask, rows, 0))
        largest = (
            size.max(axis=1, keepdims=True) if self.by_row else size.max(initial=0)
        )
        scale = np.asarray(largest / 127, np.float32).astype(float)
        scale = np.where(scale > 0, scale, 1)
        levels = np.clip(np.rint(rows / scale), -127, 127).astype(np.int64)
        levels = np.where(mask, levels, 0)
        if self.books:
            levels = share(levels, mask, self.books)
        return self._held((levels * scale).astype(theta.dtype))

    def pullback(self, grad: FloatArray) -> dict[str, FloatArray]:
        """See `Reparameterization.pullback`: straight through, to what is kept."""
        return {"weight": np.where(self._held(self.mask), grad, 0)}

    def _held(self, array: AnyArray) -> AnyArray:
        """What the layer holds of something in the shape of the weight."""
        if self.pattern is None:
            return array.reshape(self.theta.shape)
        return self.pattern.gather(array.reshape(self.pattern.shape))


class Rounding(Layer):
    """Values rounded to 256 levels over a range that follows what is seen."""

    kind = "Rounding"

    def __init__(self, memory: float) -> None:
        super().__init__()
        self.memory = memory
        self.range = (0.0, 0.0)
        """Of nothing seen yet: values then pass as they are."""

    def forward(self, x: FloatArray, mode: Mode = EVAL) -> FloatArray:
        """Rounded; in training the range moves first."""
        if mode.training and x.size:
            seen = float(x.min()), float(x.max())
            if self.range == (0.0, 0.0):
                self.range = seen
            low, high = (
                self.memory * old + (1 - self.memory) * new
                for old, new in zip(self.range, seen, strict=True)
            )
            self.range = low, high
        if self.range == (0.0, 0.0):
            self._inside = np.ones(x.shape, bool)
            return x
        levels = levels_over(*self.range)
        level = np.rint(x / np.float32(levels.scale)) + levels.zero
        self._inside = (level >= -128) & (level <= 127)
        inside = np.clip(level, -128, 127) - levels.zero
        y: FloatArray = inside * np.float32(levels.scale)
        return as_given(y, x)

    def backward(self, dy: FloatArray) -> FloatArray:
        """Straight through, where a value was not cut off."""
        return as_given(np.where(self._inside, dy, 0), dy)
