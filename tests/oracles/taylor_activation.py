"""Taylor criteria on activations: a gate on every place of every example, in loops.

`losses[n]` is the loss of example n as a function of its maps, (channels, places);
`maps[n]` are those maps.
"""

import math

import numpy as np

from tests.oracles.network import slope


def _slopes(losses, maps):
    """Slope of every example's loss in a gate on each place of each channel."""
    return [
        slope(lambda gates, loss=loss, a=a: loss(gates * a), np.ones(a.shape))
        for loss, a in zip(losses, maps, strict=True)
    ]


def _over_length(scores):
    length = math.sqrt(math.fsum(s * s for s in scores))
    return np.array([s / length if length else 0.0 for s in scores])


def taylor_activation(losses, maps):
    """The size of an example's mean slope, averaged over the examples."""
    slopes = _slopes(losses, maps)
    channels, places = maps[0].shape
    return _over_length(
        [
            math.fsum(abs(math.fsum(s[c]) / places) for s in slopes) / len(slopes)
            for c in range(channels)
        ]
    )


def taylor_activation_nvlabs(losses, maps):
    """The average size of a place's slope."""
    slopes = _slopes(losses, maps)
    channels, places = maps[0].shape
    return _over_length(
        [
            math.fsum(abs(x) for s in slopes for x in s[c]) / places / len(slopes)
            for c in range(channels)
        ]
    )


def taylor_activation_jacobgil(losses, maps):
    """The size of the average slope."""
    slopes = _slopes(losses, maps)
    channels, places = maps[0].shape
    return _over_length(
        [
            abs(math.fsum(x for s in slopes for x in s[c])) / places / len(slopes)
            for c in range(channels)
        ]
    )


def _in_channel_gates(loss, a):
    """Slope of one example's loss in a gate on each whole channel."""
    return slope(lambda gates: loss(gates[:, None] * a), np.ones(len(a)))


def taylor_gate(losses, maps):
    """The squared slope of the mean loss in a gate on a channel."""
    slopes = [_in_channel_gates(*pair) for pair in zip(losses, maps, strict=True)]
    return (sum(slopes) / len(slopes)) ** 2


def taylor_gate_by_example(losses, maps):
    """The squared slope of an example's loss, averaged over the examples."""
    slopes = [_in_channel_gates(*pair) for pair in zip(losses, maps, strict=True)]
    return sum(s**2 for s in slopes) / len(slopes)
