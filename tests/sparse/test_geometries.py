"""Drawn convolutions of any geometry: sparse agrees with the masked dense layer."""

import os

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from minprune.nn import Conv1d, Conv2d
from minprune.sparse import SparseConv1d, SparseConv2d
from tests.sparse.layers import random_mask

THOROUGH = os.environ.get("MINPRUNE_PROFILE") == "thorough"


@st.composite
def convolutions(draw):
    """A pruned layer, one or two axes, with samples and a gradient for it."""
    whole = lambda low, high: draw(st.integers(low, high))
    axes, groups, batch = whole(1, 2), whole(1, 3), whole(0, 40)
    arguments = {
        "in_channels": groups * whole(1, 3),
        "out_channels": groups * whole(1, 3),
        "kernel_size": [whole(1, 4) for _ in range(axes)],
        "stride": [whole(1, 3) for _ in range(axes)],
        "padding": [[whole(0, 3), whole(0, 3)] for _ in range(axes)],
        "dilation": [whole(1, 3) for _ in range(axes)],
        "groups": groups,
        "bias": draw(st.booleans()),
    }
    dense = (Conv1d if axes == 1 else Conv2d)(**arguments)
    shape = (arguments["in_channels"], *(whole(1, 9) for _ in range(axes)))
    try:
        out = dense.output_shape(shape)
    except ValueError:  # the window does not fit the plane
        assume(False)
    rng = np.random.default_rng(whole(0, 2**32 - 1))
    dense.reset(rng)
    block = draw(st.sampled_from([None, None, (2, 1), (1, 2), (2, 3)]))
    density = draw(st.sampled_from([0.0, 0.2, 0.6, 1.0]))
    mask = random_mask(rng, dense.params["weight"].shape, density, block)
    dense.set_mask("weight", mask)
    kind = SparseConv1d if axes == 1 else SparseConv2d
    sparse = kind.from_dense(dense, "bsr" if block else "csr", block)
    x = rng.normal(size=(*shape, batch)).astype(np.float32)
    dy = rng.normal(size=(*out, batch)).astype(np.float32)
    return dense, sparse, x, dy


@settings(max_examples=5000 if THOROUGH else 60)
@given(convolutions())
def test_any_geometry_agrees_with_the_dense_layer(drawn):
    dense, sparse, x, dy = drawn
    # float32: sums of at most 97 products below 10, and over 40 * 144 positions for g
    assert_allclose(sparse.forward(x), dense.forward(x), rtol=1e-4, atol=1e-5)
    assert_allclose(sparse.backward(dy), dense.backward(dy), rtol=1e-4, atol=1e-5)
    g = sparse.pattern.scatter(sparse.grads["weight"]).reshape(sparse.logical_shape)
    want = np.where(dense.masks["weight"], dense.grads["weight"], 0)
    assert_allclose(g, want, rtol=1e-3, atol=1e-3)
