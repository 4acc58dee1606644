"""Evolving patterns: what goes, what comes, and a stored number that never changes."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minprune import nn, prune
from minprune._random import stream
from minprune.prune.evolve import growth, hold
from minprune.prune.evolve.set import nearest_zero
from tests.oracles import procedures as oracle
from tests.prune.cases import NETWORKS, Watch, digits, linear

EVOLVING = {
    "SET": lambda: prune.SET(frequency=3),
    "RigL": lambda: prune.RigL(frequency=2),
    "SNFS": lambda: prune.SNFS(frequency=3, memory=2),
    "Deep R": lambda: prune.DeepR(pull=10.0, temperature=1e-2),
}


def train(net, *procedures, optimizer=None, epochs=3, **given):
    nn.train(
        net,
        digits(),
        epochs=epochs,
        batch_size=48,
        procedures=procedures,
        optimizer=optimizer,
        **given,
    )
    return net


def sparse(name="linear", sparsity=0.7):
    net = NETWORKS[name]()
    prune.OneShot("random", sparsity=sparsity, allocation="erk").run(net)
    prune.hold_sparsely(net)
    return net


def stored(net):
    return {name: int(mask.sum()) for name, mask in net.masks().items()}


@pytest.mark.parametrize("procedure", EVOLVING)
@pytest.mark.parametrize("name", NETWORKS)
def test_the_stored_number_never_changes_and_the_pattern_does(name, procedure):
    net = sparse(name)
    before, masks = stored(net), net.masks()
    watch = Watch(lambda run: stored(run.net))
    train(net, EVOLVING[procedure](), watch)
    if procedure == "SNFS":
        assert all(sum(s.values()) == sum(before.values()) for s in watch.seen)
    else:
        assert all(seen == before for seen in watch.seen)
    assert any((net.masks()[n] != mask).any() for n, mask in masks.items())


@pytest.mark.parametrize("procedure", EVOLVING)
def test_everything_that_is_remembered_is_as_long_as_what_is_stored(procedure):
    def lengths(run):
        return all(
            len(slot) == len(run.net.parameters()[name])
            for name, slots in run.optimizer.slots.items()
            for slot in slots.values()
        )

    watch = Watch(lengths)
    train(sparse(), EVOLVING[procedure](), watch, optimizer=nn.SGD(0.05, momentum=0.9))
    assert all(watch.seen)


@pytest.mark.parametrize("procedure", EVOLVING)
def test_the_same_seed_gives_the_same_bits(procedure):
    first, second = (train(sparse(), EVOLVING[procedure]()) for _ in range(2))
    for name, array in first.parameters().items():
        assert_array_equal(array, second.parameters()[name])


@pytest.mark.parametrize("procedure", EVOLVING)
def test_a_dense_network_is_refused_with_the_way_to_start(procedure):
    with pytest.raises(ValueError, match="OneShot\\('random'"):
        train(linear(), EVOLVING[procedure]())


@pytest.mark.parametrize(
    ("procedure", "message"),
    [
        (prune.RigL(), "due at step 100, .* can be met is frequency=8$"),
        (prune.SET(frequency=9, end=9), "due at step 9, .* is frequency=8$"),
        (prune.DeepR(end=1), "due at step 1, .* is end=2$"),
    ],
)
def test_a_run_in_which_nothing_would_evolve_is_refused(procedure, message):
    with pytest.raises(ValueError, match=message):
        train(sparse(), procedure)


def test_the_nearest_frequency_that_is_named_makes_an_exchange():
    net = sparse()
    before = net.masks()
    train(net, prune.RigL(frequency=8))
    assert any((net.masks()[name] != mask).any() for name, mask in before.items())


def test_it_starts_from_masks_set_by_the_procedure_before_it():
    net = linear()
    start = prune.OneShot("random", sparsity=0.7, allocation="erk")
    train(net, start, prune.RigL(frequency=2))
    assert {layer.kind for layer in net.layers().values()} >= {"SparseLinear"}


@given(
    st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=30),
    st.sampled_from([0.0, 0.25, 0.3, 0.5, 1.0]),
)
def test_set_drops_of_each_sign_for_itself(values, zeta):
    got = nearest_zero(np.array(values), zeta)
    # A negative zero is a zero: it counts as positive in both.
    assert set(np.flatnonzero(got).tolist()) == oracle.set_drop(values, zeta)


def test_exchanged_weights_take_their_values_and_memory_along():
    """Weights 1, 2, 3 at 0, 2, 4 of six; the middle one goes, 1 and 5 come."""
    layer = nn.Linear(3, 2, bias=False)
    layer.params["weight"][...] = [[1, 9, 2], [9, 3, 9]]
    layer.set_mask("weight", np.array([[1, 0, 1], [0, 1, 0]], bool))
    layer = hold._sparse(layer)
    optimizer = nn.SGD(0.1, momentum=0.9).fresh()
    optimizer.slots["w"] = {"momentum": np.array([10.0, 20.0, 30.0])}
    drop = np.array([False, True, False])
    grow, values = np.array([1, 5]), np.array([7.0, 8.0])
    moved = hold.exchange(optimizer, "w", layer, drop, grow, values)
    assert layer.weights()["weight"].tolist() == [[1, 7, 0], [0, 3, 8]]
    assert moved.tolist() == [0, -1, 2]
    assert optimizer.slots["w"]["momentum"].tolist() == [10, 0, 30, 0]


@pytest.mark.parametrize("step", range(4))
def test_rigl_exchanges_what_the_paper_says(step):
    """One exchange with the pattern and gradient of a dense twin, weight by weight."""
    rng = np.random.default_rng(step)
    mask = rng.random((6, 8)) < 0.4
    layer = nn.Linear(8, 6)
    layer.params["weight"] = np.where(mask, rng.normal(size=mask.shape), 0)
    layer.set_mask("weight", mask)
    dense = nn.Network(nn.Sequential(layer), (8,))
    net = dense.copy()
    prune.hold_sparsely(net)
    x, dy = rng.normal(size=(8, 5)), rng.normal(size=(6, 5))
    net.forward(x)
    net.backward(dy)
    rate = 0.5
    new, values = oracle.rigl(
        layer.params["weight"].ravel(), mask.ravel(), (dy @ x.T).ravel(), rate
    )

    rigl = prune.RigL(fraction=0.5, frequency=1, end=10)
    run = nn.Run(net, None, nn.SGD(0.1), nn.cross_entropy, 0, 1, 10, step=0)
    rigl.begin(run)
    rigl.after_step(run)  # at step 0 the rate is the whole fraction

    assert_array_equal(net.masks()["0.weight"].ravel(), new)
    assert_allclose(net.weights()["0.weight"].ravel(), values, rtol=0, atol=0)


@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize("rows_at_once", [1, 2**18])
def test_the_streamed_gradient_is_the_dense_one(groups, rows_at_once, monkeypatch):
    monkeypatch.setattr(growth, "BLOCK", rows_at_once)
    rng = np.random.default_rng(0)
    dense = nn.Conv2d(3, 6, 3, stride=2, padding=1, groups=groups)
    dense.params["weight"] = rng.normal(size=dense.params["weight"].shape)
    dense.set_mask("weight", rng.random(dense.params["weight"].shape) < 0.3)
    x = rng.normal(size=(3, 5, 4, 7))
    y = dense.forward(x)
    dy = rng.normal(size=y.shape)
    dense.backward(dy)
    want = dense.grads["weight"].reshape(6, -1)
    layer = hold._sparse(dense)
    layer.forward(x)
    layer.backward(dy)
    got = np.concatenate(
        [rows for _, rows in growth.blocks(layer, [growth.last_batch(layer)])]
    )
    assert_allclose(got, want, rtol=0, atol=1e-12)  # sums of 42 products near one


@given(st.integers(0, 2**32 - 1), st.integers(0, 12))
def test_the_largest_gradients_are_found_block_by_block(seed, count):
    rng = np.random.default_rng(seed)
    layer = nn.Linear(5, 7)
    layer.set_mask("weight", rng.random((7, 5)) < 0.4)
    layer = hold._sparse(layer)
    # Whole numbers, so that many gradients are equal.
    x = rng.integers(-2, 3, (5, 3)).astype(float)
    dy = rng.integers(-2, 3, (7, 3)).astype(float)
    taken = hold.positions(layer)
    free = np.setdiff1d(np.arange(35), taken)
    size = np.abs(dy @ x.T).ravel()
    want = sorted(sorted(free, key=lambda i: (-size[i], i))[:count])
    block, growth.BLOCK = growth.BLOCK, 10
    try:
        got = growth.largest(layer, [growth.Batch(1.0, x, dy)], taken, count)
    finally:
        growth.BLOCK = block
    assert got.positions.tolist() == want
    if len(taken):
        assert got.stored_mean == pytest.approx(size[taken].mean(), rel=1e-12)


def test_the_dense_gradient_is_never_held():
    rng = np.random.default_rng(0)
    layer = nn.Linear(1024, 4096)
    layer.set_mask("weight", rng.random((4096, 1024)) < 0.05)
    layer = hold._sparse(layer)
    x, dy = (rng.normal(size=(n, 32)).astype(np.float32) for n in (1024, 4096))
    taken, count = hold.positions(layer), 30_000
    tracemalloc.start()
    growth.largest(layer, [growth.Batch(1.0, x, dy)], taken, count)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4096 * 1024 * 4 / 4  # a quarter of it, candidates included


@given(st.sets(st.integers(0, 19)), st.integers(0, 2**32 - 1))
def test_free_positions_are_free_different_and_ascending(taken, seed):
    stored = np.array(sorted(taken), int)
    count = (20 - len(taken)) // 2
    found = hold.draw_free(stored, 20, count, np.random.default_rng(seed))
    assert len(set(found.tolist())) == count
    assert not set(found.tolist()) & taken
    assert (np.diff(found) > 0).all()
    assert all(0 <= at < 20 for at in found)


def test_every_free_position_is_drawn_equally_often():
    stored = np.array([0, 3, 4])
    rng = np.random.default_rng(0)
    seen = np.zeros(8)
    for _ in range(5000):
        seen[hold.draw_free(stored, 8, 1, rng)] += 1
    free = seen[[1, 2, 5, 6, 7]]
    # Five equally likely places, 5000 draws: deviation sqrt(5000 * 0.2 * 0.8) = 28.
    assert (np.abs(free - 1000) < 5 * 28).all()
    assert (seen[stored] == 0).all()


def test_deep_r_never_lets_a_weight_change_its_sign():
    deep = prune.DeepR(pull=1.0, temperature=1e-3)
    seen = []

    def look(run):
        for name, layer in deep.layers(run.net).items():
            seen.append(bool((layer.params["weight"] * deep.signs[name] >= 0).all()))

    train(sparse(), deep, Watch(look))
    # From `end` on nothing is rewired any more: the first nine of twelve steps count.
    assert all(seen[: 2 * 8])


def test_a_step_of_deep_r_is_the_papers():
    """Algorithm 1: theta - eta alpha + sqrt(2 eta T) nu, or dormant below zero."""
    deep = prune.DeepR(pull=0.5, temperature=1e-3, end=7, seed=4)
    name, eta, before, gone = "fc1.weight", 0.05 * 0.5, {}, []

    class Before(nn.Procedure):
        def after_step(self, run):
            layer, signs = deep.layers(run.net)[name], deep.signs[name]
            theta = layer.params["weight"] * signs
            before.update(theta=theta, signs=signs, at=hold.positions(layer))

    def after(run):
        if run.step >= 7:
            return
        at, signs = before["at"], before["signs"]
        nu = stream(4, "Deep R", name, run.step).standard_normal(len(at))
        theta = before["theta"] - eta * 0.5 + np.sqrt(2 * eta * 1e-3) * nu
        stays, now = theta >= 0, run.net.weights()[name].ravel()
        want = (signs * theta)[stays]
        assert_allclose(now[at[stays]], want, rtol=1e-4, atol=1e-6)  # float32
        held = np.flatnonzero(run.net.masks()[name])
        assert len(held) == len(at)
        assert (now[np.setdiff1d(held, at)] == 0).all()
        gone.append(int((~stays).sum()))

    half = {"optimizer": nn.SGD(0.05), "rate": lambda step, total: 0.5}
    train(sparse(), Before(), deep, Watch(after), **half)
    assert sum(gone) > 0


def test_the_momentum_of_snfs_is_made_of_the_last_batches_before_an_exchange():
    snfs, name = prune.SNFS(frequency=5, memory=3, momentum=0.9), "fc1.weight"
    every, seen = [], []

    class Before(nn.Procedure):
        def after_step(self, run):
            batch = growth.last_batch(snfs.layers(run.net)[name])
            every.append((batch.x.copy(), batch.dy.copy()))

    def after(run):
        if run.step == 5:
            seen.extend(snfs._mean(name))

    train(sparse(), Before(), snfs, Watch(after))
    assert [batch.weight for batch in seen] == pytest.approx([0.081, 0.09, 0.1])
    for batch, (x, dy) in zip(seen, every[2:5], strict=True):
        assert_array_equal(batch.x, x)
        assert_array_equal(batch.dy, dy)


def test_deep_r_pulls_and_shakes_by_the_rate_of_the_step():
    """At a rate of zero nothing moves: eta is what the schedule makes of it."""
    net = sparse()
    before = net.copy().weights()
    train(net, prune.DeepR(pull=10.0, temperature=1e-2), rate=lambda step, total: 0.0)
    for name, weight in net.weights().items():
        assert_array_equal(weight, before[name])


def test_snfs_moves_weights_towards_the_layer_with_the_larger_momentum():
    net = sparse(sparsity=0.8)
    before = stored(net)
    net.parameters()["fc2.bias"][:] = 50 * np.arange(10)  # large errors at the output
    train(net, prune.SNFS(frequency=2, memory=2), epochs=2)
    assert stored(net)["fc2.weight"] > before["fc2.weight"]
