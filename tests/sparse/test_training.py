"""A compiled training step: the same steps as the training loop takes, in one call."""

import tracemalloc

import numba
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minprune import nn, sparse
from minprune.nn.loss import CrossEntropy
from minprune.sparse.kernels import _jit

RULES = {
    "plain": {},
    "momentum": {"momentum": 0.9},
    "nesterov": {"momentum": 0.5, "nesterov": True, "weight_decay": 0.01},
}


def network(block=1):
    """Sparse, in blocks if asked, and a dense layer at the end."""
    root = nn.Sequential(
        nn.Flatten(),
        nn.Linear(24, 40),
        nn.ReLU(),
        nn.Linear(40, 16, bias=False),
        nn.ReLU(),
        nn.Linear(16, 3),
    )
    net = nn.Network(root, (2, 3, 4), seed=0, scale=0.5, offset=0.1)
    rng = np.random.default_rng(1)
    masks = {}
    for name in ("1.weight", "3.weight"):
        rows, columns = net.weights()[name].shape
        kept = rng.random((rows // block, columns)) < 0.3
        masks[name] = np.repeat(kept, block, axis=0)
    net.set_masks(masks)
    return sparse.compress(net)


def convolutional():
    """Every layer that a step can train or go back through, in awkward shapes."""
    root = nn.Sequential(
        nn.AvgPool2d(2, stride=1),
        nn.Conv2d(2, 6, 3, padding=1, bias=False),
        nn.BatchNorm(6),
        nn.ReLU(),
        nn.Conv2d(6, 8, 3, stride=2, padding=(2, 1), groups=2),
        nn.ReLU(),
        nn.MaxPool2d(2, stride=1, padding=1),
        nn.ReLU6(),
        nn.Conv2d(8, 6, 2, dilation=2, padding=1),
        nn.BatchNorm(6, affine=False),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(36, 5),
        nn.ReLU(),
        nn.Linear(5, 3),
    )
    net = nn.Network(root, (2, 8, 7), seed=0)
    net.layers()["4"].params["weight"] *= 16  # some go beyond six
    return thinned(net)


def signal():
    """One axis, and a mean over it."""
    root = nn.Sequential(
        nn.Conv1d(3, 8, 5, stride=3, padding=2),
        nn.ReLU(),
        nn.Conv1d(8, 8, 3),
        nn.GlobalAvgPool(),
        nn.Linear(8, 3),
    )
    return thinned(nn.Network(root, (3, 20), seed=1))


def branched():
    """Ways that part and meet, before anything is trained and within each other."""
    root = nn.Sequential(
        nn.Concat(
            nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.ReLU()),
            nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1)),
        ),
        nn.ReLU(),
        nn.Residual(
            nn.Sequential(
                nn.ReLU(),
                nn.Residual(nn.Sequential(nn.Conv2d(5, 5, 3, padding=1), nn.ReLU())),
                nn.BatchNorm(5),
            ),
            nn.Sequential(nn.Conv2d(5, 5, 1)),
        ),
        nn.ReLU6(),
        nn.Concat(
            nn.Sequential(nn.ReLU(), nn.Conv2d(5, 4, 3, padding=1)),
            nn.Sequential(nn.BatchNorm(5)),
        ),
        nn.ReLU(),
        nn.Residual(nn.Sequential(nn.ReLU())),
        nn.Flatten(),
        nn.Linear(9 * 30, 3),
    )
    return thinned(nn.Network(root, (2, 6, 5), seed=3))


def thinned(net):
    """Some layers sparse, others dense with a mask: `compress` decides."""
    rng = np.random.default_rng(1)
    net.set_masks({n: rng.random(w.shape) < 0.35 for n, w in net.weights().items()})
    return sparse.compress(net)


def samples(count, seed=2, shape=(2, 3, 4)):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, *shape)).astype(np.float32)
    return x, rng.integers(3, size=count)


NETWORKS = {
    "linear": network,
    "in blocks": lambda: network(4),
    "convolutional": convolutional,
    "signal": signal,
    "branched": branched,
}


