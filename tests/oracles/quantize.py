"""Quantized inference in exact numbers: one entry at a time, integers and Fractions."""

from fractions import Fraction
from math import floor


def round_half_up(value):
    return floor(value + Fraction(1, 2))


def round_half_away(value):
    size = floor(abs(value) + Fraction(1, 2))
    return -size if value < 0 else size


def rescaled(x, multiplier, exponent):
    """What x * multiplier * 2**(exponent - 31) is after its two roundings."""
    left, right = max(exponent, 0), max(-exponent, 0)
    high = round_half_up(Fraction(x * 2**left * multiplier, 2**31))
    return round_half_away(Fraction(high, 2**right))


def clamped(value, low, high):
    return max(low, min(high, value))


def seen(plane, c, i, j, border):
    """Entry (i, j) of channel c, or what surrounds the plane."""
    inside = 0 <= i < len(plane[0]) and 0 <= j < len(plane[0][0])
    return plane[c][i][j] if inside else border


def places(window, out):
    """Every output position with the (tap, row, column) triples it looks at."""
    (kh, kw), (sh, sw), ((top, _), (left, _)), (dh, dw) = window
    for p in range(out[1]):
        for q in range(out[2]):
            taps = [
                (i * kw + j, p * sh + i * dh - top, q * sw + j * dw - left)
                for i in range(kh)
                for j in range(kw)
            ]
            yield p, q, taps


def convolution(plane, zero, weight, bias, groups, window, out, finish):
    """The sums of w (x - zero) + bias, each handed to finish(channel, sum)."""
    taps_in_all = window[0][0] * window[0][1]
    result = [[[0] * out[2] for _ in range(out[1])] for _ in range(out[0])]
    channels = len(plane) // groups
    for o in range(out[0]):
        first = o // (out[0] // groups) * channels
        for p, q, taps in places(window, out):
            total = bias[o]
            for c in range(channels):
                for tap, i, j in taps:
                    x = seen(plane, first + c, i, j, zero)
                    total += weight[o][c * taps_in_all + tap] * (x - zero)
            result[o][p][q] = finish(o, total)
    return result


def pool(plane, zero, largest, window, out, low, high):
    result = [[[0] * out[2] for _ in range(out[1])] for _ in range(out[0])]
    for c in range(out[0]):
        for p, q, taps in places(window, out):
            if largest:
                value = max(seen(plane, c, i, j, -128) for _, i, j in taps)
            else:
                total = sum(seen(plane, c, i, j, zero) for _, i, j in taps)
                value = round_half_away(Fraction(total, len(taps)))
            result[c][p][q] = clamped(value, low, high)
    return result


def sum_of(a, b, zeros, factors, out_zero, low, high):
    """Both sides raised by 20 bits, rescaled, added, rescaled to the result."""
    left, right, out = factors
    total = rescaled((a - zeros[0]) * 2**20, *left)
    total += rescaled((b - zeros[1]) * 2**20, *right)
    return clamped(rescaled(total, *out) + out_zero, low, high)
