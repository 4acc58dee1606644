"""The criteria on the package's own networks: evidence, backward pass and formula."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from minprune import nn
from minprune.criteria.evidence import collect
from minprune.criteria.flow import synflow, synflow_l2
from minprune.criteria.scale import taylor_bn
from minprune.criteria.snip import snip
from minprune.criteria.taylor_activation import taylor_gate
from minprune.criteria.taylor_filter import taylor_filter
from tests.oracles import snip as gates
from tests.oracles import taylor_filter as filter_gates


def network(*, bias=True, norm=True, seed=0):
    """A small convolutional network in float64."""
    middle = [nn.BatchNorm(4)] if norm else []
    layers = [
        nn.Conv2d(2, 4, 3, padding=1, bias=bias),
        *middle,
        nn.ReLU(),
        nn.Conv2d(4, 2, 2, stride=2, groups=2, bias=bias),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(8, 3, bias=bias),
    ]
    net = nn.Network(nn.Sequential(*layers), (2, 4, 4), seed=seed).astype(np.float64)
    rng = np.random.default_rng(seed)
    for value in net.parameters().values():
        if value.ndim == 1:  # biases and batch norms, away from zero and one
            value += rng.normal(scale=0.3, size=value.shape)
    return net


def samples(seed=0, examples=6):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(examples, 2, 4, 4)), rng.integers(3, size=examples)


def loss_of(net, name, x, labels):
    """Mean cross-entropy as an analytic function of one weight."""
    analytic = net.astype(np.complex128)

    def loss(weight):
        analytic.parameters()[name][...] = weight
        z = analytic.forward(analytic.enter(x)).T
        log_partition = np.log(np.exp(z).sum(axis=1))
        return (log_partition - z[np.arange(len(x)), labels]).mean()

    return loss


def test_the_backward_pass_gives_the_slopes_in_the_gates():
    net, (x, labels) = network(), samples()
    found = collect(net, (x, labels), ["weight", "grad"])
    assert len(found) == 3
    for name, given in found.items():
        loss = loss_of(net, name, x, labels)
        want = gates.snip(loss, given["weight"])
        assert_allclose(snip(**given), want, rtol=1e-10, atol=1e-13)  # atol in nats
        want = filter_gates.taylor_filter(loss, given["weight"])
        assert_allclose(taylor_filter(**given), want, rtol=1e-10, atol=1e-15)


def test_scale_and_shift_are_worth_the_activations_they_make():
    """A gate behind the batch norm passes a ReLU unchanged, so both see the same."""
    net, given = network(), samples()
    needs = ["bn_scale", "bn_scale_grad", "bn_shift", "bn_shift_grad"]
    (by_scale,) = collect(net, given, needs).values()
    by_map = collect(net, given, ["activation", "activation_grad"])["0.weight"]
    assert_allclose(taylor_bn(**by_scale), taylor_gate(**by_map), rtol=1e-10)


@pytest.mark.parametrize(
    ("criterion", "need"), [(synflow, "flow_grad"), (synflow_l2, "path_grad")]
)
def test_every_layer_of_a_convolutional_network_carries_the_whole_flow(criterion, need):
    """Tanaka et al. 2020, Theorem 2, where no bias adds flow on the way."""
    found = collect(network(bias=False, norm=False), None, ["weight", need])
    totals = [criterion(**given).sum() for given in found.values()]
    assert len(totals) == 3
    assert_allclose(totals, totals[0], rtol=1e-12)


def test_a_bias_adds_flow_on_the_way():
    found = collect(network(norm=False), None, ["weight", "flow_grad"])
    first, second, last = (synflow(**given).sum() for given in found.values())
    assert first < second < last