@pytest.mark.parametrize("make", NETWORKS)
@pytest.mark.parametrize("rule", RULES)
def test_a_step_is_forward_loss_backward_update(rule, make):
    ours, reference = NETWORKS[make](), NETWORKS[make]()
    loss = CrossEntropy(smoothing=0.1)
    optimizer, by_hand = (nn.SGD(0.2, **RULES[rule]) for _ in range(2))
    step = sparse.compile(ours, 20, loss=loss, optimizer=optimizer)
    for turn, count in enumerate((20, 20, 7, 2, 20)):
        x, labels = samples(count, turn, ours.input_shape)
        logits = reference.forward(reference.enter(x), nn.Mode(training=True))
        want, delta = loss(logits, labels)
        reference.backward(delta)
        for _, layer in reference.root.walk():
            layer.mask_grads()
        by_hand.step(reference.parameters(), reference.gradients(), 0.5)
        # float32, and from the second step on what rounding did to those before
        assert step(x, labels, 0.5) == pytest.approx(want, rel=1e-4)
    for name, param in reference.parameters().items():
        # float32; five steps, each a sum of at most a thousand products near one
        assert_allclose(ours.parameters()[name], param, rtol=1e-3, atol=2e-5)
    for name, layer in reference.layers().items():
        for key, buffer in layer.buffers.items():
            found = ours.layers()[name].buffers[key]
            assert_allclose(found, buffer, rtol=1e-4, atol=1e-5)
    for name, slots in by_hand.slots.items():
        for slot, array in slots.items():
            found = optimizer.slots[name][slot]
            assert_allclose(found, array, rtol=1e-3, atol=2e-5)
    assert optimizer.steps == by_hand.steps


def test_the_network_stays_whole_while_it_is_trained():
    """Its arrays are those of the step: evaluation and copies see every step."""
    net = network()
    step = sparse.compile(net, 16, loss=CrossEntropy(), optimizer=nn.SGD(0.5))
    x, labels = samples(16)
    losses = [step(x, labels) for _ in range(30)]
    assert losses[-1] < losses[0] - 0.2
    value, _ = CrossEntropy()(net(x).T, labels)
    assert step(x, labels) == pytest.approx(value, rel=1e-5)
    copy = net.copy()
    assert_array_equal(copy(x), net(x))
    layer = net.layers()["1"]
    assert np.shares_memory(layer.matrix().data, layer.params["weight"])


@pytest.mark.parametrize("make", NETWORKS)
def test_threads_do_not_change_a_bit(make, monkeypatch):
    monkeypatch.setattr(_jit, "PAYS", 0)
    found = []
    for threads in (1, 3):
        monkeypatch.setattr(_jit, "threads", lambda threads=threads: threads)
        net = NETWORKS[make]()
        rule = {"loss": CrossEntropy(), "optimizer": nn.SGD(0.2, momentum=0.9)}
        step = sparse.compile(net, 20, **rule)
        losses = [step(*samples(20, turn, net.input_shape)) for turn in range(3)]
        found.append((losses, [p.tobytes() for p in net.parameters().values()]))
    assert found[0] == found[1]


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="plain Python allocates")
def test_a_step_does_not_allocate():
    net = network()
    step = sparse.compile(net, 16, loss=CrossEntropy(), optimizer=nn.SGD(0.5))
    x, labels = samples(16)
    step(x, labels)
    tracemalloc.start()
    for _ in range(10):
        step(x, labels)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4096, "views of the arenas, and no array"


def test_what_has_no_compiled_step_is_refused():
    net = network()
    with pytest.raises(ValueError, match=r"CrossEntropy and SGD; came .* and Adam"):
        sparse.compile(net, 4, loss=CrossEntropy(), optimizer=nn.Adam())
    with pytest.raises(ValueError, match="came NoneType and SGD"):
        sparse.compile(net, 4, optimizer=nn.SGD(0.1))
    dropout = nn.Network(nn.Sequential(nn.Dropout(0.5), nn.Linear(2, 2)), (2,), seed=0)
    with pytest.raises(ValueError, match=r"layer 0 is a Dropout, .* nn\.train"):
        sparse.compile(dropout, 4, loss=CrossEntropy(), optimizer=nn.SGD(0.1))
    tanh = nn.Network(nn.Sequential(nn.Linear(2, 2), nn.Tanh()), (2,), seed=0)
    with pytest.raises(
        ValueError, match="layer 1 is a Tanh, which has no compiled training"
    ):
        sparse.compile(tanh, 4, loss=CrossEntropy(), optimizer=nn.SGD(0.1))


@pytest.mark.parametrize(
    ("x", "labels", "fault"),
    [
        (np.ones((5, 24)), np.zeros(5, int), "expected 1 to 4 of 24 numbers each"),
        (np.ones((0, 24)), np.zeros(0, int), "expected 1 to 4 of 24 numbers each"),
        (np.ones((2, 23)), np.zeros(2, int), "expected 1 to 4 of 24 numbers each"),
        (np.ones((2, 24)), np.zeros(3, int), r"shape \(3,\).* expected \(2,\)"),
        (np.ones((2, 24)), np.array([0, 3]), "from 0 to 3; expected .* from 0 to 2"),
        (np.ones((2, 24)), np.array([-1, 0]), "from -1 to 0; expected"),
    ],
)
def test_samples_that_do_not_fit_are_refused(x, labels, fault):
    step = sparse.compile(network(), 4, loss=CrossEntropy(), optimizer=nn.SGD(0.1))
    with pytest.raises(ValueError, match=fault):
        step(x, labels)
