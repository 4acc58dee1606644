"""Taylor criteria on filters: gates on filters, then what cancels where, then edges."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minprune.criteria import taylor_filter as family
from minprune.criteria.snip import snip
from minprune.criteria.taylor import taylor
from tests.criteria.strategies import classifiers
from tests.oracles import network
from tests.oracles import taylor_filter as oracle

CLOSE = {"rtol": 1e-12, "atol": 1e-13}  # atol in nats^2
ONE = ["taylor_filter", "taylor_sum", "taylor_absolute", "taylor_signed"]
BY_BATCH = ["taylor_filter_by_batch", "taylor_sum_by_batch"]


@st.composite
def convolutions(draw):
    """The classifiers' weights seen as filters of shape (in, 1) or (in, 1, 1)."""
    w, losses = draw(classifiers())
    shape = w.shape + (1,) * draw(st.integers(0, 2))
    return w.reshape(shape), [
        lambda v, loss=loss: loss(v.reshape(w.shape)) for loss in losses
    ]


@pytest.mark.parametrize("name", ONE)
@given(net=convolutions())
def test_the_score_is_made_of_slopes_in_gates(name, net):
    w, (loss, _) = net
    got = getattr(family, name)(w, network.slope(loss, w))
    assert_allclose(got, getattr(oracle, name)(loss, w), **CLOSE)


@pytest.mark.parametrize("name", BY_BATCH)
@given(net=convolutions())
def test_by_batch_every_batch_is_squared(name, net):
    w, losses = net
    got = getattr(family, name)(
        w, np.stack([network.slope(loss, w) for loss in losses])
    )
    assert_allclose(got, getattr(oracle, name)(losses, w), **CLOSE)


@given(convolutions())
def test_the_square_outside_is_the_square_of_the_signed_sum(net):
    w, (loss, _) = net
    grad = network.slope(loss, w)
    assert_array_equal(
        family.taylor_filter(w, grad), family.taylor_signed(w, grad) ** 2
    )


@given(convolutions())
def test_sums_over_a_filter_are_those_of_its_weights(net):
    w, (loss, _) = net
    grad, inside = network.slope(loss, w), tuple(range(1, w.ndim))
    squares, sizes = taylor(w, grad), snip(w, grad)
    assert_allclose(family.taylor_sum(w, grad), squares.sum(axis=inside))
    assert_allclose(family.taylor_absolute(w, grad), sizes.sum(axis=inside))


@given(convolutions())
def test_where_nothing_cancels_the_cost_is_largest(net):
    """|sum w g| is at most sum |w g|, and by Cauchy at most sqrt(n sum (w g)^2)."""
    w, (loss, _) = net
    grad = network.slope(loss, w)
    together, apart = family.taylor_filter(w, grad), family.taylor_absolute(w, grad)
    spread = w[0].size * family.taylor_sum(w, grad)
    assert (together <= apart**2 * (1 + 1e-12)).all()
    assert (apart**2 <= spread * (1 + 1e-12)).all()


def test_the_ways_of_summing_disagree_about_which_filter_goes_first():
    """Costs that cancel, a single cost, and costs of one sign."""
    weight = np.ones((3, 2))
    grad = np.array([[5.0, -5.0], [3.0, 0.0], [2.0, 2.0]])
    first = lambda name: int(getattr(family, name)(weight, grad).argmin())
    assert first("taylor_filter") == 0
    assert first("taylor_sum") == 2
    assert first("taylor_absolute") == 1
    weight[1] = -weight[1]
    assert first("taylor_signed") == 1


@pytest.mark.parametrize("name", BY_BATCH)
def test_gradients_that_do_not_fit_the_weight_are_refused(name):
    for shape in [(0, 2, 2), (3, 2), (3, 2, 1), ()]:
        with pytest.raises(
            ValueError, match=rf"{name}: the gradient of weight by batch"
        ):
            getattr(family, name)(np.ones((2, 2)), np.ones(shape))


@pytest.mark.parametrize("name", ONE)
def test_which_shape_is_wrong_is_said(name):
    with pytest.raises(ValueError, match=rf"{name}: grad has shape \(3,\) but weight"):
        getattr(family, name)(np.ones(2), np.ones(3))
    with pytest.raises(ValueError, match=rf"{name}: weight has shape \(\)"):
        getattr(family, name)(np.float64(1), np.float64(1))
