"""Whole networks drawn at random, against PyTorch's autograd and optimizers.

Needs torch, as in the [conformance] extra; skipped, with that reason, where it is not
installed. Everything is compared in float64.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from minprune import nn
from minprune.nn import foreign, rates
from minprune.nn.layer import Mode
from tests.nn import rounding
from tests.nn.networks import networks

torch = pytest.importorskip("torch", reason="torch is not installed ([conformance])")
torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)


class Residual(torch.nn.Module):
    def __init__(self, body, shortcut=None):
        super().__init__()
        self.body = body
        if shortcut is not None:
            self.shortcut = shortcut

    def forward(self, x):
        return self.body(x) + (self.shortcut(x) if hasattr(self, "shortcut") else x)


class Concat(torch.nn.Module):
    def __init__(self, branches):
        super().__init__()
        for name, branch in branches.items():
            self.add_module(name, branch)

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.children()], dim=1)


class SqueezeExcite(torch.nn.Module):
    def __init__(self, gate):
        super().__init__()
        self.gate = gate

    def forward(self, x):
        gate = self.gate(x)
        return x * gate.reshape(*gate.shape, *(1,) * (x.ndim - gate.ndim))


class GlobalAvgPool(torch.nn.Module):
    def forward(self, x):
        return x.flatten(2).mean(dim=2)


def padded(layer, make, value=0.0):
    """A module with two-sided padding in front, where torch takes only one number."""
    args = layer.arguments()
    sides = args.pop("padding")
    flat = [n for side in reversed(sides) for n in side]
    inner = make(**args)
    if not any(flat):
        return inner

    def before(module, inputs):
        return (torch.nn.functional.pad(inputs[0], flat, value=value),)

    inner.register_forward_pre_hook(before)
    return inner


def twin(layer):
    """The same tree of modules, under the same names."""
    kind = layer.kind
    children = {name: twin(child) for name, child in layer.children.items()}
    if kind == "Sequential":
        module = torch.nn.Sequential()
        for name, child in children.items():
            module.add_module(name, child)
        return module
    if kind == "Residual":
        return Residual(**children)
    if kind in ("Concat", "Heads"):
        return Concat(children)
    if kind == "SqueezeExcite":
        return SqueezeExcite(**children)
    if kind == "GlobalAvgPool":
        return GlobalAvgPool()
    if kind in ("Conv1d", "Conv2d", "AvgPool1d", "AvgPool2d"):
        return padded(layer, getattr(torch.nn, kind))
    if kind in ("MaxPool1d", "MaxPool2d"):
        return padded(layer, getattr(torch.nn, kind), -np.inf)
    if kind == "BatchNorm":
        args = layer.arguments()
        return torch.nn.BatchNorm2d(
            args["num_features"], args["eps"], args["momentum"], args["affine"]
        )
    if kind == "Softmax":
        return torch.nn.Softmax(dim=1)
    return getattr(torch.nn, kind)(**layer.arguments())


def as_torch(net):
    module = twin(net.root)
    tensors = {k: torch.from_numpy(v) for k, v in foreign.state_dict(net).items()}
    missing, surplus = module.load_state_dict(tensors, strict=False)
    assert not surplus
    assert all(name.endswith("num_batches_tracked") for name in missing)
    return module


def assert_near(ours, theirs, name):
    """Equal to 1e-9 of the largest entry.

    A relative error of eps = 1e-16 in an entry of a layer grows by at most the sum of
    its terms over their result; with nine layers of up to a few hundred terms in sums
    that may cancel, 1e-9 leaves five digits more than was ever needed, and is nine
    digits below what any wrong formula would show.
    """
    scale = max(np.abs(theirs).max(initial=0.0), 1e-3)
    assert_allclose(ours, theirs, rtol=0, atol=1e-9 * scale, err_msg=name)


@settings(max_examples=60)
@given(networks(), st.integers(2, 5), st.booleans(), st.integers(0, 999))
def test_networks_drawn_at_random(net, batch, training, seed):
    net, rng = net.astype(np.float64), np.random.default_rng(seed)
    for layer in net.layers().values():
        if layer.kind == "BatchNorm":
            layer.buffers["running_mean"][:] = rng.normal(size=layer.num_features)
            layer.buffers["running_var"][:] = rng.uniform(0.5, 2, layer.num_features)
    module = as_torch(net).train(training)
    x, labels = rng.normal(size=(batch, *net.input_shape)), rng.integers(3, size=batch)
    tx = torch.tensor(x, requires_grad=True)
    loss = torch.nn.functional.cross_entropy(out := module(tx), torch.tensor(labels))
    loss.backward()

    inside = np.moveaxis(x, 0, -1)
    bounds = rounding.bounds(net, inside, labels, training)
    logits = net.forward(inside, Mode(training))
    value, gradient = nn.cross_entropy(logits, labels)
    dx = net.backward(gradient)

    def assert_within(ours, theirs, name):
        assert (np.abs(ours - theirs) <= bounds[name]).all(), name

    assert_within(logits, out.detach().numpy().T, "outputs")
    assert_within(value, loss.item(), "loss")
    assert_within(dx, np.moveaxis(tx.grad.numpy(), 0, -1), "input")
    grads = net.gradients()
    for name, parameter in module.named_parameters():
        assert_within(grads.pop(name), parameter.grad.numpy(), name)
    assert not grads
    state = foreign.state_dict(net)
    for name, buffer in module.named_buffers():
        if training and not name.endswith("num_batches_tracked"):
            assert_within(state[name], buffer.numpy(), name)


@settings(max_examples=40)
@given(
    st.sampled_from(["RNN", "LSTM", "GRU"]),
    st.integers(1, 3),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.lists(st.integers(1, 6), min_size=1, max_size=4),
    st.integers(0, 999),
)
def test_recurrent_layers_over_packed_sequences(
    kind, levels, bias, both, last, lengths, seed
):
    rng, lengths = np.random.default_rng(seed), np.array(lengths)
    layer = nn.KINDS[kind](3, 4, levels, bias, both, last).clone(np.float64)
    layer.reset(rng)
    module = getattr(torch.nn, kind)(3, 4, levels, bias=bias, bidirectional=both)
    module.load_state_dict({k: torch.from_numpy(v) for k, v in layer.params.items()})
    steps = lengths.max()
    x = rng.normal(size=(3, steps, len(lengths)))
    tx = torch.tensor(np.moveaxis(x, 0, -1), requires_grad=True)  # (L, N, features)
    packed = torch.nn.utils.rnn.pack_padded_sequence(tx, lengths, enforce_sorted=False)
    states, end = module(packed)
    if last:
        h = end[0] if kind == "LSTM" else end
        wanted = torch.cat(list(h[-2:] if both else h[-1:]), dim=1).T
    else:
        unpacked, _ = torch.nn.utils.rnn.pad_packed_sequence(states, total_length=steps)
        wanted = unpacked.permute(2, 0, 1)
    dy = rng.normal(size=wanted.shape)
    (wanted * torch.from_numpy(dy)).sum().backward()
    y = layer.forward(x, Mode(lengths=lengths))
    assert_near(y, wanted.detach().numpy(), "states")
    dx = layer.backward(dy)
    assert_near(np.moveaxis(dx, 0, -1), tx.grad.numpy(), "input gradient")
    for name, parameter in module.named_parameters():
        assert_near(layer.grads[name], parameter.grad.numpy(), name)


@pytest.mark.parametrize("shape", [(5,), (3, 4), (2, 3, 4)])
def test_layer_norm(shape):
    rng = np.random.default_rng(0)
    layer = nn.LayerNorm(shape).clone(np.float64)
    layer.params["weight"][...] = rng.normal(size=shape)
    module = torch.nn.LayerNorm(shape)
    module.load_state_dict({k: torch.from_numpy(v) for k, v in layer.params.items()})
    x = rng.normal(size=(6, *shape))
    tx = torch.tensor(x, requires_grad=True)
    y = module(tx)
    dy = rng.normal(size=y.shape)
    (y * torch.from_numpy(dy)).sum().backward()
    assert_near(
        layer.forward(np.moveaxis(x, 0, -1)),
        np.moveaxis(y.detach().numpy(), 0, -1),
        "y",
    )
    dx = layer.backward(np.moveaxis(dy, 0, -1))
    assert_near(np.moveaxis(dx, -1, 0), tx.grad.numpy(), "input gradient")
    for name, parameter in module.named_parameters():
        assert_near(layer.grads[name], parameter.grad.numpy(), name)


OPTIMIZERS = [
    (nn.SGD(0.05), lambda p: torch.optim.SGD(p, 0.05)),
    (nn.SGD(0.05, 0.9), lambda p: torch.optim.SGD(p, 0.05, 0.9)),
    (
        nn.SGD(0.05, 0.9, 1e-2, nesterov=True),
        lambda p: torch.optim.SGD(p, 0.05, 0.9, weight_decay=1e-2, nesterov=True),
    ),
    (nn.Adam(0.01), lambda p: torch.optim.Adam(p, 0.01)),
    (
        nn.Adam(0.01, (0.8, 0.99), 1e-6, 0.1),
        lambda p: torch.optim.Adam(p, 0.01, (0.8, 0.99), 1e-6, 0.1),
    ),
    (
        nn.AdamW(0.01, weight_decay=0.1),
        lambda p: torch.optim.AdamW(p, 0.01, weight_decay=0.1),
    ),
]


@pytest.mark.parametrize(("ours", "theirs"), OPTIMIZERS)
def test_fifty_steps_of_an_optimizer(ours, theirs):
    """Fifty steps of some ten roundings each, on numbers around 1."""
    rng = np.random.default_rng(0)
    w = rng.normal(size=(200, 100))  # more than one block
    parameter = torch.nn.Parameter(torch.tensor(w))
    peer, ours = theirs([parameter]), ours.fresh()
    for _ in range(50):
        grad = rng.normal(size=w.shape)
        ours.step({"w": w}, {"w": grad})
        parameter.grad = torch.tensor(grad)
        peer.step()
    assert_allclose(w, parameter.detach().numpy(), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("total", [10, 37])
def test_rates(total):
    def factors(make):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 1.0)
        schedule, seen = make(optimizer), []
        for _ in range(total):
            seen.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.step()
        return seen

    wheel = torch.optim.lr_scheduler
    pairs = [
        (rates.cosine, lambda o: wheel.CosineAnnealingLR(o, total)),
        (
            rates.one_cycle(),
            lambda o: wheel.OneCycleLR(
                o, 1.0, total_steps=total + 1, cycle_momentum=False
            ),
        ),
        (
            rates.staircase((0.2, 0.6), 0.5),
            lambda o: wheel.MultiStepLR(
                o, [int(np.ceil(0.2 * total)), int(np.ceil(0.6 * total))], 0.5
            ),
        ),
    ]
    for ours, make in pairs:
        length = total + (make is pairs[1][1])
        assert_allclose(
            [ours(s, length) for s in range(total)], factors(make), rtol=1e-9
        )


def losses():
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(7, 4)), rng.integers(4, size=7)
    target = rng.integers(2, size=(7, 4)).astype(float)
    functional = torch.nn.functional
    yield (
        nn.CrossEntropy(0.1),
        lambda z: functional.cross_entropy(
            z, torch.tensor(labels), label_smoothing=0.1
        ),
        logits,
        labels,
    )
    yield (
        nn.binary_cross_entropy,
        lambda z: functional.binary_cross_entropy_with_logits(z, torch.tensor(target)),
        logits,
        target,
    )
    yield (
        nn.mean_squared_error,
        lambda z: functional.mse_loss(z, torch.tensor(target)),
        logits,
        target,
    )


@pytest.mark.parametrize("case", range(3))
def test_losses(case):
    loss, peer, output, target = list(losses())[case]
    value, gradient = loss(output.T, target)
    tz = torch.tensor(output, requires_grad=True)
    wanted = peer(tz)
    wanted.backward()
    assert value == pytest.approx(wanted.item(), rel=1e-12)
    assert_near(gradient.T, tz.grad.numpy(), "gradient")


def test_a_torch_lenet_is_imported_pruned_and_loaded_back(tmp_path):
    """Equal outputs at every station, through safetensors files."""
    safetensors = pytest.importorskip("safetensors.torch")
    shape = (1, 28, 28)
    net = nn.Network(nn.models.lenet5(shape, 10), shape)
    theirs = twin(net.root).float()
    safetensors.save_file(theirs.state_dict(), tmp_path / "lenet.safetensors")
    foreign.load_state_dict(
        net, foreign.read_state_dict(tmp_path / "lenet.safetensors")
    )
    x = np.random.default_rng(0).random((4, *shape), np.float32)

    def answer():
        with torch.no_grad():
            return theirs(torch.from_numpy(x)).numpy()

    assert_allclose(net(x), answer(), rtol=1e-4, atol=1e-5)
    for name, weight in net.weights().items():
        net.set_masks({name: np.abs(weight) > np.quantile(np.abs(weight), 0.9)})
    foreign.write_state_dict(net, tmp_path / "pruned.safetensors")
    theirs.load_state_dict(safetensors.load_file(tmp_path / "pruned.safetensors"))
    assert_allclose(net(x), answer(), rtol=1e-4, atol=1e-5)
    assert (theirs.fc1.weight == 0).double().mean() == pytest.approx(0.9, abs=1e-3)
