"""Run-time gating: nothing that is skipped matters, and what is made is counted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minprune import nn, prune
from minprune.prune import gating
from tests.prune.cases import NETWORKS, digits


def count_by_hand(layer, x, wanted=None):
    """Multiply-adds of one sample, weight by weight: skipped if its channel is zero."""
    (weight,) = layer.weights().values()
    mask = layer.masks.get("weight", np.ones(weight.shape, bool))
    positions = int(np.prod(layer.output_shape(x.shape)[1:]))
    groups = getattr(layer, "groups", 1)
    total = 0
    for at in np.ndindex(weight.shape):
        group = at[0] // (len(weight) // groups)
        channel = group * weight.shape[1] + at[1]
        made = wanted is None or wanted[at[0]]
        total += bool(mask[at] and made and x[channel].any()) * positions
    return total


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("name", NETWORKS)
def test_without_gates_the_answers_are_the_networks(name, sparse):
    net = NETWORKS[name]()
    prune.OneShot("magnitude", sparsity=0.6).run(net)
    if sparse:
        prune.hold_sparsely(net)
    x = digits().test.x[:9]
    y, executed = gating.Gated(net)(x)
    # Sums of at most 64 float32 products of order one, in another order.
    assert_allclose(y, net(x), rtol=0, atol=1e-4)
    assert executed.shape == (9,)
    assert (executed <= net.macs()).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_counted_is_what_the_weights_of_live_channels_make(name):
    net = NETWORKS[name]()
    prune.OneShot("magnitude", sparsity=0.5).run(net)
    x = digits().test.x[:4]
    _, executed = gating.Gated(net)(x)
    for n in range(4):
        seen, want = net.enter(x[n : n + 1]), 0
        for layer in net.root.children.values():
            if layer.prunable:
                want += count_by_hand(layer, seen[..., 0])
            seen = layer.forward(seen)
        assert executed[n] == want


def test_a_gate_gives_the_answers_of_a_network_whose_activations_are_cut():
    net = NETWORKS["linear"]()
    x = digits().test.x[:20]
    y, executed = gating.Gated(net, {"relu1": gating.Threshold(0.3)})(x)
    hidden = net.enter(x)
    for layer in list(net.root.children.values())[:-1]:
        hidden = layer.forward(hidden)
    cut = np.where(np.abs(hidden) > 0.3, hidden, 0)
    want = net.root.children["fc2"].forward(cut).T
    assert_allclose(y, want, rtol=0, atol=1e-5)  # sums of 12 products
    live = (net.enter(x).reshape(64, -1) != 0).sum(axis=0) * 12
    assert_array_equal(executed, live + (cut != 0).sum(axis=0) * 10)


def test_a_higher_threshold_executes_less():
    net, x = NETWORKS["linear"](), digits().test.x
    runs = [
        gating.Gated(net, {"relu1": gating.Threshold(t)})(x)[1] for t in (0, 0.5, 2)
    ]
    assert runs[0].mean() > runs[1].mean() > runs[2].mean()


@given(st.integers(0, 2**32 - 1))
def test_a_relative_gate_adapts_to_how_loud_a_sample_is(seed):
    x = np.random.default_rng(seed).normal(size=(6, 4, 3))
    gate = gating.Relative(0.7)
    # By powers of two, so that nothing is rounded over the edge.
    louder = x * np.array([1.0, 2.0**7, 2.0**-9])
    assert_array_equal(gate(x), gate(louder))
    assert (gating.Threshold(0.7)(x) != gating.Threshold(0.7)(louder)).any()


def boosted(sparsity=0.5, seed=0):
    return gating.boosted(NETWORKS["conv"](), "conv", sparsity, seed)


def test_the_channels_with_the_highest_predictions_are_on():
    net = boosted()
    x = net.enter(digits().test.x[:7])
    layer = net.root.children["conv"]
    _, gate, on = layer.saliency(x)
    for n in range(7):
        seen = np.abs(x[..., n]).mean(axis=(1, 2))
        want = np.maximum(layer.params["phi"] @ seen + layer.params["rho"], 0)
        assert_allclose(gate[:, n], want, rtol=1e-5)
        assert on[:, n].sum() == 3
        assert want[on[:, n]].min() >= want[~on[:, n]].max()


def test_channels_that_are_off_are_not_made():
    net, x = boosted(), digits().test.x[:7]
    y, executed = gating.Gated(net)(x)
    assert_allclose(y, net(x), rtol=0, atol=1e-4)
    boost = net.root.children["conv"]
    for n in range(7):
        seen = net.enter(x[n : n + 1])
        _, gate, on = boost.saliency(seen)
        wanted = (on & (gate > 0))[:, 0]
        assert wanted.sum() <= 3
        want = boost.params["phi"].size + count_by_hand(
            boost.conv, seen[..., 0], wanted
        )
        for layer in net.root.children.values():
            if layer.prunable:
                want += count_by_hand(layer, seen[..., 0])
            seen = layer.forward(seen)
        assert executed[n] == want


def test_the_backward_of_a_boost_is_the_slope_of_its_forward():
    """By the complex step, for the input and for everything that is trained."""
    rng = np.random.default_rng(0)
    conv = nn.Conv2d(3, 4, 3, padding=1)
    layer = nn.FeatureBoost(conv, 2)
    for part in (layer, conv):
        part.params = {k: rng.normal(size=a.shape) for k, a in part.params.items()}
    layer.params["rho"] += 2
    x, dy = rng.normal(size=(3, 5, 5, 2)), rng.normal(size=(4, 5, 5, 2))
    layer.forward(x)
    dx = layer.backward(dy)
    step = 1e-30

    def slope(x, key=None, along=None):
        """Of sum(dy * y), along a direction of one parameter if it is named."""
        for part in (layer, conv):
            part.params = {k: a.astype(complex) for k, a in part.params.items()}
        if key is not None:
            part = layer if key in layer.params else conv
            part.params[key] = part.params[key] + 1j * step * along
        found = (dy * layer.forward(x.astype(complex))).sum().imag / step
        for part in (layer, conv):
            part.params = {k: a.real.copy() for k, a in part.params.items()}
        return found

    along = rng.normal(size=x.shape)
    assert slope(x + 1j * step * along) == pytest.approx((dx * along).sum(), rel=1e-10)
    grads = layer.grads | conv.grads
    for key in ("phi", "rho", "weight", "bias"):
        along = rng.normal(size=grads[key].shape)
        want = (grads[key] * along).sum()
        assert slope(x, key, along) == pytest.approx(want, rel=1e-10)


def test_a_boosted_network_learns_with_half_of_its_channels():
    cnn = nn.models.build("small_cnn", digits(), seed=0)
    net = gating.boosted(cnn, "conv2", 0.5)
    nn.train(net, digits(), epochs=15, optimizer=nn.Adam(3e-3))
    assert nn.evaluate(net, digits().test, nn.cross_entropy)[1] > 0.8
    _, executed = gating.Gated(net)(digits().test.x[:5])
    assert (executed < 0.75 * cnn.macs()).all()


def test_an_empty_batch_has_no_answers_and_no_work():
    y, executed = gating.Gated(NETWORKS["conv"]())(digits().test.x[:0])
    assert y.shape == (0, 10)
    assert executed.shape == (0,)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: gating.Threshold(-1), "expected 0 or more"),
        (lambda: gating.Relative(float("nan")), "expected 0 or more"),
        (lambda: boosted(1.5), "from 0 to 1"),
        (lambda: gating.boosted(NETWORKS["conv"](), "head", 0.5), "a convolution"),
        (lambda: gating.boosted(NETWORKS["conv"](), "conf", 0.5), "mean 'conv'"),
        (lambda: gating.Gated(NETWORKS["conv"](), {"relu9": None}), "mean 'relu"),
    ],
)
def test_what_cannot_be_gated_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
