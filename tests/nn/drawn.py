"""Layers drawn by hypothesis with their oracles, and the comparison they go through."""

from dataclasses import dataclass, field

import numpy as np
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from minprune import nn
from minprune.nn.layer import EVAL, Mode
from tests.oracles import layers as oracle

STEP = 1e-20

small = st.integers(1, 3)
batches = st.integers(0, 3)
seeds = st.integers(0, 2**32 - 1)


@dataclass
class Case:
    """A layer in float64, the shape of a sample, and its oracle over a batch."""

    layer: nn.Layer
    shape: tuple
    batch: int
    oracle: object
    """(parameters by name, samples batch first) -> outputs batch first."""
    mode: Mode = EVAL
    seed: int = 0
    params: dict = field(init=False)

    def __post_init__(self):
        rng = np.random.default_rng(self.seed)
        self.layer = self.layer.clone(np.float64)
        for param in self.layer.params.values():
            param[...] = rng.normal(size=param.shape)
        self.params = {name: p.copy() for name, p in self.layer.params.items()}
        self.x = rng.normal(size=(self.batch, *self.shape))
        self.rng = rng


def columns(x):
    return np.moveaxis(x, 0, -1)


def rows(x):
    return np.moveaxis(x, -1, 0)


def assert_like_its_oracle(case):
    """Forward equals the definition, backward equals its slope in a random direction.

    The tolerance is a thousand roundings of numbers of the size of the sums compared;
    none of the drawn layers adds up more than a few hundred terms.
    """
    layer, rng = case.layer, case.rng
    y = layer.forward(columns(case.x), case.mode)
    assert y.shape == (*layer.output_shape(case.shape), case.batch)
    dy = rng.normal(size=y.shape)
    dx = layer.backward(dy)
    assert dx.shape == (*case.shape, case.batch)
    assert layer.grads.keys() == layer.params.keys()
    if case.batch == 0:
        assert not any(np.any(grad) for grad in layer.grads.values())
        return
    wanted = case.oracle(case.params, case.x)
    assert_allclose(rows(y), wanted, rtol=1e-12, atol=1e-12)

    vx = rng.normal(size=case.x.shape)
    vp = {name: rng.normal(size=p.shape) for name, p in case.params.items()}
    moved = {name: p + 1j * STEP * vp[name] for name, p in case.params.items()}
    slopes = case.oracle(moved, case.x + 1j * STEP * vx).imag / STEP
    terms = [dy * columns(slopes), -dx * columns(vx)]
    terms += [-layer.grads[name] * v for name, v in vp.items()]
    # A slope near zero may be a difference of numbers near one: that of tanh far out.
    scale = sum(np.abs(term).sum() for term in terms) + np.abs(dy).sum()
    assert abs(sum(term.sum() for term in terms)) <= 1e-13 * scale


def each(function):
    """An oracle of a batch from an oracle of one sample."""
    return lambda params, x: np.array([function(params, sample) for sample in x])


@st.composite
def linears(draw):
    layer = nn.Linear(draw(st.integers(1, 6)), draw(small), bias=draw(st.booleans()))

    def one(p, x):
        return oracle.linear(x, p["weight"], p.get("bias"))

    return Case(layer, (layer.in_features,), draw(batches), each(one), seed=draw(seeds))


def _padding(draw, axes):
    return [[draw(st.integers(0, 2)), draw(st.integers(0, 2))] for _ in range(axes)]


@st.composite
def convolutions(draw):
    axes = draw(st.sampled_from([1, 2]))
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    per_in, per_out = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    kernel = [draw(small) for _ in range(axes)]
    dilation = [draw(st.integers(1, 2)) for _ in range(axes)]
    same = draw(st.booleans())
    stride = [1 if same else draw(small) for _ in range(axes)]
    kind = nn.Conv1d if axes == 1 else nn.Conv2d
    layer = kind(
        per_in * groups,
        per_out * groups,
        kernel,
        stride,
        "same" if same else _padding(draw, axes),
        dilation,
        groups,
        draw(st.booleans()),
    )
    view = layer.window
    need = [max(1, r - sum(p)) for r, p in zip(view.reach, view.padding, strict=True)]
    size = [n + draw(st.integers(0, 3)) for n in need[2 - axes :]]

    def one(p, x):
        weight, plane = p["weight"], x if axes == 2 else x[:, None]
        weight = weight if axes == 2 else weight[:, :, None]
        y = oracle.conv(
            plane,
            weight,
            p.get("bias"),
            view.stride,
            view.padding,
            view.dilation,
            groups,
        )
        return y if axes == 2 else y[:, 0]

    shape = (per_in * groups, *size)
    return Case(layer, shape, draw(batches), each(one), seed=draw(seeds))


