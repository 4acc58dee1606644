r"""How far rounding alone can part two evaluations of a network and its gradients.

A running error analysis (N. Higham, "Accuracy and Stability of Numerical Algorithms",
2nd ed., SIAM 2002, Sec. 3.3): every number travels with a bound on how far an
evaluation in float64 can be from the exact one, forward through the layers and back.

A sum of n products, in any order, is off by at most gamma_n = n u / (1 - n u) times the
sum of their magnitudes (Sec. 3.1), so an affine layer y = W x + b takes an error e to
|W| e + gamma_n (|W| |x| + |b|); its gradients are sums of the same kind. A function
with slope at most L takes e to L e; where the slope itself jumps within e of x, the
gradient may be off by the whole jump. The library functions exp, tanh and erf are taken
to be right to NOISE units.

Terms of second order in u are left out; SAFETY covers them, as long as no relative
error exceeds a percent. Two evaluations are apart by at most twice the bound.
"""

import numpy as np

from minprune.nn import Mode
from minprune.nn.window import planes

U = 2.0**-53
NOISE = 16
SAFETY = 1.01


def gamma(n):
    return n * U / (1 - n * U)


def total(array, axes):
    return array.sum(axis=axes, keepdims=True)


class Rule:
    """(x, error) forward and (dy, error) backward, for one layer; float64 values."""

    def __init__(self, layer, training):
        self.layer, self.mode, self.grads = layer, Mode(training), {}
        self.children = {
            name: rule(child, training) for name, child in layer.children.items()
        }

    def walk(self, path=""):
        """Every rule with the dotted name of its layer."""
        yield path, self
        for name, child in self.children.items():
            yield from child.walk(f"{path}.{name}" if path else name)


class Chain(Rule):
    def forward(self, x, e):
        for child in self.children.values():
            x, e = child.forward(x, e)
        return x, e

    def backward(self, dy, e):
        for child in reversed(self.children.values()):
            dy, e = child.backward(dy, e)
        return dy, e


class Sum(Rule):
    def forward(self, x, e):
        y, error = self.children["body"].forward(x, e)
        around = self.children.get("shortcut")
        if around is not None:
            x, e = around.forward(x, e)
        return y + x, error + e + U * np.abs(y + x)

    def backward(self, dy, e):
        dx, error = self.children["body"].backward(dy, e)
        around = self.children.get("shortcut")
        if around is not None:
            dy, e = around.backward(dy, e)
        return dx + dy, error + e + U * np.abs(dx + dy)


class SideBySide(Rule):
    def forward(self, x, e):
        parts = [child.forward(x, e) for child in self.children.values()]
        self.cuts = np.cumsum([len(y) for y, _ in parts[:-1]])
        return tuple(np.concatenate(both) for both in zip(*parts, strict=True))

    def backward(self, dy, e):
        dx, error = 0.0, 0.0
        halves = np.split(dy, self.cuts), np.split(e, self.cuts)
        for child, part, off in zip(self.children.values(), *halves, strict=True):
            more, its = child.backward(part, off)
            dx, error = dx + more, error + its + U * np.abs(dx + more)
        return dx, error


class Gated(Rule):
    def forward(self, x, e):
        gate, off = self.children["gate"].forward(x, e)
        shape = (len(gate), *(1,) * (x.ndim - 2), gate.shape[-1])
        self.x, self.e, self.gate, self.off = (
            *(x, e),
            *(gate.reshape(shape), off.reshape(shape)),
        )
        y = x * self.gate
        return y, e * np.abs(self.gate) + (np.abs(x) + e) * self.off + U * np.abs(y)

    def backward(self, dy, e):
        axes = tuple(range(1, dy.ndim - 1))
        size = np.abs(dy) * self.e + e * np.abs(self.x) + U * np.abs(dy * self.x)
        size = size.sum(axis=axes)
        size += gamma(dy[0, ..., 0].size) * np.abs(dy * self.x).sum(axis=axes)
        through, its = self.children["gate"].backward(
            (dy * self.x).sum(axis=axes), size
        )
        dx = dy * self.gate
        error = e * np.abs(self.gate) + np.abs(dy) * self.off + U * np.abs(dx)
        return dx + through, error + its + U * np.abs(dx + through)


