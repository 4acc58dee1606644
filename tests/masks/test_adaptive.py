"""The adaptive threshold: each rule by itself, then in sequence, then the edges."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minprune.masks import AdaptiveThreshold

SEEN = AdaptiveThreshold(norm=2.0, best=0.9)


@pytest.mark.parametrize(
    ("norm", "move"),
    [
        (2.0, "raise"),
        (2.25, "raise"),  # a change of just one eighth
        (1.75, "raise"),
        (2.26, "hold"),
        (3.0, "hold"),  # a change of just a half
        (1.0, "hold"),
        (3.01, "lower"),
        (0.5, "lower"),
    ],
)
def test_calm_raises_and_rough_lowers(norm, move):
    assert AdaptiveThreshold(norm=2.0, calm=0.125, rough=0.5).move(norm) == move


def test_the_boundaries_belong_to_the_gentler_side():
    ramp = AdaptiveThreshold(norm=2.0, calm=0.5, rough=1.0)
    assert ramp.move(3.0) == "raise"
    assert ramp.move(4.0) == "hold"


@pytest.mark.parametrize(
    ("score", "move"),
    [(0.9, "raise"), (0.5, "lower"), (0.95, "raise"), (None, "raise")],
)
def test_a_worse_validation_score_lowers_whatever_the_gradient_does(score, move):
    assert SEEN.move(2.0, score) == move


def test_a_drop_within_the_tolerance_is_forgiven():
    ramp = AdaptiveThreshold(norm=1.0, best=0.75, tolerance=0.25)
    assert ramp.move(1.0, 0.5) == "raise"
    assert ramp.move(1.0, 0.499) == "lower"


def test_the_first_look_holds():
    first = AdaptiveThreshold(0.1)
    assert first.move(5.0, 0.1) == "hold"
    assert first.after(5.0, 0.1) == AdaptiveThreshold(0.1, norm=5.0, best=0.1)


def test_raises_multiply_up_to_the_ceiling_and_lowerings_divide():
    ramp = AdaptiveThreshold(1.0, factor=2.0, ceiling=3.0, norm=1.0)
    assert ramp.after(1.0).value == 2.0
    assert ramp.after(1.0).after(1.0).value == 3.0
    assert ramp.after(9.0).value == 0.5


def test_the_best_score_is_remembered_and_the_last_norm():
    ramp = SEEN.after(3.0, 0.8)
    assert (ramp.norm, ramp.best) == (3.0, 0.9)
    assert SEEN.after(3.0, 0.95).best == 0.95
    assert SEEN.after(3.0).best == 0.9
    assert AdaptiveThreshold().after(3.0).best is None


def test_a_norm_of_zero_is_defined():
    still = AdaptiveThreshold(norm=0.0)
    assert still.move(0.0) == "raise"
    assert still.move(1e-300) == "lower"


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1)), max_size=20))
def test_the_threshold_stays_positive_and_below_the_ceiling(looks):
    ramp = AdaptiveThreshold(0.1, ceiling=0.5)
    for norm, score in looks:
        ramp = ramp.after(norm, score)
        assert 0 < ramp.value <= 0.5


@pytest.mark.parametrize(
    "wrong",
    [
        {"value": 0},
        {"value": math.inf},
        {"factor": 1},
        {"factor": math.nan},
        {"calm": -0.1},
        {"calm": 0.5, "rough": 0.4},
        {"tolerance": -1},
        {"value": 0.1, "ceiling": 0.05},
    ],
)
def test_parameters_out_of_range_are_named(wrong):
    with pytest.raises(ValueError, match=f"AdaptiveThreshold: {list(wrong)[-1]} is"):
        AdaptiveThreshold(**wrong)


@pytest.mark.parametrize("seen", [(math.nan, None), (1.0, math.nan), (math.inf, 0.5)])
def test_what_is_seen_must_be_finite(seen):
    with pytest.raises(ValueError, match="expected a finite number"):
        AdaptiveThreshold().after(*seen)
