"""Sparse layers are layers like any other: trained, measured, stored, copied."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minprune import nn, sparse
from minprune.nn import Conv1d, Conv2d, Linear
from minprune.nn.layer import build
from tests.sparse.layers import case

KINDS = {
    "linear": (Linear(7, 6), (7, 5)),
    "conv": (Conv2d(2, 4, 3, stride=2, padding=1), (2, 5, 6, 3)),
    "signal": (Conv1d(3, 4, 3, dilation=2, groups=1), (3, 9, 4)),
}
FORMS = {"csr": None, "bsr": (2, 2)}


@pytest.fixture(params=[(kind, form) for kind in KINDS for form in FORMS], ids=str)
def drawn(request):
    kind, form = request.param
    return case(*KINDS[kind], density=0.5, in_blocks=FORMS[form])


def test_masked_and_sparse_are_the_same_function(drawn):
    """Forward and backward differ by rounding: float32, sums of dozens of products."""
    y = drawn.dense.forward(drawn.x)
    assert_allclose(drawn.sparse.forward(drawn.x), y, rtol=1e-5, atol=1e-5)
    dx = drawn.dense.backward(drawn.dy)
    assert_allclose(drawn.sparse.backward(drawn.dy), dx, rtol=1e-5, atol=1e-5)
    layer = drawn.sparse
    g = layer.pattern.scatter(layer.grads["weight"]).reshape(drawn.mask.shape)
    want = np.where(drawn.mask, drawn.dense.grads["weight"], 0)
    assert_allclose(g, want, rtol=1e-4, atol=1e-4)
    bias = drawn.dense.grads["bias"]
    assert_allclose(layer.grads["bias"], bias, rtol=1e-5, atol=1e-5)


def test_a_complex_step_gives_the_derivative(drawn):
    """Every stored weight, and every input: f(v + ih) = f(v) + ih f'(v)."""
    step, layer = 1e-20, drawn.sparse.clone(np.complex128)
    x, dy = drawn.x.astype(complex), drawn.dy.astype(complex)

    def slope(array, index):
        array[index] += 1j * step
        loss = (layer.forward(x) * dy).sum().imag / step
        array[index] -= 1j * step
        return loss

    layer.forward(x)
    dx = layer.backward(dy)
    values, gradient = layer.params["weight"], layer.grads["weight"]
    inside = np.ones(values.shape, bool)
    if layer.pattern.block:
        inside = layer.pattern.inside()
    for index in np.ndindex(values.shape):
        found = slope(values, index)
        assert found == pytest.approx(gradient[index].real if inside[index] else 0)
    for index in np.ndindex(*x.shape[:-1], 1):
        assert slope(x, index) == pytest.approx(dx[index].real)


def test_weights_masks_and_counts_are_those_of_the_masked_layer(drawn):
    layer, weight = drawn.sparse, drawn.dense.params["weight"]
    assert_array_equal(layer.weights()["weight"], weight)
    assert_array_equal(layer.masks["weight"], drawn.mask)
    assert list(layer.masks) == ["weight"]
    assert "bias" not in layer.masks
    shape = drawn.x.shape[:-1]
    assert layer.macs(shape) == drawn.mask.sum() * drawn.dense.uses(shape)
    indices = layer.pattern.indptr.nbytes + layer.pattern.indices.nbytes
    values, bias = layer.params["weight"], layer.params["bias"]
    assert layer.bytes() == values.nbytes + bias.nbytes + indices
    assert layer.execution_bytes() == 0
    layer.forward(drawn.x)
    assert layer.execution_bytes() > 0
    back = layer.to_dense()
    assert_array_equal(back.params["weight"], weight)
    assert_array_equal(back.masks["weight"], drawn.mask)
    assert type(back) is type(drawn.dense)


def test_what_is_stored_comes_back(drawn):
    layer = drawn.sparse
    state = layer.state()
    assert {array.dtype for name, array in state.items() if "ind" in name} == {
        np.dtype(np.uint8)
    }
    twin = build(layer.kind, layer.arguments(), {})
    twin.restore(state)
    assert_array_equal(twin.forward(drawn.x), layer.forward(drawn.x))
    twin = build(layer.kind, layer.arguments(), {})
    twin.restore(drawn.dense.state())  # whichever form is smallest: bits, here
    assert_array_equal(twin.weights()["weight"], layer.weights()["weight"])


def test_a_copy_shares_nothing_that_changes(drawn):
    layer = drawn.sparse
    layer.forward(drawn.x)
    other = layer.clone()
    other.params["weight"][...] = 0
    assert layer.params["weight"].any()
    other.set_mask("weight", np.zeros(layer.logical_shape, bool))
    assert other.masks["weight"].sum() == 0
    assert_array_equal(layer.masks["weight"], drawn.mask)