class Affine(Rule):
    """Linear and convolution: magnitudes through the layer of magnitudes."""

    def __init__(self, layer, training):
        super().__init__(layer, training)
        self.size, self.bare = layer.clone(np.float64), layer.clone(np.float64)
        for twin in (self.size, self.bare):
            for name, param in twin.params.items():
                param[...] = np.abs(layer.params[name])
        if "bias" in self.bare.params:
            self.bare.params["bias"][...] = 0

    def forward(self, x, e):
        self.x, self.e = np.abs(x), e
        terms = self.layer.params["weight"][0].size + 1
        y = self.layer.forward(x)
        return y, self.bare.forward(e) + gamma(terms) * self.size.forward(self.x)

    def backward(self, dy, e):
        # No gradient adds up more than all of dy for a weight, or for an input.
        dx, wide = self.layer.backward(dy), e + gamma(dy.size + 1) * np.abs(dy)
        self.bare.forward(self.e)
        self.bare.backward(np.abs(dy))
        self.size.forward(self.x + self.e)
        error = self.size.backward(wide)
        self.grads = dict(self.size.grads)
        self.grads["weight"] = self.grads["weight"] + self.bare.grads["weight"]
        return dx, error


class Norm(Rule):
    """Batch norm. Programs differ in its order of steps: (x - m) s, or x s - m s."""

    def forward(self, x, e):
        layer, axes = self.layer, tuple(range(1, x.ndim))
        self.axes, self.count = axes, x[0].size
        shape = (-1, *(1,) * (x.ndim - 1))
        weight = layer.params.get("weight", np.ones(len(x))).reshape(shape)
        bias = layer.params.get("bias", np.zeros(len(x))).reshape(shape)
        if self.mode.training:
            n = self.count
            mean = x.mean(axis=axes, keepdims=True)
            off_mean = total(e, axes) / n + gamma(n + 1) * total(np.abs(x), axes) / n
            c = x - mean
            off = e + off_mean + U * np.abs(c)
            variance = (c * c).mean(axis=axes, keepdims=True)
            off_variance = 2 * total(np.abs(c) * off, axes) / n
            off_variance += gamma(2 * n + 8) * variance
            self.moved = off_mean, off_variance * n / (n - 1)
        else:
            mean = layer.buffers["running_mean"].reshape(shape)
            variance = layer.buffers["running_var"].reshape(shape)
            c, off_variance = x - mean, 0.0
            off = e + U * np.abs(c)
        y = layer.forward(x, self.mode)
        s = 1 / np.sqrt(variance + layer.eps)
        self.off_s = s * (off_variance / (2 * (variance + layer.eps)) + 8 * U)
        self.h, self.s, self.weight = c * s, s, weight
        self.off_h = off * s + np.abs(c) * self.off_s
        self.off_h += 8 * U * s * (np.abs(x) + np.abs(mean))
        return y, np.abs(weight) * self.off_h + 8 * U * (np.abs(y) + np.abs(bias))

    def buffers(self):
        """Errors of the running mean and variance after one batch."""
        if not self.mode.training:
            return {}
        share = self.layer.momentum
        return {
            name: share * off.reshape(-1)
            + 8 * U * (1 + np.abs(self.layer.buffers[name]))
            for name, off in zip(
                ("running_mean", "running_var"), self.moved, strict=True
            )
        }

    def backward(self, dy, e):
        axes, n, h, s = self.axes, self.count, self.h, self.s
        dx, size = self.layer.backward(dy), np.abs(dy)
        aligned = dy * h
        off = e * np.abs(h) + size * self.off_h + U * np.abs(aligned)
        gathered = total(off, axes) + gamma(n) * total(np.abs(aligned), axes)
        summed = total(e, axes) + gamma(n) * total(size, axes)
        if self.layer.params:
            self.grads = {"weight": gathered.reshape(-1), "bias": summed.reshape(-1)}
        if not self.mode.training:
            return dx, np.abs(self.weight) * (
                s * e + self.off_s * size
            ) + 8 * U * np.abs(dx)
        mean, along = total(dy, axes) / n, total(aligned, axes) / n
        rest = dy - mean - h * along
        off = e + summed / n + self.off_h * np.abs(along) + np.abs(h) * gathered / n
        off += 8 * U * (size + np.abs(mean) + np.abs(h * along))
        error = np.abs(self.weight) * (self.off_s * np.abs(rest) + s * off)
        return dx, error + 8 * U * np.abs(dx)


BENDS = {
    "ReLU": (1, 0, [(0, 1)], [(-np.inf, 0)]),
    "ReLU6": (1, 0, [(0, 1), (6, 1)], [(-np.inf, 0), (6, np.inf)]),
    "LeakyReLU": (1, 0, [(0, 1)], []),
    "Sigmoid": (0.25, 0.1, [], []),  # sup |f''| = 1 / (6 sqrt 3)
    "Tanh": (1, 0.77, [], []),  # 4 / (3 sqrt 3)
    "GELU": (1.13, 0.8, [], []),  # f'(sqrt 2), f''(0) = 2 / sqrt(2 pi)
}
"""Greatest slope, greatest curvature, kinks (place, jump), intervals without slope."""


