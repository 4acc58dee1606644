"""Which channels go together: known networks, then any network, then mistakes."""

import numpy as np
import pytest
from hypothesis import given

from minprune import nn
from minprune.structure import find_spaces, mask_units, remove
from tests.structure import networks


def network(*layers, shape=(3, 6, 6)):
    return nn.Network(nn.Sequential(*layers), shape, seed=0)


def sizes(net):
    """Units of the free spaces, by name."""
    return {name: len(space) for name, space in find_spaces(net).free().items()}


def members(space, role):
    return [f"{axis.name}[{axis.axis}]" for axis in space.axes if axis.role == role]


def test_a_chain_frees_what_is_between_input_and_output():
    net = network(
        *(nn.Conv2d(3, 4, 3), nn.BatchNorm(4), nn.ReLU(), nn.Conv2d(4, 5, 3)),
        *(nn.GlobalAvgPool(), nn.Linear(5, 2)),
    )
    spaces = find_spaces(net)
    assert sizes(net) == {"0": 4, "3": 5}
    assert members(spaces["0"], "makes") == ["0.weight[0]", "0.bias[0]"]
    assert len(members(spaces["0"], "scales")) == 4
    assert members(spaces["0"], "reads") == ["3.weight[1]"]
    assert "input" in spaces["input"].held
    assert "output" in spaces["5"].held


def test_flatten_gives_a_channel_as_many_columns_as_it_has_positions():
    net = network(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(64, 2))
    (reads,) = [a for a in find_spaces(net)["0"].axes if a.role == "reads"]
    assert find_spaces(net)["0"].places(reads).tolist() == [
        channel for channel in range(4) for _ in range(16)
    ]


def test_a_shortcut_ties_its_ends_and_a_projection_ties_to_the_body():
    body = nn.Sequential(nn.Conv2d(4, 2, 1), nn.ReLU(), nn.Conv2d(2, 4, 1))
    other = nn.Sequential(nn.Conv2d(4, 6, 1))
    net = network(
        *(nn.Conv2d(3, 4, 1), nn.Residual(body)),
        nn.Residual(other, nn.Conv2d(4, 6, 1)),
        *(nn.GlobalAvgPool(), nn.Linear(6, 2)),
    )
    assert sizes(net) == {"0": 4, "1.body.0": 2, "2.body.0": 6}
    spaces = find_spaces(net)
    assert spaces["0"].makers == ("0", "1.body.2")
    assert spaces["2.body.0"].makers == ("2.body.0", "2.shortcut")


def test_a_shortcut_over_a_concat_ties_each_part_to_its_branch():
    ways = nn.Concat(nn.Conv2d(5, 2, 1), nn.Conv2d(5, 3, 1))
    net = network(
        nn.Conv2d(3, 5, 1), nn.Residual(ways), nn.GlobalAvgPool(), nn.Linear(5, 2)
    )
    spaces = find_spaces(net)
    assert sizes(net) == {"0": 2, "0/2": 3}
    assert spaces["0"].makers == ("0", "1.body.0")
    assert spaces["0/2"].makers == ("0", "1.body.1")


def test_depthwise_goes_with_its_input_and_with_all_it_makes_of_it():
    net = network(
        *(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 8, 3, groups=4)),
        *(nn.GlobalAvgPool(), nn.Linear(8, 2)),
    )
    assert sizes(net) == {"0": 4}
    smaller = remove(net, {"0": [1]})
    assert smaller.layers()["1"].groups == 3
    assert smaller.layers()["1"].out_channels == 6


def test_grouped_channels_go_with_those_in_the_same_place_of_other_groups():
    net = network(
        *(nn.Conv2d(3, 6, 1), nn.Conv2d(6, 4, 1, groups=2)),
        *(nn.GlobalAvgPool(), nn.Linear(4, 2)),
    )
    spaces = find_spaces(net)
    assert sizes(net) == {"0": 3, "1": 2}
    assert (spaces["0"].width, spaces["1"].width) == (2, 2)
    grouped = remove(net, {"0": [2], "1": [0]}).layers()["1"]
    assert (grouped.in_channels, grouped.out_channels, grouped.groups) == (4, 2, 2)
    np.testing.assert_array_equal(
        grouped.params["weight"],
        net.layers()["1"].params["weight"][np.ix_([1, 3], [0, 1])],
    )


