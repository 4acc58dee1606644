"""C.2 for criteria of the second order."""

from collections.abc import Callable
from typing import Any

import numpy as np

from minprune.conformance.definition.exact import Exact, damped, inverse
from minprune.conformance.definition.views import by_row, each_group, grouped


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


def empirical_obs(block: int | None) -> Callable[..., Any]:
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
