"""Pruning in steps: the count at every step, and a target that is always reached."""

from fractions import Fraction

import numpy as np
import pytest

from minprune import masks, nn, prune
from tests.prune.cases import NETWORKS, Watch, digits, kept, linear, size

STEPS = 3 * 4  # 192 samples in batches of 48, three epochs


def train(net, *procedures, **given):
    nn.train(net, digits(), epochs=3, batch_size=48, procedures=procedures, **given)
    return net


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("schedule", ["linear", "cubic", "cosine", "exponential"])
def test_the_count_is_exact_after_every_step(name, schedule):
    net = NETWORKS[name]()
    watch = Watch(lambda run: kept(run.net))
    gradual = prune.Gradual(
        "magnitude", sparsity=0.9, begin=2, end=9, frequency=3, schedule=schedule
    )
    train(net, gradual, watch)
    plan = masks.SCHEDULES[schedule]("0.9", begin=2, end=9, frequency=3)
    want = [size(net) - round(plan(step) * size(net)) for step in range(1, STEPS + 1)]
    assert watch.seen == want


@pytest.mark.parametrize("frequency", [1, 4, 5, 100])
def test_the_target_is_reached_whatever_the_frequency(frequency):
    net = linear()
    train(net, prune.Gradual("taylor", sparsity=0.8, end=10, frequency=frequency))
    assert kept(net) == size(net) - round(Fraction(8, 10) * size(net))


def test_fractions_are_of_the_run():
    net = linear()
    watch = Watch(lambda run: run.net.masks()["fc1.weight"].all())
    train(net, prune.Gradual("magnitude", sparsity=0.9, begin=0.5, end=0.5), watch)
    assert watch.seen == [True] * 5 + [False] * 7


def test_it_may_begin_before_the_first_step_and_end_with_the_last():
    net = linear()
    watch = Watch(lambda run: kept(run.net))
    gradual = prune.Gradual("magnitude", sparsity=0.9, begin=0, end=1.0, initial=0.5)
    train(net, gradual, watch)
    assert watch.seen[0] <= size(net) // 2
    assert watch.seen[-1] == size(net) - round(Fraction(9, 10) * size(net))


def test_what_is_gone_stays_gone():
    net = linear()
    watch = Watch(lambda run: run.net.masks()["fc1.weight"])
    train(net, prune.Gradual("random", sparsity=0.9, end=1.0, frequency=1), watch)
    for before, after in zip(watch.seen, watch.seen[1:], strict=False):
        assert not (after & ~before).any()


def test_two_procedures_take_part_in_one_run():
    net = linear()
    train(
        net,
        prune.OneShot("random", sparsity=0.5),
        prune.Gradual("magnitude", sparsity=0.9, initial=0.5, end=0.8),
    )
    assert kept(net) == size(net) - round(Fraction(9, 10) * size(net))


def test_an_end_after_the_run_is_refused_before_training():
    net = linear()
    before = net.weights()["fc1.weight"].copy()
    with pytest.raises(ValueError, match="the nearest that can be met is 12"):
        train(net, prune.Gradual("magnitude", sparsity=0.9, end=13))
    np.testing.assert_array_equal(net.weights()["fc1.weight"], before)


def test_an_end_before_the_beginning_is_refused_before_training():
    with pytest.raises(ValueError, match="the nearest end is 8"):
        train(linear(), prune.Gradual("magnitude", sparsity=0.9, begin=8, end=4))


def test_a_schedule_is_named_by_its_name():
    with pytest.raises(ValueError, match="did you mean 'cubic'"):
        prune.Gradual("magnitude", sparsity=0.9, schedule="cubik")
