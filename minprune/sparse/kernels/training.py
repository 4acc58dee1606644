"""What a compiled training step does besides its products.

Operations of a table; see `table`. Everything that is trained lies at the beginning of
one arena, and its gradient and velocity in two more, place for place; so the update is
one loop, after all gradients, whatever the network. Behind what is trained come running
statistics and constants. Lanes that no sample stands in have a gradient of zero.
"""

from typing import NamedTuple

import numpy as np

from minprune._check import FloatArray, IntArray
from minprune.sparse.kernels._jit import call, kernel
from minprune.sparse.kernels._lanes import (
    add,
    between,
    item,
    load,
    narrow_strip,
    put,
    splat,
    store,
    total,
    width,
)
from minprune.sparse.kernels.table import Memory


class Arrange(NamedTuple):
    """Operands of `arrange`."""

    values: int
    order: int
    made: int
    held: int


@kernel
def arrange(
    at: IntArray, memory: Memory, x: FloatArray, y: FloatArray, samples: int
) -> None:
    """Stored weights as the rows are walked: made[k] = values[order[k]]."""
    values, order, made, count = at[0], at[1], at[2], at[3]
    for k in range(count):
        place = values + item(memory.order, order + k)
        put(memory.values, made + k, item(memory.values, place))


class Bias(NamedTuple):
    """Operands of `bias`."""

    dy: int
    rows: int
    length: int
    bias: int


@kernel
def bias(
    at: IntArray, memory: Memory, x: FloatArray, y: FloatArray, samples: int
) -> None:
    """The gradient at a bias: the sum of dy over positions and samples."""
    dy, rows, length, made, strip = at[0], at[1], at[2], at[3], narrow_strip(x)
    for i in range(rows):
        sums = splat(strip, 0.0)
        for n in range(dy + i * length, dy + (i + 1) * length, width(strip)):
            sums = add(sums, load(strip, x, n))
        put(memory.gradients, made + i, total(sums))


class Mask(NamedTuple):
    """Operands of `mask`."""

    y: int
    dy: int
    size: int
    relu: int
    """As of `program.Move`."""


@kernel
def mask(
    at: IntArray, memory: Memory, x: FloatArray, dy: FloatArray, samples: int
) -> None:
    """No gradient passes where an activation was cut off."""
    passed, delta, size, strip = at[0], at[1], at[2], narrow_strip(x)
    most = splat(strip, 6.0 if at[3] == 6 else np.nan)
    for n in range(0, size, width(strip)):
        seen = load(strip, dy, delta + n)
        store(dy, delta + n, between(load(strip, x, passed + n), most, seen))


class Unpool(NamedTuple):
    """Operands of `unpool`: as of `program.pool`, with what it made."""

    x: int
    x_channel: int
    x_row: int
    y: int
    channels: int
    rows: int
    columns: int
    lanes: int
    kh: int
    kw: int
    sh: int
    sw: int
    top: int
    left: int
    height: int
    width: int
    mean: int
    dy: int
    dx: int


@kernel
def unpool(
    at: IntArray, memory: Memory, x: FloatArray, dx: FloatArray, samples: int
) -> None:
    """Hand dy to the first tap that has the largest value; of a mean, to all alike."""
    channels, rows, columns, lanes = at[4], at[5], at[6], at[7]
    kh, kw, sh, sw, top, left = at[8], at[9], at[10], at[11], at[12], at[13]
    height, breadth, mean, y, dy = at[14], at[15], at[16] != 0, at[3], at[17]
    for n in range(channels * height * breadth * lanes):
        put(dx, at[18] + n, 0)
    for c in range(channels):
        for p in range(rows):
            for q in range(columns):
                out = ((c * rows + p) * columns + q) * lanes
                for n in range(lanes):
                    left_over = item(memory.deltas, dy + out + n)
                    share = left_over / (kh * kw)
                    best = item(x, y + out + n)
                    waiting = True
                    for i in range(
                        max(0, top - p * sh), min(kh, height + top - p * sh)
                    ):
                        row = p * sh - top + i
                        for j in range(
                            max(0, left - q * sw), min(kw, breadth + left - q * sw)
                        ):
                            column = q * sw - left + j
                            made = (c * height + row) * breadth + column
                            made = at[18] + made * lanes + n
                            seen = at[0] + c * at[1] + row * at[2] + column * lanes + n
                            if mean:
                                put(dx, made, item(dx, made) + share)
                            elif waiting and item(x, seen) == best:
                                put(dx, made, item(dx, made) + left_over)
                                waiting = False


class Norm(NamedTuple):
    """Operands of `normalize` and `unnormalize`.

    `scale` and `shift` are places among what is trained, -1 without. At `state` lie
    epsilon and momentum, then for each channel the mean of the batch and the inverse
    of its deviation; running means and variances at `running`.
    """

    x: int
    y: int
    channels: int
    positions: int
    lanes: int
    scale: int
    shift: int
    state: int
    running: int


