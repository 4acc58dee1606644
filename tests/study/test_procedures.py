"""The studies of procedures: what they count, on problems of one second."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from minprune import nn
from minprune.study import procedures as study
from minprune.study import second_order
from tests.oracles.network import slope


def test_a_cell_is_a_mean_with_the_deviation_of_a_sample():
    cell = study.Cell("row", "column", (1.0, 2.0, 6.0))
    assert cell.mean == 3.0
    assert cell.deviation == pytest.approx(np.sqrt((4 + 1 + 9) / 2))


def test_a_network_connects_if_a_path_of_weights_does():
    root = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))
    net = nn.Network(root, (2,), seed=0)
    for first in range(16):
        for last in range(16):
            masks = {
                "0.weight": np.array([first >> i & 1 for i in range(4)], bool),
                "2.weight": np.array([last >> i & 1 for i in range(4)], bool),
            }
            net.set_masks({k: m.reshape(2, 2) for k, m in masks.items()})
            one, two = (m.reshape(2, 2).astype(int) for m in masks.values())
            assert study.connected(net) == bool((two @ one).any())


@pytest.mark.parametrize(("name", "share"), [("MONK 1", 0.5), ("MONK 2", 142 / 432)])
def test_the_rules_of_the_monks_hold_on_as_many_cases_as_published(name, share):
    """Thrun et al. 1991: 216 and 142 of the 432 cases are positive."""
    data, _ = second_order.problem(name, seed=0)
    assert len(data.test) == 432
    assert data.test.y.mean() == pytest.approx(share)
    assert len(data.train) == second_order.MONKS[name][1]


def test_one_case_in_twenty_of_the_third_problem_is_labeled_wrong():
    data, _ = second_order.problem("MONK 3", seed=0)
    _, where = np.nonzero((data.train.x[:, None] == data.test.x[None]).all(axis=2))
    wrong = (data.train.y != data.test.y[where]).sum()
    assert wrong == round(0.05 * 122)
    assert (data.test.y.mean()) == pytest.approx(228 / 432)


def test_the_curvature_is_that_of_the_linearized_network():
    data, hidden = second_order.problem("XOR", 0)
    root = nn.Sequential(nn.Linear(2, hidden), nn.Tanh(), nn.Linear(hidden, 1))
    net = nn.Network(root, (2,), seed=0).astype(np.float64)
    one, two = (net.root.children[key] for key in ("0", "2"))
    x = data.train.x

    def output(case, w1, w2):
        inner = np.tanh(w1 @ case + one.params["bias"])
        return (w2 @ inner + two.params["bias"]).sum()

    rows = []
    w1, w2 = one.params["weight"], two.params["weight"]
    for case in x:
        first = slope(lambda w, case=case: output(case, w, w2), w1)
        second = slope(lambda w, case=case: output(case, w1, w), w2)
        rows.append(np.concatenate((first.ravel(), second.ravel())))
    slopes = np.array(rows)
    want = 2 / 4 * slopes.T @ slopes
    assert_allclose(second_order.curvature(net, data), want, rtol=0, atol=1e-12)


def test_surgery_needs_no_more_weights_than_magnitude_where_weights_can_stand_in():
    """With y = x1 + x2 and x1 = x2, one weight can take the part of the other."""
    hessian = np.array([[1.0, 1.0], [1.0, 1.0]])
    goes, moved = second_order.by_obs(np.array([1.0, 1.1]), hessian)
    assert goes == 0
    assert moved[1] == pytest.approx(2.1, rel=1e-3)  # the damping takes a little


def test_the_rows_of_digits_have_the_epochs_they_say():
    cells = study.on_digits(
        seeds=(0,), sparsities=("0.9",), rows=["gradual, magnitude"]
    )
    assert [cell.row for cell in cells] == ["dense", "gradual, magnitude"]
    assert cells[0].mean > 95
    assert cells[1].mean > 90
