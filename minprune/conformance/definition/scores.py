"""C.2: every criterion of the catalog that arrays alone can feed, once more.

A formula takes the evidence that its card names, as arrays of `Number`, and returns the
score; options have the defaults of the card. Only chance is missing: its scores are
drawn.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minprune._check import AnyArray
from minprune.conformance.definition.exact import (
    Exact,
    Number,
    damped,
    inverse,
    largest,
    lowest_first,
    number,
    ratio,
    singular_values,
)

Formula = Callable[..., Any]


def by_row(weight: AnyArray) -> Any:
    """One row for each output."""
    return weight.reshape(len(weight), -1)


def by_unit(activation: Exact) -> Any:
    """One row for each unit: its outputs over examples and places."""
    return by_row(np.moveaxis(activation, 1, 0))


def over_places(activation: Exact) -> Any:
    """(examples, units, places)."""
    return activation.reshape(*activation.shape[:2], -1)


def each_group(weight: Exact, inputs: Exact, axes: int) -> Iterator[Any]:
    """Outputs of a group, their rows, and what is known of the inputs they read."""
    rows = by_row(weight)
    parts = inputs if inputs.ndim > axes else inputs[None]
    size = len(rows) // len(parts)
    for g, one in enumerate(parts):
        here = slice(g * size, (g + 1) * size)
        yield here, rows[here], one


def grouped(score: Formula, axes: int) -> Formula:
    """The score of a layer from that of the rows of each group."""

    def whole(weight: Exact, inputs: Exact) -> Exact:
        parts = [score(rows, one) for _, rows, one in each_group(weight, inputs, axes)]
        joined = np.concatenate(parts)
        return joined.reshape(weight.shape) if joined.ndim > 1 else joined

    return whole


def length(vectors: Exact, axis: int) -> Any:
    """Euclidean length along an axis."""
    return np.sqrt((vectors**2).sum(axis=axis))


def normalized(score: Exact) -> Any:
    """Over its Euclidean length."""
    return ratio(score, length(score, 0))


def distances(weight: Exact) -> list[Number]:
    """The sum of the distances of each row to the others."""
    rows = by_row(weight)
    return [
        sum(length(np.delete(rows, i, axis=0) - row, 1), number(0))
        for i, row in enumerate(rows)
    ]


def fpgm_two_stage(weight: Exact) -> Any:
    """The place in the order of removal; no filter goes by its norm."""
    order = lowest_first(distances(weight))
    return np.array([order.index(i) for i in range(len(order))], object)


def cosine_redundancy(weight: Exact) -> Any:
    """One minus the largest cosine with another row."""
    rows = by_row(weight)
    units = rows / length(rows, 1)[:, None]
    cosines = units @ units.T
    return np.array(
        [1 - largest(np.delete(line, i)) for i, line in enumerate(cosines)], object
    )


def lamp(weight: Exact) -> Any:
    """The share of a square in the sum of those that are not removed before it."""
    squares = (weight**2).ravel()
    order = lowest_first(abs(weight).ravel())
    out = np.empty(len(order), object)
    for place, index in enumerate(order):
        out[index] = ratio(squares[index], squares[order[place:]].sum())
    return out.reshape(weight.shape)


def relative(size: Exact) -> Any:
    """Shares of the row and of the column."""
    return ratio(size, size.sum(axis=1, keepdims=True)) + ratio(size, size.sum(axis=0))


def relative_importance(weight: Exact) -> Any:
    """The same for any shape: a column is what has the same other indices."""
    return relative(by_row(abs(weight))).reshape(weight.shape)


def deviation_magnitude(weight: Exact) -> Any:
    """Magnitudes over the standard deviation of the weights."""
    return ratio(abs(weight), np.sqrt(((weight - weight.mean()) ** 2).mean()))


def apoz(activation: Exact) -> Any:
    """The share of outputs that are not zero."""
    counts = [sum(a != 0 for a in outputs) for outputs in by_unit(activation)]
    return np.array([number(int(n)) for n in counts], object) / (
        activation.size // len(counts)
    )


def variance(activation: Exact) -> Any:
    """The mean squared distance from the mean."""
    outputs = by_unit(activation)
    return ((outputs - outputs.mean(axis=1)[:, None]) ** 2).mean(axis=1)


def entropy(activation: Exact) -> Any:
    """Of the histogram of the example means, in ten bins from the lowest to the top."""
    bins = 10
    out = []
    for means in over_places(activation).mean(axis=2).T:
        low, high = (
            means[i] for i in (lowest_first(means)[0], lowest_first(means)[-1])
        )
        step = (high - low) / bins
        where = [sum(not m - low < k * step for k in range(1, bins)) for m in means]
        shares = [number(where.count(b)) / len(where) for b in set(where)]
        out.append(-sum((p * p.log() for p in shares), number(0)))
    return np.array(out, object)


def rank(matrix: Exact) -> int:
    """Pivots of an elimination without divisions, so that zero is zero."""
    rows, pivots = [[n.value for n in row] for row in matrix], 0
    for column in range(matrix.shape[1]):
        below = [r for r in range(pivots, len(rows)) if rows[r][column]]
        if not below:
            continue
        rows[pivots], rows[below[0]] = rows[below[0]], rows[pivots]
        top = rows[pivots]
        for r in range(pivots + 1, len(rows)):
            factor = rows[r][column]
            rows[r] = [
                v * top[column] - u * factor for v, u in zip(rows[r], top, strict=True)
            ]
        pivots += 1
    return pivots


def hrank(activation: Exact) -> Any:
    """The mean rank of a unit's maps."""
    ranks = np.array([[rank(one) for one in maps] for maps in activation])
    return np.array([number(int(n)) for n in ranks.sum(axis=0)], object) / len(ranks)


