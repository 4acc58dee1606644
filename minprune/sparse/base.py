"""What sparse layers share: pruned weights are not there, and everything else follows.

``params["weight"]`` is the array of stored values; an optimizer updates it without
knowing of positions. `pattern` says which these are, and the mask follows from it.
Multiply-adds, gradients and optimizer state are proportional to what is stored.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Self, cast

import numpy as np
from numpy.typing import DTypeLike

from minprune._check import (
    AnyArray,
    BoolArray,
    FloatArray,
    IntArray,
    finite,
    one_of,
    positive_int,
)
from minprune.files import LIMIT_BYTES, stored
from minprune.nn.layer import EVAL, Layer, Mode, Shape, as_given
from minprune.sparse.bsr import BSR
from minprune.sparse.csr import CSR
from minprune.sparse.products import Pattern, Products, scipy_multiplies

Block = tuple[int, int]


class PatternMask(Mapping[str, BoolArray]):
    """The mask of a sparse layer, made from its pattern whenever it is asked for."""

    def __init__(self, layer: "SparseLayer") -> None:
        self._layer = layer

    def __getitem__(self, name: str) -> BoolArray:
        if name != "weight":
            raise KeyError(name)
        return self._layer.pattern.mask().reshape(self._layer.logical_shape)

    def __iter__(self) -> Iterator[str]:
        return iter(("weight",))

    def __len__(self) -> int:
        return 1


class SparseLayer(Layer):
    """What sparse layers share: a pattern, its values, and all that follows from them.

    Attributes
    ----------
    pattern : CSR or BSR
        Which weights are stored, in the (out, K) view of the weight.
    logical_shape : tuple of int
        Shape of the weight that this stands for, as in the dense layer.
    reason : str
        Why `compress` chose this format; empty otherwise.
    """

    pattern: Pattern
    logical_shape: tuple[int, ...]
    reason: str = ""
    _pattern_in: Callable[[tuple[int, int]], Pattern]

    def _in(self, format: str, block: Block | list[int] | None) -> None:
        """Say how to store, before the dense constructor asks for memory."""
        one_of(self.kind, "format", format, ("csr", "bsr"))
        if (format == "bsr") != (block is not None):
            raise ValueError(
                f"{self.kind}: format is {format!r} and block is {block}; 'bsr' needs "
                f"the rows and columns of a block, such as (8, 1), and 'csr' has none"
            )
        if block is None:
            self._pattern_in = CSR.empty
        else:
            rows, columns = (positive_int(self.kind, "block", n) for n in block)
            self._pattern_in = partial(BSR.empty, block=(rows, columns))

    def new_weight(self, shape: Shape) -> FloatArray:
        """See `Layer.new_weight`; nothing is stored yet."""
        if 4 * (shape[0] + 1) > LIMIT_BYTES:
            raise ValueError(
                f"{self.kind}: the row pointers of a weight of shape {shape} take more "
                f"than the limit of {LIMIT_BYTES} bytes"
            )
        self.logical_shape = shape
        self.pattern = self._pattern_in((shape[0], int(np.prod(shape[1:]))))
        self.masks = cast("dict[str, BoolArray]", PatternMask(self))
        return np.zeros(self.pattern.values_shape, np.float32)

    def hold(self, pattern: Pattern, values: AnyArray) -> None:
        """Store these weights instead, `values` in the shape that the pattern states.

        Raises
        ------
        ValueError
            If pattern or values do not fit the layer, or a value is not finite.
        """
        if pattern.shape != self.pattern.shape or pattern.block != self.pattern.block:
            raise ValueError(
                f"{self.kind}: the pattern has shape {pattern.shape} and block "
                f"{pattern.block}; expected {self.pattern.shape} and "
                f"{self.pattern.block}"
            )
        if values.shape != pattern.values_shape:
            raise ValueError(
                f"{self.kind}: the values have shape {values.shape}; the pattern "
                f"stores {pattern.values_shape}"
            )
        finite(self.kind, values=values)
        self.pattern = pattern
        self.params["weight"] = np.ascontiguousarray(values)
        self.grads.pop("weight", None)
        self._forget()

    def drop(self, places: IntArray) -> IntArray:
        """Prune the stored weights at these places of the array of values.

        Returns
        -------
        moved : ndarray of int, shape (stored before,)
            The new place of every old value, -1 where dropped, for `Optimizer.remap`.
        """
        return self._edit(*self._csr("drop").drop(places))

    def grow(self, rows: IntArray, columns: IntArray) -> IntArray:
        """Store further weights, zero at first, at positions of the (out, K) view.

        Returns
        -------
        moved : ndarray of int, shape (stored before,)
            The new place of every old value, for `Optimizer.remap`.
        """
        return self._edit(*self._csr("grow").grow(rows, columns))

    def _csr(self, caller: str) -> CSR:
        if not isinstance(self.pattern, CSR):
            raise ValueError(
                f"{caller}: single weights cannot come and go in blocks of "
                f"{self.pattern.block}; use set_mask, or format 'csr'"
            )
        return self.pattern

    def _edit(self, pattern: CSR, moved: IntArray) -> IntArray:
        old = self.params["weight"]
        values = np.zeros(pattern.values_shape, old.dtype)
        values[moved[moved >= 0]] = old[moved >= 0]
        self.hold(pattern, values)
        return moved

    def matrix(self) -> Any:
        """The weight as scipy's `csr_array` or `bsr_array`, on the same memory."""
        return self.pattern.matrix(self.params["weight"])

    def take(self, dense: Layer) -> None:
        """Store what the mask of a dense layer keeps; without a mask, every weight."""
        weight = dense.params["weight"]
        mask = dense.masks.get("weight", np.ones(weight.shape, bool))
        pattern = pattern_of(mask.reshape(self.pattern.shape), self.pattern.block)
        self.hold(pattern, pattern.gather(weight.reshape(pattern.shape)))
        if "bias" in dense.params:
            self.params["bias"] = dense.params["bias"].copy()

    def give(self, dense: Layer) -> None:
        """Write weights and mask out into a dense layer."""
        dense.params["weight"] = self.weights()["weight"]
        dense.set_mask("weight", self.masks["weight"])
        if "bias" in self.params:
            dense.params["bias"] = self.params["bias"].copy()

    def dense_arguments(self) -> dict[str, Any]:
        """The constructor arguments of the dense layer."""
        return super().arguments()

    def arguments(self) -> dict[str, Any]:
        """See `Layer.arguments`."""
        block = None if self.pattern.block is None else list(self.pattern.block)
        return self.dense_arguments() | {"format": self.pattern.format, "block": block}

    def reset(self, rng: np.random.Generator) -> None:
        """Uniform within one over the root of the dense fan-in, where stored."""
        bound = 1 / np.sqrt(self.pattern.shape[1])
        for param in self.params.values():
            param[...] = rng.uniform(-bound, bound, param.shape)
        if isinstance(self.pattern, BSR):
            self.params["weight"][~self.pattern.inside()] = 0

    def weights(self) -> dict[str, FloatArray]:
        """The weight in its logical shape, written out: a copy, zero where pruned."""
        dense = self.pattern.scatter(self.params["weight"])
        return {"weight": dense.reshape(self.logical_shape)}

    def set_mask(self, name: str, mask: BoolArray | None) -> None:
        """Store exactly the positions where `mask` is True; new ones start at zero.

        None leaves everything that is stored.
        """
        if mask is None:
            return
        mask = np.asarray(mask)
        if mask.dtype != np.bool_ or mask.shape != self.logical_shape:
            raise ValueError(
                f"{self.kind}: the mask of {name} has type {mask.dtype} and shape "
                f"{mask.shape}; expected bool, True where kept, of shape "
                f"{self.logical_shape}"
            )
        pattern = pattern_of(mask.reshape(self.pattern.shape), self.pattern.block)
        self.hold(pattern, pattern.gather(self.pattern.scatter(self.params["weight"])))

    def apply_masks(self) -> None:
        """Nothing to do: what is pruned is not there."""

    def mask_grads(self) -> None:
        """Nothing to do: what is pruned has no gradient."""

    def macs(self, shape: Shape) -> int:
        """Stored weights times their uses; padding of blocks is not counted."""
        return self.pattern.stored * self.uses(shape)

    def bytes(self) -> int:
        """Values and indices."""
        return super().bytes() + self.pattern.nbytes

    def execution_bytes(self) -> int:
        """Bytes of the layouts that the kernels have built so far."""
        return sum(
            products.nbytes for products in self.__dict__.get("_products", {}).values()
        )

    def state(self) -> dict[str, AnyArray]:
        """Values and indices as they are held, indices narrowed."""
        pattern, values = self.pattern, self.params["weight"]
        rest = {name: p for name, p in self.params.items() if name != "weight"}
        return (
            stored.encode_pattern("weight", pattern.indptr, pattern.indices, values)
            | rest
            | self.buffers
        )

    def restore(self, tensors: Mapping[str, AnyArray]) -> None:
        """Take the arrays of `state` back; a weight in another form is converted."""
        if "bias" in self.params:
            bias, _ = stored.decode("bias", tensors, self.params["bias"].shape)
            self.params["bias"] = bias.astype(np.result_type(bias, np.float32))
        if "weight.indptr" in tensors:
            held = stored.pattern("weight", tensors, self.logical_shape)
            values, block = held.values, held.values.shape[1:] or None
            indptr, indices = (a.astype(np.int32) for a in (held.indptr, held.indices))
            pattern = (
                CSR(self.pattern.shape, indptr, indices)
                if block is None
                else BSR(self.pattern.shape, (block[0], block[1]), indptr, indices)
            )
        else:
            weight, mask = stored.decode("weight", tensors, self.logical_shape)
            mask = np.ones(weight.shape, bool) if mask is None else mask
            pattern = pattern_of(mask.reshape(self.pattern.shape), self.pattern.block)
            values = pattern.gather(weight.reshape(self.pattern.shape))
        self.hold(pattern, values.astype(np.result_type(values, np.float32)))

    def clone(self, dtype: DTypeLike | None = None) -> Self:
        """See `Layer.clone`; the pattern, which never changes, is shared."""
        masks, self.masks = self.masks, {}
        other = super().clone(dtype)
        self.masks = masks
        other.masks = cast("dict[str, BoolArray]", PatternMask(other))
        return other

    # The three products.

    def _build_products(self, by_scipy: bool) -> Products:
        """Whoever multiplies for this layer."""
        raise TypeError(f"{type(self).__name__} does not define its products")

    def _multiplier(self, dtype: np.dtype[Any]) -> Products:
        """The products for numbers of this type, built once for each pattern."""
        built: dict[bool, Products] = self.__dict__.setdefault("_products", {})
        by_scipy = scipy_multiplies(dtype)
        if by_scipy not in built:
            built[by_scipy] = self._build_products(by_scipy)
        return built[by_scipy]

    def _forget(self) -> None:
        """The pattern has changed: layouts built from the old one are void."""
        self.__dict__.pop("_products", None)

    def forward(self, x: FloatArray, mode: Mode = EVAL) -> FloatArray:
        """The affine map y = W x + b, by the stored weights alone."""
        self._x, values = x, self.params["weight"]
        products = self._multiplier(np.result_type(x, values))
        return as_given(products.forward(values, self.params.get("bias"), x), x)

    def backward(self, dy: FloatArray) -> FloatArray:
        """W' dy; the weight's gradient is taken at the stored positions only."""
        x, values = self._x, self.params["weight"]
        products = self._multiplier(np.result_type(x, values, dy))
        dx, gradient = products.backward(values, x, dy)
        self._keep(gradient, dy)
        return as_given(dx, dy)

    def learn(self, dy: FloatArray) -> None:
        """See `Layer.learn`."""
        x, values = self._x, self.params["weight"]
        products = self._multiplier(np.result_type(x, values, dy))
        self._keep(products.weight_gradient(x, dy), dy)

    def _keep(self, gradient: FloatArray, dy: FloatArray) -> None:
        """Leave the gradients where optimizers look for them."""
        self._dy = dy  # with _x, all that the gradient of any weight takes
        self.grads["weight"] = gradient
        if "bias" in self.params:
            self.grads["bias"] = dy.reshape(len(dy), -1).sum(axis=1)


def pattern_of(mask: BoolArray, block: Block | None) -> Pattern:
    """The pattern of a (rows, columns) mask, in blocks if a block is given."""
    return CSR.from_mask(mask) if block is None else BSR.from_mask(mask, block)
