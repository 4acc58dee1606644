"""Networks drawn at random: every kind of layer that a player knows, in every form."""

import numpy as np
from hypothesis import strategies as st

from minprune import nn
from minprune.sparse.bsr import BSR
from minprune.sparse.layers import SparseConv1d, SparseConv2d, SparseLinear

ACTIVATIONS = [
    nn.ReLU,
    nn.ReLU6,
    nn.LeakyReLU,
    nn.Sigmoid,
    nn.Tanh,
    nn.GELU,
    nn.Softmax,
]
POOLS = {1: [nn.MaxPool1d, nn.AvgPool1d], 2: [nn.MaxPool2d, nn.AvgPool2d]}
CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d}
SPARSE = {"Linear": SparseLinear, "Conv1d": SparseConv1d, "Conv2d": SparseConv2d}

SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def networks(draw):
    """A network and raw samples for it."""
    rng = np.random.default_rng(draw(SEEDS))
    plane = draw(st.lists(st.integers(3, 7), max_size=2))
    shape = (draw(st.integers(1, 4)), *plane)
    layers, reached = {}, shape
    for index in range(draw(st.integers(1, 4))):
        layer = draw(blocks(reached))
        layers[f"layer{index}"] = layer
        reached = layer.output_shape(reached)
    if plane:
        layers["ending"] = draw(st.sampled_from([nn.GlobalAvgPool, nn.Flatten]))()
    features = nn.Sequential(layers).output_shape(shape)[0]
    layers["out"] = draw(held(nn.Linear(features, draw(st.integers(1, 5)))))
    door = tuple(draw(st.sampled_from([1, n])) for n in shape)
    net = nn.Network(
        nn.Sequential(layers),
        shape,
        classes=("a", "b"),
        scale=rng.uniform(0.5, 2, door),
        offset=rng.normal(size=door),
    )
    for _, layer in net.root.walk():
        fill(layer, rng)
    return net, rng.normal(size=(draw(st.integers(0, 3)), *shape))


@st.composite
def blocks(draw, shape):
    """A layer that takes samples of this shape."""
    channels, *plane = shape
    kinds = ["activation", "norm", "affine", "residual", "concat", "excite"]
    kinds += ["pool"] if plane else []
    match draw(st.sampled_from(kinds)):
        case "activation":
            return draw(st.sampled_from([*ACTIVATIONS, nn.Dropout]))()
        case "norm":
            return nn.BatchNorm(channels, affine=draw(st.booleans()))
        case "pool":
            return draw(pools(shape))
        case "residual":
            shortcut = draw(st.sampled_from([None, draw(of_equal_shape(shape))]))
            return nn.Residual(draw(of_equal_shape(shape)), shortcut)
        case "concat":
            chain = draw(st.sampled_from([nn.Concat, nn.Heads]))
            return chain(draw(of_equal_shape(shape)), nn.ReLU())
        case "excite":
            mean = [nn.GlobalAvgPool()] * bool(plane)
            gate = draw(held(nn.Linear(channels, channels)))
            return nn.SqueezeExcite(nn.Sequential(*mean, gate, nn.Sigmoid()))
        case _:
            return draw(held(draw(affine(shape))))


@st.composite
def pools(draw, shape):
    """A pooling layer for samples of this shape."""
    plane = shape[1:]
    size = [draw(st.integers(1, min(3, n))) for n in plane]
    padding = [draw(st.integers(0, n // 2)) for n in size]
    stride = [draw(st.integers(1, 2)) for _ in size]
    pool = draw(st.sampled_from(POOLS[len(plane)]))
    return pool(size, draw(st.sampled_from([None, stride])), padding)


@st.composite
def affine(draw, shape):
    """A linear or convolution layer for samples of this shape."""
    channels, *plane = shape
    if not plane:
        return nn.Linear(channels, draw(st.integers(1, 6)), draw(st.booleans()))
    groups = draw(st.sampled_from([n for n in (1, 2, 3, 4) if channels % n == 0]))
    padding = [[draw(st.integers(0, 2)), draw(st.integers(0, 2))] for _ in plane]
    dilation = [draw(st.integers(1, 2)) for _ in plane]
    geometry = zip(plane, padding, dilation, strict=True)
    most = [(n + sum(p) - 1) // d + 1 for n, p, d in geometry]
    return CONVOLUTIONS[len(plane)](
        channels,
        groups * draw(st.integers(1, 3)),
        [draw(st.integers(1, min(3, size))) for size in most],
        stride=[draw(st.integers(1, 2)) for _ in plane],
        padding=padding,
        dilation=dilation,
        groups=groups,
        bias=draw(st.booleans()),
    )


@st.composite
def of_equal_shape(draw, shape):
    """A linear or convolution layer that keeps the shape."""
    channels, *plane = shape
    if not plane:
        return draw(held(nn.Linear(channels, channels)))
    size = draw(st.integers(1, 4))
    conv = CONVOLUTIONS[len(plane)](channels, channels, size, padding="same")
    return draw(held(conv))


@st.composite
def held(draw, layer):
    """The layer with all its weights, with a mask, in CSR, or in blocks."""
    form = draw(st.sampled_from(["dense", "masked", "csr", "bsr"]))
    if form == "dense":
        return layer
    block = (
        (draw(st.integers(1, 3)), draw(st.integers(1, 3))) if form == "bsr" else None
    )
    rng = np.random.default_rng(draw(SEEDS))
    density = draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]))
    shape = layer.params["weight"].shape
    layer.set_mask("weight", mask_in_blocks(rng, shape, density, block or (1, 1)))
    if form == "masked":
        return layer
    return SPARSE[layer.kind].from_dense(layer, form, block)


def mask_in_blocks(rng, shape, density, block):
    """A mask that keeps whole blocks of the (out, K) view of a weight."""
    rows, columns = shape[0], int(np.prod(shape[1:]))
    kept = rng.random((rows, columns)) < density
    return np.kron(kept, np.ones(block, bool))[:rows, :columns].reshape(shape)


def fill(layer, rng):
    """Draw the numbers that the layer holds."""
    for param in layer.params.values():
        param[...] = rng.normal(size=param.shape)
    layer.apply_masks()
    if isinstance(getattr(layer, "pattern", None), BSR):
        layer.params["weight"][~layer.pattern.inside()] = 0
    if "running_var" in layer.buffers:
        layer.buffers["running_mean"][...] = rng.normal(size=layer.num_features)
        layer.buffers["running_var"][...] = rng.uniform(0.5, 2, layer.num_features)