def chip(activation: Exact) -> Any:
    """What the nuclear norm of all maps loses without those of a unit."""
    examples = over_places(activation)
    lost = [
        [
            sum(singular_values(maps), number(0))
            - sum(singular_values(np.delete(maps, unit, axis=0)), number(0))
            for unit in range(len(maps))
        ]
        for maps in examples
    ]
    return np.array(lost, object).mean(axis=0)


def linear_cka(block_input: Exact, block_output: Exact) -> Any:
    """One minus the cosine of the two matrices of inner products between examples."""
    kernels = []
    for side in (block_input, block_output):
        flat = by_row(side)
        centered = flat - flat.mean(axis=0)
        kernels.append((centered @ centered.T).ravel())
    k, m = kernels
    return 1 - (k * m).sum() / (length(k, 0) * length(m, 0))


def block_influence(block_input: Exact, block_output: Exact) -> Any:
    """One minus the mean cosine of the vectors of all examples and places."""
    inner = (block_input * block_output).sum(axis=1)
    return 1 - (inner / (length(block_input, 1) * length(block_output, 1))).mean()


def obs(weight: Exact, hessian: Exact) -> Any:
    """The rise of the quadratic when a weight goes and all others move."""
    cost = 2 * np.diag(inverse(damped(hessian, 0.01)))
    return (weight.ravel() ** 2 / cost).reshape(weight.shape)


def layer_obs(rows: Exact, gram: Exact) -> Any:
    """The same in each row by itself."""
    return rows**2 / (2 * np.diag(inverse(damped(gram, 0.01))))


def fisher_matrix(grads: Exact) -> Any:
    """``ridge I + mean g g'``."""
    matrix = grads.T @ grads / len(grads)
    for i in range(len(matrix)):
        matrix[i, i] = matrix[i, i] + 1e-5
    return matrix


def empirical_obs(block: int | None) -> Formula:
    """OBS on the empirical Fisher, in blocks of the weights in flat order."""

    def score(weight: Exact, grad_by_example: Exact) -> Any:
        grads, flat = by_row(grad_by_example), weight.ravel()
        width, out = block or flat.size, []
        for begin in range(0, flat.size, width):
            here = slice(begin, begin + width)
            inv = inverse(fisher_matrix(grads[:, here]))
            out += list(flat[here] ** 2 / (2 * np.diag(inv)))
        return np.array(out, object).reshape(weight.shape)

    return score


def obert(weight: Exact, grad_by_example: Exact) -> Any:
    """OBS for four neighbors at once, in blocks of 48 that end with the row."""
    rows, group, block = by_row(weight), 4, 48
    grads = grad_by_example.reshape(len(grad_by_example), *rows.shape)
    out = []
    for i, row in enumerate(rows):
        for begin in range(0, row.size, block):
            w = row[begin : begin + block]
            inv = inverse(fisher_matrix(grads[:, i, begin : begin + block]))
            for first in range(0, w.size, group):
                at = slice(first, first + group)
                out.append(w[at] @ inverse(inv[at, at]) @ w[at] / 2)
    return np.array(out, object).reshape(len(rows), -1)


