"""Lottery tickets: the ladder, what is rewound to what, and the two controls."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from minprune import nn, prune
from tests.oracles import procedures as oracle
from tests.prune.cases import NETWORKS, digits, linear

LENET = (235_200, 30_000, 1_000)


@pytest.mark.parametrize(
    ("round", "percent"), [(3, 51.28), (7, 21.07), (9, 13.52), (11, 8.68), (15, 3.58)]
)
def test_the_ladder_of_lenet_300_100_is_exact_arithmetic(round, percent):
    """Frankle & Carbin 2019: 20 % a round, 10 % of the output layer."""
    names = ["fc1", "fc2", "fc3"]
    gone = prune.Tickets(rounds=round).sparsities(names, round)
    kept = sum(size * (1 - gone[n]) for n, size in zip(names, LENET, strict=True))
    share = Fraction(kept, sum(LENET))
    assert share == oracle.ladder(LENET, ["1/5", "1/5", "1/10"], round)
    assert f"{float(100 * share):.2f}" == str(percent)


def tickets(name="linear", **how):
    training = {"epochs": 2, "batch_size": 48, "optimizer": nn.Adam(1e-2)}
    return prune.Tickets(rounds=2, **how).run(NETWORKS[name](), digits(), **training)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_loses_its_rate_of_the_original_size(name):
    for ticket in tickets(name):
        *rest, last = ticket.net.masks().values()
        for mask in rest:
            want = round((1 - Fraction(4, 5) ** ticket.round) * mask.size)
            assert (~mask).sum() == want
        assert (~last).sum() == round((1 - Fraction(9, 10) ** ticket.round) * last.size)


@pytest.mark.parametrize("name", NETWORKS)
def test_full_rewinding_begins_with_the_initial_values(name):
    initial = NETWORKS[name]().parameters()
    for ticket in tickets(name):
        masks = ticket.start.masks()
        for key, array in ticket.start.parameters().items():
            stays = masks.get(key, np.ones(array.shape, bool))
            assert_array_equal(array[stays], initial[key][stays])


def test_weight_rewinding_begins_where_the_first_training_was():
    first = linear()
    training = {"batch_size": 48, "optimizer": nn.Adam(1e-2)}
    nn.train(first, digits(), epochs=1, **training)
    for ticket in tickets(to=1)[1:]:
        stays = ticket.start.masks()["fc1.weight"]
        assert_array_equal(
            ticket.start.weights()["fc1.weight"][stays],
            first.weights()["fc1.weight"][stays],
        )
        assert len(ticket.history) == 1


def test_rate_rewinding_goes_on_with_the_values_reached():
    rounds = tickets(rewind="rate")
    for before, after in pairwise(rounds):
        stays = after.start.masks()["fc1.weight"]
        assert_array_equal(
            after.start.weights()["fc1.weight"][stays],
            before.net.weights()["fc1.weight"][stays],
        )


@pytest.mark.parametrize(("to", "first"), [(0, 0), (1, 4)])
def test_a_rewound_run_sees_the_rates_of_the_steps_it_repeats(to, first):
    seen = []

    def rate(step, total):
        seen.append((step, total))
        return 1.0

    prune.Tickets(rounds=1, to=to).run(
        linear(), digits(), epochs=3, batch_size=48, rate=rate
    )
    assert seen[:12] == [(step, 12) for step in range(12)]
    assert seen[12:] == [(step, 12) for step in range(first, 12)]


def test_the_network_itself_is_left_alone():
    net = linear()
    before = net.copy().parameters()
    prune.Tickets(rounds=1).run(net, digits(), epochs=1)
    for name, array in net.parameters().items():
        assert_array_equal(array, before[name])


def test_rate_rewinding_trains_every_round_from_the_beginning_of_the_rates():
    assert [len(one.history) for one in tickets(rewind="rate", to=1)] == [2, 2, 2]


def test_a_reinitialized_ticket_has_its_masks_and_other_values():
    ticket = tickets()[-1].start
    other = prune.reinitialized(ticket, seed=7)
    masks = ticket.masks()
    for name, mask in masks.items():
        assert_array_equal(other.masks()[name], mask)
        assert (other.weights()[name][mask] != ticket.weights()[name][mask]).all()


def test_a_shuffled_ticket_keeps_as_many_of_other_places_with_the_dense_values():
    rounds = tickets()
    other = prune.shuffled(rounds[-1].start, rounds[0].start, seed=3)
    for name, mask in rounds[-1].start.masks().items():
        new = other.masks()[name]
        assert new.sum() == mask.sum()
        assert (new != mask).any()
        assert_array_equal(
            other.weights()[name][new], rounds[0].start.weights()[name][new]
        )


@pytest.mark.parametrize("how", [{"scope": "network"}, {"allocation": "erk"}])
def test_the_ladders_are_those_of_layers(how):
    with pytest.raises(ValueError, match="every layer has its own ladder"):
        prune.Tickets(rounds=1, **how)


def test_a_rewind_behind_the_end_is_refused():
    with pytest.raises(ValueError, match="nearest that can be met is to=2"):
        tickets(to=3)
