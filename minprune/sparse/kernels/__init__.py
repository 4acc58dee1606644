"""Loops over stored weights, compiled when they are first called.

Importing this package imports Numba; nothing else in `minprune` does.
"""

from minprune.sparse.kernels.block import BlockProducts
from minprune.sparse.kernels.conv import ConvolutionProducts
from minprune.sparse.kernels.linear import LinearProducts
from minprune.sparse.products import Pattern

__all__ = ["BlockProducts", "ConvolutionProducts", "LinearProducts", "linear_products"]


def linear_products(pattern: Pattern) -> LinearProducts:
    """The products of a linear layer that suit its pattern."""
    if BlockProducts.fits(pattern):
        return BlockProducts(pattern)
    return LinearProducts(pattern)
