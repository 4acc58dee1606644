"""A network: the root layer, and the door through which raw samples come and go.

Outside, samples are batch first and raw, as a sensor or a file gives them. The door
scales them, turns the batch to the last axis once, and turns the answer back. Inside,
samples are columns.
"""

import json
import math
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike

from minprune._check import (
    AnyArray,
    BoolArray,
    FloatArray,
    IntArray,
    batch_array,
    finite,
    one_of,
    positive_int,
)
from minprune._random import stream
from minprune.nn import tree
from minprune.nn.layer import EVAL, Layer, Mode, Shape
from minprune.nn.tree import join

FORMAT = 1
"""Version of the manifest; a reader refuses a newer one and reads an older one."""

BATCH = 256
"""Samples that inference takes through the network at a time."""

LINE = 16
"""Entries of a line of the cache, in single precision."""


class Network:
    """A tree of layers with its input, its preprocessing and its classes.

    Parameters
    ----------
    root : Layer
        Usually a `Sequential`.
    input_shape : tuple of int
        Shape of one sample: ``(features,)``, ``(C, L)`` or ``(C, H, W)``.
    classes : sequence of str
        Names of the outputs; empty for regression.
    scale, offset : array_like, optional
        Raw samples enter as ``raw * scale + offset``; both broadcast against one
        sample.
    seed : int, optional
        Draw initial weights from this seed, each layer from a stream of its own, so
        that a layer's start does not depend on what stands around it. Left out, weights
        are what the layers hold.

    Raises
    ------
    ValueError
        If the shapes do not chain, naming the layer, what reached it and what it
        expected; if one layer stands in two places.

    Examples
    --------
    >>> from minprune.nn import Linear, ReLU, Sequential
    >>> net = Network(Sequential(Linear(4, 8), ReLU(), Linear(8, 3)), (4,), seed=0)
    >>> net(np.zeros((5, 4))).shape
    (5, 3)
    >>> sorted(net.weights())
    ['0.weight', '2.weight']
    """

    def __init__(
        self,
        root: Layer,
        input_shape: Shape,
        *,
        classes: tuple[str, ...] = (),
        scale: AnyArray | float = 1.0,
        offset: AnyArray | float = 0.0,
        seed: int | None = None,
    ) -> None:
        self.root = root
        if not isinstance(input_shape, tuple | list):
            raise TypeError(
                f"Network: input_shape is {input_shape!r}; expected a tuple, such as "
                f"(64,) or (1, 8, 8)"
            )
        self.input_shape = tuple(
            positive_int("Network", "input_shape", n) for n in input_shape
        )
        self.classes = tuple(classes)
        self.scale = self._door("scale", scale)
        self.offset = self._door("offset", offset)
        self.output_shape = root.output_shape(self.input_shape)
        self._refuse_twice()
        if seed is not None:
            for name, layer in root.walk():
                layer.reset(stream(seed, "init", name))

    def _refuse_twice(self) -> None:
        """A layer remembers one pass, so it cannot stand in two places."""
        places: dict[int, str] = {}
        for name, layer in self.root.walk():
            first = places.setdefault(id(layer), name)
            if first != name:
                raise ValueError(
                    f"Network: layers {first!r} and {name!r} are one {layer.kind}; "
                    f"expected a layer for each place, so make two"
                )

    # What is inside, by name.

    def layers(self) -> dict[str, Layer]:
        """Every layer by its dotted name, in order; the root is ``""``."""
        return dict(self.root.walk())

    def parameters(self) -> dict[str, FloatArray]:
        """Every parameter by its dotted name: the arrays themselves, not copies."""
        return {
            join(name, key): array
            for name, layer in self.root.walk()
            for key, array in layer.params.items()
        }

    def gradients(self) -> dict[str, FloatArray]:
        """The gradients of the last backward, under the names of `parameters`."""
        return {
            join(name, key): array
            for name, layer in self.root.walk()
            for key, array in layer.grads.items()
        }

    def weights(self) -> dict[str, FloatArray]:
        """The prunable set in logical shape: linear, conv and recurrent weights."""
        return {
            join(name, key): array
            for name, layer in self.root.walk()
            for key, array in layer.weights().items()
        }

    def masks(self) -> dict[str, BoolArray]:
        """A mask for every prunable weight, True where kept."""
        return {
            join(name, key): (
                layer.masks[key].copy()
                if key in layer.masks
                else np.ones(weight.shape, np.bool_)
            )
            for name, layer in self.root.walk()
            for key, weight in layer.weights().items()
        }

    def set_masks(self, masks: Mapping[str, BoolArray | None]) -> None:
        """Prune to these masks: the weights they drop are zero from here on.

        Weights that are not named keep the mask they have; None lifts a mask.
        """
        for name, mask in masks.items():
            layer, key = self.owner("set_masks", name)
            layer.set_mask(key, mask)

    def owner(self, caller: str, weight: str) -> tuple[Layer, str]:
        """The layer that holds a prunable weight, and the weight's name in it."""
        owners = {
            join(name, key): (layer, key)
            for name, layer in self.root.walk()
            for key in layer.prunable
        }
        return owners[one_of(caller, "weight", weight, owners)]

    def holder(self, caller: str, name: str) -> tuple[Layer, str]:
        """The layer that holds a parameter, prunable or not, and its name in it."""
        holders = {
            join(path, key): (layer, key)
            for path, layer in self.root.walk()
            for key in layer.params
        }
        return holders[one_of(caller, "parameter", name, holders)]

    # Through the network.

    def enter(self, x: AnyArray) -> FloatArray:
        """Raw samples, batch first, as columns: (N, ...) -> (..., N).

        Any array whose samples have the right number of entries is taken: an image may
        come flat, a flat sample as an image.
        """
        x = self._samples(x)
        # Rows a little longer than a sample: a power of two between them would send
        # all samples to the same few lines of the cache when they are turned.
        size = math.prod(self.input_shape)
        lines = np.empty((len(x), size + LINE), self.dtype)[:, :size].reshape(x.shape)
        np.multiply(x, self.scale, out=lines)
        if self.offset.any():
            lines += self.offset
        inside = batch_array((*self.input_shape, len(x)), self.dtype)
        np.copyto(inside, np.moveaxis(lines, 0, -1))
        return inside

    def _samples(self, x: AnyArray) -> AnyArray:
        """Raw samples as (N, *input_shape); ValueError if they are something else."""
        x = np.asarray(x)
        size = int(np.prod(self.input_shape))
        if x.ndim == 0 or x.dtype.kind not in "fiub" or x[:1].size not in (0, size):
            raise ValueError(
                f"Network: samples came as an array of type {x.dtype} and shape "
                f"{x.shape}; expected numbers of shape (N, "
                f"{', '.join(map(str, self.input_shape))})"
            )
        return x.reshape(len(x), *self.input_shape)

    @staticmethod
    def _lengths(lengths: IntArray | None, count: int) -> IntArray | None:
        """One true length for each sample; ValueError if they are something else."""
        if lengths is None:
            return None
        lengths = np.asarray(lengths)
        if lengths.shape != (count,) or (count and lengths.dtype.kind not in "iu"):
            raise ValueError(
                f"Network: lengths came as an array of type {lengths.dtype} and shape "
                f"{lengths.shape}; expected whole numbers of shape ({count},)"
            )
        if count and lengths.min() < 0:
            raise ValueError(
                f"Network: a length is {lengths.min()}; expected 0 or more"
            )
        return lengths

    def forward(self, x: FloatArray, mode: Mode = EVAL) -> FloatArray:
        """Columns in, columns out."""
        return self.root.forward(x, mode)

    def backward(self, dy: FloatArray) -> FloatArray:
        """Gradient at the columns that went in; fills every layer's `grads`."""
        return self.root.backward(dy)

    def learn(self, dy: FloatArray) -> None:
        """Fill every layer's `grads` as `backward` does, and leave the input out."""
        self.root.learn(dy)

    def __call__(
        self, x: AnyArray, lengths: IntArray | None = None, batch_size: int = BATCH
    ) -> FloatArray:
        """Logits (or regression outputs) of raw samples, batch first, in evaluation.

        Parameters
        ----------
        x : array_like, shape (N, *input_shape)
            Raw samples.
        lengths : ndarray of int, shape (N,), optional
            True lengths of padded sequences; one beyond the last step means full.
        batch_size : int
            Samples worked on at a time; bounds the memory.

        Returns
        -------
        y : ndarray, shape (N, *output_shape)
        """
        x, parts = self._samples(x), []
        lengths = self._lengths(lengths, len(x))
        batch_size = positive_int("Network", "batch_size", batch_size)
        for rows in range(0, max(len(x), 1), batch_size):
            span = slice(rows, rows + batch_size)
            mode = EVAL if lengths is None else Mode(lengths=lengths[span])
            parts.append(np.moveaxis(self.forward(self.enter(x[span]), mode), -1, 0))
        return np.concatenate(parts)

    def predict(self, x: AnyArray, lengths: IntArray | None = None) -> IntArray:
        """The index of the largest output of each sample; the first of equal ones."""
        labels: IntArray = self(x, lengths).argmax(axis=1)
        return labels

    # Copies, manifest and stored state.

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type the network computes in: that of its parameters."""
        for _, layer in self.root.walk():
            for array in layer.params.values():
                return array.dtype
        return np.dtype(np.float32)

    def copy(self) -> Self:
        """A network that shares no array with this one."""
        return self.with_root(self.root.clone())

    def astype(self, dtype: DTypeLike) -> Self:
        """A copy in another precision; complex128 carries a complex step."""
        if (kind := np.dtype(dtype)).kind not in "fc":
            raise ValueError(
                f"astype: dtype is {kind}; expected floating point, such as float64; "
                f"minprune.quantize makes networks of integers"
            )
        return self.with_root(self.root.clone(dtype))

    def with_root(self, root: Layer) -> Self:
        """A network with the door of this one around another root."""
        return type(self)(
            root,
            self.input_shape,
            classes=self.classes,
            scale=self.scale.copy(),
            offset=self.offset.copy(),
        )

    def bytes(self) -> int:
        """Resident bytes of what inference needs: arrays, indices included."""
        door = self.scale.nbytes + self.offset.nbytes
        return door + sum(layer.bytes() for _, layer in self.root.walk())

    def execution_bytes(self) -> int:
        """Bytes of the layouts built from those arrays in order to run fast."""
        return sum(layer.execution_bytes() for _, layer in self.root.walk())

    def macs(self) -> int:
        """Multiply-adds executed on one sample."""
        return self.root.macs(self.input_shape)

    def manifest(self) -> dict[str, Any]:
        """The architecture as JSON values, without any array."""
        return {
            "format": FORMAT,
            "input_shape": list(self.input_shape),
            "classes": list(self.classes),
            "root": tree.describe("", self.root),
        }

    def state(self) -> dict[str, AnyArray]:
        """Every array under its dotted name, weights in their stored form."""
        door = {"preprocess.scale": self.scale, "preprocess.offset": self.offset}
        return door | tree.state(self.root)

    @classmethod
    def from_state(
        cls, manifest: Mapping[str, Any], tensors: Mapping[str, AnyArray]
    ) -> "Network":
        """The network that `manifest` and `state` describe; nothing in them is trusted.

        Raises
        ------
        ValueError
            If the manifest is of a newer format, names an unknown layer or does not
            chain, or if a tensor is missing, left over or of the wrong shape.
        """
        version = manifest.get("format")
        if version != FORMAT:
            raise ValueError(
                f"Network: the manifest has format {version!r}; this version of "
                f"minprune reads format {FORMAT}, so update minprune or write the file "
                f"again"
            )
        try:
            root = tree.rebuild(manifest["root"])
            net = cls(
                root,
                tuple(manifest["input_shape"]),
                classes=tuple(str(name) for name in manifest["classes"]),
                scale=tensors["preprocess.scale"],
                offset=tensors["preprocess.offset"],
            )
        except (KeyError, TypeError, AttributeError, RecursionError) as why:
            raise ValueError(f"Network: the manifest lacks or garbles {why}") from why
        net.restore(tensors)
        return net

    def restore(self, tensors: Mapping[str, AnyArray]) -> None:
        """Take the arrays of `state` into this network, masks included.

        Raises
        ------
        ValueError
            If a tensor is missing, left over or of the wrong shape.
        """
        tree.restore(self.root, tensors, {"preprocess.scale", "preprocess.offset"})

    def _door(self, name: str, value: AnyArray | float) -> FloatArray:
        """A scale or offset with as many axes as a sample."""
        array = np.asarray(value, np.float32)
        finite("Network", **{name: array})
        if array.ndim == 0:
            array = array.reshape((1,) * len(self.input_shape))
        try:
            fits = np.broadcast_shapes(array.shape, self.input_shape)
        except ValueError:
            fits = ()
        if fits != self.input_shape or array.ndim != len(self.input_shape):
            raise ValueError(
                f"Network: {name} has shape {array.shape}; expected a number, or "
                f"{len(self.input_shape)} axes that broadcast to {self.input_shape}"
            )
        return array

    def __repr__(self) -> str:
        text = json.dumps(list(self.input_shape))
        weights = sum(weight.size for weight in self.weights().values())
        return f"Network(input={text}, layers={len(self.layers())}, weights={weights})"