def kfac_obd(weight: Exact, kfac_a: Exact, kfac_g: Exact) -> Any:
    """Half the quadratic of a row under the Kronecker product."""
    form = grouped(lambda rows, a: ((rows @ a) * rows).sum(axis=1), 2)(weight, kfac_a)
    return np.diag(kfac_g) * form / 2


def kfac_obd_f2(weight: Exact, kfac_a: Exact, kfac_g: Exact) -> Any:
    """Squares of the weights against the rows of A."""
    form = grouped(lambda rows, a: (rows**2 @ a).sum(axis=1), 2)(weight, kfac_a)
    return np.diag(kfac_g) * form


def kfac_obs(weight: Exact, kfac_a: Exact, kfac_g: Exact) -> Any:
    """The same as `kfac_obd` when the other rows of the group move."""
    out = []
    for here, rows, a in each_group(weight, kfac_a, 2):
        own = np.diag(inverse(damped(kfac_g[here, here], 0.01)))
        out += list(((rows @ a) * rows).sum(axis=1) / (2 * own))
    return np.array(out, object)


def data_free_saliency(weight: Exact, next_weight: Exact) -> Any:
    """The least that is lost when another neuron speaks for this one."""
    rows, read = by_row(weight), reading(next_weight)
    out = []
    for j, row in enumerate(rows):
        gaps = ((np.delete(rows, j, axis=0) - row) ** 2).sum(axis=1)
        out.append(read[j] * -largest(-gaps))
    return np.array(out, object)


def reading(next_weight: Exact) -> Any:
    """The mean square, over the next outputs, of the weights that read each neuron."""
    return (over_places(next_weight) ** 2).sum(axis=2).mean(axis=0)


def gate_products(activation: Exact, activation_grad: Exact) -> Any:
    """A da, as (examples, units, places)."""
    return over_places(activation * activation_grad)


def gate_decorator(
    bn_scale: Exact,
    bn_scale_grad_by_batch: Exact,
    bn_shift: Exact,
    bn_shift_grad_by_batch: Exact,
) -> Any:
    """Sizes of the batches' slopes in a gate on scale and shift, in sum."""
    slopes = bn_scale * bn_scale_grad_by_batch + bn_shift * bn_shift_grad_by_batch
    return abs(slopes).sum(axis=0)


