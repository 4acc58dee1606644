"""Streams: named by what they are for, and by nothing else."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from minprune._random import stream


def draw(*name):
    return stream(*name).integers(2**62, size=4)


def test_a_name_is_enough_to_draw_the_same_again():
    assert_array_equal(draw(7, "shuffle", 3), draw(7, "shuffle", 3))
    assert_array_equal(draw(7, "shuffle", 3), draw(np.int64(7), "shuffle", 3))


def test_no_two_names_share_a_stream():
    """Words carry their length, so that joining them elsewhere is another name."""
    names = [(0,), (1,), (0, "a"), (0, "ab"), (0, "a", "b"), (0, "b", "a"), (0, "a", 1)]
    drawn = {tuple(draw(*name).tolist()) for name in names}
    assert len(drawn) == len(names)


@pytest.mark.parametrize("seed", [-1, -(2**40)])
def test_a_seed_is_not_negative(seed):
    with pytest.raises(ValueError, match=f"seed is {seed}; expected 0 or more"):
        stream(seed, "shuffle")


@pytest.mark.parametrize("seed", [0.5, "0", None, True])
def test_a_seed_is_a_whole_number(seed):
    with pytest.raises(TypeError, match=r"seed is .*; expected a whole number"):
        stream(seed, "shuffle")
