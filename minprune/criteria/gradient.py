"""Criteria that read the gradient, or the way the weights have moved along it.

A first gradient says how the loss reacts now. What accumulates over training says where
a weight is going: away from zero (movement), or how much loss it has already paid for
on its way (Karnin).
"""

import numpy as np

from minprune._check import FloatArray, float64, not_negative, same_shape
from minprune.criteria._batches import by_example
from minprune.criteria._catalog import Holds, criterion
from minprune.criteria._ratio import ratio


@criterion(
    unit="loss/weight",
    granularity="weight",
    formula="|g|",
    cites=("neuralcompressor",),
    batch="abs after mean",
    holds={Holds.NON_NEGATIVE, Holds.PERMUTES_OUT, Holds.PERMUTES_IN},
)
def gradient_magnitude(grad: FloatArray) -> FloatArray:
    r"""How steep the loss is in a weight, whatever the weight's own size.

    Parameters
    ----------
    grad : ndarray of float, any shape
        Gradient of the mean loss, in loss per weight.

    Returns
    -------
    score : ndarray of float64, same shape as `grad`
        Steepness in loss per weight. Higher means keep.

    Raises
    ------
    ValueError
        If `grad` holds a NaN or an infinity.

    See Also
    --------
    snip : Times the size of the weight, which makes it the cost of removal.

    Notes
    -----
    .. math:: s_i = \left| \frac{\partial L}{\partial w_i} \right|

    A weight of zero may score high. That makes this a criterion for growing (it is
    RigL's) rather than for removing, where it is met in toolkits.

    References
    ----------
    .. [1] Intel Neural Compressor 2.6, `GradientCriterion`.

    Examples
    --------
    >>> gradient_magnitude(np.array([0.1, -3.0, 0.0]))
    array([0.1, 3. , 0. ])
    """
    (grad,) = float64("gradient_magnitude", grad=grad)
    return np.abs(grad)


