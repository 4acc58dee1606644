"""Taylor criteria on filters: a gate on the filter, or one on each of its weights."""

import numpy as np

from tests.oracles.network import slope


def _in_filter_gates(loss, weight):
    """Slope of the loss in one gate for every filter."""

    def gated(gates):
        return loss(gates.reshape(-1, *[1] * (weight.ndim - 1)) * weight)

    return slope(gated, np.ones(len(weight)))


def _in_weight_gates(loss, weight):
    """Slope of the loss in one gate for every weight, a list for every filter."""
    slopes = slope(lambda gates: loss(gates * weight), np.ones(weight.shape))
    return [filter_.ravel().tolist() for filter_ in slopes]


def taylor_filter(loss, weight):
    return _in_filter_gates(loss, weight) ** 2


def taylor_filter_by_batch(losses, weight):
    return sum(taylor_filter(loss, weight) for loss in losses) / len(losses)


def taylor_sum(loss, weight):
    slopes = _in_weight_gates(loss, weight)
    return np.array([sum(s * s for s in filter_) for filter_ in slopes])


def taylor_sum_by_batch(losses, weight):
    return sum(taylor_sum(loss, weight) for loss in losses) / len(losses)


def taylor_absolute(loss, weight):
    slopes = _in_weight_gates(loss, weight)
    return np.array([sum(map(abs, filter_)) for filter_ in slopes])


def taylor_signed(loss, weight):
    return _in_filter_gates(loss, weight)
