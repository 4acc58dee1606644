"""A network with silenced channels, evaluated from its manifest, one sample at a time.

The definition: a channel that goes is zero *behind* its batch norm and activation. So
values travel with a gate for each channel, 0 where silenced. Whatever makes channels is
told which of its own are silenced; every step that only passes channels on multiplies
with the gate again; where two ways meet, their gates have to agree.
"""

import math

import numpy as np

PASSING = {
    "ReLU": lambda x, a: np.maximum(x, 0),
    "ReLU6": lambda x, a: np.minimum(np.maximum(x, 0), 6),
    "LeakyReLU": lambda x, a: np.where(x > 0, x, x * a["negative_slope"]),
    "Sigmoid": lambda x, a: 1 / (1 + np.exp(-x)),
    "Tanh": lambda x, a: np.tanh(x),
    "GELU": lambda x, a: 0.5 * x * (1 + np.vectorize(math.erf)(x / math.sqrt(2))),
    "Dropout": lambda x, a: x,
}


def outputs(manifest, arrays, samples, silenced):
    """(N, outputs) of samples that went through the door already.

    `silenced` maps the name of a layer that makes channels to one bool for each.
    """
    rows = []
    for x in samples:
        y, _ = through(manifest["root"], "", arrays, x, np.ones(len(x)), silenced)
        rows.append(y)
    return np.stack(rows)


def through(node, name, arrays, x, gate, silenced):
    """(value, gate) behind a layer."""
    kind, told = node["kind"], node["args"]

    def own(array):
        return arrays.get(f"{name}.{array}" if name else array)

    def inside(child, x, gate):
        below = f"{name}.{child['name']}" if name else child["name"]
        return through(child, below, arrays, x, gate, silenced)

    if kind == "Sequential":
        for child in node["children"]:
            x, gate = inside(child, x, gate)
        return x, gate
    if kind in ("Concat", "Heads"):
        ways = [inside(child, x, gate) for child in node["children"]]
        return tuple(np.concatenate(parts) for parts in zip(*ways, strict=True))
    if kind == "Residual":
        ways = {child["name"]: inside(child, x, gate) for child in node["children"]}
        (body, of_body), (around, of_around) = (
            ways["body"],
            ways.get("shortcut", (x, gate)),
        )
        assert (of_body == of_around).all(), f"{name}: a sum of a silenced and a live"
        return body + around, of_body
    if kind == "SqueezeExcite":
        factor, of_gate = inside(node["children"][0], x, gate)
        assert (of_gate == gate).all(), f"{name}: a silenced gate of a live channel"
        return x * along(factor, x), gate
    if kind == "Flatten":
        return x.reshape(-1), np.repeat(gate, x[0].size)

    if kind == "BatchNorm":
        y = x - along(own("running_mean"), x)
        y = y / along(np.sqrt(own("running_var") + told["eps"]), x)
        if told["affine"]:
            y = y * along(own("weight"), x) + along(own("bias"), x)
    elif kind == "LayerNorm":
        y = (x - x.mean()) / np.sqrt(x.var() + told["eps"])
        y = y * own("weight") + own("bias")
    elif kind in PASSING:
        y = PASSING[kind](x, told)
    elif kind == "GlobalAvgPool":
        y = x.reshape(len(x), -1).mean(axis=1)
    elif kind.startswith(("MaxPool", "AvgPool")):
        y = pooled(kind, told, x)
    else:
        if kind == "Linear":
            y = own("weight") @ x
        elif kind.startswith("Conv"):
            y = convolved(told, own("weight"), x)
        elif kind == "Embedding":
            y = own("weight")[x.astype(int)].T
        else:
            return recurrent(kind, told, own, x, silenced.get(name))
        if told.get("bias"):
            y = y + along(own("bias"), y)
        gate = 1.0 - silenced.get(name, np.zeros(len(y)))
        if len(gate) != len(y):
            raise ValueError(f"{name} makes {len(y)} channels, not {len(gate)}")
    return y * along(gate, y), gate


def along(values, x):
    """One number for each channel of x."""
    return np.reshape(values, (-1, *(1,) * (x.ndim - 1)))


def windows(told, x, fill):
    """(places, patches) of a window over a padded plane or signal (C, ...)."""
    sides = [(0, 0), *(tuple(side) for side in told["padding"])]
    padded = np.pad(x, sides, constant_values=fill)
    steps = told.get("dilation", [1] * len(told["kernel_size"]))
    axes = list(zip(told["kernel_size"], told["stride"], steps, strict=True))
    places = [
        (size - (k - 1) * d - 1) // s + 1
        for size, (k, s, d) in zip(padded.shape[1:], axes, strict=True)
    ]
    patches = []
    for place in np.ndindex(*places):
        at = [
            slice(p * s, p * s + (k - 1) * d + 1, d)
            for p, (k, s, d) in zip(place, axes, strict=True)
        ]
        patches.append(padded[(slice(None), *at)])
    return places, patches


def pooled(kind, told, x):
    """Largest or mean value under each window."""
    largest = kind.startswith("Max")
    places, patches = windows(told, x, -np.inf if largest else 0.0)
    flat = np.stack([patch.reshape(len(x), -1) for patch in patches])
    y = flat.max(axis=2) if largest else flat.mean(axis=2)
    return y.T.reshape(len(x), *places)


def convolved(told, weight, x):
    """The sum over each window, filter by filter, each on the channels of its group."""
    places, patches = windows(told, x, 0.0)
    per_group = len(weight) // told["groups"]
    y = np.empty((len(weight), len(patches)))
    for at, patch in enumerate(patches):
        parts = np.split(patch, told["groups"])
        for out, kernel in enumerate(weight):
            y[out, at] = (kernel * parts[out // per_group]).sum()
    return y.reshape(len(weight), *places)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def recurrent(kind, told, own, x, silenced):
    """Step by step; a silenced hidden unit is zero at every step of every level."""
    live = np.ones(told["hidden_size"]) if silenced is None else 1.0 - silenced
    ways = ("", "_reverse") if told["bidirectional"] else ("",)
    ends = []
    for level in range(told["num_layers"]):
        sides, ends = [], []
        for way in ways:
            states = steps(kind, told, own, f"l{level}{way}", x, live)
            ends.append(states[:, 0 if way else -1])
            sides.append(states)
        x = np.concatenate(sides)
    return (np.concatenate(ends) if told["last"] else x), np.tile(live, len(ways))


def steps(kind, told, own, end, x, live):
    """The states of one level in one direction, (hidden, L)."""
    length = x.shape[1]
    h = np.zeros(told["hidden_size"])
    c = np.zeros(told["hidden_size"])
    states = np.zeros((len(h), length))
    for t in reversed(range(length)) if end.endswith("_reverse") else range(length):
        u = own(f"weight_ih_{end}") @ x[:, t]
        v = own(f"weight_hh_{end}") @ h
        if told["bias"]:
            u, v = u + own(f"bias_ih_{end}"), v + own(f"bias_hh_{end}")
        if kind == "RNN":
            h = np.tanh(u + v)
        elif kind == "LSTM":
            i, f, g, o = np.split(u + v, 4)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
        else:
            (r, z, n), (u_r, u_z, u_n) = np.split(u, 3), np.split(v, 3)
            r, z = sigmoid(r + u_r), sigmoid(z + u_z)
            h = (1 - z) * np.tanh(n + r * u_n) + z * h
        h = h * live
        states[:, t] = h
    return states
