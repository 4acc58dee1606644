"""Sparse products in exact arithmetic, from nothing but who meets whom.

A layer is a list of meetings: (output, weight, input) whose numbers are multiplied.
All three products follow from it: the output gathers weight times input, the input's
gradient gathers weight times output gradient, the weight's gathers input times output
gradient. Each entry is returned as its terms, so that both the exact sum and the sum
of magnitudes, which the error bound is made of, can be had from them.
"""

from collections import defaultdict
from itertools import product

import numpy as np


def linear(out, inside):
    """Every output meets every input."""
    return [((i,), (i, j), (j,)) for i, j in product(range(out), range(inside))]


def convolution(weight_shape, plane, groups, stride, padding, dilation):
    """Output (o, p, q) meets input (c, h, w) where a tap of its window lies on it.

    `plane` is (H, W), `padding` ((top, bottom), (left, right)).
    """
    out, inside, kh, kw = weight_shape
    (height, width), ((top, bottom), (left, right)) = plane, padding
    rows = (height + top + bottom - (kh - 1) * dilation[0] - 1) // stride[0] + 1
    columns = (width + left + right - (kw - 1) * dilation[1] - 1) // stride[1] + 1
    found = []
    for o, c, i, j in product(range(out), range(inside), range(kh), range(kw)):
        channel = o // (out // groups) * inside + c
        for p, q in product(range(rows), range(columns)):
            h = p * stride[0] + i * dilation[0] - top
            w = q * stride[1] + j * dilation[1] - left
            if 0 <= h < height and 0 <= w < width:
                found.append(((o, p, q), (o, c, i, j), (channel, h, w)))
    return found


def exact(array):
    """The numbers of an array times 2^160, as integers of any length."""
    whole = np.empty(array.shape, object)
    for index, number in np.ndenumerate(array):
        above, below = float(number).as_integer_ratio()
        whole[index] = above * (2**160 // below)
        assert 2**160 % below == 0, "a number too small to scale"
    return whole


def forward(meetings, weight, mask, bias, x):
    """{(*output, sample): terms}."""
    terms = defaultdict(list)
    weight, bias, x = exact(weight), exact(bias), exact(x)
    for out, where, at in meetings:
        if mask[where]:
            for n in range(x.shape[-1]):
                terms[(*out, n)].append(weight[where] * x[(*at, n)])
    for out, n in product({out for out, _, _ in meetings}, range(x.shape[-1])):
        terms[(*out, n)].append(bias[out[0]] * 2**160)
    return terms


def input_gradient(meetings, weight, mask, dy):
    """{(*input, sample): terms}."""
    terms = defaultdict(list)
    weight, dy = exact(weight), exact(dy)
    for out, where, at in meetings:
        if mask[where]:
            for n in range(dy.shape[-1]):
                terms[(*at, n)].append(weight[where] * dy[(*out, n)])
    return terms


def weight_gradient(meetings, mask, x, dy):
    """{weight: terms}, for the weights that are kept."""
    terms = defaultdict(list)
    x, dy = exact(x), exact(dy)
    for out, where, at in meetings:
        if mask[where]:
            for n in range(x.shape[-1]):
                terms[where].append(x[(*at, n)] * dy[(*out, n)])
    return terms


def beyond(got, terms, digits):
    """Indices of the entries that err by more than sums of products may.

    Higham 2002, Sec. 3.1: in any order of summation, fused or not, the error of n
    products is at most gamma_n = n u / (1 - n u) times the sum of their magnitudes,
    with unit roundoff u = 2^-digits. All of it is whole numbers here, times 2^320;
    entries without terms must be zero.
    """
    found = []
    for index, number in np.ndenumerate(exact(got)):
        error = abs(number * 2**160 - sum(terms[index]))
        n, size = len(terms[index]), sum(map(abs, terms[index]))
        if error * (2**digits - n) > n * size:
            found.append(index)
    return found
