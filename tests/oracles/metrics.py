"""Metrics by counting one at a time: no arrays of masks, no vector operations."""

from fractions import Fraction


def accuracy(predicted, labels):
    """Right answers over answers, exactly."""
    right = sum(int(p) == int(t) for p, t in zip(predicted, labels, strict=True))
    return Fraction(right, len(labels))


def conv_macs(shape, weight_shape, kept, stride, padding, dilation):
    """Products of a convolution on one sample, by visiting every output position."""
    _, height, width = shape
    _, _, kh, kw = weight_shape
    positions = 0
    top = -padding
    while top + (kh - 1) * dilation < height + padding:
        left = -padding
        while left + (kw - 1) * dilation < width + padding:
            positions += 1
            left += stride
        top += stride
    return positions * kept


def product_in_order(matrix, vector, order):
    """Matrix times vector, summed in the given order, in the type of the vector."""
    sums = []
    for row in matrix:
        total = vector.dtype.type(0)
        for j in order:
            total = vector.dtype.type(total + row[j] * vector[j])
        sums.append(total)
    return sums
