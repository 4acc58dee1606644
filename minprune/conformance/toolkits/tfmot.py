"""TensorFlow Model Optimization: prune_low_magnitude, its schedules, its saved models.

It ranks the absolute values of kernels: scores are given as kernels. Kernels are
(in, out) and (height, width, in, out) there, so weights are turned on the way in and
masks on the way out. One training step on a batch of zeros makes it update its masks.
"""

from __future__ import annotations

import os
import tempfile
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from minprune.conformance.adapter import Toolkit, Unsupported

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")  # it knows no other Keras
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf
import tf_keras as keras
from tensorflow_model_optimization.sparsity import keras as sparsity_keras

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minprune._check import AnyArray, BoolArray, FloatArray

POWER = {"linear": 1, "cubic": 3}


class Adapter(Toolkit):
    """Conversions only."""

    name = "TensorFlow Model Optimization"
    version = version("tensorflow-model-optimization")

    def mask(
        self,
        scores: Mapping[str, FloatArray],
        sparsity: float,
        scope: str,
        min_keep: int | None = None,
        previous: Mapping[str, BoolArray] | None = None,
    ) -> Mapping[str, BoolArray]:
        """See `Toolkit.mask`."""
        if scope != "layer":
            raise Unsupported("network scope")
        if min_keep:
            raise Unsupported("floors")
        return {
            name: _updated(
                score if score.ndim in (2, 4) else score.reshape(len(score), -1),
                sparsity,
                None if previous is None else previous[name],
            ).reshape(score.shape)
            for name, score in scores.items()
        }

    def keep_of_group(
        self, scores: FloatArray, keep: int, group: int, axis: int
    ) -> BoolArray:
        """See `Toolkit.keep_of_group`."""
        if axis != 1:
            raise Unsupported("groups along another axis than the inputs")
        single = scores.astype(np.float32)  # groups of other types raise
        return _updated(single, 0.5, sparsity_m_by_n=(group - keep, group))

    def unit_mask(
        self,
        scores: FloatArray,
        unit: str,
        sparsity: float,
        block: tuple[int, int] | None = None,
    ) -> BoolArray:
        """See `Toolkit.unit_mask`."""
        if scores.ndim != 2:
            raise Unsupported("blocks of a convolution")
        out, into = scores.shape
        rows, columns = block or ((1, into) if unit == "row" else (out, 1))
        return _updated(scores, sparsity, block_size=(columns, rows))

    def schedule(
        self,
        curve: str,
        step: int,
        final: float,
        begin: int,
        end: int,
        frequency: int,
        initial: float,
    ) -> float:
        """See `Toolkit.schedule`."""
        if curve not in POWER:
            raise Unsupported(f"a {curve} schedule")
        schedule = sparsity_keras.PolynomialDecay(
            initial, final, begin, end, POWER[curve], frequency
        )
        level = 0.0
        for now in range(step + 1):
            due, sparsity = schedule(tf.constant(now, tf.int64))
            level = float(sparsity) if due else level
        return level

    def forward(self, weight: FloatArray, mask: BoolArray, x: FloatArray) -> FloatArray:
        """See `Toolkit.forward`."""
        out: FloatArray = _pruned(weight, mask)(x, training=False).numpy()
        return out

    def backward(
        self, weight: FloatArray, mask: BoolArray, x: FloatArray, dy: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """See `Toolkit.backward`."""
        model, given = _pruned(weight, mask), tf.constant(x)
        kernel = model.layers[0].pruning_vars[0][0]
        with tf.GradientTape() as tape:
            tape.watch(given)
            out = model(given, training=False)
        dw, dx = tape.gradient(out, [kernel, given], output_gradients=dy)
        return dw.numpy().T, dx.numpy()

    def store(
        self, weight: FloatArray, mask: BoolArray
    ) -> tuple[FloatArray, BoolArray]:
        """See `Toolkit.store`."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "model.keras")
            _pruned(weight, mask).save(path)
            with sparsity_keras.prune_scope():
                back = keras.models.load_model(path, compile=False)
        back(np.zeros((1, *back.input_shape[1:]), weight.dtype))  # applies the mask
        kernel, kept, _ = back.layers[0].pruning_vars[0]
        return _as_weight(kernel), _as_weight(kept) != 0


def _as_kernel(weight: AnyArray) -> Any:
    """(out, in, ...) to (..., in, out)."""
    return weight.transpose((*range(2, weight.ndim), 1, 0))


def _as_weight(kernel: Any) -> Any:
    """(..., in, out) to (out, in, ...)."""
    array = kernel.numpy()
    return array.transpose((array.ndim - 1, array.ndim - 2, *range(array.ndim - 2)))


def _model(
    weight: FloatArray, mask: BoolArray | None, sparsity: float, **how: Any
) -> Any:
    """One layer wrapped by `prune_low_magnitude`, with its kernel and its mask set."""
    out, into, *kernel = weight.shape
    dtype = str(weight.dtype)
    layer = (
        keras.layers.Conv2D(out, kernel, use_bias=False, dtype=dtype)
        if kernel
        else keras.layers.Dense(out, use_bias=False, dtype=dtype)
    )
    schedule = sparsity_keras.ConstantSparsity(sparsity, 0, frequency=1)
    model = keras.Sequential(
        [
            keras.layers.InputLayer((*kernel, into), dtype=dtype),
            sparsity_keras.prune_low_magnitude(layer, schedule, dtype=dtype, **how),
        ]
    )
    for wrapped, kept, _ in model.layers[0].pruning_vars:
        wrapped.assign(_as_kernel(weight))
        if mask is not None:
            kept.assign(_as_kernel(mask).astype(dtype))
    return model


def _updated(
    scores: FloatArray, sparsity: float, mask: BoolArray | None = None, **how: Any
) -> BoolArray:
    """The mask after the first training step."""
    if (scores < 0).any():
        raise Unsupported("negative scores: absolute values of weights are ranked")
    earlier = None if mask is None else mask.reshape(scores.shape)
    model = _model(scores, earlier, sparsity, **how)
    (layer,) = model.layers
    layer.pruning_step.assign(0)  # as its callback does when training begins
    layer(np.zeros((1, *model.input_shape[1:]), scores.dtype), training=True)
    found: BoolArray = _as_weight(layer.pruning_vars[0][1]) != 0
    return found


def _pruned(weight: FloatArray, mask: BoolArray) -> Any:
    """A model of one layer under a mask."""
    return _model(weight, mask, 0.5)
