"""The sparse layers: linear, and convolution over one or two axes.

They take the arguments of the dense layers, `format` and `block` besides, and are
trained, measured and stored like any other.
"""

from typing import Self

from minprune.nn.conv import Conv1d, Conv2d, Convolution
from minprune.nn.layer import register
from minprune.nn.linear import Linear
from minprune.nn.window import Padding, Size
from minprune.sparse.base import Block, SparseLayer
from minprune.sparse.products import Products, ScipyConvolution, ScipyLinear


@register("SparseLinear")
class SparseLinear(SparseLayer, Linear):
    """A fully connected layer that holds only the weights it keeps.

    Parameters
    ----------
    in_features, out_features, bias
        As in `Linear`.
    format : str
        ``"csr"``, or ``"bsr"`` for whole blocks.
    block : tuple of int, optional
        Rows and columns of a block, for ``"bsr"``.

    See Also
    --------
    Linear : The same map with every weight held.

    Examples
    --------
    >>> import numpy as np
    >>> dense = Linear(3, 2)
    >>> dense.params["weight"][:] = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
    >>> dense.set_mask("weight", np.array([[True, False, True], [False, False, False]]))
    >>> layer = SparseLinear.from_dense(dense)
    >>> layer.params["weight"], layer.macs((3,)), dense.macs((3,))
    (array([1., 3.], dtype=float32), 2, 6)
    >>> layer.forward(np.array([[1.0], [1.0], [1.0]])).tolist()
    [[4.0], [0.0]]
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        format: str = "csr",
        block: Block | list[int] | None = None,
    ) -> None:
        self._in(format, block)
        Linear.__init__(self, in_features, out_features, bias)

    @classmethod
    def from_dense(
        cls, layer: Linear, format: str = "csr", block: Block | None = None
    ) -> Self:
        """The layer that stores what the mask of a dense one keeps."""
        sparse = cls(**layer.arguments(), format=format, block=block)
        sparse.take(layer)
        return sparse

    def to_dense(self) -> Linear:
        """The dense layer of equal weights, with its mask."""
        dense = Linear(**self.dense_arguments())
        self.give(dense)
        return dense

    def _build_products(self, by_scipy: bool) -> Products:
        if by_scipy:
            return ScipyLinear(self.pattern)
        from minprune.sparse.kernels import linear_products

        return linear_products(self.pattern)


class SparseConvolution(SparseLayer, Convolution):
    """What SparseConv1d and SparseConv2d share; the weight is seen as (out, K)."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Padding = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
        format: str = "csr",
        block: Block | list[int] | None = None,
    ) -> None:
        self._in(format, block)
        Convolution.__init__(
            self,
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            bias,
        )

    @classmethod
    def from_dense(
        cls, layer: Convolution, format: str = "csr", block: Block | None = None
    ) -> Self:
        """The layer that stores what the mask of a dense one keeps."""
        sparse = cls(**layer.arguments(), format=format, block=block)
        sparse.take(layer)
        return sparse

    def to_dense(self) -> Convolution:
        """The dense layer of equal weights, with its mask."""
        dense = (Conv1d if self.axes == 1 else Conv2d)(**self.dense_arguments())
        self.give(dense)
        return dense

    def _build_products(self, by_scipy: bool) -> Products:
        if by_scipy:
            return ScipyConvolution(self.pattern, self.window, self.groups)
        from minprune.sparse.kernels import ConvolutionProducts

        return ConvolutionProducts(
            self.pattern, self.window, self.groups, self.in_channels
        )


@register("SparseConv1d")
class SparseConv1d(SparseConvolution, Conv1d):
    """Convolution of signals that holds only the weights it keeps.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias
        As in `Conv1d`.
    format, block
        As in `SparseLinear`; blocks tile the (out, in/groups * k) view of the weight.
    """


@register("SparseConv2d")
class SparseConv2d(SparseConvolution, Conv2d):
    """Convolution of planes that holds only the weights it keeps.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias
        As in `Conv2d`.
    format, block
        As in `SparseLinear`; blocks tile the (out, in/groups * kh * kw) view of the
        weight.
    """
