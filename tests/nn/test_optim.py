"""Optimizers against the written-out rule, weight by weight; rates by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minprune import nn
from minprune.nn import rates
from tests.oracles import losses as oracle

STEPS = 50


def walk(optimizer, seed, dtype=np.float64):
    """Weights before, the gradients of many steps, weights after."""
    rng = np.random.default_rng(seed)
    w = rng.normal(size=(2, 3)).astype(dtype)
    start = w.copy()
    grads = [rng.normal(size=w.shape).astype(dtype) for _ in range(STEPS)]
    for grad in grads:
        optimizer.step({"w": w}, {"w": grad})
    return start, grads, w


def compare(optimizer, rule, seed):
    start, grads, w = walk(optimizer, seed)
    for at in np.ndindex(w.shape):
        wanted = rule(float(start[at]), [float(g[at]) for g in grads])
        # 50 steps of a few roundings each, on numbers of the size of 1.
        assert_allclose(w[at], wanted, rtol=1e-12, atol=1e-13)


@given(
    st.floats(1e-3, 0.5),
    st.sampled_from([0.0, 0.5, 0.9]),
    st.sampled_from([0.0, 1e-2]),
    st.booleans(),
    st.integers(0, 99),
)
def test_sgd(lr, momentum, decay, nesterov, seed):
    nesterov = nesterov and momentum > 0
    compare(
        nn.SGD(lr, momentum, decay, nesterov),
        lambda w, grads: oracle.sgd(w, grads, lr, momentum, decay, nesterov),
        seed,
    )


@given(
    st.sampled_from([nn.Adam, nn.AdamW]),
    st.floats(1e-4, 0.1),
    st.sampled_from([(0.9, 0.999), (0.0, 0.5)]),
    st.sampled_from([0.0, 1e-2]),
    st.integers(0, 99),
)
def test_adam(kind, lr, betas, decay, seed):
    compare(
        kind(lr, betas, 1e-8, decay),
        lambda w, grads: oracle.adam(
            w, grads, lr, betas, 1e-8, decay, decoupled=kind is nn.AdamW
        ),
        seed,
    )


KINDS = [nn.SGD(0.1), nn.SGD(0.1, 0.9, 1e-3, True), nn.Adam(0.1), nn.AdamW(0.1)]


@pytest.mark.parametrize("optimizer", KINDS, ids=lambda o: type(o).__name__)
def test_state_is_all_there_is(optimizer):
    """Interrupted anywhere and restored, the walk ends in the same bits."""
    rng = np.random.default_rng(0)
    grads = rng.normal(size=(6, 4)).astype(np.float32)
    straight, stopped = np.ones(4, np.float32), np.ones(4, np.float32)
    first, second = optimizer.fresh(), optimizer.fresh()
    for i, grad in enumerate(grads):
        first.step({"w": straight}, {"w": grad})
        second.step({"w": stopped}, {"w": grad})
        if i == 2:
            state = {name: array.copy() for name, array in second.state().items()}
            second = optimizer.fresh()
            second.restore(state)
    assert_array_equal(stopped, straight)


@pytest.mark.parametrize("optimizer", KINDS, ids=lambda o: type(o).__name__)
def test_gradients_are_left_alone_and_types_kept(optimizer):
    w, grad = np.ones(3, np.float32), np.ones(3, np.float32)
    grad.flags.writeable = False
    optimizer.fresh().step({"w": w}, {"w": grad})
    assert w.dtype == np.float32
    assert (w < 1).all()


def test_fresh_remembers_nothing_and_the_original_keeps_its_state():
    optimizer = nn.Adam(0.1)
    optimizer.step({"w": np.ones(2)}, {"w": np.ones(2)})
    assert optimizer.fresh().slots == {}
    assert optimizer.steps == 1


def test_remap_follows_an_edited_pattern():
    optimizer = nn.SGD(0.1, momentum=0.9)
    optimizer.step({"w": np.zeros(3)}, {"w": np.array([1.0, 2.0, 3.0])})
    optimizer.remap("w", np.array([1, -1, 3]), size=4, fill=0.5)
    assert_array_equal(optimizer.slots["w"]["velocity"], [0.5, 1.0, 0.5, 3.0])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.SGD(0.0), "lr is 0.0; expected a number above 0"),
        (lambda: nn.SGD(float("nan")), "lr is nan"),
        (lambda: nn.SGD(float("inf")), "lr is inf"),
        (lambda: nn.SGD(0.1, momentum=1.0), "momentum is 1.0"),
        (lambda: nn.SGD(0.1, nesterov=True), "nesterov needs a momentum"),
        (lambda: nn.Adam(betas=(0.9, 1.0)), "expected two, 0 <= beta < 1"),
        (lambda: nn.Adam(betas=(0.9,)), "expected two, 0 <= beta < 1"),
        (lambda: nn.Adam(eps=-1e-8), "eps is -1e-08"),
        (lambda: nn.Adam(eps=float("nan")), "eps is nan"),
        (lambda: nn.AdamW(weight_decay=-1), "weight_decay is -1"),
        (lambda: nn.AdamW(weight_decay=float("nan")), "weight_decay is nan"),
    ],
)
def test_settings_that_cannot_work_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_rates_by_hand():
    assert [rates.constant(s, 4) for s in range(4)] == [1, 1, 1, 1]
    assert_allclose(
        [rates.cosine(s, 4) for s in range(5)],
        [1, 0.5 + 0.5**1.5, 0.5, 0.5 - 0.5**1.5, 0],
        atol=1e-15,
    )
    drops = rates.staircase((0.25, 0.5), factor=0.5)
    assert [drops(s, 8) for s in range(8)] == [1, 1, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25]
    warm = rates.warm_up(0.5, then=rates.cosine)
    assert_allclose([warm(s, 4) for s in range(4)], [0.5, 1, 1, 0.5])


@given(st.integers(2, 400), st.sampled_from([0.1, 0.3, 0.5]))
def test_one_cycle_rises_to_one_and_ends_low(total, share):
    factors = [rates.one_cycle(share)(s, total) for s in range(total)]
    assert all(0 < f <= 1 for f in factors)
    assert_allclose(factors[-1], 1 / 25 * 1e-4, rtol=1e-9)
    top = int(np.argmax(factors))
    assert factors[:top] == sorted(factors[:top])
    assert factors[top:] == sorted(factors[top:], reverse=True)


@pytest.mark.parametrize("total", [0, 1, 7])
@pytest.mark.parametrize(
    "rate", [rates.cosine, rates.staircase(), rates.warm_up(), rates.one_cycle()]
)
def test_a_rate_is_defined_for_the_shortest_runs(rate, total):
    assert all(0 <= rate(s, total) <= 1 for s in range(max(total, 1)))
