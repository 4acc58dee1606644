"""C.2: every criterion of the catalog that arrays alone can feed, once more.

A formula takes the evidence that its card names, as arrays of `Number`, and returns the
score; options have the defaults of the card. Only chance is missing: its scores are
drawn.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from minprune.conformance.definition.activations import (
    apoz,
    block_influence,
    chip,
    entropy,
    gate_products,
    hrank,
    linear_cka,
    variance,
)
from minprune.conformance.definition.curvature import (
    empirical_obs,
    kfac_obd,
    kfac_obd_f2,
    kfac_obs,
    layer_obs,
    obert,
    obs,
)
from minprune.conformance.definition.exact import (
    Exact,
    Number,
    largest,
    lowest_first,
    number,
    ratio,
)
from minprune.conformance.definition.views import (
    by_row,
    by_unit,
    grouped,
    length,
    normalized,
    over_places,
)

Formula = Callable[..., Any]


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


def gate_decorator(
    bn_scale: Exact,
    bn_scale_grad_by_batch: Exact,
    bn_shift: Exact,
    bn_shift_grad_by_batch: Exact,
) -> Any:
    """Sizes of the batches' slopes in a gate on scale and shift, in sum."""
    slopes = bn_scale * bn_scale_grad_by_batch + bn_shift * bn_shift_grad_by_batch
    return abs(slopes).sum(axis=0)


def gblm(weight: Exact, input_norm: Exact, grad_by_example: Exact) -> Any:
    """Wanda's score, and a hundred times weight by length of its gradients."""
    return wanda(weight, input_norm) + 100 * abs(weight) * length(grad_by_example, 0)


def pruner_zero(weight: Exact, grad_by_example: Exact) -> Any:
    """Squared weights by the place of their gradients in the range of all."""
    lengths = length(grad_by_example, 0)
    low, high = -largest(-lengths.ravel()), largest(lengths.ravel())
    return weight**2 * ratio(lengths - low, high - low)


def flap(weight: Exact, input_variance: Exact) -> Any:
    """Squared weights times the variances of their inputs, summed for each channel."""
    terms = grouped(lambda rows, v: rows**2 * v, 1)(weight, input_variance)
    return by_unit(terms).sum(axis=1)


wanda = grouped(lambda rows, x: abs(rows) * x, 1)
"""Sizes of the weights, times those of their inputs."""

FORMULAS: dict[str, Formula] = {
    "leave_one_out": lambda loss_change: loss_change,
    "leave_one_out_abs": lambda loss_change: abs(loss_change),
    "apoz": apoz,
    "mean_activation": lambda activation: by_unit(activation).mean(axis=1),
    "activation_variance": variance,
    "activation_entropy": entropy,
    "obd": lambda weight, hess_diag: hess_diag * weight**2 / 2,
    "hessian_trace": lambda weight, hess_diag: (
        by_row(hess_diag).mean(axis=1) * (by_row(weight) ** 2).sum(axis=1) / 2
    ),
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
    "pruner_zero": pruner_zero,
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
    "taylor_fisher": lambda weight, grad, fisher_diag: abs(
        weight * grad - weight**2 * fisher_diag / 2
    ),
    "skeletonization": lambda activation, activation_grad: (
        -gate_products(activation, activation_grad).sum(axis=2).mean(axis=0)
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
    "wanda": lambda weight, input_norm: wanda(weight, input_norm),
    "gblm": gblm,
    "flap": flap,
    "ria": lambda weight, input_norm: grouped(
        lambda rows, x: relative(abs(rows)) * np.sqrt(x), 1
    )(weight, input_norm),
}
"""What each criterion says of the evidence that its card names."""