def test_a_hidden_unit_goes_from_every_gate_level_and_direction():
    net = network(
        nn.LSTM(3, 4, num_layers=2, bidirectional=True, last=True),
        nn.Linear(8, 2),
        shape=(3, 5),
    )
    assert sizes(net) == {"0": 4}
    smaller = remove(net, {"0": [1]}).parameters()
    want = [0, 2, 3]
    rows = [4 * gate + unit for gate in range(4) for unit in want]
    rows = np.array(rows).reshape(4, 3).reshape(-1)
    np.testing.assert_array_equal(
        smaller["0.weight_hh_l1_reverse"],
        net.parameters()["0.weight_hh_l1_reverse"][np.ix_(rows, want)],
    )
    assert smaller["0.weight_ih_l1"].shape == (12, 6)
    assert smaller["1.weight"].shape == (2, 6)


def test_a_gate_is_tied_to_its_trunk():
    gate = nn.Sequential(
        *(nn.GlobalAvgPool(), nn.Linear(4, 2), nn.ReLU(), nn.Linear(2, 4)),
        nn.Sigmoid(),
    )
    net = network(
        nn.Conv2d(3, 4, 1), nn.SqueezeExcite(gate), nn.GlobalAvgPool(), nn.Linear(4, 2)
    )
    assert sizes(net) == {"0": 4, "1.gate.1": 2}
    assert find_spaces(net)["0"].makers == ("0", "1.gate.3")


def test_what_is_normalized_together_stays_together():
    net = network(
        nn.Linear(4, 3), nn.LayerNorm(3), nn.Linear(3, 3), nn.Linear(3, 2), shape=(4,)
    )
    spaces = find_spaces(net)
    assert sizes(net) == {"2": 3}
    assert spaces["0"].held == "1 (LayerNorm) normalizes over all of them"


@given(networks.anything())
def test_every_unit_is_in_one_space_and_every_row_in_one_unit(net):
    spaces = find_spaces(net)
    units = np.concatenate([space.units for space in spaces.values()])
    assert sorted(units.tolist()) == list(range(spaces.units))
    for name, space in spaces.items():
        for axis in space.axes:
            rows = net.parameters().get(axis.name)
            assert rows is None or len(axis.numbers) == rows.shape[axis.axis]
        if not space.held:
            roles = {axis.role for axis in space.axes}
            assert {"makes", "reads"} <= roles, name


# Mistakes, each in one line; the network is as it was.

PLAIN = (nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 2))


@pytest.mark.parametrize("take", [remove, mask_units])
@pytest.mark.parametrize(
    ("removal", "message"),
    [
        ({"0": [0, 1, 2]}, r"all 3 units of space '0' \(made by 0\) were to go"),
        ({"0": [3]}, r"no unit 3 in space '0' \(made by 0\); expected 0 to 2"),
        ({"0": [-1]}, "no unit -1"),
        ({"2": [1, 0, 1]}, r"unit 1 of space '2' \(made by 2\) is named twice"),
        ({"4": [0]}, r"nothing of space '4' \(made by 4\) can go.*output"),
        ({"input": [0]}, "nothing of space 'input'.*network's input"),
        ({"conv": [0]}, "there is no space 'conv'"),
    ],
)
def test_a_removal_that_cannot_be_made_is_refused(take, removal, message):
    net = network(*PLAIN, shape=(4,))
    before = {name: array.copy() for name, array in net.state().items()}
    with pytest.raises(ValueError, match=message):
        take(net, removal)
    for name, array in net.state().items():
        np.testing.assert_array_equal(array, before[name])


def test_indices_have_to_be_whole_numbers():
    with pytest.raises(TypeError, match=r"space '0' .* type bool"):
        remove(network(*PLAIN, shape=(4,)), {"0": [True, False, True]})


def test_spaces_of_a_network_that_has_changed_are_refused():
    net = network(*PLAIN, shape=(4,))
    spaces = find_spaces(net)
    smaller = remove(net, {"0": [0]}, spaces)
    with pytest.raises(ValueError, match=r"layer 0 is Linear .*'out_features': 2"):
        remove(smaller, {"0": [0]}, spaces)


def test_a_layer_that_nothing_is_known_of_is_named():
    class Odd(nn.Layer):
        kind = "Odd"

    with pytest.raises(ValueError, match="layer 1 is a Odd"):
        find_spaces(network(nn.Linear(4, 3), Odd(), nn.Linear(3, 2), shape=(4,)))
