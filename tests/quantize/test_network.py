"""The quantized network against exact numbers, its theorems, and its accuracy."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minprune import data, nn, prune
from minprune.quantize import OBSERVERS, fixed, lower, quantize
from minprune.quantize.arithmetic import bounds, real
from minprune.quantize.graph import Add, Affine, Concat, Pool
from tests.oracles import quantize as oracle
from tests.quantize.networks import NETWORKS, drawn

INT32 = st.integers(-(2**31), 2**31 - 1)


# Definition.


@given(x=INT32, m=st.integers(2**30, 2**31 - 1), e=st.integers(-31, 0))
def test_rescaling_rounds_the_exact_product_twice(x, m, e):
    assert fixed.rescale(np.array([x]), m, e)[0] == oracle.rescaled(x, m, e)


@given(x=st.integers(-40, 40), places=st.integers(0, 4))
def test_shifts_round_halves_away_from_zero(x, places):
    exact = oracle.round_half_away(Fraction(x, 2**places))
    assert fixed.shift_right(np.array([x]), places)[0] == exact


@given(x=st.integers(-(2**20), 2**20), factor=st.floats(1e-12, 1000))
def test_rescaling_is_within_one_of_the_real_product(x, factor):
    m, e = fixed.split(factor)
    found = int(fixed.rescale(np.array([x]), m, e)[0])
    # Half a unit for each rounding; the multiplier itself is good to 2^-31.
    assert abs(found - Fraction(factor) * x) <= 1 + abs(x * factor) * 2.0**-30


@given(x=INT32, m=st.integers(2**30, 2**31 - 1))
def test_the_upper_half_equals_the_published_truncating_form(x, m):
    product = x * m
    nudge = 2**30 if product >= 0 else 1 - 2**30
    whole = abs(product + nudge) >> 31
    published = whole if product + nudge >= 0 else -whole
    assert fixed.high_product(np.array([x]), m)[0] == published


def exactly(small, x):
    """The int8 logits of one int8 sample, step by step, by the oracle."""
    graph, held = small.graph, {0: [int(v) for v in x]}

    def plane(value, shape):
        flat = np.array(held[value], object).reshape(-1, *shape[1:])
        return flat.tolist()

    for step in graph.steps:
        low, high = bounds(step, small.levels[step.y])
        zero, out_zero = small.levels[step.xs[0]].zero, small.levels[step.y].zero
        numbers = small.numbers.get(step.y)
        if isinstance(step, Affine | Pool):
            w = step.window
            window = w.kernel, w.stride, w.padding, w.dilation
        if isinstance(step, Affine):
            weight = numbers.weight.tolist()
            # Take the folded zero point out again: the definition has it in the sum.
            bias = [
                int(b) + zero * sum(row)
                for b, row in zip(numbers.bias, weight, strict=True)
            ]
            m, e = (
                np.broadcast_to(a, len(weight)).tolist()
                for a in (numbers.multiplier, numbers.exponent)
            )

            def finish(o, total, m=m, e=e, rest=(out_zero, low, high)):
                return oracle.clamped(
                    oracle.rescaled(total, m[o], e[o]) + rest[0], *rest[1:]
                )

            args = weight, bias, step.groups, window, step.out, finish
            y = oracle.convolution(plane(step.xs[0], step.plane), zero, *args)
        elif isinstance(step, Pool):
            args = step.largest, window, step.out, low, high
            y = oracle.pool(plane(step.xs[0], step.plane), zero, *args)
        elif isinstance(step, Add):
            zeros = [small.levels[v].zero for v in step.xs]
            factors = list(zip(numbers.multiplier, numbers.exponent, strict=True))
            y = [
                oracle.sum_of(a, b, zeros, factors, out_zero, low, high)
                for a, b in zip(*(held[v] for v in step.xs), strict=True)
            ]
        else:
            flat = [entry for value in step.xs for entry in held[value]]
            y = [oracle.clamped(entry, low, high) for entry in flat]
        held[step.y] = np.array(y, object).reshape(-1).tolist()
    return held[graph.output]


@pytest.mark.parametrize("name", NETWORKS)
def test_every_step_equals_the_exact_oracle(name):
    net, x = drawn(name)
    small = quantize(net, x)
    q = small.quantize_input(x[:3])
    assert small.run(q).tolist() == [exactly(small, sample) for sample in q]


def test_the_drawn_networks_hold_every_step():
    kinds = {type(s) for name in NETWORKS for s in lower(drawn(name)[0]).steps}
    assert kinds >= {Affine, Pool, Add, Concat}


# Theorems.


@pytest.mark.parametrize("name", NETWORKS)
def test_the_steps_compute_what_the_network_computes(name):
    net, x = drawn(name)
    graph = lower(net)
    y = graph.evaluate(graph.enter(x).astype(float), real).T
    exact = net.astype(np.float64)(x)
    # Weights are rounded to float32 once more where a norm is folded: 2^-24 each,
    # and no sum here grows beyond some hundreds of them.
    np.testing.assert_allclose(y, exact, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_pruned_weights_are_zero_after_quantization(name):
    net, x = drawn(name)
    small = quantize(net, x)
    pruned = 0
    for step in small.graph.steps:
        if isinstance(step, Affine):
            mask = step.mask.reshape(len(step.mask), -1)
            assert not small.numbers[step.y].weight[~mask].any()
            pruned += int((~mask).sum())
    assert pruned == sum(int((~mask).sum()) for mask in net.masks().values())


@pytest.mark.parametrize("name", NETWORKS)
def test_no_sample_can_overflow_a_sum(name):
    net, x = drawn(name)
    small = quantize(net, x)
    for step in small.graph.steps:
        if isinstance(step, Affine):
            numbers = small.numbers[step.y]
            weight, bias = numbers.weight.astype(object), numbers.bias.astype(object)
            worst = np.abs(weight).sum(axis=1) * 128 + np.abs(bias)
            assert max(worst) < 2**31


def test_a_sum_that_could_overflow_is_refused_by_name():
    net = nn.Network(nn.Sequential({"wide": nn.Linear(140_000, 1)}), (140_000,))
    net.parameters()["wide.weight"][:] = 1.0
    with pytest.raises(ValueError, match="layer wide: the sum of output 0 may reach"):
        quantize(net, np.ones((1, 140_000)))


@pytest.mark.parametrize("observe", OBSERVERS)
@pytest.mark.parametrize("name", NETWORKS)
def test_logits_stay_near_those_of_the_real_network(name, observe):
    net, x = drawn(name, density=1.0)
    logits = net(x)
    off = quantize(net, x, observe=observe, linear_by_row=True)(x) - logits
    # Eight bits a value give a signal-to-noise ratio near 40 dB; networks this deep
    # keep 20 dB, an error of a tenth.
    assert np.square(off).mean() < 0.01 * np.square(logits - logits.mean()).mean()


@pytest.mark.parametrize("name", NETWORKS)
def test_a_batch_is_its_samples(name):
    net, x = drawn(name)
    small = quantize(net, x)
    q = small.quantize_input(x)
    assert np.array_equal(small.run(q), np.concatenate([small.run(s[None]) for s in q]))


# Accuracy, on data that ships.


def test_digits_lose_less_than_half_a_point():
    ds = data.load("digits")
    lost = []
    for seed in range(3):
        net = nn.models.build("mlp", ds, seed=seed, hidden=(48,))
        nn.train(net, ds, epochs=5, optimizer=nn.Adam(2e-3), seed=seed)
        prune.OneShot("magnitude", sparsity=0.8).run(net, ds)
        small = quantize(net, ds.train.x[:300])
        right = [(n.predict(ds.test.x) == ds.test.y).mean() for n in (net, small)]
        lost.append(right[0] - right[1])
    assert np.mean(lost) <= 0.005


# Edges.


def test_rows_without_weights_and_large_biases_keep_their_bias():
    net = nn.Network(nn.Sequential(nn.Conv1d(1, 3, 1)), (1, 2), seed=0)
    parameters = net.parameters()
    parameters["0.weight"][:] = np.array([0, 1e-9, 1]).reshape(3, 1, 1)
    parameters["0.bias"][:] = [3.0, -2.0, 0.0]
    small = quantize(net, np.zeros((1, 1, 2)))
    want = np.array([[3, 3, -2, -2, 0, 0]])
    assert np.abs(small(np.zeros((1, 1, 2))) - want).max() <= small.levels[1].scale


def test_inputs_outside_the_range_and_nan_are_cut_off():
    net = nn.Network(nn.Sequential(nn.Linear(3, 1)), (3,), seed=0)
    small = quantize(net, np.array([[-1.0, 0, 1]]))
    q = small.quantize_input(np.array([[np.nan, np.inf, -1e30]]))
    assert q.tolist() == [[-128, 127, -128]]


@pytest.mark.parametrize(
    ("layer", "remedy"),
    [
        (nn.Tanh(), "stay with float32, which takes it; known"),
        (nn.Softmax(), "end in its logits, whose largest names the class and whose"),
        (nn.SqueezeExcite(nn.Linear(2, 2)), "stay with float32, which takes it; known"),
    ],
)
def test_a_layer_without_an_integer_form_is_refused_with_a_remedy(layer, remedy):
    net = nn.Network(nn.Sequential({"a": nn.Linear(3, 2), "s": layer}), (3,))
    says = f"layer s is a {layer.kind}, which has no integer form; {remedy}"
    with pytest.raises(ValueError, match=says):
        quantize(net, np.zeros((1, 3)))


def test_bad_samples_are_refused():
    net, x = drawn("dense")
    with pytest.raises(ValueError, match="no samples"):
        quantize(net, x[:0])
    with pytest.raises(ValueError, match="expected numbers of shape"):
        quantize(net, x[:, :5])
    with pytest.raises(ValueError, match="no observer 'minmax'"):
        quantize(net, x, observe="minmax")
    with pytest.raises(ValueError, match="expected int8"):
        quantize(net, x).run(x)