@st.composite
def pools(draw):
    axes = draw(st.sampled_from([1, 2]))
    kernel = [draw(small) for _ in range(axes)]
    stride = draw(st.one_of(st.none(), st.lists(small, min_size=axes, max_size=axes)))
    padding = [
        [draw(st.integers(0, k - 1)), draw(st.integers(0, k - 1))] for k in kernel
    ]
    name = draw(st.sampled_from(["MaxPool", "AvgPool"]))
    layer = nn.KINDS[f"{name}{axes}d"](kernel, stride, padding)
    view = layer.window
    function = oracle.max_pool if name == "MaxPool" else oracle.avg_pool
    size = [k + draw(st.integers(0, 3)) for k in kernel]

    def one(p, x):
        plane = x if axes == 2 else x[:, None]
        y = function(plane, view.kernel, view.stride, view.padding)
        return y if axes == 2 else y[:, 0]

    return Case(layer, (draw(small), *size), draw(batches), each(one), seed=draw(seeds))


@st.composite
def activations(draw):
    kind = draw(st.sampled_from(sorted(oracle.ACTIVATIONS)))
    shape = tuple(draw(st.lists(small, min_size=1, max_size=3)))
    f = oracle.ACTIVATIONS[kind]
    case = Case(
        nn.KINDS[kind](), shape, draw(batches), lambda p, x: f(x), seed=draw(seeds)
    )
    case.x *= 4  # beyond 6 too
    return case


@st.composite
def norms(draw):
    shape = tuple(draw(st.lists(small, min_size=1, max_size=3)))
    affine, training = draw(st.booleans()), draw(st.booleans())
    layer = nn.BatchNorm(shape[0], affine=affine)
    # Two samples of one number are brought to -1 and 1 whatever they are, and the slope
    # of a constant is a difference of large numbers.
    batch = draw(st.integers(3, 5)) if training else draw(batches)

    def whole(p, x):
        if training:
            return oracle.batch_norm(x, p.get("weight"), p.get("bias"), layer.eps)
        mean, variance = (case.layer.buffers[f"running_{n}"] for n in ("mean", "var"))
        return np.array(
            [
                oracle.fixed_norm(
                    s, p.get("weight"), p.get("bias"), layer.eps, mean, variance
                )
                for s in x
            ]
        )

    case = Case(layer, shape, batch, whole, Mode(training), draw(seeds))
    case.layer.buffers["running_mean"][...] = case.rng.normal(size=shape[0])
    case.layer.buffers["running_var"][...] = case.rng.uniform(0.5, 2, shape[0])
    return case


@st.composite
def layer_norms(draw):
    shape = (draw(st.integers(3, 5)), *draw(st.lists(small, max_size=2)))
    layer = nn.LayerNorm(shape, affine=draw(st.booleans()))

    def one(p, x):
        return oracle.layer_norm(x, p.get("weight"), p.get("bias"), layer.eps)

    return Case(layer, shape, draw(batches), each(one), seed=draw(seeds))


@st.composite
def recurrents(draw):
    kind, last = draw(st.sampled_from(sorted(oracle.CELLS))), draw(st.booleans())
    layer = nn.KINDS[kind](
        draw(small),
        draw(small),
        num_layers=draw(st.integers(1, 2)),
        bias=draw(st.booleans()),
        bidirectional=draw(st.booleans()),
        last=last,
    )
    steps, batch = draw(st.integers(1, 4)), draw(batches)
    full = draw(st.booleans())
    lengths = np.array(
        [steps if full else draw(st.integers(1, steps)) for _ in range(batch)]
    )

    def whole(p, x):
        outputs = []
        for sample, length in zip(x, lengths, strict=True):
            states, end = oracle.recurrent(
                kind,
                sample[:, :length],
                p,
                layer.num_layers,
                layer.directions,
                layer.hidden_size,
            )
            padded = np.zeros((len(states), steps), states.dtype)
            padded[:, :length] = states
            outputs.append(end if last else padded)
        return np.array(outputs)

    mode = EVAL if full else Mode(lengths=lengths)
    return Case(layer, (layer.input_size, steps), batch, whole, mode, draw(seeds))
