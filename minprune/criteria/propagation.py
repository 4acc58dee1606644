"""Importance that is handed back from the outputs along the weights."""

import numpy as np

from minprune._check import FloatArray, dimensions, float64
from minprune.criteria._catalog import Holds, criterion


@criterion(
    unit="next score",
    granularity="filter",
    formula="sum_j |w_ji| s_j over the next layer's outputs j",
    cites=("yu2018nisp",),
    holds={
        Holds.NON_NEGATIVE,
        Holds.PERMUTES_OUT,
        Holds.SIGN_FREE,
        Holds.SCALES_WITH_WEIGHT,
        Holds.DATA_FREE,
    },
)
def nisp(
    next_weight: FloatArray, *, next_score: FloatArray | None = None
) -> FloatArray:
    r"""Neuron importance score propagation, one layer of it.

    Parameters
    ----------
    next_weight : ndarray of float, shape (other, out) or (other, out, height, width)
        Weights of the one layer that reads these units, not grouped.
    next_score : ndarray of float, shape (other,), optional
        Importance of that layer's outputs, 0 or more; all equal to 1 by default.

    Returns
    -------
    score : ndarray of float64, shape (out,)
        Importance of the units. Higher means keep.

    Raises
    ------
    ValueError
        If the shapes do not fit, `next_score` is negative, or an array holds a NaN or
        an infinity.

    See Also
    --------
    synflow : Counts the paths on both sides.

    Notes
    -----
    .. math:: s_i = \sum_j |w_{ji}|\, s_j

    ([1]_, Sec. 3). Repeated from the last layer back it is
    :math:`|W_1|^\top |W_2|^\top \cdots s`: the sum over all paths to the outputs of the
    product of the weights' sizes. Because ReLU and its like never stretch a difference,
    :math:`\sum_i s_i |\Delta x_i|` bounds the weighted change of the final response;
    keeping the highest scores minimizes that bound. The paper draws the first
    `next_score` from a feature ranking of the final responses.

    *Departs from the paper* for convolutions: the places of a kernel are summed, where
    the paper keeps an importance for every place of the feature map and sums it at the
    end; the two differ only at the borders.

    References
    ----------
    .. [1] R. Yu et al., "NISP: Pruning networks using neuron importance score
       propagation", CVPR 2018. arXiv:1711.05908

    Examples
    --------
    The second unit feeds only an output that does not matter.

    >>> nisp(np.array([[2.0, 0.0], [-1.0, 5.0]]), next_score=np.array([1.0, 0.0]))
    array([2., 0.])
    """
    (w,) = float64("nisp", next_weight=next_weight)
    dimensions("nisp", 2, 3, 4, next_weight=w)
    s = np.ones(len(w)) if next_score is None else next_score
    (s,) = float64("nisp", next_score=s)
    if s.shape != (len(w),) or (s < 0).any():
        raise ValueError(
            f"nisp: next_score has shape {s.shape} and lowest value "
            f"{s.min(initial=0.0):g}; expected one number, 0 or more, for each of the "
            f"{len(w)} outputs of next_weight"
        )
    size = np.abs(w).sum(axis=tuple(range(2, w.ndim)))
    score: FloatArray = s @ size
    return score
