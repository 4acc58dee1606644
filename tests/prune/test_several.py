"""Several trainings in a row, killed in a later one: the same bits in the end."""

from functools import cache

import pytest
from numpy.testing import assert_array_equal

from minprune import nn, prune
from tests.prune.cases import digits, linear

TRAINING = {"batch_size": 48, "seed": 3}
STEPS = 2 * 4
"""Two epochs of four batches."""


class Killed(Exception):
    """What stops a run in the tests below."""


class Kill:
    """A data step that changes nothing, and stops at a call; 0 never comes."""

    def __init__(self, at=0):
        self.at, self.calls = at, 0

    def __call__(self, net, x, target, loss, mode):
        self.calls += 1
        if self.calls == self.at:
            raise Killed
        return x


@cache
def dense():
    net = linear()
    nn.train(net, digits(), epochs=10, **TRAINING)
    return net


def tickets(**training):
    return prune.Tickets(rounds=2).run(linear(), digits(), 2, **training)[-1].net


def until(**training):
    return prune.Until(max_macs=400).run(dense(), digits(), 2, **training).net


def plan(**training):
    stages = [
        prune.Stage("half", procedures=[prune.OneShot(sparsity=0.5)], epochs=2),
        prune.Stage("more", procedures=[prune.Gradual(sparsity=0.8)], epochs=2),
    ]
    return prune.Plan(stages).run(dense(), digits(), **training)[0]


@pytest.mark.parametrize("run", [tickets, until, plan])
def test_killed_in_a_later_training_it_ends_in_the_same_bits(run, tmp_path):
    straight = run(**TRAINING).state()
    checkpoint = nn.Checkpoint(tmp_path / "run.safetensors", every=3)
    with pytest.raises(Killed):
        run(checkpoint=checkpoint, augment=Kill(STEPS + 6), **TRAINING)
    resumed = Kill()
    net = run(checkpoint=checkpoint, augment=resumed, **TRAINING)
    assert net.state().keys() == straight.keys()
    for name, array in straight.items():
        assert_array_equal(net.state()[name], array)
    # What was finished is not trained again, and of the rest only what was not saved.
    assert resumed.calls % STEPS == STEPS - 3


@pytest.mark.parametrize("run", [tickets, until, plan])
def test_every_training_saves_itself_in_a_file_of_its_own(run, tmp_path):
    run(checkpoint=nn.Checkpoint(tmp_path / "run.safetensors"), **TRAINING)
    names = {tickets: ["round0", "round1", "round2"], until: ["turn1", "turn2"]}
    want = [f"run.{name}.safetensors" for name in names.get(run, ["stage1", "stage2"])]
    assert sorted(path.name for path in tmp_path.iterdir()) == want


def test_a_checkpoint_of_a_network_pruned_otherwise_is_refused(tmp_path):
    """The masks at the beginning are part of what a run is."""
    checkpoint = nn.Checkpoint(tmp_path / "run.safetensors")

    def train(sparsity):
        nn.train(
            linear(),
            digits(),
            epochs=1,
            procedures=[prune.OneShot(sparsity=sparsity)],
            checkpoint=checkpoint,
        )

    train(0.5)
    with pytest.raises(ValueError, match="by a run with network"):
        train(0.6)
