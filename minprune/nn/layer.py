"""What a layer is, and the registry that turns a manifest back into layers.

Shapes
    Samples are columns: a layer sees ``(features, N)``, ``(C, L, N)`` or ``(C, H, W,
    N)`` with N the number of samples. A *shape* without N, ``(features,)``, ``(C, L)``,
    ``(C, H, W)``, describes one sample.
Gradients
    ``backward(dy)`` takes the gradient of the loss at what the last ``forward``
    returned, writes the gradient of every parameter to ``grads`` (overwriting, never
    adding) and returns the gradient at what ``forward`` was given. It may be asked
    again, with another gradient, after the same ``forward``. ``learn(dy)`` does the
    same where nobody needs the gradient at the input.
Numbers
    float32 and float64, and complex128: forward and backward never conjugate, never
    take an absolute value, and compare real parts only, so that the imaginary part of a
    complex step carries an exact derivative through both. That is how Hessian-vector
    products are computed, and how the tests check every backward.
"""

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self, TypeVar

import numpy as np
from numpy.typing import DTypeLike

from minprune._check import AnyArray, BoolArray, FloatArray, IntArray, one_of
from minprune.files import LIMIT_BYTES, stored

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Mode:
    """What a layer may know of the pass it is part of."""

    training: bool = False
    rng: np.random.Generator | None = None
    """For dropout; a stream derived from the run's seed and the step."""
    lengths: IntArray | None = None
    """True length of each padded sequence, shape (N,); None when all are full."""


EVAL = Mode()
"""Inference: running statistics, no dropout, full sequences."""


