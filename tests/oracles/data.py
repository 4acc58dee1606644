"""MNIST-1D from its description, one curve after the other, in plain Python.

Slow, with the Gaussian filter written out as a sum over a mirrored signal and the
interpolation as one straight line at a time. Only the random numbers are NumPy's: the
stream is part of the definition.
"""

import math

import numpy as np

SHAPES = (
    (5, 6, 6.5, 6.75, 7, 7, 7, 7, 6.75, 6.5, 6, 5),
    (5, 3, 3, 3.4, 3.8, 4.2, 4.6, 5, 5.4, 5.8, 5, 5),
    (5, 6, 6.5, 6.5, 6, 5.25, 4.75, 4, 3.5, 3.5, 4, 5),
    (5, 6, 6.5, 6.5, 6, 5, 5, 6, 6.5, 6.5, 6, 5),
    (5, 4.4, 3.8, 3.2, 2.6, 2.6, 5, 5, 5, 5, 5, 5),
    (5, 3, 3, 3, 3, 5, 6, 6.5, 6.5, 6, 4.5, 5),
    (5, 4, 3.5, 3.25, 3, 3, 3, 3, 3.25, 3.5, 4, 5),
    (5, 7, 7, 6.6, 6.2, 5.8, 5.4, 5, 4.6, 4.2, 5, 5),
    (5, 4, 3.5, 3.5, 4, 5, 5, 4, 3.5, 3.5, 4, 5),
    (5, 4, 3.5, 3.5, 4, 5, 5, 5, 5, 4.7, 4.3, 5),
)


def mnist1d_curves(seed, count):
    """The first `count` curves, before the random order and the standardizing."""
    rng = np.random.RandomState(seed)
    return [_curve(_template(SHAPES[i // 500]), rng) for i in range(count)]


def _template(row):
    """Zero mean and unit spread, then moved to start at zero and divided by six."""
    mean = sum(row) / len(row)
    spread = math.sqrt(sum((v - mean) ** 2 for v in row) / len(row))
    scaled = [(v - mean) / spread for v in row]
    return [(v - scaled[0]) / 6 for v in scaled]


def _curve(template, rng):
    padding = 36 + int(rng.rand() * 25)
    signal = _stretch([v + 1e-8 for v in template] + [0.0] * padding, 72)
    gain = 1 + 0.4 * (rng.rand() - 0.5)
    signal = [gain * v for v in signal]
    shift = rng.choice(48)
    signal = [signal[(t - shift) % 72] for t in range(72)]
    noise = _blur([0.25 * v for v in rng.randn(72)], sigma=2, radius=8)
    signal = [n if v == 0 else v for v, n in zip(signal, noise, strict=True)]
    signal = [v + 0.02 * n for v, n in zip(signal, rng.randn(72), strict=True)]
    slope = 0.75 * (rng.rand() - 0.5)
    signal = [v - slope * (t / 71 - 0.5) for t, v in enumerate(signal)]
    return _stretch(signal, 40)


def _stretch(values, points):
    """Values at `points` evenly spaced places from the first to the last."""
    out = []
    for i in range(points):
        place = i * (len(values) - 1) / (points - 1)
        left = min(int(place), len(values) - 2)
        part = place - left
        out.append((1 - part) * values[left] + part * values[left + 1])
    return out


def _blur(values, sigma, radius):
    """Gaussian-weighted mean over the signal, mirrored with its end value repeated."""
    offsets = range(-radius, radius + 1)
    weights = [math.exp(-0.5 * (k / sigma) ** 2) for k in offsets]
    mirrored = values[radius - 1 :: -1] + values + values[: -radius - 1 : -1]
    return [
        sum(w * mirrored[i + j] for j, w in enumerate(weights)) / sum(weights)
        for i in range(len(values))
    ]
