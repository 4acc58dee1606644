"""The three products of a sparse layer: forward, and the two halves of its backward.

    forward          y  = W x
    input gradient   dx = W' dy
    weight gradient  dW = dy x', at the stored positions only

for a linear layer with samples as columns, and the same of the unfolded patches for a
convolution. Whoever computes them implements `Products`; a layer cannot tell which it
has. The ones here are scipy's, for complex numbers and where Numba is not installed;
the fast ones are in `minprune.sparse.kernels`.
"""

import warnings
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from minprune._check import AnyArray, FloatArray
from minprune.nn.conv import fold, unfold
from minprune.nn.window import Window, planes
from minprune.sparse.bsr import BSR
from minprune.sparse.csr import CSR

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Pattern = CSR | BSR

CHUNK = 2**20
"""Products that the weight gradient holds at once."""


class Products(Protocol):
    """What a sparse layer asks of whoever multiplies for it."""

    def forward(
        self, values: FloatArray, bias: FloatArray | None, x: FloatArray
    ) -> FloatArray:
        """(in..., N) -> (out..., N), bias added where there is one."""
        ...

    def backward(
        self, values: FloatArray, x: FloatArray, dy: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Both gradients: (in..., N), and at every stored weight."""
        ...

    def weight_gradient(self, x: FloatArray, dy: FloatArray) -> FloatArray:
        """The gradient at every stored weight, in the shape of the values."""
        ...

    @property
    def nbytes(self) -> int:
        """Bytes held besides the pattern and its values."""
        ...


class ScipyLinear:
    """Products of a linear layer by scipy."""

    nbytes = 0

    def __init__(self, pattern: Pattern) -> None:
        self.pattern = pattern

    def _matrix(self, values: FloatArray) -> "csr_array":
        return _matrix(self.pattern, values)

    def forward(
        self, values: FloatArray, bias: FloatArray | None, x: FloatArray
    ) -> FloatArray:
        """See `Products.forward`."""
        y: FloatArray = self._matrix(values) @ x
        return y if bias is None else y + bias[:, None]

    def backward(
        self, values: FloatArray, x: FloatArray, dy: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """See `Products.backward`."""
        return self._matrix(values).T @ dy, self.weight_gradient(x, dy)

    def weight_gradient(self, x: FloatArray, dy: FloatArray) -> FloatArray:
        """See `Products.weight_gradient`."""
        return _sampled(self.pattern, self.pattern.entries().columns, x, dy)


class ScipyConvolution:
    """Products of a convolution by scipy, over unfolded patches.

    Patches are (groups * K, positions). A row of the weight sees those of its group:
    its columns are shifted by group * K, and the convolution is one product.
    """

    nbytes = 0

    def __init__(self, pattern: Pattern, window: Window, groups: int) -> None:
        self.pattern, self.window, self.groups = pattern, window, groups
        rows, columns, _ = pattern.entries()
        out, k = pattern.shape
        self.columns = columns + rows // (out // groups) * k

    def _unfolded(self, x: FloatArray) -> tuple[FloatArray, tuple[int, int, int]]:
        padded = self.window.pad(x)
        rows, columns = self.window.output("sparse convolution", *x.shape[1:3])
        patches = unfold(padded, self.window, self.groups, 0, rows, columns)
        k = self.groups * self.pattern.shape[1]
        return patches.reshape(k, -1), (rows, columns, x.shape[3])

    def _matrix(self, values: FloatArray) -> "csr_array":
        width = self.groups * self.pattern.shape[1]
        return _matrix(self.pattern, values, self.columns, width)

    def forward(
        self, values: FloatArray, bias: FloatArray | None, x: FloatArray
    ) -> FloatArray:
        """See `Products.forward`."""
        patches, shape = self._unfolded(planes(x))
        y: FloatArray = self._matrix(values) @ patches
        if bias is not None:
            y = y + bias[:, None]
        return y.reshape(len(y), *shape[4 - x.ndim :])

    def backward(
        self, values: FloatArray, x: FloatArray, dy: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """See `Products.backward`."""
        patches = self._matrix(values).T @ dy.reshape(len(dy), -1)
        d_padded = np.zeros(self.window.pad(planes(x)).shape, patches.dtype)
        rows, columns, batch = planes(dy).shape[1:]
        fold(patches, d_padded, self.window, 0, (rows, columns, batch))
        dx: FloatArray = self.window.crop(d_padded, *planes(x).shape[1:3])
        return dx.reshape(x.shape), self.weight_gradient(x, dy)

    def weight_gradient(self, x: FloatArray, dy: FloatArray) -> FloatArray:
        """See `Products.weight_gradient`."""
        patches, _ = self._unfolded(planes(x))
        return _sampled(self.pattern, self.columns, patches, dy.reshape(len(dy), -1))


def _matrix(
    pattern: Pattern,
    values: FloatArray,
    columns: AnyArray | None = None,
    width: int | None = None,
) -> "csr_array":
    """The weights as scipy's rows, blocks taken apart."""
    from scipy.sparse import csr_array

    rows, own, where = pattern.entries()
    indptr = np.searchsorted(rows, np.arange(pattern.shape[0] + 1))
    data = values.reshape(-1) if where is None else values.reshape(-1)[where]
    shape = (pattern.shape[0], pattern.shape[1] if width is None else width)
    return csr_array((data, own if columns is None else columns, indptr), shape=shape)


def _sampled(
    pattern: Pattern, columns: AnyArray, x: FloatArray, dy: FloatArray
) -> FloatArray:
    """Entries (row, column) of dy x' where a weight is stored, a chunk at a time."""
    rows, _, where = pattern.entries()
    gradient = np.zeros(pattern.values_shape, np.result_type(x, dy))
    flat = gradient.reshape(-1)
    step = max(1, CHUNK // max(1, x.shape[1]))
    for start in range(0, len(rows), step):
        span = slice(start, start + step)
        place = span if where is None else where[span]
        flat[place] = np.einsum("kn,kn->k", dy[rows[span]], x[columns[span]])
    return gradient


@cache
def numba_is_there() -> bool:
    """Whether the fast kernels can be had; says so once if not."""
    if find_spec("numba") is not None:
        return True
    warnings.warn(
        "minprune.sparse: numba is not installed, so scipy multiplies instead, several "
        "times slower; `pip install numba` brings the kernels",
        RuntimeWarning,
        stacklevel=2,
    )
    return False


def scipy_multiplies(dtype: np.dtype[Any]) -> bool:
    """Whether numbers of this type go to scipy: complex ones, and all without Numba."""
    return dtype.kind == "c" or not numba_is_there()
