"""Embedding: a vector for each symbol of a sequence."""

from typing import Any

import numpy as np

from minprune._check import FloatArray, positive_int
from minprune.nn.layer import (
    EVAL,
    Layer,
    Mode,
    Shape,
    as_given,
    misfit,
    parameter,
    register,
)


@register("Embedding")
class Embedding(Layer):
    """A row of a table for each whole number: (L, N) -> (dim, L, N).

    Parameters
    ----------
    num_embeddings : int
        Rows of the table; symbols are 0 to one less.
    embedding_dim : int
        Features of a row.

    Notes
    -----
    Symbols come as numbers, since a network takes one array: scale 1 and offset 0 keep
    them whole, and float32 holds whole numbers up to 2^24. The gradient of a row is the
    sum of the gradients where it was used; symbols themselves have none. The table does
    not count towards sparsity.

    Examples
    --------
    >>> layer = Embedding(3, 2)
    >>> layer.params["weight"][:] = [[0, 0], [1, 2], [3, 4]]
    >>> layer.forward(np.array([[2.0], [1.0]]))[:, :, 0]
    array([[3., 1.],
           [4., 2.]])
    """

    def __init__(self, num_embeddings: int, embedding_dim: int) -> None:
        super().__init__()
        rows = positive_int("Embedding", "num_embeddings", num_embeddings)
        features = positive_int("Embedding", "embedding_dim", embedding_dim)
        self.params["weight"] = parameter("Embedding", (rows, features))

    def arguments(self) -> dict[str, Any]:
        """See `Layer.arguments`."""
        rows, features = self.params["weight"].shape
        return {"num_embeddings": rows, "embedding_dim": features}

    def reset(self, rng: np.random.Generator) -> None:
        """Standard normal, as in PyTorch."""
        weight = self.params["weight"]
        weight[...] = rng.standard_normal(weight.shape)

    def output_shape(self, shape: Shape) -> Shape:
        """(dim, L)."""
        if len(shape) != 1:
            raise misfit("Embedding", shape, "(L,)")
        return (self.params["weight"].shape[1], shape[0])

    def forward(self, x: FloatArray, mode: Mode = EVAL) -> FloatArray:
        """Look every symbol up."""
        table, symbols = self.params["weight"], x.real.astype(np.int64)
        if (
            (symbols != x.real).any()
            or (symbols < 0).any()
            or (symbols >= len(table)).any()
        ):
            raise ValueError(
                f"Embedding: symbols range from {x.real.min()} to {x.real.max()}; "
                f"expected whole numbers from 0 to {len(table) - 1}"
            )
        self._symbols = symbols
        return as_given(np.moveaxis(table[symbols], -1, 0), x)

    def backward(self, dy: FloatArray) -> FloatArray:
        """Gather by symbol; nothing flows further."""
        grad = np.zeros(self.params["weight"].shape, dy.dtype)
        np.add.at(grad, self._symbols, np.moveaxis(dy, 0, -1))
        self.grads["weight"] = grad
        return np.zeros(self._symbols.shape, dy.dtype)
