"""The loop of pruning and recovering: floors hold, budgets are met or refused."""

from functools import cache

import pytest

import minprune
from minprune import metrics, nn, prune, sparse
from tests.prune.cases import digits, linear


@cache
def trained():
    net = linear()
    nn.train(net, digits(), epochs=30, optimizer=nn.Adam(1e-2))
    return net


def until(epochs=3, **asked):
    return prune.Until(**asked).run(
        trained(), digits(), epochs, optimizer=nn.Adam(1e-2), batch_size=48
    )


def score(net):
    return nn.evaluate(net, digits().val, nn.cross_entropy)[1]


def test_the_floor_holds_and_the_last_steps_are_small():
    reached = until(max_drop=5.0, turns=12)
    assert reached.met
    assert score(reached.net) >= reached.dense_score - 0.05
    assert any(not attempt.kept for attempt in reached.attempts)
    kept = [attempt.asked for attempt in reached.attempts if attempt.kept]
    assert kept == sorted(kept)
    assert metrics.count(reached.net).sparsity == pytest.approx(kept[-1], abs=1e-3)


def test_an_attempt_below_the_floor_is_taken_back():
    reached = until(max_drop=0.0, turns=6)
    last = [attempt for attempt in reached.attempts if attempt.kept][-1:]
    assert all(attempt.score >= reached.dense_score for attempt in last)
    assert score(reached.net) >= reached.dense_score


@pytest.mark.parametrize("budget", [400, 300, 150])
def test_a_budget_of_multiply_adds_is_met_and_not_overshot(budget):
    reached = until(max_macs=budget, step=0.6)
    macs = sparse.compress(reached.net).macs()
    assert reached.met
    # The small layer turns sparse on the way, which saves up to 60 at once.
    assert budget - 60 <= macs <= budget


def test_a_budget_of_bytes_is_that_of_the_whole_file(tmp_path):
    reached = until(max_bytes=2600)
    small = sparse.compress(reached.net)
    minprune.save(small, tmp_path / "small.safetensors")
    written = (tmp_path / "small.safetensors").stat().st_size
    assert reached.met
    assert written == reached.attempts[-1].bytes <= 2600
    # A thousandth of sparsity is one weight of 888, which takes five bytes.
    assert written > 2500


def test_a_floor_and_a_budget_that_exclude_each_other_end_unmet():
    reached = until(max_drop=0.0, max_macs=20, turns=4)
    assert not reached.met
    assert score(reached.net) >= reached.dense_score


def test_a_floor_above_the_dense_network_is_refused_with_what_it_reaches():
    with pytest.raises(ValueError, match=r"the nearest that can be met is floor=0\."):
        until(floor=0.9999)


def test_a_floor_at_the_dense_network_is_allowed():
    assert until(floor=score(trained()), turns=1, epochs=0).met


def test_a_budget_below_one_weight_a_layer_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match="2 multiply-adds; these are the nearest"):
        until(max_macs=1)


def test_the_nearest_budget_that_is_named_can_be_met():
    assert until(max_macs=2, step=0.9).met


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({}, "nothing to prune until"),
        ({"max_drop": -1.0}, "a drop of 0 or more"),
        ({"max_drop": 1.0, "floor": 0.5}, "expected one of them"),
        ({"max_macs": 0}, "expected 1 or more"),
        ({"floor": float("nan")}, "floor is nan"),
        ({"max_macs": 9, "granularity": "nm", "keep": 2, "group": 4}, "use OneShot"),
    ],
)
def test_what_cannot_be_asked_is_refused_at_once(asked, message):
    with pytest.raises(ValueError, match=message):
        prune.Until(**asked)


def test_the_network_itself_is_left_alone():
    before = trained().copy().weights()
    until(max_macs=700)
    assert all((trained().weights()[name] == w).all() for name, w in before.items())
