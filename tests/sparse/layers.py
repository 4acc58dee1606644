"""Pruned layers to test with, and the ways there are to multiply by them."""

from dataclasses import dataclass

import numpy as np

from minprune.nn import Conv1d, Conv2d, Linear
from minprune.nn.window import planes
from minprune.sparse import SparseConv1d, SparseConv2d, SparseLinear
from minprune.sparse.kernels import ConvolutionProducts, linear_products, loops
from minprune.sparse.products import ScipyConvolution, ScipyLinear
from tests.oracles import kernels as oracle


@dataclass
class Case:
    """A dense layer with a mask, its sparse twin, and one batch through both."""

    dense: object
    sparse: object
    x: np.ndarray
    dy: np.ndarray

    @property
    def mask(self):
        return self.dense.masks["weight"]

    def meetings(self):
        """Who meets whom, for the oracle; a signal is a plane of one row."""
        weight = self.dense.params["weight"]
        if weight.ndim == 2:
            return oracle.linear(*weight.shape)
        view, size = self.dense.window, planes(self.x).shape[1:3]
        shape = (*weight.shape[:2], *view.kernel)
        return oracle.convolution(
            shape, size, self.dense.groups, view.stride, view.padding, view.dilation
        )

    def four(self, array):
        """A weight of a signal layer as one of a plane layer."""
        return array[:, :, None] if array.ndim == 3 else array


def random_mask(rng, shape, density, block):
    """A random mask of a weight; of whole blocks of its (out, K) view, if given."""
    rows, columns = shape[0], int(np.prod(shape[1:]))
    height, width = block or (1, 1)
    grid = -(-rows // height), -(-columns // width)
    kept = np.kron(rng.random(grid) < density, np.ones((height, width), bool))
    return kept[:rows, :columns].reshape(shape)


def case(dense, shape, density=0.3, dtype=np.float32, in_blocks=None, seed=0):
    """Fill a dense layer with random weights, prune it, and draw a batch for it."""
    rng = np.random.default_rng(seed)
    weight = dense.params["weight"]
    weight[...] = rng.normal(size=weight.shape)
    if "bias" in dense.params:
        dense.params["bias"][...] = rng.normal(size=len(weight))
    dense.set_mask("weight", random_mask(rng, weight.shape, density, in_blocks))
    dense = dense.clone(dtype)
    kinds = {Linear: SparseLinear, Conv1d: SparseConv1d, Conv2d: SparseConv2d}
    twin = kinds[type(dense)].from_dense(
        dense, "bsr" if in_blocks else "csr", in_blocks
    )
    x = rng.normal(size=shape).astype(dtype)
    dy = rng.normal(size=(*dense.output_shape(shape[:-1]), shape[-1])).astype(dtype)
    return Case(dense, twin, x, dy)


class LinearLoops:
    """The loops that define the products of a linear layer."""

    def __init__(self, pattern):
        self.pattern = pattern

    def forward(self, values, bias, x):
        y = np.empty((self.pattern.shape[0], x.shape[1]), x.dtype)
        loops.linear_forward(self.pattern.indptr, self.pattern.indices, values, x, y)
        return y if bias is None else y + bias[:, None]

    def backward(self, values, x, dy):
        return self._input_gradient(values, dy, x), self.weight_gradient(x, dy)

    def _input_gradient(self, values, dy, x):
        dx = np.empty(x.shape, x.dtype)
        loops.linear_input_gradient(
            self.pattern.indptr, self.pattern.indices, values, dy, dx
        )
        return dx

    def weight_gradient(self, x, dy):
        g = np.empty(self.pattern.stored, x.dtype)
        loops.linear_weight_gradient(
            self.pattern.indptr, self.pattern.indices, x, dy, g
        )
        return g


class BlockLoops:
    """The loops that define the products of a linear layer in blocks."""

    def __init__(self, pattern):
        self.pattern = pattern

    def forward(self, values, bias, x):
        y = np.empty((self.pattern.shape[0], x.shape[1]), x.dtype)
        loops.block_forward(self.pattern.indptr, self.pattern.indices, values, x, y)
        return y if bias is None else y + bias[:, None]

    def backward(self, values, x, dy):
        return self._input_gradient(values, dy, x), self.weight_gradient(x, dy)

    def _input_gradient(self, values, dy, x):
        dx = np.empty(x.shape, x.dtype)
        loops.block_input_gradient(
            self.pattern.indptr, self.pattern.indices, values, dy, dx
        )
        return dx

    def weight_gradient(self, x, dy):
        g = np.empty(self.pattern.values_shape, x.dtype)
        loops.block_weight_gradient(self.pattern.indptr, self.pattern.indices, x, dy, g)
        return g


class ConvolutionLoops:
    """The loops that define the products of a convolution."""

    def __init__(self, pattern, window, groups):
        self.pattern, self.window = pattern, window
        self.geometry = loops.geometry(window, pattern.shape, groups)

    def forward(self, values, bias, x):
        size = self.window.output("loops", *planes(x).shape[1:3])
        y = np.empty((self.pattern.shape[0], *size, x.shape[-1]), x.dtype)
        indptr, indices = self.pattern.indptr, self.pattern.indices
        loops.convolution_forward(indptr, indices, values, self.geometry, planes(x), y)
        y = y if bias is None else y + bias[:, None, None, None]
        return y if x.ndim == 4 else y[:, 0]

    def backward(self, values, x, dy):
        return self._input_gradient(values, dy, x), self.weight_gradient(x, dy)

    def _input_gradient(self, values, dy, x):
        dx = np.empty(planes(x).shape, x.dtype)
        indptr, indices = self.pattern.indptr, self.pattern.indices
        loops.convolution_input_gradient(
            indptr, indices, values, self.geometry, planes(dy), dx
        )
        return dx.reshape(x.shape)

    def weight_gradient(self, x, dy):
        g = np.empty(self.pattern.stored, x.dtype)
        indptr, indices = self.pattern.indptr, self.pattern.indices
        loops.convolution_weight_gradient(
            indptr, indices, self.geometry, planes(x), planes(dy), g
        )
        return g


def multipliers(layer):
    """Everything that can compute the products of a sparse layer, by name."""
    pattern, csr = layer.pattern, layer.pattern.format == "csr"
    if isinstance(layer, SparseLinear):
        found = {
            "strips": linear_products(pattern),
            "scipy": ScipyLinear(pattern),
        }
        return found | {"loops": (LinearLoops if csr else BlockLoops)(pattern)}
    view, groups = layer.window, layer.groups
    found = {
        "strips": ConvolutionProducts(pattern, view, groups, layer.in_channels),
        "scipy": ScipyConvolution(pattern, view, groups),
    }
    return found | ({"loops": ConvolutionLoops(pattern, view, groups)} if csr else {})
