"""The three products: exact within the proven bound, whoever computes them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from minprune._check import batch_array
from minprune.nn import Conv1d, Conv2d, Linear
from minprune.sparse.kernels.layout import flat
from tests.oracles import kernels as oracle
from tests.sparse.layers import case, multipliers

BATCHES = [1, 2, 16, 17]
LAYERS = {
    "linear": lambda n: (Linear(7, 5), (7, n)),
    "one column": lambda n: (Linear(1, 4), (1, n)),
    "one row": lambda n: (Linear(6, 1, bias=False), (6, n)),
    "conv": lambda n: (Conv2d(2, 3, 3, padding=1), (2, 4, 5, n)),
    "conv, no border": lambda n: (Conv2d(2, 2, (2, 3), bias=False), (2, 4, 5, n)),
    "strides": lambda n: (
        Conv2d(2, 2, 3, stride=(2, 3), padding=((0, 2), (1, 0))),
        (2, 6, 7, n),
    ),
    "stride beyond the kernel": lambda n: (Conv2d(1, 2, 1, stride=3), (1, 6, 5, n)),
    "one border": lambda n: (Conv2d(1, 2, 3, padding=((2, 0), (0, 1))), (1, 5, 4, n)),
    "dilation": lambda n: (Conv2d(1, 2, 2, dilation=(2, 3), padding=2), (1, 4, 4, n)),
    "groups": lambda n: (Conv2d(4, 6, 2, groups=2, stride=2), (4, 4, 5, n)),
    "depthwise": lambda n: (Conv2d(3, 3, 3, groups=3, padding="same"), (3, 4, 4, n)),
    "pointwise": lambda n: (Conv2d(5, 4, 1), (5, 2, 3, n)),
    "signal": lambda n: (Conv1d(2, 3, 3, stride=2, padding=1), (2, 9, n)),
}


def check(drawn, multiplier):
    """All three products of a case, against exact sums."""
    meetings, mask = drawn.meetings(), drawn.four(drawn.mask)
    weight = drawn.four(drawn.dense.params["weight"])
    bias = drawn.dense.params.get("bias", np.zeros(len(weight)))
    digits = np.finfo(weight.dtype).nmant + 1
    values, x, dy = drawn.sparse.params["weight"], drawn.x, drawn.dy
    four = drawn.four

    def shaped(array):  # a signal (C, L, N) as a plane of one row
        return array[:, None] if array.ndim == 3 else array

    y = multiplier.forward(values, drawn.sparse.params.get("bias"), x)
    want = oracle.forward(meetings, weight, mask, bias, shaped(x))
    assert not oracle.beyond(shaped(y), want, digits)

    dx, fused = multiplier.backward(values, x, dy)
    want = oracle.input_gradient(meetings, weight, mask, shaped(dy))
    assert not oracle.beyond(shaped(dx), want, digits)

    g = multiplier.weight_gradient(x, dy)
    want = oracle.weight_gradient(meetings, mask, shaped(x), shaped(dy))
    for found in (g, fused):
        assert found.shape == drawn.sparse.pattern.values_shape
        found = four(drawn.sparse.pattern.scatter(found).reshape(drawn.mask.shape))
        assert not oracle.beyond(found, want, digits)


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("way", ["loops", "strips", "scipy"])
def test_products_are_exact_within_the_bound(way, layer, batch):
    drawn = case(*LAYERS[layer](batch), seed=batch)
    check(drawn, multipliers(drawn.sparse)[way])


@pytest.mark.parametrize("density", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("layer", ["linear", "conv"])
@pytest.mark.parametrize("way", ["loops", "strips", "scipy"])
def test_empty_rows_empty_layers_and_full_ones(way, layer, density):
    drawn = case(*LAYERS[layer](3), density=density)
    check(drawn, multipliers(drawn.sparse)[way])


@pytest.mark.parametrize("layer", ["linear", "strides"])
@pytest.mark.parametrize("way", ["loops", "strips", "scipy"])
def test_double_precision(way, layer):
    drawn = case(*LAYERS[layer](18), dtype=np.float64)
    check(drawn, multipliers(drawn.sparse)[way])


@pytest.mark.parametrize("block", [(4, 1), (8, 1), (1, 3), (2, 2)])
@pytest.mark.parametrize("batch", [1, 17])
@pytest.mark.parametrize("layer", ["linear", "groups", "signal"])
def test_blocks_that_reach_over_the_edge(layer, batch, block):
    drawn = case(*LAYERS[layer](batch), density=0.5, in_blocks=block)
    for multiplier in multipliers(drawn.sparse).values():
        check(drawn, multiplier)


@pytest.mark.parametrize("block", [(4, 1), (16, 1)])
@pytest.mark.parametrize("batch", [1, 17, 144])
def test_blocks_of_one_column(batch, block):
    drawn = case(Linear(9, 32), (9, batch), density=0.5, in_blocks=block)
    for multiplier in multipliers(drawn.sparse).values():
        check(drawn, multiplier)


@pytest.mark.parametrize(
    ("layer", "shape", "density"),
    [
        (Linear(300, 3), (300, 150), 0.3),
        (Linear(4500, 2), (4500, 3), 0.05),
        (Linear(3, 300), (3, 150), 0.3),
        (Linear(2, 4500), (2, 3), 0.05),
        (Conv2d(150, 1, 1), (150, 1, 2, 70), 0.3),
    ],
    ids=["linear", "many inputs", "backward", "many outputs", "conv"],
)
def test_several_panels_tiles_and_slices(layer, shape, density):
    drawn = case(layer, shape, density)
    check(drawn, multipliers(drawn.sparse)["strips"])


@pytest.mark.parametrize("layer", LAYERS)
def test_a_batch_of_nothing(layer):
    drawn = case(*LAYERS[layer](0))
    for multiplier in multipliers(drawn.sparse).values():
        values = drawn.sparse.params["weight"]
        assert multiplier.forward(values, None, drawn.x).shape == drawn.dy.shape
        dx, g = multiplier.backward(values, drawn.x, drawn.dy)
        assert dx.shape == drawn.x.shape
        assert not g.any()
        assert not multiplier.weight_gradient(drawn.x, drawn.dy).any()


@pytest.mark.parametrize("layer", ["linear", "conv"])
@pytest.mark.parametrize("batch", [1, 17])
def test_nan_and_infinity_go_where_the_stored_weights_send_them(layer, batch):
    drawn = case(*LAYERS[layer](batch), density=0.5)
    drawn.x[..., -1].flat[1], drawn.x[..., 0].flat[0] = np.nan, np.inf
    values, bias = drawn.sparse.params["weight"], drawn.sparse.params["bias"]
    found = {
        name: multiplier.forward(values, bias, drawn.x)
        for name, multiplier in multipliers(drawn.sparse).items()
    }
    assert np.isnan(found["loops"]).any()
    for y in found.values():  # rounding apart: atol in units of the outputs, near 1
        assert_allclose(y, found["loops"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("layer", ["linear", "conv"])
def test_what_lies_behind_a_row_does_not_matter(layer):
    """Samples are padded to a multiple of 16; the padding may hold anything."""
    drawn = case(*LAYERS[layer](17))
    strips, found = multipliers(drawn.sparse)["strips"], []
    for junk in (0, np.nan):
        x, dy = (
            batch_array((*a.shape[:-1], 32))[..., :17] for a in (drawn.x, drawn.dy)
        )
        for padded, given in ((x, drawn.x), (dy, drawn.dy)):
            flat(padded)[:] = junk
            padded[...] = given
        values = drawn.sparse.params["weight"]
        both = strips.backward(values, x, dy)
        made = (strips.forward(values, None, x), *both, strips.weight_gradient(x, dy))
        found.append([a.tolist() for a in made])
    assert found[0] == found[1]


@pytest.mark.parametrize("layer", ["linear", "conv"])
def test_any_memory_will_do(layer):
    """Strided, repeated, unaligned and read-only inputs give the same bits."""
    drawn = case(*LAYERS[layer](20))
    strips = multipliers(drawn.sparse)["strips"]
    values = drawn.sparse.params["weight"]
    one = np.ascontiguousarray(drawn.x[..., :1])
    repeated = np.broadcast_to(one, drawn.x.shape)
    reference = strips.forward(values, None, repeated.copy())
    packed = np.frombuffer(b"\0" + repeated.tobytes(), np.uint8)[1:]
    unaligned = packed.view(np.float32).reshape(repeated.shape)
    backward = np.asfortranarray(repeated)
    for x in (repeated, unaligned, backward):
        assert not x.flags.owndata or x is backward
        assert np.array_equal(strips.forward(values, None, x), reference)
