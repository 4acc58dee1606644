"""Masked equals compact: for any network, any units, any padding."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from minprune import metrics
from minprune.structure import find_spaces, mask_units, remove, shrink
from tests.oracles import structure as oracle
from tests.structure import networks

PAIRS = networks.anything().flatmap(
    lambda net: st.tuples(st.just(net), networks.removals(net))
)
BOUNDED = networks.convolutional(bounded=True).flatmap(
    lambda net: st.tuples(st.just(net), networks.removals(net))
)


def silenced(net, removal):
    """For every layer that makes channels, which of its own go."""
    spaces = find_spaces(net)
    gone = spaces.gone("test", removal)
    return {
        axis.layer: gone[axis.numbers][: _made(net.layers()[axis.layer])]
        for axis in spaces.axes
        if axis.role == "makes"
    }


def _made(layer):
    """Channels that a layer makes; of a recurrent one the hidden units."""
    return getattr(layer, "hidden_size", None)


@given(PAIRS)
def test_both_are_the_network_with_the_channels_silenced(pair):
    net, removal = pair
    x = networks.samples(net)
    arrays = net.parameters() | {
        f"{name}.{key}": array
        for name, layer in net.layers().items()
        for key, array in layer.buffers.items()
    }
    entered = np.moveaxis(net.enter(x), -1, 0)
    want = oracle.outputs(net.manifest(), arrays, entered, silenced(net, removal))

    # Relative to the largest output; some hundred roundings of 1e-16 each.
    atol = 1e-11 * max(1.0, np.abs(want).max())
    assert_allclose(remove(net, removal)(x), want, rtol=0, atol=atol)
    assert_allclose(mask_units(net, removal)(x), want, rtol=0, atol=atol)


@given(BOUNDED)
def test_in_single_precision_they_agree_to_the_rounding_bound(pair):
    net, removal = pair
    net, x = net.astype(np.float32), networks.samples(net)
    masked, smaller = mask_units(net, removal), remove(net, removal)
    found = metrics.agreement(masked(x), smaller(x), metrics.rounding_bound(masked, x))
    assert found.agree


@given(PAIRS)
def test_shrinking_the_masked_network_finds_the_units_again(pair):
    net, removal = pair
    found = shrink(mask_units(net, removal))
    want = remove(net, removal)
    assert found.manifest() == want.manifest()
    for name, array in want.state().items():
        np.testing.assert_array_equal(found.state()[name], array)


@given(PAIRS)
def test_what_is_given_is_left_alone(pair):
    net, removal = pair
    before = {name: array.copy() for name, array in net.state().items()}
    smaller, masked = remove(net, removal), mask_units(net, removal)
    for other in (smaller, masked):
        for layer in other.layers().values():
            for array in (*layer.params.values(), *layer.buffers.values()):
                array[...] = 7
    for name, array in net.state().items():
        np.testing.assert_array_equal(array, before[name])