@criterion(
    unit="weight^2",
    granularity="weight",
    formula="w^2 (G - min G) / (max G - min G), G = sqrt(sum_n g_n^2)",
    cites=("dong2024pruner",),
    batch="root of the sum of squares per example",
    normalization="range of the gradient's norms over the layer",
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
def pruner_zero(weight: FloatArray, grad_by_example: FloatArray) -> FloatArray:
    r"""Squared size of a weight times the place of its gradient within the layer.

    A formula that nobody derived: genetic programming found it among expressions of
    weights, inputs and gradients, by how well language models survived the pruning.

    Parameters
    ----------
    weight : ndarray of float, any shape
        Weights of one layer.
    grad_by_example : ndarray of float, shape (examples, ...weight)
        Gradient of each example's loss, in loss per weight.

    Returns
    -------
    score : ndarray of float64, same shape as `weight`
        In units of the weight squared, whatever the unit of the loss. Higher means
        keep.

    Raises
    ------
    ValueError
        If the shapes do not fit, there is no example, or an array holds a NaN or an
        infinity.

    See Also
    --------
    gblm : Adds the same gradients to the size of the input.
    empirical_fisher : Multiplies by their square as it is, not by its place.

    Notes
    -----
    .. math:: s_i = w_i^2\, \frac{G_i - \min G}{\max G - \min G}, \qquad
              G_i = \sqrt{\textstyle\sum_n g_{ni}^2}

    ([1]_; in its code ``data/best_tree.json`` is ``abs(W * W) * mms(G)``). The weight
    with the least gradient of its layer scores zero, however large it is. The code
    takes G as GBLM-Pruner collects it; a factor common to all examples, or a mean for
    the sum, changes nothing. If all gradients are equally long nothing tells the
    weights apart and all score zero; the formula as printed divides 0 by 0.

    References
    ----------
    .. [1] P. Dong et al., "Pruner-Zero: Evolving symbolic pruning metric from scratch
       for large language models", ICML 2024. arXiv:2406.02924

    Examples
    --------
    The first weight is the largest and has the least gradient.

    >>> pruner_zero(np.array([9.0, 2.0, 2.0]), np.array([[0.1, 0.2, 0.3]])).round(6)
    array([0., 2., 4.])
    """
    weight, grads = float64(
        "pruner_zero", weight=weight, grad_by_example=grad_by_example
    )
    by_example("pruner_zero", weight, grads)
    steepness = np.sqrt(np.sum(grads**2, axis=0))
    above = steepness - np.min(steepness, initial=np.inf)
    return np.square(weight) * ratio(above, np.max(above, initial=0.0))


@criterion(
    unit="loss",
    granularity="weight",
    formula="previous - w g",
    cites=("sanh2020movement",),
    batch="signed sum over steps",
    holds={
        Holds.ZERO_AT_ZERO,
        Holds.PERMUTES_OUT,
        Holds.PERMUTES_IN,
        Holds.SCALES_WITH_WEIGHT,
        Holds.RESCALES,
    },
)
def movement(
    weight: FloatArray, grad: FloatArray, *, previous: FloatArray | None = None
) -> FloatArray:
    r"""Whether gradient descent takes a weight away from zero, summed over steps.

    In fine-tuning, how large a weight is was decided earlier. Whether it now grows or
    shrinks is what this task decides.

    Parameters
    ----------
    weight : ndarray of float, any shape
        Weights of one layer at this step.
    grad : ndarray of float, same shape as `weight`
        Gradient of the loss at the masked weights in those weights, also where the mask
        is False, in loss per weight.
    previous : ndarray of float, same shape as `weight`, optional
        What this function returned at the step before; nothing at the first.

    Returns
    -------
    score : ndarray of float64, same shape as `weight`
        In units of the loss: positive where the weight moves away from zero. Higher
        means keep.

    Raises
    ------
    ValueError
        If the shapes differ, or if an array holds a NaN or an infinity.

    See Also
    --------
    taylor_signed : The same product with the opposite sign.

    Notes
    -----
    .. math:: S_t = S_{t-1} - w_t \, g_t

    The step size of the paper, a positive factor common to all weights, changes no
    ranking while it is constant and is left out. The gradient passes the mask as if it
    were not there (straight through), which is the procedure's business.

    *Departs from the paper*: in the soft form the score is a parameter that weight
    decay pulls down; here it is only the sum.

    References
    ----------
    .. [1] V. Sanh, T. Wolf and A. Rush, "Movement pruning: adaptive sparsity by
       fine-tuning", NeurIPS 2020, Sec. 4. arXiv:2005.07683

    Examples
    --------
    Both weights grow: descent adds to the positive and takes from the negative one.

    >>> movement(np.array([2.0, -1.0, 2.0]), np.array([-0.5, 0.5, 0.5]))
    array([ 1. ,  0.5, -1. ])
    """
    same_shape("movement", weight=weight, grad=grad)
    if previous is None:
        previous = np.zeros(np.shape(weight))
    same_shape("movement", weight=weight, previous=previous)
    weight, grad, previous = float64(
        "movement", weight=weight, grad=grad, previous=previous
    )
    return previous - weight * grad


@criterion(
    unit="loss",
    granularity="weight",
    formula="sum over steps of (dw)^2 * w / (rate (w - w_initial))",
    cites=("karnin1990simple",),
    batch="signed sum over training steps",
    holds={Holds.ZERO_AT_ZERO, Holds.PERMUTES_OUT, Holds.PERMUTES_IN},
)
def karnin(
    weight: FloatArray,
    initial_weight: FloatArray,
    squared_updates: FloatArray,
    *,
    rate: float = 1.0,
) -> FloatArray:
    r"""Loss that training has gained from a weight, carried on to the way from zero.

    The loss a weight has saved between its first value and its last is known from the
    steps it took. Assume the same gain per distance for the whole way from zero.

    Parameters
    ----------
    weight : ndarray of float, any shape
        Weights of one layer after training.
    initial_weight : ndarray of float, same shape as `weight`
        The same weights before.
    squared_updates : ndarray of float, same shape as `weight`
        Sum over training of the squared changes of each weight.
    rate : float
        Learning rate of plain gradient descent, in weight^2 per loss. One for all
        layers, it changes no ranking.

    Returns
    -------
    score : ndarray of float64, same shape as `weight`
        Sensitivity in units of the loss. Higher means keep. Negative where the weight
        has come closer to zero.

    Raises
    ------
    ValueError
        If the shapes differ, if `squared_updates` is negative somewhere, if an array
        holds a NaN or an infinity, or if `rate` is not positive.

    See Also
    --------
    movement : Also follows training, and also asks for the way from zero.

    Notes
    -----
    .. math::

        s_i = L(w_i = 0) - L(w_i)
            \approx -\sum_t \frac{\partial L}{\partial w_i} \Delta w_i(t)
                     \frac{w_i}{w_i - w_i^0}
            = \sum_t \frac{\Delta w_i(t)^2}{\eta} \, \frac{w_i}{w_i - w_i^0}

    The last step puts :math:`\Delta w = -\eta\, \partial L/\partial w`, which holds for
    plain gradient descent without momentum. A weight that ends exactly where it began
    gives the formula nothing to divide by; it scores zero here.

    References
    ----------
    .. [1] E. Karnin, "A simple procedure for pruning back-propagation trained neural
       networks", IEEE Transactions on Neural Networks 1(2), 1990.

    Examples
    --------
    Both have moved by one, but the second was pulled towards zero.

    >>> karnin(np.array([2.0, 2.0]), np.array([1.0, 3.0]), np.array([0.1, 0.1]))
    array([ 0.2, -0.2])
    """
    same_shape(
        "karnin",
        weight=weight,
        initial_weight=initial_weight,
        squared_updates=squared_updates,
    )
    weight, initial_weight, squared_updates = float64(
        "karnin",
        weight=weight,
        initial_weight=initial_weight,
        squared_updates=squared_updates,
    )
    not_negative("karnin", squared_updates=squared_updates)
    if not (np.isfinite(rate) and rate > 0):
        raise ValueError(f"karnin: rate is {rate}; expected a number above 0")
    return ratio(squared_updates * weight, rate * (weight - initial_weight))
