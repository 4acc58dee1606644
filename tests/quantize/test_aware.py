"""Training that feels the rounding: straight through, with the masks it came with."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minprune import data, metrics, nn, prune, sparse
from minprune.nn.layer import Mode
from minprune.quantize import QuantizationAware, quantize
from minprune.quantize.aware import RoundedWeight, Rounding

DIGITS = data.load("digits")


def network(kind="small_cnn", density=0.3):
    net = nn.models.build(kind, DIGITS, seed=0)
    rng = np.random.default_rng(0)
    net.set_masks({k: rng.random(w.shape) < density for k, w in net.weights().items()})
    return net


@given(
    shape=st.tuples(st.integers(1, 5), st.integers(1, 9)),
    by_row=st.booleans(),
    seed=st.integers(0, 99),
)
def test_a_weight_is_what_quantize_makes_of_it(shape, by_row, seed):
    rng = np.random.default_rng(seed)
    theta, mask = rng.normal(size=shape).astype("f4"), rng.random(shape) < 0.7
    found = RoundedWeight(theta, mask, by_row, 0).effective()
    kept = np.where(mask, theta, 0).astype(float)
    for row, out in zip(kept, found, strict=True):
        scale = float(np.float32(np.abs(row if by_row else kept).max() / 127)) or 1.0
        want = [np.clip(round(v / scale), -127, 127) * scale for v in row]
        np.testing.assert_allclose(out, want, rtol=1e-6, atol=0)


def test_the_gradient_passes_where_values_lie_in_range():
    layer = Rounding(memory=0.0)
    x = np.array([[-1.0, 0.3, 2.0]], np.float32)
    y = layer.forward(x, Mode(training=True))
    step = 3 / 255
    assert np.abs(y - x).max() <= step / 2 * 1.0001
    assert np.unique(y / np.float32(step) % 1).size <= 3
    far = np.array([[-9.0, 0.3, 9.0]], np.float32)
    cut = layer.forward(far)  # evaluation: the range stays
    assert cut[0, 0] >= -1 - step
    assert cut[0, 2] <= 2 + step
    assert layer.backward(np.ones_like(far)).tolist() == [[0, 1, 0]]


def test_a_range_follows_with_memory():
    layer = Rounding(memory=0.5)
    layer.forward(np.array([[0.0, 4.0]]), Mode(training=True))
    layer.forward(np.array([[-2.0, 2.0]]), Mode(training=True))
    assert layer.range == (-1.0, 3.0)


@pytest.mark.parametrize("bits", [8, 4])
def test_masks_stay_and_nothing_is_left_behind(bits):
    net = network()
    masks, names = net.masks(), list(net.layers())
    seen = []

    def look(epoch):
        seen.append([name for name in net.layers() if name.endswith("~")])

    before = {name: w.copy() for name, w in net.weights().items()}
    aware = QuantizationAware(bits=bits)
    nn.train(net, DIGITS, epochs=1, procedures=[aware], seed=1, progress=look)
    assert seen == [["~", "relu1~", "relu2~", "relu_fc1~", "fc2~"]]
    assert list(net.layers()) == names
    for name, weight in net.weights().items():
        assert np.array_equal(net.masks()[name], masks[name])
        assert not weight[~masks[name]].any()
        assert not np.array_equal(weight, before[name])
        levels = len(np.unique(weight[masks[name]]))
        assert levels <= (16 if bits == 4 and "conv" not in name else 256 * len(weight))


@pytest.mark.parametrize("kind", ["small_cnn", "lenet_300_100"])
def test_what_was_trained_is_what_quantize_makes(kind):
    """Weights are multiples of their scale already: rounding leaves them in place."""
    net = network(kind)
    nn.train(net, DIGITS, epochs=1, procedures=[QuantizationAware()], seed=1)
    small = quantize(net, DIGITS.train.x[:100])
    for step in small.graph.steps:
        if hasattr(step, "weight"):
            source, target = small.levels[step.xs[0]], small.levels[step.y]
            numbers = small.numbers[step.y]
            scale = numbers.scales(source, target)[:, None]
            np.testing.assert_allclose(
                numbers.weight * scale, step.matrix, rtol=1e-6, atol=0
            )


def test_four_bits_lose_less_when_they_were_trained_for():
    net = nn.models.build("mlp", DIGITS, seed=0, hidden=(16,))
    nn.train(net, DIGITS, epochs=6, optimizer=nn.Adam(3e-3), seed=0)
    tuned = net.copy()
    aware = QuantizationAware(bits=4)
    nn.train(tuned, DIGITS, epochs=4, procedures=[aware], seed=1)
    x, y = DIGITS.test.x, DIGITS.test.y
    plain, better = (
        (quantize(n, DIGITS.train.x[:200], bits=4).predict(x) == y).mean()
        for n in (net, tuned)
    )
    assert better >= plain


def test_a_run_that_was_killed_goes_on_with_the_same_bits(tmp_path):
    whole, parts = network("lenet_300_100"), network("lenet_300_100")
    nn.train(whole, DIGITS, epochs=2, procedures=[QuantizationAware()], seed=3)

    class Killed(Exception):
        pass

    def kill(epoch):
        raise Killed

    start, point = parts.copy(), nn.Checkpoint(tmp_path / "run", every=5)
    arguments = {"epochs": 2, "checkpoint": point, "seed": 3}
    aware = QuantizationAware()
    with pytest.raises(Killed):
        nn.train(parts, DIGITS, procedures=[aware], progress=kill, **arguments)
    nn.train(start, DIGITS, procedures=[QuantizationAware()], **arguments)
    for name, weight in whole.weights().items():
        assert start.weights()[name].tobytes() == weight.tobytes()


@pytest.mark.parametrize("books", [0, 1, 9])
@pytest.mark.parametrize("block", [None, (4, 1), (2, 5)])
def test_what_a_sparse_layer_stores_is_rounded_as_the_weight_is(block, books):
    rng, tile = np.random.default_rng(0), block or (1, 1)
    kept = rng.random([-(-n // t) for n, t in zip((9, 33), tile, strict=True)]) < 0.4
    layer = nn.Linear(33, 9)
    layer.set_mask("weight", np.kron(kept, np.ones(tile, bool))[:9, :33])
    layer.params["weight"][:] = rng.normal(size=(9, 33))
    layer.apply_masks()
    held = sparse.SparseLinear.from_dense(layer, "bsr" if block else "csr", block)
    mask = layer.masks["weight"]
    for by_row in (False, True):
        whole = RoundedWeight(layer.params["weight"], mask, by_row, books)
        parts = RoundedWeight(held.params["weight"], mask, by_row, books, held.pattern)
        assert parts.effective().shape == held.params["weight"].shape
        found = held.pattern.scatter(parts.effective())
        assert found.tobytes() == whole.effective().tobytes()
        grad = rng.normal(size=held.params["weight"].shape)
        (pulled,) = parts.pullback(grad).values()
        inside = held.pattern.gather(mask)
        assert np.array_equal(pulled, np.where(inside, grad, 0))


@pytest.mark.parametrize("bits", [8, 4])
def test_sparse_layers_stay_sparse_and_come_out_rounded(bits):
    net = sparse.compress(network("lenet_300_100", 0.05))
    kinds, masks, weights = [one.kind for one in net.layers().values()], net.masks(), {}
    assert kinds.count("SparseLinear") >= 2
    bytes_before = metrics.count(net).resident_bytes
    aware = QuantizationAware(bits=bits)
    nn.train(net, DIGITS, epochs=1, procedures=[aware], seed=1)
    assert [one.kind for one in net.layers().values()] == kinds
    assert metrics.count(net).resident_bytes == bytes_before
    small = quantize(net, DIGITS.train.x[:100], bits=bits)
    for step in small.graph.steps:
        weights[f"{step.name}.weight"] = small.numbers[step.y].weight
    for name, mask in masks.items():
        assert np.array_equal(net.masks()[name], mask)
        scale = np.abs(net.weights()[name]).max() / 127
        wanted = np.rint(net.weights()[name] / scale)
        assert np.array_equal(weights[name], wanted)


def test_a_mask_that_changes_under_way_is_refused():
    gradual = prune.Gradual("magnitude", sparsity="0.9", frequency=1)
    both = [QuantizationAware(), gradual]
    with pytest.raises(ValueError, match=r"the mask of conv1\.weight changed while"):
        nn.train(network(), DIGITS, epochs=1, procedures=both)


def test_a_weight_that_another_procedure_trains_is_refused():
    both = [prune.SoftThreshold(), QuantizationAware()]
    with pytest.raises(ValueError, match=r"another procedure trains conv1\.weight"):
        nn.train(network(), DIGITS, epochs=1, procedures=both)


def test_bad_options_and_layers_are_refused():
    signals = data.load("jvowels")
    gru, aware = nn.models.build("gru", signals), QuantizationAware()
    with pytest.raises(ValueError, match="belongs to a GRU; expected linear layers"):
        nn.train(gru, signals, epochs=1, procedures=[aware])
    with pytest.raises(ValueError, match="bits is 3"):
        QuantizationAware(bits=3)
    with pytest.raises(ValueError, match="memory is 1"):
        QuantizationAware(memory=1)
