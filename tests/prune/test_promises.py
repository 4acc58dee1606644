"""What every procedure promises: the count, the zeros, the bits, the files."""

from functools import cache

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import minprune
from minprune import nn, prune, structure
from minprune.quantize import quantize
from minprune.quantize.arithmetic import AffineNumbers
from tests.prune.cases import NETWORKS, SPECIAL, Watch, digits, learned
from tests.prune.table import BATCH_SIZE, EPOCHS, PROMISES, STEPS

ROWS = [
    pytest.param(promise, network, id=f"{name}, {network}")
    for name, promise in PROMISES.items()
    for network in promise.networks
]
LASTING = [row for row in ROWS if not row.values[0].regrows]
FIRST, LAST = (
    [row for row in ROWS if row.values[1] == row.values[0].networks[place]]
    for place in (0, -1)
)
"""One network for each procedure, where a test is worth no more seconds."""
INTEGERS = [row for row in LAST if row.values[0].integers]
COUNTED = [row for row in ROWS if row.values[0].sparsity is not None]


def new(network):
    return (NETWORKS | SPECIAL)[network]()


def train(network, *procedures, net=None, **given):
    """A network of this name, new unless one is given, after training."""
    net = new(network) if net is None else net
    given = {"epochs": EPOCHS, "batch_size": BATCH_SIZE} | learned(network) | given
    nn.train(net, procedures=procedures, **given)
    return net


@cache
def used(promise):
    """Procedures that every run of `trained` uses anew."""
    return promise.procedures()


@cache
def trained(promise, network):
    """One run for several tests, with what was seen after each of its steps."""

    def look(run):
        return counts(run.net, promise.scope), zero_where_pruned(run.net)

    watch, undo = Watch(look), prune.Undo()
    return train(network, undo, *used(promise), watch), watch.seen, undo


def zero_where_pruned(net):
    masks = net.masks()
    return all((w[~masks[name]] == 0).all() for name, w in net.weights().items())


def counts(net, scope):
    """How many are removed of how many: in each layer, in all, or of channels."""
    if scope == "units":
        sizes = [len(space) for space in structure.find_spaces(net).free().values()]
        gone = [len(units) for units in structure.emptied(net).values()]
        return [(sum(gone), sum(sizes))]
    masks = list(net.masks().values())
    if scope == "network":
        masks = [np.concatenate([mask.ravel() for mask in masks])]
    return [(int((~mask).sum()), mask.size) for mask in masks]


@pytest.mark.parametrize(("promise", "network"), COUNTED)
def test_the_count_is_exact_after_every_step(promise, network):
    _, seen, _ = trained(promise, network)
    for step, (found, _) in enumerate(seen, start=1):
        want = [(round(promise.sparsity(step) * size), size) for _, size in found]
        assert found == want, f"after step {step}"
    assert len(seen) == STEPS


@pytest.mark.parametrize(("promise", "network"), ROWS)
def test_the_network_shows_zeros_where_it_is_pruned_after_every_step(promise, network):
    net, seen, _ = trained(promise, network)
    assert all(zeros for _, zeros in seen)
    assert zero_where_pruned(net)


@pytest.mark.parametrize(("promise", "network"), FIRST)
def test_the_same_seed_gives_the_same_bits(promise, network):
    """From the same procedures too: a run leaves nothing behind in them."""
    first, _, _ = trained(promise, network)
    second = train(network, *used(promise))
    for name, array in first.parameters().items():
        assert_array_equal(array, second.parameters()[name])
    for name, mask in first.masks().items():
        assert_array_equal(mask, second.masks()[name])


@pytest.mark.parametrize(("promise", "network"), LASTING)
def test_what_is_pruned_before_stays_pruned(promise, network):
    net = new(network)
    prune.OneShot("random", sparsity=0.2).run(net)
    gone = {name: ~mask for name, mask in net.masks().items()}
    train(network, *promise.procedures(), net=net)
    for name, mask in net.masks().items():
        assert not (mask & gone[name]).any()


