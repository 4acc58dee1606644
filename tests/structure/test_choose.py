"""How many units go: exact where units are counted, never too many where costs are."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from minprune import masks, nn
from minprune.structure import (
    COSTS,
    choose,
    find_spaces,
    latency,
    remove,
    stored_bytes,
    weights,
)
from tests.structure import networks


def drawn_scores(net, seed=0):
    rng = np.random.default_rng(seed)
    return {
        name: rng.permutation(len(space)) + rng.random()
        for name, space in find_spaces(net).free().items()
    }


def ranked(scores):
    """All units, lowest score first; of equal ones the earlier first."""
    units = [
        (score, number, name, unit)
        for number, (name, array) in enumerate(scores.items())
        for unit, score in enumerate(array)
    ]
    return [(name, unit) for _, _, name, unit in sorted(units)]


@given(networks.anything(), st.integers(0, 100))
def test_units_are_counted_as_weights_are(net, percent):
    scores = drawn_scores(net)
    assume(scores)
    sparsity = Fraction(percent, 100)
    total = sum(map(len, scores.values()))
    if round(sparsity * total) > total - len(scores):
        with pytest.raises(ValueError, match="min_keep holds"):
            choose(net, scores, sparsity)
        return
    choice = choose(net, scores, sparsity)
    gone = sum(map(len, choice.removal.values()))
    assert gone == masks.removed(total, sparsity)
    assert choice.reached == pytest.approx(gone / total)


@given(networks.anything(), st.integers(0, 100), st.sampled_from(sorted(COSTS)))
def test_a_budget_is_met_as_closely_as_whole_units_allow(net, percent, name):
    """One unit more, the next in order that may go, would be too much."""
    scores, cost = drawn_scores(net), COSTS[name]
    assume(scores and cost(net) > 0)
    asked = Fraction(percent, 100)
    choice = choose(net, scores, asked, cost=cost)

    whole = cost(net)
    removal = {name: list(units) for name, units in choice.removal.items()}
    reached = (whole - cost(remove(net, removal))) / whole
    assert reached == pytest.approx(choice.reached)
    assert reached <= asked + Fraction(1, 10**9)

    kept_best = {
        name: int(np.lexsort((-np.arange(len(s)), s))[-1]) for name, s in scores.items()
    }
    for name, unit in ranked(scores):
        if unit == kept_best[name] or unit in removal.get(name, []):
            continue
        removal.setdefault(name, []).append(unit)
        more = (whole - cost(remove(net, removal))) / whole
        assert more > asked
        break


def chain(*widths):
    layers = []
    for a, b in pairwise(widths):
        layers += [nn.Linear(a, b), nn.ReLU()]
    return nn.Network(nn.Sequential(*layers), (widths[0],), seed=0)


def test_with_scope_layer_every_space_loses_its_share():
    net = chain(4, 10, 20, 2)
    found = choose(net, drawn_scores(net), 0.3, scope="layer").removal
    assert {name: len(units) for name, units in found.items()} == {"0": 3, "2": 6}


def test_groups_compete_within_themselves():
    net = chain(4, 10, 20, 10, 2)
    scores = {
        "0": np.arange(10.0),
        "2": np.arange(20.0) + 100,
        "4": np.arange(10.0) + 5,
    }
    scope = {"narrow": ["0", "4"], "wide": ["2"]}
    found = choose(net, scores, 0.5, scope=scope).removal
    assert len(found["0"]) + len(found["4"]) == 10
    assert len(found["2"]) == 10
    with pytest.raises(ValueError, match="space '4' is not in exactly one group"):
        choose(net, scores, 0.5, scope={"all": ["0", "2"]})
    with pytest.raises(ValueError, match="no space 'fc'"):
        choose(net, scores, 0.5, scope={"all": ["0", "2", "4", "fc"]})


@pytest.mark.parametrize("scope", ["network", "layer", "isomorphic"])
@pytest.mark.parametrize("cost", [None, weights])
def test_what_loses_units_keeps_a_multiple(scope, cost):
    net = chain(4, 20, 32, 5, 2)
    choice = choose(net, drawn_scores(net), 0.5, scope=scope, cost=cost, multiple_of=8)
    sizes = {"0": 20, "2": 32, "4": 5}
    left = {name: sizes[name] - len(gone) for name, gone in choice.removal.items()}
    assert left
    assert all(count % 8 == 0 and count >= 8 for count in left.values())
    assert choice.reached <= 0.5


@pytest.mark.parametrize("percent", range(0, 100, 7))
def test_equal_scores_leave_multiples_too(percent):
    net = chain(4, 20, 27, 2)
    scores = {"0": np.full(20, 0.1), "2": np.full(27, 0.1)}
    choice = choose(net, scores, Fraction(percent, 100), multiple_of=8)
    for name, gone in choice.removal.items():
        assert (len(scores[name]) - len(gone)) % 8 == 0
        assert list(gone) == list(range(len(gone)))


def test_a_multiple_counts_channels_where_units_hold_several():
    root = nn.Sequential(
        *(nn.Conv2d(1, 12, 1), nn.Conv2d(12, 4, 1, groups=2)),
        *(nn.GlobalAvgPool(), nn.Linear(4, 2)),
    )
    net = nn.Network(root, (1, 2, 2), seed=0)
    choice = choose(net, {"0": np.arange(6.0)}, 0.9, multiple_of=4)
    assert remove(net, choice.removal).layers()["0"].out_channels == 4


def test_min_keep_is_kept():
    net = chain(4, 10, 20, 2)
    scores = {"0": np.zeros(10), "2": np.ones(20)}
    choice = choose(net, scores, 0.5, min_keep=4)
    assert {name: len(units) for name, units in choice.removal.items()} == {
        "0": 6,
        "2": 9,
    }


def test_excluded_layers_keep_their_channels():
    net = chain(4, 10, 20, 2)
    assert set(choose(net, drawn_scores(net), 0.5, exclude="0").removal) == {"2"}
    assert set(choose(net, drawn_scores(net), 0.5, exclude=["2*"]).removal) == {"0"}


def test_an_excluded_layer_tied_to_others_is_refused_by_name():
    body = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 3))
    root = nn.Sequential(nn.Linear(4, 3), nn.Residual(body), nn.Linear(3, 2))
    net = nn.Network(root, (4,), seed=0)
    with pytest.raises(ValueError, match=r"1.body.1 is excluded.*of 0 \(space '0'\)"):
        choose(net, drawn_scores(net), 0.5, exclude="1.body.1")
    assert set(
        choose(net, drawn_scores(net), "1/2", exclude=["0", "1.body.1"]).removal
    ) == {"1.body.0"}


def test_time_is_a_cost_like_any_other():
    """How much goes cannot be asserted on a shared machine, but that it is no more."""
    net = chain(16, 64, 64, 2)
    x = np.random.default_rng(0).normal(size=(8, 16))
    seconds = latency(x, seconds=0.01)
    assert seconds(net) > 0
    assert choose(net, drawn_scores(net), 0.5, cost=seconds).reached <= 0.5


def test_the_bytes_of_a_masked_network_are_those_of_its_file():
    net = chain(4, 10, 20, 2)
    mask = np.random.default_rng(0).random((20, 10)) < 0.2
    net.set_masks({"2.weight": mask})
    choice = choose(net, drawn_scores(net), 0.4, cost=stored_bytes)
    assert stored_bytes(remove(net, choice.removal)) >= 0.6 * stored_bytes(net)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"sparsity": 1.5}, "sparsity is 1.5"),
        ({"sparsity": 1}, "min_keep holds 2"),
        ({"sparsity": 0.5, "scope": "group"}, "no scope 'group'"),
        ({"sparsity": 0.5, "exclude": ["conv"]}, "no layer 'conv'"),
        ({"sparsity": 0.5, "exclude": ["*"]}, "no space is left"),
        ({"sparsity": 0.5, "min_keep": 0}, "min_keep is 0"),
        ({"sparsity": 0.5, "cost": lambda net: 0}, "network costs 0"),
    ],
)
def test_what_cannot_be_chosen_is_refused(how, message):
    net = chain(4, 10, 20, 2)
    with pytest.raises(ValueError, match=message):
        choose(net, drawn_scores(net), **how)


def test_scores_have_to_fit_their_space():
    net = chain(4, 10, 20, 2)
    with pytest.raises(
        ValueError, match=r"space '0' have shape \(3,\); expected \(10,\)"
    ):
        choose(net, {"0": np.ones(3)}, 0.5)
    with pytest.raises(ValueError, match="no space 'input'"):
        choose(net, {"input": np.ones(4)}, 0.5)
