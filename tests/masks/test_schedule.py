"""Schedules: the published formulas, exact endpoints, never backwards."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minprune.masks import SCHEDULES, removed
from minprune.masks.schedule import (
    constant,
    cosine,
    cubic,
    exponential,
    geometric,
    linear,
    one_shot,
)

RAMPS = [linear, cubic, cosine, exponential]
each_ramp = pytest.mark.parametrize("ramp", RAMPS, ids=lambda ramp: ramp.__name__)


@st.composite
def frames(draw):
    initial, final = sorted(draw(st.integers(0, 99)) for _ in range(2))
    begin = draw(st.integers(0, 20))
    return {
        "initial": Fraction(initial, 100),
        "final": Fraction(final, 100),
        "begin": begin,
        "end": begin + draw(st.integers(0, 30)),
        "frequency": draw(st.integers(1, 40)),
    }


@pytest.mark.parametrize("n", [1, 4, 10])
def test_cubic_is_the_formula_of_zhu_and_gupta(n):
    """Their eq. (1): s_f + (s_i - s_f) (1 - (t - t0) / (n dt))^3 at t0 + k dt."""
    s_i, s_f, t0, dt = Fraction("0.1"), Fraction("0.9"), 7, 5
    ramp = cubic(s_f, initial=s_i, begin=t0, end=t0 + n * dt, frequency=dt)
    for k in range(n + 1):
        t = t0 + k * dt
        assert ramp(t) == s_f + (s_i - s_f) * (1 - Fraction(t - t0, n * dt)) ** 3


def test_linear_takes_equal_steps():
    ramp = linear("0.9", initial="0.1", begin=2, end=10)
    assert {ramp(k + 1) - ramp(k) for k in range(2, 10)} == {Fraction(1, 10)}


def test_cosine_is_half_a_wave():
    ramp = cosine("0.9", initial="0.1", end=16)
    for k in range(17):
        want = 0.1 + 0.8 * (1 - math.cos(math.pi * k / 16)) / 2
        assert float(ramp(k)) == pytest.approx(want, abs=1e-15)


def test_exponential_multiplies_the_density_by_one_factor():
    ramp = exponential("0.96", initial="0.04", end=10)
    for k in range(10):
        factor = float((1 - ramp(k + 1)) / (1 - ramp(k)))
        assert factor == pytest.approx((0.04 / 0.96) ** 0.1, rel=1e-13)


def test_hundred_rounds_of_synflow():
    """Density after round k of K is rho^(k/K), Tanaka et al. 2020."""
    ramp = exponential("0.99", end=100)
    for k in range(101):
        assert float(1 - ramp(k)) == pytest.approx(0.01 ** (k / 100), rel=1e-13)


@pytest.mark.parametrize(
    ("rounds", "percent"),
    [
        (3, "51.28"),
        (7, "21.07"),
        (9, "13.52"),
        (11, "8.68"),
        (15, "3.58"),
        (18, "1.85"),
        (20, "1.19"),
    ],
)
def test_the_ladder_of_the_lottery_ticket(rounds, percent):
    """LeNet-300-100, 20 % a round and 10 % in the output layer, Frankle & Carbin 2019.

    The paper prints 51.3, 21.1, 13.5, 3.6, 1.9 and 1.2 %.
    """
    sizes = {235_200: "0.2", 30_000: "0.2", 1_000: "0.1"}
    ladders = {size: geometric(rate, rounds=20) for size, rate in sizes.items()}
    exact = sum(size * (1 - s(rounds)) for size, s in ladders.items())
    counted = sum(size - removed(size, s(rounds)) for size, s in ladders.items())
    for left in (exact, counted):
        assert f"{float(100 * left / sum(sizes)):.2f}" == percent


def test_geometric_is_exponential_in_exact_arithmetic():
    ladder = geometric("0.2", rounds=20, begin=3, frequency=10)
    decay = exponential(ladder.final, begin=3, end=203, frequency=10)
    assert ladder.final == 1 - Fraction(4, 5) ** 20
    for step in range(0, 210, 7):
        assert float(ladder(step)) == pytest.approx(float(decay(step)), abs=1e-15)
        assert ladder.due(step) == decay.due(step)


@each_ramp
@given(frames())
def test_endpoints_are_exact_and_the_way_is_monotone(ramp, frame):
    schedule = ramp(frame.pop("final"), **frame)
    begin, end = frame["begin"], frame["end"]
    assert schedule(end) == schedule(end + 1000) == schedule.final
    if begin > 0:
        assert schedule(begin - 1) == 0
    if begin < end:
        assert schedule(begin) == schedule.initial == frame["initial"]
    values = [schedule(step) for step in range(end + 2)]
    assert values == sorted(values)


@each_ramp
@given(frames())
def test_sparsity_changes_only_where_masks_are_due(ramp, frame):
    schedule = ramp(frame.pop("final"), **frame)
    for step in range(1, frame["end"] + 5):
        if not schedule.due(step):
            assert schedule(step) == schedule(step - 1)
    assert schedule.due(frame["begin"])
    assert schedule.due(frame["end"])
    assert not schedule.due(frame["end"] + 1)


@each_ramp
def test_begin_equal_to_end_is_one_shot(ramp):
    schedule = ramp("0.9", begin=4, end=4, initial="0.5")
    shot = one_shot("0.9", at=4)
    for step in range(8):
        assert schedule(step) == shot(step) == (Fraction(9, 10) if step >= 4 else 0)
        assert schedule.due(step) == shot.due(step) == (step == 4)


@each_ramp
def test_the_end_is_reached_whatever_the_frequency(ramp):
    schedule = ramp("0.9", begin=0, end=10, frequency=7)
    assert [step for step in range(20) if schedule.due(step)] == [0, 7, 10]
    assert schedule(9) == schedule(7) < schedule(10) == Fraction(9, 10)


def test_an_exponential_from_the_final_value_stays_there():
    assert exponential("0.9", initial="0.9", end=10)(5) == Fraction(9, 10)


def test_constant_is_constant_and_due_again_and_again():
    held = constant("0.9", begin=2, end=8, frequency=3)
    assert [held(step) for step in (0, 1)] == [0, 0]
    assert {held(step) for step in range(2, 20)} == {Fraction(9, 10)}
    assert [step for step in range(20) if held.due(step)] == [2, 5, 8]


def test_a_ladder_of_no_rounds_removes_nothing():
    ladder = geometric("0.2", rounds=0, begin=5)
    assert [ladder(step) for step in (0, 5, 9)] == [0, 0, 0]


def test_full_sparsity_is_reached_but_not_by_decay():
    for ramp in (linear, cubic, cosine):
        assert ramp(1, end=5)(5) == 1
    with pytest.raises(ValueError, match="exponential: final is 1"):
        exponential(1, end=5)


def test_schedules_are_frozen_and_compare_by_value():
    assert linear("0.9", end=5) == linear(0.9, end=5)
    assert linear("0.9", end=5) != cubic("0.9", end=5)
    with pytest.raises(AttributeError):
        linear("0.9", end=5).end = 6


def test_every_schedule_is_found_by_its_name():
    assert set(SCHEDULES) == {
        "linear",
        "cubic",
        "cosine",
        "exponential",
        "geometric",
        "one_shot",
        "constant",
    }
    assert SCHEDULES["cubic"] is cubic


@each_ramp
def test_arguments_that_contradict_each_other_are_refused(ramp):
    with pytest.raises(ValueError, match=r"end is 3, before begin.*nearest end is 5"):
        ramp("0.9", begin=5, end=3)
    with pytest.raises(ValueError, match=r"initial is 0\.95, above final"):
        ramp("0.9", initial="0.95", end=3)
    with pytest.raises(ValueError, match=r"final is 1\.5"):
        ramp(1.5, end=3)
    with pytest.raises(ValueError, match="frequency is 0"):
        ramp("0.9", end=3, frequency=0)
    with pytest.raises(ValueError, match="step is -1"):
        ramp("0.9", end=3)(-1)
    with pytest.raises(TypeError, match=r"begin is 0\.5"):
        ramp("0.9", begin=0.5, end=3)


def test_a_ladder_begins_at_a_whole_step():
    with pytest.raises(TypeError, match="geometric: begin is '1'; expected a whole"):
        SCHEDULES["geometric"]("0.2", rounds=3, begin="1")
