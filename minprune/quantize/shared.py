r"""Sixteen values for all weights of a layer, or of each row: four bits a weight.

Among integers from -127 to 127 the best sixteen can be found exactly. With :math:`n_v`
weights of value v, a codebook costs :math:`\sum_v n_v (v - c(v))^2`, c(v) the nearest
of its values. Clusters of the best one are runs of neighboring values, so the best way
to cut the values up to v into k runs is the best way to cut those up to some u into
k - 1 runs, and one run from there: dynamic programming, without a random start.

References
----------
.. [1] S. Han, H. Mao and W. J. Dally, "Deep compression: compressing deep neural
   networks with pruning, trained quantization and Huffman coding", ICLR 2016, Sec. 3.
   arXiv:1510.00149
.. [2] H. Wang and M. Song, "Ckmeans.1d.dp: optimal k-means clustering in one dimension
   by dynamic programming", The R Journal 3 (2011).
"""

import numpy as np

from minprune._check import BoolArray, FloatArray, IntArray
from minprune.files.stored import CODES

LEVELS = np.arange(-127, 128)


def share(weight: IntArray, mask: BoolArray, books: int) -> IntArray:
    """Weights replaced by the nearest of sixteen values, the best there are.

    Parameters
    ----------
    weight : ndarray of int, shape (rows, K)
        Levels from -127 to 127.
    mask : ndarray of bool, shape (rows, K)
        True where kept; what is pruned is zero and needs no value.
    books : int
        Codebooks: 1, or as many as rows.

    Returns
    -------
    shared : ndarray of int, shape (rows, K)

    Examples
    --------
    >>> weight = np.array([[3, -7, 100, 101, 0, 50]])
    >>> bool((share(weight, weight != 0, 1) == weight).all())
    True
    """
    shared = np.zeros_like(weight)
    targets, rows, masks = (
        array.reshape(books, array.size // books) for array in (shared, weight, mask)
    )
    for target, row, kept in zip(targets, rows, masks, strict=True):
        counts = np.bincount(row[kept] + 127, minlength=len(LEVELS))
        target[kept] = nearest(counts)[row[kept] + 127]
    return shared


def nearest(counts: IntArray) -> IntArray:
    """For each level, the value that stands for it, given how many weights have it.

    Examples
    --------
    >>> counts = np.zeros(255, int)
    >>> counts[::12] = 1
    >>> len(np.unique(nearest(counts)[counts > 0]))
    16
    """
    there = np.flatnonzero(counts)
    stands = LEVELS.copy()
    if len(there) <= CODES:
        return stands
    values, n = LEVELS[there].astype(float), counts[there].astype(float)
    cost = _costs(values, n)
    best, cuts = cost[0], []
    for _ in range(CODES - 1):
        # The last run goes from u + 1 to v; what is before it costs best[u].
        both = best[:-1, None] + cost[1:]
        cuts.append(both.argmin(axis=0))
        best = both.min(axis=0)
    end = len(values) - 1
    for cut in (*reversed(cuts), np.full(len(values), -1)):
        run = slice(int(cut[end]) + 1, end + 1)
        stands[there[run]] = round(float(values[run] @ n[run] / n[run].sum()))
        end = int(cut[end])
    return stands


def _costs(values: FloatArray, n: FloatArray) -> FloatArray:
    """cost[u, v]: squared error of values u to v, weighed, around their mean."""
    sums = [np.concatenate(([0.0], np.cumsum(n * values**p))) for p in range(3)]
    weight, first, second = (s[None, 1:] - s[:-1, None] for s in sums)
    with np.errstate(invalid="ignore", divide="ignore"):
        cost = second - first * first / weight
    return np.where(np.tri(len(values), k=-1, dtype=bool), np.inf, cost)
