"""Weights, and small losses of them, for the criteria to be asked about."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.oracles import network


def weights(min_dims=1):
    """Quarters up to 8: few values, so that ties and zeros are common, and exact."""
    shapes = hnp.array_shapes(min_dims=min_dims, max_dims=4, max_side=3)
    quarters = st.integers(-32, 32).map(lambda n: n / 4)
    return hnp.arrays(np.float64, shapes, elements=quarters)


@st.composite
def classifiers(draw):
    """Two weights, and losses on two batches as functions of the first one."""
    n_in, hidden, n_out, batch = (draw(st.integers(1, 4)) for _ in range(4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    w1, w2 = rng.normal(size=(hidden, n_in)), rng.normal(size=(n_out, hidden))

    def on(x, labels):
        return lambda w: network.loss(w, w2, x, labels)

    losses = [
        on(rng.normal(size=(batch, n_in)), rng.integers(n_out, size=batch))
        for _ in range(2)
    ]
    return w1, losses


@st.composite
def quadratics(draw):
    """A weight, and the Hessian and slope of a loss quadratic in it, in small integers.

    Everything computed from them is an integer below 2^53, so float64 is exact.
    """
    side = draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    half = rng.integers(-9, 10, size=(side, side))
    weight, slope = rng.integers(-9, 10, size=(2, side))
    return weight, half + half.T, slope
