"""The loops that define every sparse product. Nothing here is fast; all of it is meant.

    forward          y  = W x
    input gradient   dx = W' dy
    weight gradient  dW = dy x', at the stored positions only

for a linear layer in rows, for one in blocks, and for a convolution. Sums run in the
order that is written, each product and each sum is rounded by itself, and so the
compiled loops give the bits of the Python text. The fast kernels are held to the same
exact sums as these; nothing but the tests calls them.
"""

from minprune._check import FloatArray, IntArray
from minprune.nn.window import Pair, Window
from minprune.sparse.kernels._jit import kernel


@kernel
def linear_forward(
    indptr: IntArray,
    indices: IntArray,
    values: FloatArray,
    x: FloatArray,
    y: FloatArray,
) -> None:
    """y[i, b] = sum over k stored in row i of values[k] * x[indices[k], b]."""
    for i in range(y.shape[0]):
        for b in range(y.shape[1]):
            y[i, b] = 0.0
        for k in range(indptr[i], indptr[i + 1]):
            for b in range(y.shape[1]):
                y[i, b] += values[k] * x[indices[k], b]


@kernel
def linear_input_gradient(
    indptr: IntArray,
    indices: IntArray,
    values: FloatArray,
    dy: FloatArray,
    dx: FloatArray,
) -> None:
    """dx[j, b] = sum over k stored in column j of values[k] * dy[row of k, b]."""
    for j in range(dx.shape[0]):
        for b in range(dx.shape[1]):
            dx[j, b] = 0.0
    for i in range(dy.shape[0]):
        for k in range(indptr[i], indptr[i + 1]):
            for b in range(dy.shape[1]):
                dx[indices[k], b] += values[k] * dy[i, b]


@kernel
def linear_weight_gradient(
    indptr: IntArray, indices: IntArray, x: FloatArray, dy: FloatArray, g: FloatArray
) -> None:
    """g[k] = sum_b x[indices[k], b] * dy[i, b] for every k stored in row i."""
    for i in range(dy.shape[0]):
        for k in range(indptr[i], indptr[i + 1]):
            g[k] = 0.0
            for b in range(dy.shape[1]):
                g[k] += x[indices[k], b] * dy[i, b]


@kernel
def block_forward(
    indptr: IntArray,
    indices: IntArray,
    values: FloatArray,
    x: FloatArray,
    y: FloatArray,
) -> None:
    """y[i, b] = sum over the blocks k of i's row of values[k, r, c] * x[j, b].

    Weight (r, c) of block k stands in row ``R * row + r`` and column
    ``C * indices[k] + c``; beyond the edge there is only padding.
    """
    height, breadth = values.shape[1], values.shape[2]
    y[:] = 0.0
    for row in range(len(indptr) - 1):
        for k in range(indptr[row], indptr[row + 1]):
            for r in range(min(height, y.shape[0] - row * height)):
                for c in range(min(breadth, x.shape[0] - indices[k] * breadth)):
                    i, j = row * height + r, indices[k] * breadth + c
                    for b in range(y.shape[1]):
                        y[i, b] += values[k, r, c] * x[j, b]


@kernel
def block_input_gradient(
    indptr: IntArray,
    indices: IntArray,
    values: FloatArray,
    dy: FloatArray,
    dx: FloatArray,
) -> None:
    """dx[j, b] = sum over the weights of column j of values[k, r, c] * dy[i, b]."""
    height, breadth = values.shape[1], values.shape[2]
    dx[:] = 0.0
    for row in range(len(indptr) - 1):
        for k in range(indptr[row], indptr[row + 1]):
            for r in range(min(height, dy.shape[0] - row * height)):
                for c in range(min(breadth, dx.shape[0] - indices[k] * breadth)):
                    i, j = row * height + r, indices[k] * breadth + c
                    for b in range(dy.shape[1]):
                        dx[j, b] += values[k, r, c] * dy[i, b]