FORMULAS: dict[str, Formula] = {
    "leave_one_out": lambda loss_change: loss_change,
    "leave_one_out_abs": lambda loss_change: abs(loss_change),
    "apoz": apoz,
    "mean_activation": lambda activation: by_unit(activation).mean(axis=1),
    "activation_variance": variance,
    "activation_entropy": entropy,
    "obd": lambda weight, hess_diag: hess_diag * weight**2 / 2,
    "obs": obs,
    "layer_obs": lambda weight, gram: grouped(layer_obs, 2)(weight, gram),
    "hrank": hrank,
    "chip": chip,
    "fisher": lambda weight, fisher_diag: fisher_diag * weight**2 / 2,
    "empirical_fisher": lambda weight, grad_by_example: (
        weight**2 * (grad_by_example**2).mean(axis=0) / 2
    ),
    "fisher_feature_map": lambda activation, activation_grad: (
        (gate_products(activation, activation_grad).sum(axis=2) ** 2).mean(axis=0) / 2
    ),
    "synflow": lambda weight, flow_grad: abs(weight * flow_grad),
    "synflow_l2": lambda weight, path_grad: weight**2 * path_grad,
    "fpgm": lambda weight: np.array(distances(weight), object),
    "fpgm_two_stage": fpgm_two_stage,
    "fpgm_of_squares": lambda weight: np.array(distances(weight**2), object),
    "cosine_redundancy": cosine_redundancy,
    "gradient_magnitude": lambda grad: abs(grad),
    "movement": lambda weight, grad: -weight * grad,
    "karnin": lambda weight, initial_weight, squared_updates: ratio(
        squared_updates * weight, weight - initial_weight
    ),
    "grasp_official": lambda weight, hessian_grad: weight * hessian_grad,
    "grasp_synflow": lambda weight, hessian_grad: weight * hessian_grad,
    "grasp_magnitude": lambda weight, hessian_grad: abs(weight * hessian_grad),
    "grasp_iterative": lambda grad: grad**2,
    "gradient_preservation": lambda weight, hessian_grad: (weight * hessian_grad).sum(),
    "group_magnitude": lambda coupled_norms: ratio(
        coupled_norms.mean(axis=0), coupled_norms.mean(axis=0).mean()
    ),
    "woodfisher": empirical_obs(64),
    "mfac": empirical_obs(None),
    "obert": obert,
    "kfac_obd": kfac_obd,
    "kfac_obd_f2": kfac_obd_f2,
    "kfac_obs": kfac_obs,
    "block_ablation": lambda block_loss_change: block_loss_change,
    "layer_scale": lambda bn_scale: abs(bn_scale).mean(),
    "linear_cka": linear_cka,
    "block_influence": block_influence,
    "magnitude": lambda weight: abs(weight),
    "deviation_magnitude": deviation_magnitude,
    "layer_magnitude": lambda weight: abs(weight).mean(),
    "data_free_saliency": data_free_saliency,
    "l1_norm": lambda weight: abs(by_row(weight)).sum(axis=1),
    "l2_norm": lambda weight: length(by_row(weight), 1),
    "squared_norm": lambda weight: (by_row(weight) ** 2).sum(axis=1),
    "max_norm": lambda weight: np.array(
        [largest(abs(row)) for row in by_row(weight)], object
    ),
    "mean_magnitude": lambda weight: abs(by_row(weight)).mean(axis=1),
    "channel_l1_norm": lambda weight: abs(by_unit(weight)).sum(axis=1),
    "nisp": lambda next_weight: abs(over_places(next_weight)).sum(axis=(0, 2)),
    "normalized_magnitude": lambda weight: ratio(
        abs(weight), length(weight.ravel(), 0)
    ),
    "relative_importance": relative_importance,
    "lamp": lamp,
    "bn_scale_magnitude": lambda bn_scale: abs(bn_scale),
    "taylor_bn": lambda bn_scale, bn_scale_grad, bn_shift, bn_shift_grad: (
        (bn_scale * bn_scale_grad + bn_shift * bn_shift_grad) ** 2
    ),
    "taylor_bn_executed": lambda bn_scale, bn_scale_grad: (
        (bn_scale * bn_scale_grad) ** 2
    ),
    "gate_decorator": gate_decorator,
    "snip": lambda weight, grad: abs(weight * grad),
    "snip_momentum": lambda weight, grad: abs(weight * grad),
    "iterative_snip": lambda weight, grad: abs(weight * grad),
    "force": lambda dense_weight, grad: abs(dense_weight * grad),
    "prospr": lambda gate_grad: abs(gate_grad),
    "taylor": lambda weight, grad: (weight * grad) ** 2,
    "taylor_by_batch": lambda weight, grad_by_batch: (
        (weight * grad_by_batch) ** 2
    ).mean(axis=0),
    "taylor_second_order": lambda weight, grad, hess_diag: (
        (-weight * grad + weight**2 * hess_diag / 2) ** 2
    ),
    "taylor_activation": lambda activation, activation_grad: normalized(
        abs(gate_products(activation, activation_grad).mean(axis=2)).mean(axis=0)
    ),
    "taylor_activation_nvlabs": lambda activation, activation_grad: normalized(
        abs(gate_products(activation, activation_grad)).mean(axis=(0, 2))
    ),
    "taylor_activation_jacobgil": lambda activation, activation_grad: normalized(
        abs(gate_products(activation, activation_grad).mean(axis=(0, 2)))
    ),
    "taylor_gate": lambda activation, activation_grad: (
        gate_products(activation, activation_grad).sum(axis=2).mean(axis=0) ** 2
    ),
    "taylor_gate_by_example": lambda activation, activation_grad: (
        gate_products(activation, activation_grad).sum(axis=2) ** 2
    ).mean(axis=0),
    "taylor_filter": lambda weight, grad: by_row(weight * grad).sum(axis=1) ** 2,
    "taylor_filter_by_batch": lambda weight, grad_by_batch: (
        over_places(weight * grad_by_batch).sum(axis=2) ** 2
    ).mean(axis=0),
    "taylor_sum": lambda weight, grad: (by_row(weight * grad) ** 2).sum(axis=1),
    "taylor_sum_by_batch": lambda weight, grad_by_batch: (
        (over_places(weight * grad_by_batch) ** 2).sum(axis=2).mean(axis=0)
    ),
    "taylor_absolute": lambda weight, grad: abs(by_row(weight * grad)).sum(axis=1),
    "taylor_signed": lambda weight, grad: by_row(weight * grad).sum(axis=1),
    "wanda": lambda weight, input_norm: grouped(lambda rows, x: abs(rows) * x, 1)(
        weight, input_norm
    ),
    "ria": lambda weight, input_norm: grouped(
        lambda rows, x: relative(abs(rows)) * np.sqrt(x), 1
    )(weight, input_norm),
}
"""What each criterion says of the evidence that its card names."""
