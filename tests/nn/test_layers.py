"""Every layer against its definition: forward by loops, backward by a complex step."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minprune import nn
from minprune.nn.layer import Mode
from tests.nn import drawn
from tests.nn.drawn import Case, assert_like_its_oracle, batches, seeds, small
from tests.oracles import layers as oracle


@given(drawn.linears())
def test_linear(case):
    assert_like_its_oracle(case)


@given(drawn.convolutions())
def test_convolution(case):
    assert_like_its_oracle(case)


@given(drawn.convolutions())
def test_convolution_in_single_rows_is_the_same(case):
    """The unfolded patches are made a few rows at a time; how many does not matter."""
    layer, x = case.layer, drawn.columns(case.x)
    whole = layer.forward(x)
    dy = case.rng.normal(size=whole.shape)
    dx, grads = layer.backward(dy), dict(layer.grads)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("minprune.nn.conv.SCRATCH", 1)
        assert_allclose(layer.forward(x), whole, rtol=1e-12, atol=1e-12)
        assert_allclose(layer.backward(dy), dx, rtol=1e-12, atol=1e-12)
    for name, grad in grads.items():
        assert_allclose(layer.grads[name], grad, rtol=1e-12, atol=1e-12)


def test_convolution_unfolds_into_bounded_scratch_memory():
    """One row of all patches would take 30 MB, all rows 460 MB."""
    layer, x = nn.Conv2d(16, 2, 3), np.ones((16, 18, 18, 3200), np.float32)
    tracemalloc.start()
    y = layer.forward(x)
    layer.learn(np.ones_like(y))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * y.nbytes + 16 * 9 * 16 * 3200 * 4 + 2**20


@given(drawn.pools())
def test_pooling(case):
    assert_like_its_oracle(case)


@given(drawn.activations())
def test_activation(case):
    assert_like_its_oracle(case)


@given(drawn.norms())
def test_batch_norm(case):
    assert_like_its_oracle(case)


@given(drawn.layer_norms())
def test_layer_norm(case):
    assert_like_its_oracle(case)


@given(drawn.recurrents())
def test_recurrent(case):
    assert_like_its_oracle(case)


@given(st.lists(small, min_size=1, max_size=3), batches, seeds)
def test_softmax(shape, batch, seed):
    def whole(p, x):
        return np.array([oracle.softmax(sample) for sample in x])

    assert_like_its_oracle(Case(nn.Softmax(), tuple(shape), batch, whole, seed=seed))


@given(st.lists(small, min_size=2, max_size=3), batches, seeds)
def test_global_average(shape, batch, seed):
    def whole(p, x):
        return x.reshape(*x.shape[:2], -1).sum(axis=2) / np.prod(shape[1:])

    assert_like_its_oracle(
        Case(nn.GlobalAvgPool(), tuple(shape), batch, whole, seed=seed)
    )


@given(st.lists(small, min_size=1, max_size=3), batches, seeds)
def test_flatten_keeps_the_c_order_of_a_sample(shape, batch, seed):
    def whole(p, x):
        return np.array([sample.ravel() for sample in x])

    assert_like_its_oracle(Case(nn.Flatten(), tuple(shape), batch, whole, seed=seed))


@given(small, st.integers(1, 4), batches, seeds)
def test_embedding_looks_up_and_gathers(features, steps, batch, seed):
    rng = np.random.default_rng(seed)
    layer = nn.Embedding(5, features).clone(np.float64)
    layer.reset(rng)
    symbols = rng.integers(5, size=(steps, batch))
    y = layer.forward(symbols.astype(float))
    dy = rng.normal(size=y.shape)
    assert not layer.backward(dy).any()
    wanted = np.zeros((5, features))
    for step, sample in np.ndindex(symbols.shape):
        row = layer.params["weight"][symbols[step, sample]]
        assert_array_equal(y[:, step, sample], row)
        wanted[symbols[step, sample]] += dy[:, step, sample]
    assert_allclose(layer.grads["weight"], wanted, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("symbol", [-1.0, 5.0, 0.5])
def test_embedding_refuses_what_is_no_symbol(symbol):
    with pytest.raises(ValueError, match="expected whole numbers from 0 to 4"):
        nn.Embedding(5, 2).forward(np.full((1, 1), symbol))


def test_running_statistics_are_moving_means_with_the_unbiased_variance():
    layer, rng = (
        nn.BatchNorm(2, momentum=0.3).clone(np.float64),
        np.random.default_rng(0),
    )
    mean, variance = np.zeros(2), np.ones(2)
    for _ in range(4):
        x = rng.normal(1.5, 2.0, size=(2, 3, 5))
        layer.forward(x, Mode(True))
        flat = x.reshape(2, -1)
        mean = 0.7 * mean + 0.3 * flat.mean(axis=1)
        variance = 0.7 * variance + 0.3 * flat.var(axis=1, ddof=1)
    assert_allclose(layer.buffers["running_mean"], mean, rtol=1e-13)
    assert_allclose(layer.buffers["running_var"], variance, rtol=1e-13)


@pytest.mark.parametrize("eps", [-1e-5, float("nan"), float("inf")])
@pytest.mark.parametrize("layer", [nn.BatchNorm, nn.LayerNorm])
def test_what_is_added_to_a_variance_leaves_it_one(layer, eps):
    with pytest.raises(ValueError, match=f"{layer.__name__}: eps is {eps}"):
        layer(3, eps=eps)


def test_settings_out_of_their_range_are_refused():
    with pytest.raises(ValueError, match="negative_slope is nan"):
        nn.LeakyReLU(float("nan"))
    with pytest.raises(TypeError, match=r"kernel_size is 2\.5; expected a whole"):
        nn.Conv2d(1, 1, 2.5)
    with pytest.raises(ValueError, match=r"\(before, after\) for each of 2 axes"):
        nn.Conv2d(1, 1, 3, padding=[(1, 2)])


def test_batch_norm_of_one_value_has_no_variance():
    with pytest.raises(ValueError, match="1 values per channel in training"):
        nn.BatchNorm(2).forward(np.zeros((2, 1)), Mode(True))


def test_dropout_keeps_the_mean_and_repeats_its_mask_backward():
    layer, n = nn.Dropout(0.3), 40_000
    y = layer.forward(np.ones((1, n)), Mode(True, np.random.default_rng(0)))
    kept = y != 0
    assert_allclose(y[kept], 1 / 0.7)
    # Five standard deviations of a share of n draws.
    assert abs(kept.mean() - 0.7) < 5 * np.sqrt(0.3 * 0.7 / n)
    assert_array_equal(layer.backward(np.ones((1, n))), y)


def test_dropout_is_the_identity_in_evaluation():
    x = np.ones((2, 3))
    layer = nn.Dropout(0.9)
    assert layer.forward(x) is x
    assert layer.backward(x) is x


def test_dropout_without_random_numbers_is_refused():
    with pytest.raises(ValueError, match="give Mode"):
        nn.Dropout(0.5).forward(np.ones((1, 1)), Mode(True))


def test_max_pool_sends_a_tie_to_the_first():
    layer = nn.MaxPool1d(3)
    layer.forward(np.array([[[1.0], [2.0], [2.0]]]))
    assert_array_equal(layer.backward(np.ones((1, 1, 1)))[0, :, 0], [0, 1, 0])


@pytest.mark.parametrize("position", range(4))
def test_max_pool_does_not_lose_a_nan(position):
    x = np.arange(4.0).reshape(1, 2, 2, 1)
    x[0, position // 2, position % 2, 0] = np.nan
    assert np.isnan(nn.MaxPool2d(2).forward(x)).all()


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("Sigmoid", 800.0, 1.0),
        ("Sigmoid", -800.0, 0.0),
        ("Tanh", 800.0, 1.0),
        ("GELU", -800.0, 0.0),
        ("GELU", 800.0, 800.0),
        ("ReLU", np.nan, np.nan),
    ],
)
def test_activations_at_the_ends_of_the_line(kind, value, expected):
    layer = nn.KINDS[kind]()
    assert_array_equal(layer.forward(np.array([[value]])), [[expected]])
    assert np.isfinite(layer.backward(np.ones((1, 1)))).all()


def test_softmax_of_huge_logits_does_not_overflow():
    x = np.array([[1e4], [0.0]], np.float32)
    assert_array_equal(nn.Softmax().forward(x), [[1], [0]])