@pytest.mark.parametrize(("promise", "network"), ROWS)
def test_the_sparsity_survives_a_file(promise, network, tmp_path):
    net, _, _ = trained(promise, network)
    minprune.save(net, tmp_path / "net.safetensors")
    back = minprune.load(tmp_path / "net.safetensors")
    for name, mask in net.masks().items():
        assert_array_equal(back.masks()[name], mask)
        assert_array_equal(back.weights()[name], net.weights()[name])


@pytest.mark.parametrize(("promise", "network"), ROWS)
def test_the_run_leaves_nothing_of_itself_behind(promise, network):
    """What comes out is an ordinary network: training on keeps the masks."""
    net = trained(promise, network)[0].copy()
    masks = net.masks()
    train(network, net=net, epochs=1, batch_size=96)
    for name, weight in net.weights().items():
        assert_array_equal(net.masks()[name], masks[name])
        assert (weight[~masks[name]] == 0).all()


@pytest.mark.parametrize(("promise", "network"), ROWS)
def test_it_can_be_undone_to_the_bits_it_started_from(promise, network):
    trained_net, _, undo = trained(promise, network)
    net, start = trained_net.copy(), new(network).state()
    undo.undo(net)
    found = net.state()
    assert found.keys() == start.keys()
    for name, array in start.items():
        assert_array_equal(found[name], array)


class Killed(Exception):
    """What stops a run in the tests below."""


class Kill(nn.Procedure):
    """Stops the run after a step; never, if that step does not come."""

    def __init__(self, after):
        self.after = after

    def after_step(self, run):
        if run.step == self.after:
            raise Killed


@pytest.mark.parametrize(("promise", "network"), ROWS)
def test_killed_and_resumed_it_ends_in_the_same_bits(promise, network, tmp_path):
    whole, _, _ = trained(promise, network)
    checkpoint = nn.Checkpoint(tmp_path / "run.safetensors", every=2)
    with pytest.raises(Killed):
        train(network, *promise.procedures(), Kill(7), checkpoint=checkpoint)
    net = train(network, *promise.procedures(), Kill(0), checkpoint=checkpoint)
    for name, mask in whole.masks().items():
        assert_array_equal(net.masks()[name], mask)
    for name, array in whole.parameters().items():
        assert_array_equal(net.parameters()[name], array)


NEEDS_DENSE = {
    *("gradual channels", "surgery", "movement", "soft movement", "group lasso"),
    *("soft filters", "soft threshold", "L0", "variational dropout", "phases"),
    *("top-KAST", "powerpropagation", "powerpropagation with gradual", "SR-STE"),
    *("ADMM", "edge-popup", "SynFlow", "FORCE", "iterative SNIP"),
}
"""Procedures that train, or bring back, weights that are not stored."""


@pytest.mark.parametrize("name", PROMISES)
def test_what_can_trains_in_sparse_storage_and_the_rest_says_so(name):
    promise = PROMISES[name]
    network = promise.networks[0]
    net = new(network)
    prune.OneShot("random", sparsity=0.3, allocation="erk").run(net)
    prune.hold_sparsely(net)
    kinds = [layer.kind for layer in net.layers().values()]
    if name in NEEDS_DENSE:
        with pytest.raises(ValueError, match="is held sparsely"):
            train(network, *promise.procedures(), net=net)
    else:
        train(network, *promise.procedures(), net=net)
        assert [layer.kind for layer in net.layers().values()] == kinds


@pytest.mark.parametrize(("promise", "network"), INTEGERS)
def test_the_sparsity_survives_eight_bit_integers(promise, network):
    net, _, _ = trained(promise, network)
    whole = quantize(net, digits().train.x[:64])
    steps = [n for n in whole.numbers.values() if isinstance(n, AffineNumbers)]
    for mask, step in zip(net.masks().values(), steps, strict=True):
        integers = step.weight.reshape(mask.shape)
        assert (integers[~mask] == 0).all()
