"""What curvature criteria and solvers share: the quadratic around the trained weight.

Moving a weight by `d` raises the loss by about ``1/2 d' H d``. Here are the views of a
weight and its `gram` that this needs, and the one way a matrix is inverted. No family:
nothing is filed.
"""

from collections.abc import Iterator

import numpy as np

from minprune._check import (
    BoolArray,
    FloatArray,
    IntArray,
    dimensions,
    finite,
    float64,
    positive_int,
)

SYMMETRY = 1e-6
"""Largest asymmetry, relative to the largest entry, that is taken for rounding: a Gram
matrix summed in float32 over thousands of examples stays well below it."""


def rows(weight: FloatArray) -> FloatArray:
    """The weight in float64 as (outputs, K), one output's weights in a row; a copy."""
    columns = int(np.prod(weight.shape[1:]))
    return np.array(weight, np.float64).reshape(len(weight), columns)


def symmetric(caller: str, side: int, **matrices: FloatArray) -> None:
    """Raise ValueError unless each matrix is finite, side by side, and symmetric."""
    finite(caller, **matrices)
    for name, matrix in matrices.items():
        if matrix.shape != (side, side):
            raise ValueError(
                f"{caller}: {name} has shape {matrix.shape}; "
                f"expected ({side}, {side}), one row for every weight that competes"
            )
        gap = np.abs(matrix - matrix.T).max(initial=0.0)
        if gap > SYMMETRY * np.abs(matrix).max(initial=0.0):
            raise ValueError(
                f"{caller}: {name} is not symmetric (entries differ from their mirror "
                f"by up to {gap:.3g}); expected a mean of x x' or a Hessian"
            )


def input_groups(
    caller: str, weight: FloatArray, gram: FloatArray, name: str = "gram"
) -> Iterator[tuple[slice, FloatArray]]:
    """Pairs of output rows and the Gram matrix of the inputs that these rows read.

    A linear layer has one group, a grouped convolution `gram.shape[0]`.
    """
    dimensions(caller, 2, 3, 4, weight=weight)
    finite(caller, weight=weight)
    (grams,) = float64(caller, **{name: gram})
    dimensions(caller, 2, 3, **{name: grams})
    grams = grams[None] if grams.ndim == 2 else grams
    outputs, groups = len(weight), len(grams)
    if groups == 0 or outputs % groups:
        raise ValueError(
            f"{caller}: {name} has shape {gram.shape}, that is {groups} groups, which "
            f"do not divide the {outputs} outputs of weight {weight.shape}"
        )
    size = outputs // groups
    for g, one in enumerate(grams):
        symmetric(caller, int(np.prod(weight.shape[1:])), **{name: one})
        yield slice(g * size, (g + 1) * size), one


def without_dead_inputs(w: FloatArray, gram: FloatArray) -> FloatArray:
    """Zero, in place, the columns of `w` whose input was never on; the mended Gram.

    Nothing is known of such an input and its weights change no output seen, so they
    are spent first.
    """
    w[:, np.diag(gram) == 0] = 0.0
    return without_zero_diagonal(gram)


def without_zero_diagonal(matrix: FloatArray) -> FloatArray:
    """A copy with the mean of the other diagonal entries where the diagonal is zero.

    For a semidefinite matrix such a row is all zero. Filled, it stays apart from the
    rest, the matrix gets an inverse, and the damping stays what it was without it.
    """
    diagonal = np.diag(matrix)
    alive = diagonal != 0
    fill = diagonal[alive].mean() if alive.any() else 1.0
    filled: FloatArray = matrix + np.diag(np.where(alive, 0.0, fill))
    return filled


def damped(caller: str, name: str, matrix: FloatArray, damping: float) -> FloatArray:
    """``matrix + damping * mean(diagonal) * I``, known to be positive definite."""
    if not (np.isfinite(damping) and damping >= 0):
        raise ValueError(f"{caller}: damping is {damping}; expected 0 or more")
    mean = np.trace(matrix) / max(len(matrix), 1)
    lifted: FloatArray = matrix + damping * mean * np.eye(len(matrix))
    try:
        np.linalg.cholesky(lifted)
    except np.linalg.LinAlgError:
        raise ValueError(
            f"{caller}: {name} with damping {damping} is not positive definite, so the "
            f"best move of the other weights is not defined; use more examples or a "
            f"larger damping"
        ) from None
    return lifted


def inverse(matrix: FloatArray) -> FloatArray:
    """Inverse of a positive definite matrix by Cholesky, exactly symmetric."""
    half = np.linalg.solve(np.linalg.cholesky(matrix), np.eye(len(matrix)))
    product: FloatArray = half.T @ half
    return product


def constrained_minimum(
    w: FloatArray, kept: BoolArray, hessian: FloatArray
) -> FloatArray:
    """The `v` with ``v[~kept] = 0`` that minimizes ``(v - w)' hessian (v - w)``.

    The slope in every kept weight is zero: ``H_KK v_K = (H w)_K``.
    """
    v = np.zeros_like(w)
    v[kept] = np.linalg.solve(hessian[np.ix_(kept, kept)], (hessian @ w)[kept])
    return v


def removable(caller: str, count: int, size: int) -> int:
    """`count` if it is a whole number from 0 to `size`; otherwise say what would be."""
    if positive_int(caller, "count", count, minimum=0) > size:
        raise ValueError(
            f"{caller}: count is {count} but there are {size} to remove; "
            f"expected 0 to {size}"
        )
    return int(count)


def along_channels(caller: str, weight: FloatArray, keep: int, group: int) -> IntArray:
    """Places in a row, input channels running fastest; checks `keep` of `group`."""
    group = positive_int(caller, "group", group)
    keep = positive_int(caller, "keep", keep, minimum=0)
    channels = weight.shape[1] if weight.ndim > 1 else 0
    if keep > group or channels == 0 or channels % group:
        raise ValueError(
            f"{caller}: keep={keep} of group={group} does not fit the {channels} input "
            f"channels of weight {weight.shape}; expected a group that divides them "
            f"and no more to keep than it holds"
        )
    return np.arange(int(np.prod(weight.shape[1:]))).reshape(channels, -1).T.ravel()
