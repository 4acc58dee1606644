"""How far an ONNX run time may be from the network, one layer or one step at a time.

Every value of the graph is looked at. A layer is given, in float64, the very numbers
that the run time gave to it; what the run time made of them must be within the rounding
of that one layer. Nothing accumulates, so the bounds are as tight at the end of a deep
network as at its beginning.
"""

import numpy as np

from minprune import nn
from minprune.nn.recurrent import Recurrent
from minprune.quantize.arithmetic import AffineNumbers, Integer, pool_taps
from minprune.quantize.arithmetic import affine as sums_of
from minprune.quantize.graph import Add, Affine, Pool
from tests.export.rounding import FUNCTION, gamma, through

SMALLEST = 2.0**-126
"""Normal float32; what is smaller may be flushed to zero."""


# float32.


def check_layers(net, values):
    """Every layer's answer in `values`, by dotted names, is right to the rounding."""
    exact = net.astype(np.float64)
    raw = np.asarray(values["input"], np.float64)
    columns = np.moveaxis(raw, 0, -1)
    scaled, shift = columns * net.scale[..., None], net.offset[..., None]
    x = scaled + shift
    door = values.get("preprocess/offset", values.get("preprocess/scale", raw))
    near(door, x, gamma(2) * (np.abs(scaled) + np.abs(shift)), "the door")
    final = _walk("", exact.root, values, np.moveaxis(np.asarray(door), 0, -1))
    np.testing.assert_array_equal(np.moveaxis(values["output"], 0, -1), final)


def _walk(name, layer, values, x):
    """The run time's answer of a layer, checked; samples last."""
    x, here = x.astype(np.float64), name or layer.kind
    below = {key: f"{name}.{key}" if name else key for key in layer.children}
    match layer:
        case nn.Sequential():
            for key, child in layer.children.items():
                x = _walk(below[key], child, values, x)
            return x
        case nn.Dropout():
            return x
        case nn.Flatten():
            return layer.forward(x)
        case Recurrent():
            return np.moveaxis(values[here], 0, -1)  # see check_scan
    ways = [_walk(below[k], child, values, x) for k, child in layer.children.items()]
    match layer:
        case nn.Concat():
            want, bound = np.concatenate(ways), 0.0
        case nn.Residual():
            left, right = (*ways, x)[:2]
            want, bound = left + right, gamma(1) * np.abs(left + right)
        case nn.SqueezeExcite():
            gate = ways[0].reshape(len(x), *(1,) * (x.ndim - 2), -1)
            want, bound = x * gate, gamma(1) * np.abs(x * gate)
        case nn.Embedding():
            want, bound = layer.forward(x), 0.0
        case nn.LayerNorm():
            want, bound = layer.forward(x), layer_norm(layer, x)
        case _:
            want, bound = through(layer, x, np.zeros_like(x))
    near(values[here], want, bound, here)
    return np.moveaxis(values[here], 0, -1)


def near(found, want, bound, name):
    """Batch first against samples last."""
    found = np.moveaxis(np.asarray(found, np.float64), 0, -1)
    assert found.shape == want.shape, name
    over = np.abs(found - want) - bound - SMALLEST
    assert over.max(initial=0) <= 0, f"{name} is off by {over.max()} more than it may"


def layer_norm(layer, x):
    """The rounding of a layer norm whose variance is E[x^2] - E[x]^2."""
    entries = tuple(range(x.ndim - 1))
    n = x[..., 0].size
    mean, square = x.mean(entries), (x * x).mean(entries)
    variance = square - mean * mean
    mean_off = gamma(n + 1) * np.abs(x).mean(entries)
    # Two means, a square and a difference; |mean| and mean |x| are at most the root.
    variance_off = gamma(n + 4) * 4 * square
    spread = variance + layer.eps
    relative = variance_off / np.maximum(spread - variance_off, SMALLEST) + gamma(4)
    normal = np.abs(x - mean) / np.sqrt(spread)
    off = mean_off / np.sqrt(spread) * (1 + relative) + normal * (relative + gamma(3))
    scale = np.abs(layer.params.get("weight", np.ones(layer.shape)))[..., None]
    shift = np.abs(layer.params.get("bias", np.zeros(layer.shape)))[..., None]
    return scale * off + gamma(3) * (scale * normal + shift)