@kernel
def normalize(
    at: IntArray, memory: Memory, x: FloatArray, y: FloatArray, samples: int
) -> None:
    """Write scale (x - mean) / deviation + shift, by the statistics of this batch.

    Lanes that no sample stands in are set to zero, as everywhere on the way forward.
    """
    channels, positions, lanes, state, running = at[2], at[3], at[4], at[7], at[8]
    numbers, count = memory.constants, positions * samples
    for c in range(channels):
        seen, made, summed = at[0] + c * positions * lanes, at[1], 0.0
        made += c * positions * lanes
        for p in range(positions):
            for n in range(samples):
                summed += item(x, seen + p * lanes + n)
        mean, squares = summed / count, 0.0
        for p in range(positions):
            for n in range(samples):
                squares += (item(x, seen + p * lanes + n) - mean) ** 2
        variance = squares / count
        inverse = 1 / np.sqrt(variance + item(numbers, state))
        put(numbers, state + 2 + c, mean)
        put(numbers, state + 2 + channels + c, inverse)
        _remember(numbers, state + 1, running + c, mean)
        spread = variance * count / (count - 1)
        _remember(numbers, state + 1, running + channels + c, spread)
        scale = item(numbers, at[5] + c) if at[5] >= 0 else 1.0
        shift = item(numbers, at[6] + c) if at[6] >= 0 else 0.0
        for p in range(positions):
            for n in range(lanes):
                normal = (item(x, seen + p * lanes + n) - mean) * inverse
                number = normal * scale + shift if n < samples else 0.0
                put(y, made + p * lanes + n, number)


@kernel
def _remember(numbers: FloatArray, momentum: int, at: int, new: float) -> None:
    """Move a running statistic towards that of this batch."""
    old = item(numbers, at)
    put(numbers, at, old + item(numbers, momentum) * (new - old))


@kernel
def unnormalize(
    at: IntArray, memory: Memory, x: FloatArray, dx: FloatArray, samples: int
) -> None:
    """The gradient of `normalize`, whose y is now dy; see `nn.BatchNorm`, Notes."""
    channels, positions, lanes, state = at[2], at[3], at[4], at[7]
    numbers, count = memory.constants, positions * samples
    for c in range(channels):
        seen, delta = at[0] + c * positions * lanes, at[1] + c * positions * lanes
        mean = item(numbers, state + 2 + c)
        inverse = item(numbers, state + 2 + channels + c)
        summed, aligned = 0.0, 0.0
        for p in range(positions):
            for n in range(samples):
                dy = item(memory.deltas, delta + p * lanes + n)
                summed += dy
                aligned += dy * (item(x, seen + p * lanes + n) - mean) * inverse
        scale = 1.0
        if at[5] >= 0:
            scale = item(numbers, at[5] + c)
            put(memory.gradients, at[5] + c, aligned)
            put(memory.gradients, at[6] + c, summed)
        for p in range(positions):
            for n in range(samples):
                place = delta + p * lanes + n
                normal = (item(x, seen + p * lanes + n) - mean) * inverse
                dy = item(memory.deltas, place)
                dy -= (summed + normal * aligned) / count
                put(dx, place, scale * inverse * dy)


@kernel
def step(
    table: IntArray,
    at: IntArray,
    cuts: IntArray,
    offsets: IntArray,
    order: IntArray,
    numbers: FloatArray,
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

    `at` is (rows that go forward, logits, gradient at the logits, classes, lanes) and
    `rule` is (smoothing, rate, momentum, weight decay, nesterov). The mean loss before
    the step goes to ``loss[0]``.
    """
    gradients[:] = 0
    memory = Memory(cuts, offsets, order, numbers, numbers, gradients, arena)
    for row in range(at[0]):
        seen = x if row == 0 else arena
        call(table[row, 0], table[row, 1:], memory, seen, arena, samples)
    loss[0] = cross_entropy(at, arena, labels, samples, rule[0])
    for row in range(at[0], len(table)):
        call(table[row, 0], table[row, 1:], memory, arena, arena, samples)
    update(numbers, gradients, velocity, rule)


@kernel
def cross_entropy(
    at: IntArray, arena: FloatArray, labels: IntArray, samples: int, smoothing: float
) -> float:
    """Mean over samples of -sum_k t_k log p_k; dz = (p - t) / samples.

    The target t is 1 - smoothing at the label and smoothing / K everywhere besides.
    Computed in float64.
    """
    z, dz, classes, lanes = at[1], at[2], at[3], at[4]
    for n in range(classes * lanes):
        put(arena, dz + n, 0)
    summed, share = 0.0, smoothing / classes
    for n in range(samples):
        largest = -np.inf
        for k in range(classes):
            largest = max(largest, item(arena, z + k * lanes + n))
        partition = 0.0
        for k in range(classes):
            partition += np.exp(item(arena, z + k * lanes + n) - largest)
        log_partition = np.log(partition) + largest
        for k in range(classes):
            log_p = item(arena, z + k * lanes + n) - log_partition
            target = share + (1 - smoothing if k == labels[n] else 0.0)
            summed -= target * log_p
            put(arena, dz + k * lanes + n, (np.exp(log_p) - target) / samples)
    return summed / samples


@kernel
def update(
    trained: FloatArray, gradients: FloatArray, velocity: FloatArray, rule: FloatArray
) -> None:
    """Gradient descent in PyTorch's form, as `nn.SGD`, where there is a gradient."""
    kind = trained.dtype.type
    rate, momentum, decay = kind(rule[1]), kind(rule[2]), kind(rule[3])
    if momentum == 0 and decay == 0:
        for i in range(len(gradients)):
            trained[i] -= rate * gradients[i]
        return
    nesterov = rule[4] != 0
    for i in range(len(gradients)):
        g = gradients[i] + decay * trained[i]
        velocity[i] = momentum * velocity[i] + g
        trained[i] -= rate * (g + momentum * velocity[i] if nesterov else velocity[i])
