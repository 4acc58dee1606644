"""Sparse products in exact arithmetic, from nothing but who meets whom.

A layer is a list of meetings: (output, weight, input) whose numbers are multiplied. All
three products follow from it: the output gathers weight times input, the input's gradient
gathers weight times output gradient, the weight's gathers input times output gradient.
Each entry is returned as its terms, so that both the exact sum and the sum of magnitudes,
which the error bound is made of, can be had from them.
"""

from collections import defaultdict
from fractions import Fraction
from itertools import product


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


def forward(meetings, weight, mask, bias, x):
    """{(*output, sample): terms}."""
    terms = defaultdict(list)
    for out, where, at in meetings:
        if mask[where]:
            for n in range(x.shape[-1]):
                terms[(*out, n)].append((weight[where], x[(*at, n)]))
    for out, n in product({out for out, _, _ in meetings}, range(x.shape[-1])):
        terms[(*out, n)].append((bias[out[0]], 1))
    return terms


def input_gradient(meetings, weight, mask, dy):
    """{(*input, sample): terms}."""
    terms = defaultdict(list)
    for out, where, at in meetings:
        if mask[where]:
            for n in range(dy.shape[-1]):
                terms[(*at, n)].append((weight[where], dy[(*out, n)]))
    return terms


def weight_gradient(meetings, mask, x, dy):
    """{weight: terms}, for the weights that are kept."""
    terms = defaultdict(list)
    for out, where, at in meetings:
        if mask[where]:
            for n in range(x.shape[-1]):
                terms[where].append((x[(*at, n)], dy[(*out, n)]))
    return terms


def excess(got, terms, digits):
    """How far an array is beyond the bound for sums of products, at worst; 0 if within.

    Higham 2002, Sec. 3.1: in any order of summation, fused or not, the error of n
    products is at most gamma_n = n u / (1 - n u) times the sum of their magnitudes, with
    unit roundoff u = 2^-digits. Entries without terms must be zero.
    """
    worst, unit = Fraction(0), Fraction(1, 2**digits)
    for index, number in got.items():
        pairs = [(Fraction(float(a)), Fraction(float(b))) for a, b in terms[index]]
        exact = sum((a * b for a, b in pairs), Fraction(0))
        size = sum((abs(a * b) for a, b in pairs), Fraction(0))
        gamma = len(pairs) * unit / (1 - len(pairs) * unit)
        worst = max(worst, abs(Fraction(float(number)) - exact) - gamma * size)
    return worst