class Bend(Rule):
    """An activation, by `BENDS`."""

    def forward(self, x, e):
        steepest, _, _, flats = BENDS[self.layer.kind]
        self.x, self.e = x, e
        y, error = self.layer.forward(x), steepest * e
        if not flats:
            error = error + NOISE * U * np.abs(x)
        if self.layer.kind in ("Sigmoid", "Tanh"):
            error = error + NOISE * U
        for low, high in flats:
            error = np.where((low < x - e) & (x + e < high), 0.0, error)
        return y, error

    def backward(self, dy, e):
        steepest, curved, kinks, _ = BENDS[self.layer.kind]
        dx, slope = self.layer.backward(dy), self.layer.slope(self.x, self.layer._y)
        off = curved * self.e + NOISE * U * (steepest if kinks else 1 + np.abs(self.x))
        for place, jump in kinks:
            off = off + jump * (np.abs(self.x - place) <= self.e) * (self.e > 0)
        return dx, e * np.abs(slope) + np.abs(dy) * off


class Largest(Rule):
    """Max pool: where another entry may win, the gradient may go there."""

    def forward(self, x, e):
        self.x, self.e = planes(x), planes(e)
        largest = self.layer.clone(np.float64).forward(e)
        y = self.layer.forward(x)
        self.low, self.off = planes(y) - planes(largest), planes(largest)
        return y, largest

    def backward(self, dy, e):
        layer, view = self.layer, self.layer.window
        dx = layer.backward(dy)
        crowd = layer.backward(np.abs(dy))
        error = layer.backward(e) + gamma(np.prod(view.kernel)) * crowd
        rows, columns = self.low.shape[1:3]
        padded, off = view.pad(self.x, -np.inf), view.pad(self.e)
        seen = view.patches(padded, 0, rows, columns)
        widths = view.patches(off, 0, rows, columns)
        rivals = (seen + widths >= self.low[:, None, None]) & (
            widths + self.off[:, None, None] > 0
        )
        disputed = rivals.sum(axis=(1, 2)) > 1
        stray = np.zeros(padded.shape)
        lost = (planes(np.abs(dy)) + planes(e)) * disputed
        for i, j, part in view.taps(stray, 0, rows, columns):
            part += lost * rivals[:, i, j]
        return dx, error + view.crop(stray, *self.x.shape[1:3]).reshape(dx.shape)


class Mean(Rule):
    """Average pools: linear, with weights that are positive."""

    def forward(self, x, e):
        y, off = self.layer.forward(x), self.layer.clone(np.float64).forward(e)
        size = self.layer.clone(np.float64).forward(np.abs(x))
        return y, off + gamma(x[0, ..., 0].size + 1) * size

    def backward(self, dy, e):
        dx, off = self.layer.backward(dy), self.layer.backward(e)
        return dx, off + gamma(dy[0, ..., 0].size + 1) * self.layer.backward(np.abs(dy))


class Same(Rule):
    """Flatten: nothing but the shape."""

    def forward(self, x, e):
        return self.layer.forward(x), self.layer.forward(e)

    def backward(self, dy, e):
        return self.layer.backward(dy), self.layer.backward(e)


RULES = {
    **dict.fromkeys(["Linear", "Conv1d", "Conv2d"], Affine),
    **dict.fromkeys(["AvgPool1d", "AvgPool2d", "GlobalAvgPool"], Mean),
    **dict.fromkeys(["MaxPool1d", "MaxPool2d"], Largest),
    **dict.fromkeys(BENDS, Bend),
    **{"Sequential": Chain, "Residual": Sum, "Concat": SideBySide},
    **{"SqueezeExcite": Gated, "BatchNorm": Norm, "Flatten": Same},
}


def rule(layer, training):
    return RULES[layer.kind](layer, training)


def bounds(net, inside, labels, training):
    """How far two evaluations may be apart: of everything, by name.

    `outputs`, `loss` and `input`, and gradients and buffers under their dotted names.
    The loss is cross-entropy: with logits off by at most d, every probability is off by
    a factor exp(2 d) at most, and its logarithm by 2 d.
    """
    root = rule(net.copy().root, training)
    z, e = root.forward(inside, np.zeros_like(inside))
    found = {"outputs": e}
    classes, batch = z.shape
    p = np.exp(z - z.max(axis=0))
    p /= p.sum(axis=0)
    factor = 2 * e.max(axis=0) + (classes + NOISE) * U
    rights = -np.log(p[labels, np.arange(batch)])
    found["loss"] = np.mean(factor + U * NOISE) + gamma(batch + 1) * rights.mean()
    dz = p.copy()
    dz[labels, np.arange(batch)] -= 1
    found["input"] = root.backward(dz / batch, (p * factor + 2 * U) / batch)[1]
    for name, part in root.walk():
        offs = {**part.grads, **(part.buffers() if isinstance(part, Norm) else {})}
        found |= {f"{name}.{key}": off for key, off in offs.items()}
    return {name: 2 * SAFETY * off for name, off in found.items()}