class Layer:
    """A differentiable map with parameters, masks and, for a chain, children.

    Attributes
    ----------
    kind : str
        Name in the registry and in the manifest.
    prunable : tuple of str
        The parameters that count towards sparsity: weights, no biases, no batch norm.
    params, grads : dict of str to ndarray
        Always plain arrays of equal shape; for a sparse layer the stored values.
    buffers : dict of str to ndarray
        What is saved but not trained, such as running statistics.
    masks : dict of str to ndarray of bool
        True where kept, in the logical shape of the weight; absent when nothing is
        pruned.
    children : dict of str to Layer
        Empty but for chains.

    Notes
    -----
    What a pass keeps for the next (the input, for the backward) stands in attributes
    that begin with an underscore; a clone goes without them.
    """

    kind: ClassVar[str] = ""
    prunable: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.params: dict[str, FloatArray] = {}
        self.grads: dict[str, FloatArray] = {}
        self.buffers: dict[str, AnyArray] = {}
        self.masks: dict[str, BoolArray] = {}
        self.children: dict[str, Layer] = {}

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments that build an equal layer, as JSON values."""
        return {}

    @classmethod
    def assemble(cls, children: dict[str, "Layer"], **arguments: Any) -> "Layer":
        """A layer from its manifest; chains override this to take their children."""
        return cls(**arguments)

    def new_weight(self, shape: Shape) -> FloatArray:
        """Memory for a weight of this logical shape, zero; sparse layers hold less."""
        return parameter(self.kind, shape)

    def reset(self, rng: np.random.Generator) -> None:
        """Draw initial values for the parameters; masks stay and are applied."""

    def output_shape(self, shape: Shape) -> Shape:
        """The shape of one output sample; ValueError if `shape` does not fit."""
        return shape

    def forward(self, x: FloatArray, mode: Mode = EVAL) -> FloatArray:
        """Compute the output and keep what `backward` will need."""
        raise TypeError(f"{type(self).__name__} does not define forward")

    def backward(self, dy: FloatArray) -> FloatArray:
        """Gradient at the input of the last forward; fills `grads`."""
        raise TypeError(f"{type(self).__name__} does not define backward")

    def learn(self, dy: FloatArray) -> None:
        """Fill `grads` as `backward` does, where nobody asks for the input's gradient.

        What comes first in a network can save the work; by default nothing is saved.
        """
        self.backward(dy)

    def weights(self) -> dict[str, FloatArray]:
        """The prunable parameters in their logical shape, pruned entries zero."""
        return {name: self.params[name] for name in self.prunable}

    def to_dense(self) -> "Layer":
        """The layer that computes the same and holds every weight: itself, if dense."""
        return self

    def set_mask(self, name: str, mask: BoolArray | None) -> None:
        """Keep only the weights where `mask` is True; None keeps all."""
        if mask is None:
            self.masks.pop(name, None)
            return
        weight = self.params[name]
        mask = np.asarray(mask)
        if mask.dtype != np.bool_ or mask.shape != weight.shape:
            raise ValueError(
                f"{self.kind}: the mask of {name} has type {mask.dtype} and shape "
                f"{mask.shape}; expected bool, True where kept, of shape {weight.shape}"
            )
        self.masks[name] = mask.copy()
        self.apply_masks()

    def apply_masks(self) -> None:
        """Set pruned weights to zero, in place."""
        for name, mask in self.masks.items():
            self.params[name][~mask] = 0

    def mask_grads(self) -> None:
        """Set the gradients of pruned weights to zero, in place."""
        for name, mask in self.masks.items():
            self.grads[name][~mask] = 0

    def uses(self, shape: Shape) -> int:
        """How many times each prunable weight is used on one sample of `shape`."""
        return 1

    def macs(self, shape: Shape) -> int:
        """Multiply-adds this layer executes on one sample of `shape`.

        Products with prunable weights are counted, one for every weight held and every
        place it is used, the border included; adding biases, normalizing and pooling
        are not. A dense layer executes its pruned weights too.
        """
        held = sum(self.params[name].size for name in self.prunable)
        return held * self.uses(shape)

    def bytes(self) -> int:
        """Bytes of the arrays that inference needs, indices included."""
        arrays = [*self.params.values(), *self.buffers.values()]
        return sum(array.nbytes for array in arrays)

    def execution_bytes(self) -> int:
        """Bytes of what is built from these arrays in order to run fast."""
        return 0

    def state(self) -> dict[str, AnyArray]:
        """The arrays as a file holds them, masked weights in their smallest form."""
        tensors: dict[str, AnyArray] = {}
        for name, param in self.params.items():
            tensors |= stored.encode(name, param, self.masks.get(name))
        return tensors | self.buffers

    def restore(self, tensors: Mapping[str, AnyArray]) -> None:
        """Take back the arrays of `state`, masks too; ValueError if they misfit."""
        for name, param in self.params.items():
            weight, mask = stored.decode(name, tensors, param.shape)
            if mask is not None and name not in self.prunable:
                raise ValueError(
                    f"{self.kind}: {name} is stored sparse; expected dense"
                )
            self.params[name] = weight.astype(_float(weight.dtype))
            if name in self.prunable:
                self.set_mask(name, mask)
        for name, buffer in self.buffers.items():
            self.buffers[name] = stored.decode(name, tensors, buffer.shape)[0].copy()

    def clone(self, dtype: DTypeLike | None = None) -> Self:
        """A copy that shares no array with this layer, if asked in another type."""

        def twin(arrays: dict[str, Any]) -> dict[str, Any]:
            return {
                name: a.astype(dtype if dtype and a.dtype.kind in "fc" else a.dtype)
                for name, a in arrays.items()
            }

        other = copy.copy(self)
        for name in [name for name in vars(self) if name.startswith("_")]:
            delattr(other, name)
        other.params, other.buffers = twin(self.params), twin(self.buffers)
        other.masks, other.grads = twin(self.masks), {}
        other.children = {
            name: child.clone(dtype) for name, child in self.children.items()
        }
        return other

    def walk(self, prefix: str = "") -> Iterator[tuple[str, "Layer"]]:
        """Dotted names and layers of the tree below, this one first, in order."""
        yield prefix, self
        for name, child in self.children.items():
            yield from child.walk(f"{prefix}.{name}" if prefix else name)


L = TypeVar("L", bound=type[Layer])
KINDS: dict[str, type[Layer]] = {}


def register(kind: str) -> Callable[[L], L]:
    """File a layer class under its kind and return it unchanged."""

    def file(cls: L) -> L:
        if kind in KINDS:
            raise ValueError(f"layer kind {kind!r} is filed twice")
        cls.kind = kind
        KINDS[kind] = cls
        return cls

    return file


def build(kind: str, arguments: dict[str, Any], children: dict[str, Layer]) -> Layer:
    """A layer from what a manifest says of it; its parameters are not yet filled in."""
    cls = KINDS[one_of("build", "layer kind", kind, KINDS)]
    try:
        return cls.assemble(children, **arguments)
    except (TypeError, KeyError) as why:
        raise ValueError(
            f"build: {kind} cannot be built from its manifest: {why}"
        ) from why


def _float(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """float64 stays, everything else is trained in float32."""
    return dtype if dtype == np.float64 else np.dtype(np.float32)


def parameter(kind: str, shape: Shape, value: float = 0.0) -> FloatArray:
    """Memory for a parameter; refused where no reader would take the file it makes."""
    if (size := 4 * math.prod(shape)) > LIMIT_BYTES:
        raise ValueError(
            f"{kind}: a parameter of shape {shape} takes {size} bytes; the limit is "
            f"{LIMIT_BYTES}"
        )
    return np.full(shape, value, np.float32) if value else np.zeros(shape, np.float32)


def as_given(y: FloatArray, x: FloatArray) -> FloatArray:
    """`y` in the precision of `x`; a complex step in a parameter is kept."""
    if y.dtype == x.dtype or y.dtype.kind == "c":
        return y
    return y.astype(x.dtype)


def misfit(kind: str, shape: Shape, expected: str) -> ValueError:
    """The error for a shape that does not fit; the chain adds where it stands."""
    return ValueError(f"{kind} was given samples of shape {shape}; expected {expected}")