@kernel
def block_weight_gradient(
    indptr: IntArray, indices: IntArray, x: FloatArray, dy: FloatArray, g: FloatArray
) -> None:
    """g[k, r, c] = sum_b x[j, b] * dy[i, b]; zero where a block is padding."""
    height, breadth = g.shape[1], g.shape[2]
    g[:] = 0.0
    for row in range(len(indptr) - 1):
        for k in range(indptr[row], indptr[row + 1]):
            for r in range(min(height, dy.shape[0] - row * height)):
                for c in range(min(breadth, x.shape[0] - indices[k] * breadth)):
                    i, j = row * height + r, indices[k] * breadth + c
                    for b in range(dy.shape[1]):
                        g[k, r, c] += x[j, b] * dy[i, b]


@kernel
def convolution_forward(
    indptr: IntArray,
    indices: IntArray,
    values: FloatArray,
    geometry: tuple[int, ...],
    x: FloatArray,
    y: FloatArray,
) -> None:
    """y[o, p, q] = sum_k values[k] * x[c, p sh + i dh - top, q sw + j dw - left].

    Weight k of row o stands for the channel c and the tap (i, j); x is zero outside.
    """
    kh, kw, sh, sw, dh, dw, top, left, group_out, group_in = geometry
    for o in range(y.shape[0]):
        y[o] = 0.0
        for k in range(indptr[o], indptr[o + 1]):
            c, tap = divmod(indices[k], kh * kw)
            c += o // group_out * group_in
            i, j = divmod(tap, kw)
            for p in range(y.shape[1]):
                for q in range(y.shape[2]):
                    h, w = p * sh + i * dh - top, q * sw + j * dw - left
                    if 0 <= h < x.shape[1] and 0 <= w < x.shape[2]:
                        for n in range(y.shape[3]):
                            y[o, p, q, n] += values[k] * x[c, h, w, n]


@kernel
def convolution_input_gradient(
    indptr: IntArray,
    indices: IntArray,
    values: FloatArray,
    geometry: tuple[int, ...],
    dy: FloatArray,
    dx: FloatArray,
) -> None:
    """Hand dy[o, p, q] back to every input it was made from, times its weight."""
    kh, kw, sh, sw, dh, dw, top, left, group_out, group_in = geometry
    dx[:] = 0.0
    for o in range(dy.shape[0]):
        for k in range(indptr[o], indptr[o + 1]):
            c, tap = divmod(indices[k], kh * kw)
            c += o // group_out * group_in
            i, j = divmod(tap, kw)
            for p in range(dy.shape[1]):
                for q in range(dy.shape[2]):
                    h, w = p * sh + i * dh - top, q * sw + j * dw - left
                    if 0 <= h < dx.shape[1] and 0 <= w < dx.shape[2]:
                        for n in range(dy.shape[3]):
                            dx[c, h, w, n] += values[k] * dy[o, p, q, n]


@kernel
def convolution_weight_gradient(
    indptr: IntArray,
    indices: IntArray,
    geometry: tuple[int, ...],
    x: FloatArray,
    dy: FloatArray,
    g: FloatArray,
) -> None:
    """g[k] = sum over positions and samples of dy times the input that weight k saw."""
    kh, kw, sh, sw, dh, dw, top, left, group_out, group_in = geometry
    for o in range(dy.shape[0]):
        for k in range(indptr[o], indptr[o + 1]):
            g[k] = 0.0
            c, tap = divmod(indices[k], kh * kw)
            c += o // group_out * group_in
            i, j = divmod(tap, kw)
            for p in range(dy.shape[1]):
                for q in range(dy.shape[2]):
                    h, w = p * sh + i * dh - top, q * sw + j * dw - left
                    if 0 <= h < x.shape[1] and 0 <= w < x.shape[2]:
                        for n in range(dy.shape[3]):
                            g[k] += x[c, h, w, n] * dy[o, p, q, n]


def geometry(window: Window, shape: Pair, groups: int) -> tuple[int, ...]:
    """What the loops above need to know, for a weight of shape (out, K)."""
    taps = window.kernel[0] * window.kernel[1]
    corner = window.padding[0][0], window.padding[1][0]
    return (
        *window.kernel,
        *window.stride,
        *window.dilation,
        *corner,
        shape[0] // groups,
        shape[1] // taps,
    )