def test_a_new_mask_drops_and_grows(drawn):
    layer, block = drawn.sparse, drawn.sparse.pattern.block
    before = layer.weights()["weight"]
    mask = np.ones(layer.logical_shape, bool)
    layer.set_mask("weight", mask)
    assert layer.pattern.stored == mask.size
    assert_array_equal(layer.weights()["weight"], before)
    layer.set_mask("weight", drawn.mask)
    assert_array_equal(layer.masks["weight"], drawn.mask)
    assert layer.pattern.block == block
    layer.set_mask("weight", None)
    assert_array_equal(layer.masks["weight"], drawn.mask)


def test_reset_draws_what_is_stored_and_nothing_else(drawn):
    layer = drawn.sparse
    layer.reset(np.random.default_rng(0))
    weight = layer.weights()["weight"]
    bound = 1 / np.sqrt(weight[0].size)
    assert (np.abs(weight) <= bound).all()
    assert (weight[drawn.mask] != 0).all()
    assert not weight[~drawn.mask].any()
    if layer.pattern.block:
        assert not layer.params["weight"][~layer.pattern.inside()].any()


def test_optimizers_follow_an_edit():
    layer = case(*KINDS["linear"], density=0.5).sparse
    optimizer = nn.SGD(0.1, momentum=0.9)
    values = layer.params["weight"]
    optimizer.step({"w": values}, {"w": np.arange(1.0, len(values) + 1)})
    velocity = optimizer.slots["w"]["velocity"].copy()
    weight, kept = layer.weights()["weight"], np.argwhere(layer.masks["weight"])
    weight[tuple(kept[[0, 3]].T)] = 0
    moved = layer.drop(np.array([0, 3]))
    assert_array_equal(layer.weights()["weight"], weight)
    optimizer.remap("w", moved, len(layer.params["weight"]))
    assert_array_equal(optimizer.slots["w"]["velocity"], np.delete(velocity, [0, 3]))
    free = np.argwhere(~layer.masks["weight"])
    moved = layer.grow(*free[[1, -2]].T)
    assert_array_equal(layer.weights()["weight"], weight)
    optimizer.remap("w", moved, len(layer.params["weight"]))
    slots = optimizer.slots["w"]["velocity"]
    assert slots.shape == layer.params["weight"].shape
    assert (slots == 0).sum() == 2
    assert_array_equal(slots[moved], np.delete(velocity, [0, 3]))


def test_a_layout_is_built_once_and_again_when_the_pattern_changes():
    drawn = case(*KINDS["linear"], density=0.5)
    layer = drawn.sparse
    layer.forward(drawn.x)
    before = layer._multiplier(np.dtype(np.float32))
    layer.forward(drawn.x)
    assert layer._multiplier(np.dtype(np.float32)) is before
    layer.drop(np.array([0]))
    assert layer._multiplier(np.dtype(np.float32)) is not before
    assert_allclose(
        layer.forward(drawn.x), layer.to_dense().forward(drawn.x), rtol=1e-5, atol=1e-6
    )


def test_a_network_is_built_sparse_without_a_dense_array():
    import tracemalloc

    from minprune.sparse import CSR

    rng = np.random.default_rng(0)
    places = np.sort(rng.choice(4000 * 5000, 20_000, replace=False))
    tracemalloc.start()
    layer = sparse.SparseLinear(5000, 4000)
    pattern = CSR.from_positions((4000, 5000), *divmod(places, 5000))
    layer.hold(pattern, np.zeros(pattern.stored, np.float32))
    layer.reset(rng)
    x = rng.normal(size=(5000, 16)).astype(np.float32)
    layer.backward(layer.forward(x))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 4000 * 5000 / 10, "a tenth of the dense weight"


@pytest.mark.parametrize(
    ("make", "fault"),
    [
        (lambda: sparse.SparseLinear(2, 2, format="coo"), "no format 'coo'"),
        (lambda: sparse.SparseLinear(2, 2, format="bsr"), "'bsr' needs the rows and"),
        (lambda: sparse.SparseLinear(2, 2, block=(1, 2)), "'csr' has none"),
        (lambda: sparse.SparseLinear(2, 2, format="bsr", block=(0, 2)), "block is 0"),
        (lambda: sparse.SparseLinear(2, 2**40), "more than the limit of"),
    ],
)
def test_a_form_that_cannot_be_is_refused(make, fault):
    with pytest.raises(ValueError, match=fault):
        make()


def test_values_that_do_not_fit_are_refused():
    layer = case(*KINDS["linear"]).sparse
    pattern = layer.pattern
    with pytest.raises(ValueError, match="values have shape"):
        layer.hold(pattern, np.zeros(pattern.stored + 1, np.float32))
    with pytest.raises(ValueError, match="non-finite"):
        layer.hold(pattern, np.full(pattern.stored, np.nan, np.float32))
    with pytest.raises(ValueError, match=r"expected \(6, 7\) and None"):
        layer.hold(sparse.CSR.empty((7, 6)), np.zeros(0, np.float32))
    with pytest.raises(ValueError, match="True where kept"):
        layer.set_mask("weight", np.ones((7, 6), bool))
    with pytest.raises(ValueError, match="blocks of"):
        case(*KINDS["linear"], in_blocks=(2, 2)).sparse.drop(np.array([0]))
