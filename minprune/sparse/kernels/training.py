"""A training step in one call: forward, loss, backward and update over a few arenas.

The table is as in `program`, with operations of its own. Everything that is trained
lies in one arena, and its gradient and velocity in two more, place for place; so the
update is one operation, after all gradients, whatever the network.
"""

from typing import NamedTuple

import numpy as np

from minprune._check import FloatArray, IntArray
from minprune.sparse.kernels._jit import kernel
from minprune.sparse.kernels.program import enter
from minprune.sparse.kernels.strips import Frame, gradient, product

ENTER, PRODUCT, GRADIENT, BIAS, MASK, LOSS = range(6)


class Enter(NamedTuple):
    """Raw samples become columns; see `program.Enter`."""

    y: int
    size: int
    lanes: int
    scale: int
    code: int = ENTER


class Product(NamedTuple):
    """Stored weights times strips, in either direction."""

    x: int
    y: int
    cuts: int
    stored: int
    held: int
    order: int
    """Place of the order of the values; -1 if they lie in the order of the rows."""
    values: int
    start: int
    """Place of the bias among what is trained; -1 for zeros."""
    frame: Frame
    code: int = PRODUCT


class Gradient(NamedTuple):
    """The gradient at the stored weights."""

    x: int
    dy: int
    cuts: int
    stored: int
    held: int
    order: int
    values: int
    frame: Frame
    code: int = GRADIENT


class Bias(NamedTuple):
    """The gradient at a bias: the sum over samples."""

    dy: int
    rows: int
    lanes: int
    bias: int
    code: int = BIAS


class Mask(NamedTuple):
    """No gradient passes where an activation was cut off."""

    y: int
    dy: int
    size: int
    code: int = MASK


class Loss(NamedTuple):
    """Softmax, cross-entropy, and the gradient at the logits."""

    z: int
    dz: int
    classes: int
    lanes: int
    code: int = LOSS


@kernel
def step(
    table: IntArray,
    cuts: IntArray,
    offsets: IntArray,
    orders: IntArray,
    constants: FloatArray,
    trained: FloatArray,
    gradients: FloatArray,
    velocity: FloatArray,
    arena: FloatArray,
    x: FloatArray,
    labels: IntArray,
    loss: FloatArray,
    samples: int,
    rule: FloatArray,
) -> None:
    """Carry out the table, then move everything that is trained.

    `rule` is (smoothing, rate, momentum, weight decay, nesterov). The mean loss before
    the step goes to ``loss[0]``.
    """
    gradients[:] = 0
    for row in range(len(table)):
        code, operands = table[row, 0], table[row, 1:]
        if code == PRODUCT:
            seen, made, first, stored, held, order, values, start = operands[:8]
            frame = operands[8:17]
            rows = cuts[first : first + (frame[1] + 1) * frame[0]]
            places = offsets[stored : stored + held]
            begin = constants if start < 0 else trained[start:]
            near, far, weights = arena[seen:], arena[made:], trained[values:]
            if order < 0:
                product(
                    frame, rows, places, None, weights, begin, near, far, 0, frame[0]
                )
            else:
                mine = orders[order : order + held]
                product(
                    frame, rows, places, mine, weights, begin, near, far, 0, frame[0]
                )
        elif code == GRADIENT:
            seen, made, first, stored, held, order, values = operands[:7]
            frame = operands[7:16]
            rows = cuts[first : first + (frame[1] + 1) * frame[0]]
            places = offsets[stored : stored + held]
            near, far, g = arena[seen:], arena[made:], gradients[values:]
            if order < 0:
                gradient(frame, rows, places, None, near, far, g, 0, frame[0])
            else:
                mine = orders[order : order + held]
                gradient(frame, rows, places, mine, near, far, g, 0, frame[0])
        elif code == BIAS:
            dy, outputs, lanes, bias = operands[:4]
            for i in range(outputs):
                for n in range(samples):
                    gradients[bias + i] += arena[dy + i * lanes + n]
        elif code == MASK:
            y, dy, size = operands[:3]
            passed, delta = arena[y : y + size], arena[dy : dy + size]
            for i in range(size):
                delta[i] = delta[i] if passed[i] > 0 else 0
        elif code == LOSS:
            loss[0] = cross_entropy(operands, arena, labels, samples, rule[0])
        else:
            enter(operands, constants, x, arena, samples)
    update(trained, gradients, velocity, rule)


@kernel
def cross_entropy(
    operands: IntArray,
    arena: FloatArray,
    labels: IntArray,
    samples: int,
    smoothing: float,
) -> float:
    """Mean over samples of -sum_k t_k log p_k; dz = (p - t) / samples.

    The target t is 1 - smoothing at the label and smoothing / K everywhere besides.
    Computed in float64.
    """
    z, dz, classes, lanes = operands[0], operands[1], operands[2], operands[3]
    arena[dz : dz + classes * lanes] = 0
    summed, share = 0.0, smoothing / classes
    for n in range(samples):
        largest = -np.inf
        for k in range(classes):
            largest = max(largest, arena[z + k * lanes + n])
        partition = 0.0
        for k in range(classes):
            partition += np.exp(arena[z + k * lanes + n] - largest)
        log_partition = np.log(partition) + largest
        for k in range(classes):
            log_p = arena[z + k * lanes + n] - log_partition
            target = share + (1 - smoothing if k == labels[n] else 0.0)
            summed -= target * log_p
            arena[dz + k * lanes + n] = (np.exp(log_p) - target) / samples
    return summed / samples


@kernel
def update(
    trained: FloatArray, gradients: FloatArray, velocity: FloatArray, rule: FloatArray
) -> None:
    """Gradient descent in PyTorch's form, as `nn.SGD`."""
    kind = trained.dtype.type
    rate, momentum, decay = kind(rule[1]), kind(rule[2]), kind(rule[3])
    if momentum == 0 and decay == 0:
        for i in range(len(trained)):
            trained[i] -= rate * gradients[i]
        return
    nesterov = rule[4] != 0
    for i in range(len(trained)):
        g = gradients[i] + decay * trained[i]
        velocity[i] = momentum * velocity[i] + g
        trained[i] -= rate * (g + momentum * velocity[i] if nesterov else velocity[i])