def check_scan(layer, x, y):
    """Each step of a recurrent layer of one level, from the state that was put out.

    `x` is (N, features, L), `y` (N, sides * hidden, L); all sequences are full.
    """
    layer, x = layer.clone(np.float64), np.asarray(x, np.float64)
    parts = np.split(np.asarray(y, np.float64), len(layer.directions), axis=1)
    for side, states in zip(layer.directions, parts, strict=True):
        w, r = (layer.params[f"weight_{key}_l0{side}"] for key in ("ih", "hh"))
        b = [
            layer.params.get(f"bias_{key}_l0{side}", np.zeros(len(w)))
            for key in ("ih", "hh")
        ]
        terms = w.shape[1] + r.shape[1] + 3
        steps = range(x.shape[2])[:: -1 if side else 1]
        h = np.zeros((layer.hidden_size, len(x)))
        cell, cell_off = np.zeros_like(h), np.zeros_like(h)
        for t in steps:
            here = x[:, :, t].T
            into, back = w @ here + b[0][:, None], r @ h + b[1][:, None]
            size = np.abs(w) @ np.abs(here) + np.abs(r) @ np.abs(h)
            size += (np.abs(b[0]) + np.abs(b[1]))[:, None]
            off = np.split(gamma(terms) * size, layer.gates)
            state, kept = layer.cell(into, back, (h, cell))
            found = states[:, :, t].T
            match layer.kind:
                case "RNN":
                    bound = off[0] + FUNCTION
                case "GRU":
                    r_off, z_off = (o / 4 + FUNCTION for o in off[:2])
                    _, _, n, u_n, _ = kept
                    n_off = off[2] + r_off * np.abs(u_n) + gamma(2) * np.abs(u_n)
                    reach = np.abs(n) + np.abs(h)
                    bound = n_off + FUNCTION + z_off * reach + gamma(4) * (1 + reach)
                case "LSTM":
                    i, f, g, _, before, _ = kept
                    gate = [part / 4 + FUNCTION for part in (off[0], off[1], off[3])]
                    g_off = off[2] + FUNCTION
                    cell_off = (
                        (f + gate[1]) * cell_off
                        + gate[1] * np.abs(before)
                        + gate[0] * np.abs(g)
                        + (i + gate[0]) * g_off
                        + gamma(2) * (np.abs(before) + 1)
                    )
                    cell = state[1]
                    bound = gate[2] + cell_off + FUNCTION + gamma(2)
            over = np.abs(found - state[0]) - bound
            assert over.max(initial=0) <= 0, f"step {t} of {layer.kind} is off"
            h = found


# int8.


def check_steps(small, names, values):
    """Every step's levels are those of the integers, or a tie was within the rounding.

    Returns (levels that differ, levels in all).
    """
    compute = Integer(small.levels, small.numbers)
    batch = len(values["input"])
    held = {v: _planes(values[name], batch) for v, name in names.items()}
    door = small.quantize_input(np.asarray(values["input"], np.float32)).T
    np.testing.assert_array_equal(held[0], door)
    differ = count = 0
    for step in small.graph.steps:
        inputs = [held[x].reshape(-1, *step.plane[1:], batch) for x in step.xs]
        want = compute(step, inputs).reshape(held[step.y].shape).astype(int)
        off = held[step.y] - want
        assert np.abs(off).max(initial=0) <= 1, step.name
        if off.any():
            exact, bound = real_levels(small, step, inputs)
            to_tie = np.abs(exact - np.floor(exact) - 0.5).reshape(off.shape)
            within = to_tie <= np.broadcast_to(bound, exact.shape).reshape(off.shape)
            assert within[off != 0].all(), step.name
        differ, count = differ + np.count_nonzero(off), count + off.size
    answer = small.levels[small.graph.output]
    real = (held[small.graph.output] - np.float32(answer.zero)) * np.float32(
        answer.scale
    )
    np.testing.assert_array_equal(values["output"], real.T.astype(np.float32))
    return differ, count


def _planes(levels, batch):
    """A value as (size, N), in levels from -128 on."""
    return np.asarray(levels).reshape(batch, -1).T.astype(np.int64) - 128


def real_levels(small, step, inputs):
    """(the result in levels before it is rounded, by how much both sides may miss it).

    The run time multiplies and adds in float32, each operation off by one unit roundoff
    at most, or sums integers and rounds their product with a float32 factor: less. The
    integers are rounded once more, at the bit that the second rounding starts from.
    """
    levels, target = small.levels, small.levels[step.y]
    zeros = [levels[x].zero for x in step.xs]
    inside = [x.astype(float) - zero for x, zero in zip(inputs, zeros, strict=True)]
    match step:
        case Affine():
            numbers = small.numbers[step.y]
            assert isinstance(numbers, AffineNumbers)
            weight = numbers.weight.astype(float)
            bias = numbers.bias + zeros[0] * weight.sum(axis=1)
            source = np.float64(levels[step.xs[0]].scale)
            scales = numbers.scales(levels[step.xs[0]], target)
            factor = (source * scales / target.scale)[:, None]
            exact = (sums_of(step, weight, inside[0], 0) + bias[:, None]) * factor
            size = sums_of(step, np.abs(weight), np.abs(inside[0]), 0)
            size = (size + np.abs(bias)[:, None]) * factor
            bound = (
                gamma(weight.shape[1] + 8) * size + _second(numbers.exponent)[:, None]
            )
        case Pool():
            taps = pool_taps(step, inside[0], 0.0)
            exact = taps.mean(axis=0)
            bound = gamma(len(taps) + 6) * np.abs(taps).mean(axis=0)
        case Add():
            left, right = (
                x * levels[i].scale / target.scale
                for x, i in zip(inside, step.xs, strict=True)
            )
            exact = left + right
            # Both sides come as whole numbers of this unit, each rounded twice.
            unit = 2 * max(levels[i].scale for i in step.xs) / 2**20 / target.scale
            exponent = small.numbers[step.y].exponent[2]
            bound = gamma(8) * (np.abs(left) + np.abs(right)) + 2 * unit
            bound = bound + _second(np.array([exponent]))
        case _:
            raise AssertionError(f"{step.name} only moves levels and cannot be off")
    return exact, bound


def _second(exponent):
    """What a first rounding adds before the second, in levels."""
    return (
        np.where(exponent < 0, 2.0 ** (np.minimum(exponent, 0) - 1), 0) + 256 * 2.0**-31
    )
