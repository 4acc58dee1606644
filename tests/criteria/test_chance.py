"""Lots: the same as drawn one by one, fair, and repeatable."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from minprune.criteria import chance as family
from tests.oracles import chance as oracle


@pytest.mark.parametrize("name", ["random", "random_filter"])
@pytest.mark.parametrize("shape", [(5,), (2, 3), (2, 3, 4), (2, 3, 2, 2), (0, 3)])
def test_the_lots_are_drawn_in_order(name, shape):
    weight = np.ones(shape)
    got = getattr(family, name)(weight, rng=np.random.default_rng(7))
    want = getattr(oracle, name)(weight, np.random.default_rng(7))
    assert_array_equal(got, want)


@pytest.mark.parametrize("name", ["random", "random_filter"])
def test_every_place_is_as_likely_to_go_first(name):
    """Chi-squared over 8 places, 4000 draws: above 34 once in 50 000 fair streams."""
    rng = np.random.default_rng(0)
    draw = getattr(family, name)
    firsts = [int(draw(np.ones(8), rng=rng).argmin()) for _ in range(4000)]
    counts = np.bincount(firsts, minlength=8)
    assert np.sum((counts - 500) ** 2 / 500) < 34


def test_a_scalar_has_no_filters():
    with pytest.raises(ValueError, match=r"random_filter: weight has shape \(\)"):
        family.random_filter(np.float64(1), rng=np.random.default_rng(0))
