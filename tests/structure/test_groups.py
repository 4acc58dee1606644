"""Scores of units: sums over members, counted one entry at a time; known criteria."""

import numpy as np
import pytest
from hypothesis import given
from numpy.testing import assert_allclose

from minprune import nn
from minprune.criteria import group
from minprune.structure import (
    coupled_norms,
    find_spaces,
    isomorphic,
    member_scores,
    remove,
    score_units,
)
from tests.structure import networks


def by_hand(net, scores, sides):
    """The sum over the entries of every member of every unit, one by one."""
    spaces = find_spaces(net)
    found = {}
    for name, space in spaces.free().items():
        rows = []
        for axis in space.axes:
            if axis.role not in sides or axis.name not in scores:
                continue
            row = np.zeros(len(space))
            for index in np.ndindex(scores[axis.name].shape):
                unit = axis.numbers[index[axis.axis]]
                for place in np.flatnonzero(space.units == unit):
                    row[place] += scores[axis.name][index]
            rows.append(row)
        if rows:
            found[name] = np.array(rows)
    return found


@given(networks.anything())
def test_members_are_sums_over_their_own_entries(net):
    rng = np.random.default_rng(0)
    scores = {name: rng.random(w.shape) for name, w in net.weights().items()}
    for sides in (("makes",), ("reads",), ("makes", "reads")):
        want = by_hand(net, scores, sides)
        got = member_scores(net, scores, sides=sides)
        assert got.keys() == want.keys()
        for name, rows in want.items():
            assert_allclose(got[name], rows, rtol=1e-12)


@given(networks.convolutional())
def test_what_goes_with_a_unit_is_what_its_removal_takes(net):
    """But for entries in a row and a column of one unit, which both count."""
    norms = coupled_norms(net)

    def total(other):
        weights = sum(float(np.sum(w**2)) for w in other.weights().values())
        scales = sum(
            float(np.sum(layer.params["weight"] ** 2))
            for layer in other.layers().values()
            if layer.kind == "BatchNorm" and layer.params
        )
        return weights + scales

    for name, rows in norms.items():
        if rows.shape[1] == 1:
            continue
        lost = total(net) - total(remove(net, {name: [0]}))
        assert lost <= rows[:, 0].sum() * (1 + 1e-9)
        own = {
            axis.layer for axis in find_spaces(net)[name].axes if axis.role == "makes"
        }
        own &= {
            axis.layer for axis in find_spaces(net)[name].axes if axis.role == "reads"
        }
        if not own:
            assert lost == pytest.approx(rows[:, 0].sum())


def plain():
    root = nn.Sequential(
        *(nn.Conv2d(2, 3, 3), nn.BatchNorm(3), nn.ReLU(), nn.Conv2d(3, 4, 1)),
        *(nn.GlobalAvgPool(), nn.Linear(4, 2)),
    )
    net = nn.Network(root, (2, 5, 5), seed=0)
    net.parameters()["1.weight"][:] = [0.5, -2, 1]
    return net


def test_filter_scores_pass_through_as_they_are():
    """Li 2017, slimming, FPGM, HRank: one number a filter, one filter a unit."""
    given_scores = {"0.weight": np.array([3.0, 1, 2]), "3.weight": np.arange(4.0)}
    found = score_units(plain(), given_scores)
    assert {name: list(s) for name, s in found.items()} == {
        "0": [3, 1, 2],
        "3": [0, 1, 2, 3],
    }


def test_channel_scores_come_from_the_reader():
    """ThiNet: the input channels of the next layer are scored."""
    found = score_units(plain(), {"3.weight": np.array([5.0, 4, 3])}, sides=("reads",))
    assert {name: list(s) for name, s in found.items()} == {"0": [5, 4, 3]}


def test_hidden_units_can_be_scored_as_they_are():
    """By what they hand on, say: one number a unit, not one a row of every gate."""
    root = nn.Sequential(nn.LSTM(2, 3, last=True), nn.Linear(3, 1))
    net = nn.Network(root, (2, 4), seed=0)
    units = np.array([3.0, 1, 2])
    assert list(score_units(net, {"0.weight_ih_l0": units})["0"]) == [3, 1, 2]
    rows = np.tile(units, 4)
    assert list(score_units(net, {"0.weight_ih_l0": rows})["0"]) == [12, 4, 8]


def test_scales_can_speak_alone():
    scores = {"1.weight": np.abs(plain().parameters()["1.weight"])}
    found = score_units(plain(), scores, sides=("scales",))
    assert {name: list(s) for name, s in found.items()} == {"0": [0.5, 2, 1]}


def test_group_magnitude_is_the_criterion_on_the_coupled_norms():
    net = plain()
    w0, w3 = (net.weights()[name].astype(float) for name in ("0.weight", "3.weight"))
    rows = (w0**2).sum(axis=(1, 2, 3))
    scales = net.parameters()["1.weight"].astype(float) ** 2
    columns = (w3**2).sum(axis=(0, 2, 3))
    mean = (rows + scales + columns) / 3
    got = group.group_magnitude(coupled_norms(net)["0"])
    assert_allclose(got, mean / mean.mean(), rtol=1e-12)


@pytest.mark.parametrize(
    ("reduce", "want"),
    [
        (group.reduce_sum, [4, 7]),
        (group.reduce_mean, [2, 3.5]),
        (group.reduce_max, [3, 4]),
        (group.reduce_product, [3, 12]),
        (group.reduce_first, [1, 3]),
    ],
)
def test_reductions_and_normalizations_are_functions(reduce, want):
    root = nn.Sequential(nn.Linear(1, 2), nn.Linear(2, 1))
    net = nn.Network(root, (1,))
    scores = {"0.weight": np.array([[1.0], [3]]), "1.weight": np.array([[3.0, 4]])}
    found = score_units(net, scores, sides=("makes", "reads"), reduce=reduce)
    assert list(found["0"]) == want
    found = score_units(
        net,
        scores,
        sides=("makes", "reads"),
        reduce=reduce,
        normalize=group.normalize_sum,
    )
    assert_allclose(found["0"], np.array(want) / sum(want))


def test_isomorphic_spaces_have_the_same_layers_around_them():
    net = nn.models.resnet20((3, 8, 8), 10)
    groups = isomorphic(nn.Network(net, (3, 8, 8)))
    inner = [f"layer{s}.{b}.block.body.conv1" for s in (1, 2, 3) for b in (0, 1, 2)]
    assert inner in groups.values()
    assert ["conv1"] in groups.values()


def test_scores_of_the_wrong_shape_or_side_are_named():
    with pytest.raises(
        ValueError, match=r"3.weight have shape \(3,\).*\(4,\) for what"
    ):
        member_scores(plain(), {"3.weight": np.ones(3)})
    with pytest.raises(ValueError, match="no side 'writes'"):
        member_scores(plain(), {}, sides=("writes",))
    with pytest.raises(ValueError, match=r"no parameter 'conv\.weight'"):
        member_scores(plain(), {"conv.weight": np.ones(3)})
    with pytest.raises(ValueError, match="non-finite"):
        member_scores(plain(), {"3.weight": np.full(4, np.nan)})
