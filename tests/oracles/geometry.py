"""Geometry criteria pair by pair, in plain Python."""

import math

import numpy as np


def _points(weight):
    return [[float(v) for v in row] for row in weight.reshape(len(weight), -1)]


def fpgm(weight):
    points = _points(weight)
    return np.array([math.fsum(math.dist(p, q) for q in points) for p in points])


def fpgm_two_stage(weight, by_norm):
    """Two piles: the small ones by norm, the others by distance within their pile."""
    points = _points(weight)
    norms = [math.hypot(*p) for p in points]
    small = sorted(range(len(points)), key=lambda i: (norms[i], i))[:by_norm]
    rest = [i for i in range(len(points)) if i not in small]
    far = {i: math.fsum(math.dist(points[i], points[j]) for j in rest) for i in rest}
    order = small + sorted(rest, key=lambda i: (far[i], i))
    return np.array([order.index(i) for i in range(len(points))], float)


def fpgm_of_squares(weight):
    return fpgm(weight * weight)


def cosine_redundancy(weight):
    """From the angle's chord: cos = 1 - |u - v|^2 / 2 for unit vectors u and v."""
    points = _points(weight)
    units = [[v / math.hypot(*p) for v in p] for p in points]
    out = []
    for i, u in enumerate(units):
        chords = [math.dist(u, v) for j, v in enumerate(units) if j != i]
        out.append(min(chords) ** 2 / 2)
    return np.array(out)
