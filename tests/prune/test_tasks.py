"""Several tasks on one trunk: whose scores count, and what each loses."""

from functools import cache

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minprune import nn, prune
from minprune.prune import tasks as room
from tests.prune.cases import heads, tasks, two_tasks


@cache
def trained():
    net = heads()
    nn.train(net, two_tasks(), epochs=20, optimizer=nn.Adam(1e-2), loss=tasks())
    return net


@pytest.mark.parametrize("aggregate", room.AGGREGATES)
def test_every_task_is_reported_before_and_after(aggregate):
    net = trained().copy()
    shot = prune.TaskShot("taylor", sparsity=0.7, tasks=tasks(), aggregate=aggregate)
    report = shot.run(net, two_tasks())
    val = two_tasks().val
    for found, of in ((report.before, trained()), (report.after, net)):
        out = of(val.x)
        right = (out[:, :10].argmax(axis=1) == val.y[:, 0]).mean()
        error = np.sqrt(((out[:, 10] - val.y[:, 1]) ** 2).mean())
        assert found == {
            "digit": pytest.approx(right),
            "gray": pytest.approx(error, rel=1e-6),
        }
    assert report.count.kept == report.count.weights - round(0.7 * report.count.weights)


def test_the_loss_of_one_task_gives_the_others_no_gradient():
    one = room.only(tasks(), "gray")
    output, target = np.ones((11, 3)), np.zeros((3, 11))
    loss, gradient = one(output, target)
    assert loss == 1.0
    assert (gradient[:10] == 0).all()
    assert (gradient[10] != 0).all()


def test_the_scores_of_a_task_are_shares():
    shot = prune.TaskShot("taylor", sparsity=0.5, tasks=tasks())
    for name in ("digit", "gray"):
        scores = shot._scores(trained(), two_tasks(), name)
        assert sum(s.sum() for s in scores.values()) == pytest.approx(1.0, abs=1e-12)
    assert (scores["heads.digit.weight"] == 0).all()


def test_what_the_aggregates_are():
    scores = [{"w": np.array([1.0, 5.0])}, {"w": np.array([3.0, 2.0])}]
    assert_allclose(room.by_sum(scores, [0.9, 0.1])["w"], [4, 7])
    assert_allclose(room.by_max(scores, [0.9, 0.1])["w"], [3, 5])
    assert_allclose(room.by_worst(scores, [0.9, 0.1])["w"], [3, 2])


@pytest.mark.parametrize("aggregate", room.AGGREGATES)
def test_what_stays_is_chosen_by_the_aggregate_of_all_tasks(aggregate):
    shot = prune.TaskShot("taylor", sparsity=0.6, tasks=tasks(), aggregate=aggregate)
    net, data = trained().copy(), two_tasks()
    scores = [shot._scores(net, data, name) for name in tasks().rows]
    ranks = [room.rank(net, data.val, tasks(), name) for name in tasks().rows]
    together = room.AGGREGATES[aggregate](scores, ranks)
    want = shot.cut.masks(net, data, 0.6, scores=together)
    shot.run(net, data)
    for name, mask in want.items():
        assert_array_equal(net.masks()[name], mask)


def test_pruning_for_the_worst_task_spares_the_heads_of_others():
    """The numbers are hard here; what is gray has a head that they do not use."""
    net, data = trained().copy(), two_tasks()
    ranks = {name: room.rank(net, data.val, tasks(), name) for name in tasks().rows}
    assert min(ranks, key=ranks.get) == "digit"
    shot = prune.TaskShot("taylor", sparsity=0.6, tasks=tasks(), aggregate="worst")
    scores = {name: shot._scores(net, data, name) for name in tasks().rows}
    together = room.by_worst(list(scores.values()), list(ranks.values()))
    for name, array in together.items():
        task = "gray" if name == "heads.gray.weight" else "digit"
        assert_array_equal(array, scores[task][name])
    report = shot.run(net, data)
    assert net.masks()["heads.gray.weight"].sum() > 4  # of twelve: it was one
    assert report.after["gray"] < 1.0  # it was 5


def test_an_aggregate_is_known_by_its_name():
    with pytest.raises(ValueError, match="did you mean 'sum'"):
        prune.TaskShot("taylor", sparsity=0.5, tasks=tasks(), aggregate="sun")
