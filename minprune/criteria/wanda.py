"""Criteria that multiply the size of a weight by the size of what it is fed.

A weight on an input that is hardly ever on adds little to its neuron's sum, however
large it is. Two numbers for every weight, and no gradient but in `gblm`, which adds it.
"""

import numpy as np

from minprune._check import FloatArray, float64
from minprune.criteria._batches import by_example
from minprune.criteria._catalog import Holds, criterion
from minprune.criteria._inputs import by_weight
from minprune.criteria._ratio import ratio


@criterion(
    unit="output",
    granularity="weight",
    formula="|w_ij| ||x_j||",
    cites=("sun2024simple",),
    batch="root mean square of the input over examples and positions",
    normalization="none; meant to be compared within each output row",
    holds={
        Holds.NON_NEGATIVE,
        Holds.ZERO_AT_ZERO,
        Holds.PERMUTES_OUT,
        Holds.PERMUTES_IN,
        Holds.SIGN_FREE,
        Holds.SCALES_WITH_WEIGHT,
    },
)
def wanda(weight: FloatArray, input_norm: FloatArray) -> FloatArray:
    r"""Size of a weight times the size of what comes in through it.

    Parameters
    ----------
    weight : ndarray of float, shape (out, in) or (out, in/groups, height, width)
        Weights of one layer.
    input_norm : ndarray of float, shape (in,) or (groups, K)
        Root mean square of each (unfolded) input, K = in/groups * height * width.

    Returns
    -------
    score : ndarray of float64, same shape as `weight`
        Typical size of the term ``w x`` in the output's sum. Higher means keep.

    Raises
    ------
    ValueError
        If the shapes do not fit, or an array holds a NaN or an infinity.

    See Also
    --------
    ria : Relative to row and column.
    gblm : Adds how steep the loss is.
    layer_obs : The same for uncorrelated inputs, squared and halved.
    flap : For whole inputs, what a bias can stand in for taken off.

    Notes
    -----
    .. math:: s_{ij} = |w_{ij}| \cdot \|x_j\|_2

    ([1]_, Eq. 1). The comparison group is one output row: the same share of every row
    goes. Ask the selection for that; across rows the numbers are comparable, but the
    paper found it to be worse. For inputs of equal size it ranks as magnitude does.

    *Departs from the paper* by the constant :math:`\sqrt N`: a root mean square does
    not grow with the number of examples, and ranks alike.

    References
    ----------
    .. [1] M. Sun, Z. Liu, A. Bair and J. Z. Kolter, "A simple and effective pruning
       approach for large language models", ICLR 2024, Sec. 3. arXiv:2306.11695

    Examples
    --------
    The small weight stays: its input is strong.

    >>> wanda(np.array([[2.0, -1.0]]), np.array([0.5, 4.0]))
    array([[1., 4.]])
    """
    (w,) = float64("wanda", weight=weight)
    return np.abs(w) * by_weight("wanda", w, input_norm=input_norm)


@criterion(
    unit="input^power",
    granularity="weight",
    formula="(|w_ij| / sum_i |w_ij| + |w_ij| / sum_j |w_ij|) ||x_j||^power",
    cites=("zhang2024plug",),
    batch="root mean square of the input over examples and positions",
    normalization="sum of |w| over the row, and over the column",
    holds={
        Holds.NON_NEGATIVE,
        Holds.ZERO_AT_ZERO,
        Holds.PERMUTES_OUT,
        Holds.PERMUTES_IN,
        Holds.SIGN_FREE,
        Holds.SCALES_WITH_WEIGHT,
        Holds.SCALE_INVARIANT,
    },
)
def ria(
    weight: FloatArray, input_norm: FloatArray, *, power: float = 0.5
) -> FloatArray:
    r"""Relative importance times activation: a weight's shares, and its input.

    Parameters
    ----------
    weight : ndarray of float, shape (out, in) or (out, in/groups, height, width)
        Weights of one layer.
    input_norm : ndarray of float, shape (in,) or (groups, K)
        Root mean square of each (unfolded) input, K = in/groups * height * width.
    power : float
        Exponent on the input, 0 or more; the paper uses 1/2.

    Returns
    -------
    score : ndarray of float64, same shape as `weight`
        Higher means keep.

    Raises
    ------
    ValueError
        If the shapes do not fit, `power` is negative, or an array holds a NaN or an
        infinity.

    See Also
    --------
    relative_importance : With power 0.
    wanda : Without the shares, with power 1.

    Notes
    -----
    .. math::

        s_{ij} = \left( \frac{|w_{ij}|}{\sum_i |w_{ij}|}
               + \frac{|w_{ij}|}{\sum_j |w_{ij}|} \right) \|x_j\|_2^{\,a}

    ([1]_). No row and no column can lose everything early, because its last
    weight holds all of a share. In a grouped convolution a column is an input of one
    group, so its sum runs over that group's outputs. An all-zero row or column adds
    nothing.

    References
    ----------
    .. [1] Y. Zhang, H. Bai, H. Lin, J. Zhao, L. Hou and C. V. Cannistraci,
       "Plug-and-play: An efficient post-training pruning method for large language
       models", ICLR 2024.

    Examples
    --------
    >>> ria(np.array([[3.0, 1.0], [0.0, 1.0]]), np.array([1.0, 4.0]))
    array([[1.75, 1.5 ],
           [0.  , 3.  ]])
    """
    if not (np.isfinite(power) and power >= 0):
        raise ValueError(f"ria: power is {power}; expected 0 or more")
    (w,) = float64("ria", weight=weight)
    norms = by_weight("ria", w, input_norm=input_norm) ** power
    groups = len(input_norm) if np.ndim(input_norm) == 2 else 1
    columns = int(np.prod(w.shape[1:]))
    size = np.abs(w).reshape(groups, len(w) // groups, columns)
    in_column = ratio(size, size.sum(axis=1, keepdims=True))
    in_row = ratio(size, size.sum(axis=2, keepdims=True))
    return (in_column + in_row).reshape(w.shape) * norms


@criterion(
    unit="output",
    granularity="weight",
    formula="|w_ij| (||x_j|| + strength sqrt(sum_n g_nij^2))",
    cites=("das2023beyond",),
    batch="root mean square of the input; root of the sum of squares per example",
    normalization="none; meant to be compared within each output row",
    holds={
        Holds.NON_NEGATIVE,
        Holds.ZERO_AT_ZERO,
        Holds.PERMUTES_OUT,
        Holds.PERMUTES_IN,
        Holds.SIGN_FREE,
        Holds.SCALES_WITH_WEIGHT,
        Holds.BATCH_ORDER,
    },
)
def gblm(
    weight: FloatArray,
    input_norm: FloatArray,
    grad_by_example: FloatArray,
    *,
    strength: float = 100.0,
) -> FloatArray:
    r"""Size of a weight times the size of its input plus the size of its gradient.

    Parameters
    ----------
    weight : ndarray of float, shape (out, in) or (out, in/groups, height, width)
        Weights of one layer.
    input_norm : ndarray of float, shape (in,) or (groups, K)
        Root mean square of each (unfolded) input, K = in/groups * height * width.
    grad_by_example : ndarray of float, shape (examples, ...weight)
        Gradient of each example's loss, in loss per weight.
    strength : float
        How much the gradient counts beside the input, 0 or more; 100 in the paper's
        code. It also carries the units from one to the other.

    Returns
    -------
    score : ndarray of float64, same shape as `weight`
        Higher means keep.

    Raises
    ------
    ValueError
        If the shapes do not fit, there is no example, `strength` is negative, or an
        array holds a NaN or an infinity.

    See Also
    --------
    wanda : With strength 0.
    pruner_zero : The same gradients, stretched from 0 to 1.

    Notes
    -----
    .. math::

        s_{ij} = |w_{ij}| \cdot \|x_j\|_2
               + \alpha\, |w_{ij}| \cdot \|g_{\cdot ij}\|_2, \qquad
        \|g_{\cdot ij}\|_2 = \sqrt{\textstyle\sum_n g_{nij}^2}

    ([1]_, with p = 2). The gradient's norm grows with the number of examples while the
    input's is a mean, in the code as here, so the number of examples shifts the balance
    between the two; with :math:`\alpha` it is part of the definition.

    *Departs from the published code* where an example has several tokens (or
    positions): its input norm sums their squares, a root mean square does not.

    References
    ----------
    .. [1] R. J. Das, M. Sun, L. Ma and Z. Shen, "Beyond size: How gradients shape
       pruning decisions in large language models", 2023. arXiv:2311.04902

    Examples
    --------
    The inputs are equally strong; the loss feels the second weight.

    >>> weight, norm = np.array([[2.0, 1.0]]), np.ones(2)
    >>> grads = np.array([[[0.0, 0.03]], [[0.0, -0.04]]])
    >>> wanda(weight, norm), gblm(weight, norm, grads)
    (array([[2., 1.]]), array([[2., 6.]]))
    """
    if not (np.isfinite(strength) and strength >= 0):
        raise ValueError(f"gblm: strength is {strength}; expected 0 or more")
    w, grads = float64("gblm", weight=weight, grad_by_example=grad_by_example)
    by_example("gblm", w, grads)
    steepness: FloatArray = np.sqrt(np.sum(grads**2, axis=0))
    fed = by_weight("gblm", w, input_norm=input_norm)
    return np.abs(w) * (fed + strength * steepness)
